package cluster

import (
	"net"
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
// refused, the server is dialled again.
func TestLostWhileDialled(t *testing.T) {
	l := must2(net.Listen("tcp", "127.0.0.1:0"))(t)
	t.Cleanup(func() { l.Close() })
	a := ours(t, "a", func(o *Options) { o.Compression.Mode = "off" }, "nats://"+l.Addr().String())
	next := func() *scripted {
		t.Helper()
		_ = l.(*net.TCPListener).SetDeadline(time.Now().Add(brokertest.Patience))
		p := newScripted(t, must2(l.Accept())(t), &strings.Builder{})
		p.hear(1)
		return p
	}
	const pool = `,"route_pool_size":1,"compression":"off"`
	first := next()
	first.say(infoLine(pool))
	first.sync()
	target := target{url: a.hub.opts.Load().Routes[0], explicit: true}
	a.hub.dial(target)
	second := next()
	first.nc.Close()
	eventually(t, "the first one being asked for again", func() bool {
		a.hub.mu.Lock()
		defer a.hub.mu.Unlock()
		for _, asked := range a.hub.dialing {
			if asked != nil {
				return true
			}
		}
		return false
	})
	second.say(infoLine(pool + `,"route_pool_idx":1`)) // no peer that is dialled chooses that
	second.heard()
	next().say(infoLine(pool))
	eventually(t, "a connection", func() bool {
		a.hub.mu.Lock()
		defer a.hub.mu.Unlock()
		p := a.hub.peers[peerID]
		return p != nil && p.count() == 1
	})
}
