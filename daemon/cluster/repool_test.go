package cluster

import (
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// TestPoolChangesInAHandshake: a peer spreads accounts over the pool that it was told of; if that has another size by
// then, the connection begins anew.
func TestPoolChangesInAHandshake(t *testing.T) {
	a := ours(t, "a", func(o *Options) { o.Compression.Mode = "off" })
	p := dialled(t, a, &strings.Builder{})
	p.hear(1)
	a.set(t, func(o *Options) { o.PoolSize = 5 })
	p.say(connectLine(""), infoLine(`,"route_pool_size":5,"route_pool_idx":3,"compression":"off"`))
	p.heard() // fails if it stays open
}

// TestLostWhileDialled: a connection that ends while its server is being dialled is not forgotten: if what is under way is
// refused in a way after which nobody dials, as one that is one too many, the server is dialled again.
func TestLostWhileDialled(t *testing.T) {
	l := must2(net.Listen("tcp", "127.0.0.1:0"))(t)
	t.Cleanup(func() { l.Close() })
	a := ours(t, "a", func(o *Options) { o.Compression.Mode, o.PoolSize = "off", 1 })
	to := target{url: must2(url.Parse("nats://" + l.Addr().String()))(t), id: peerID, attempts: 1, key: peerID + "/"}
	a.hub.mu.Lock()
	a.hub.dialing[to.key] = nil // it is under way
	a.hub.mu.Unlock()
	a.hub.dial(to) // for a connection that has ended
	a.hub.forgetDial(to)
	_ = l.(*net.TCPListener).SetDeadline(time.Now().Add(brokertest.Patience))
	p := newScripted(t, must2(l.Accept())(t), &strings.Builder{})
	p.say(infoLine(`,"route_pool_size":1,"compression":"off"`))
	p.sync()
	eventually(t, "a connection", func() bool {
		a.hub.mu.Lock()
		defer a.hub.mu.Unlock()
		p := a.hub.peers[peerID]
		return p != nil && p.count() == 1
	})
}

// TestAccountsOfAFullPool: the peer has made all connections of the pool, and the one of an account is missing. Whoever dials
// and learns that it is one too many dials the account.
func TestAccountsOfAFullPool(t *testing.T) {
	l := must2(net.Listen("tcp", "127.0.0.1:0"))(t)
	t.Cleanup(func() { l.Close() })
	a := ours(t, "a", func(o *Options) { o.Compression.Mode, o.PoolSize = "off", 1 })
	text := &strings.Builder{}
	next := func() *scripted {
		t.Helper()
		_ = l.(*net.TCPListener).SetDeadline(time.Now().Add(brokertest.Patience))
		return newScripted(t, must2(l.Accept())(t), text)
	}
	const pool = `,"route_pool_size":1,"compression":"off"`
	in := dialled(t, a, text)
	in.hear(1)
	in.say(connectLine(""), infoLine(pool+`,"route_pool_idx":0`))
	in.sync()
	a.hub.dial(target{url: must2(url.Parse("nats://" + l.Addr().String()))(t), id: peerID, attempts: 1})
	more := next()
	more.say(infoLine(pool))
	more.heard()
	account := next()
	account.say(infoLine(pool))
	account.sync()
	if !strings.Contains(text.String(), `"route_account":"$SYS"`) {
		t.Error(text.String())
	}
	eventually(t, "a connection for the account", func() bool {
		a.hub.mu.Lock()
		defer a.hub.mu.Unlock()
		p := a.hub.peers[peerID]
		return p != nil && p.count() == 1 && p.accounts["$SYS"] != nil
	})
}
