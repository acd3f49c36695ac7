package broker

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/certtest"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

// What a reload lowers is taken from those who are connected: the newest beyond max_connections go, and who has more
// subscriptions than one may have.
func TestLoweredLimits(t *testing.T) {
	b, addr := start(t, Options{})
	var clients []*peer
	for range 5 {
		clients = append(clients, connect(t, addr))
	}
	clients[0].send("SUB a 1\r\nSUB b 2\r\nSUB c 3\r\n")
	clients[0].sync()
	clients[1].send("SUB a 1\r\nSUB b 2\r\n")
	clients[1].sync()
	reload := func(change func(*Options)) {
		o := b.Options()
		change(&o)
		commit, err := b.Prepare(o)
		if err != nil {
			t.Fatal(err)
		}
		commit()
	}
	reload(func(o *Options) { o.MaxConnections = 3 })
	for _, c := range clients[3:] {
		c.expect("-ERR 'maximum connections exceeded'")
		c.closed()
	}
	reload(func(o *Options) { o.MaxSubscriptions = 2 })
	clients[0].expect("-ERR 'maximum subscriptions exceeded'")
	clients[0].closed()
	for _, c := range clients[1:3] {
		c.sync()
	}
	clients[1].send("SUB c 3\r\n")
	clients[1].expect("-ERR 'maximum subscriptions exceeded'")
	clients[1].sync()
}

// The same for the limits of an account.
func TestLoweredLimitsOfAnAccount(t *testing.T) {
	b, addr := start(t, Options{})
	set := func(l AccountLimits) {
		commit, err := b.PrepareAccounts([]AccountOptions{{Name: GlobalAccount, Limits: l}})
		if err != nil {
			t.Fatal(err)
		}
		commit()
	}
	set(AccountLimits{})
	var clients []*peer
	for range 4 {
		clients = append(clients, connect(t, addr))
	}
	clients[0].send("SUB a 1\r\nSUB b 2\r\n")
	clients[0].sync()
	set(AccountLimits{Connections: 2})
	for _, c := range clients[2:] {
		c.expect("-ERR 'maximum account active connections exceeded'")
		c.closed()
	}
	set(AccountLimits{Connections: 2, Subscriptions: 1})
	clients[0].expect("-ERR 'maximum subscriptions exceeded'")
	clients[0].closed()
	clients[1].sync()
	set(AccountLimits{Connections: 3, Subscriptions: 2})
	clients[1].sync()
}

// A certificate that is pinned no longer takes its connections along.
func TestPinnedCertificateIsTakenAway(t *testing.T) {
	made := certtest.SelfSigned(t, "broker")
	client := certtest.SelfSigned(t, "client")
	load := func(pins ...string) *transport.TLS {
		m, err := transport.LoadTLS(transport.TLSOptions{
			Certificates: []transport.KeyPair{{CertFile: made.CertFile, KeyFile: made.KeyFile}}, CAFile: client.CertFile, Verify: true, Pinned: pins,
		})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	b, addr := start(t, Options{TLS: load()})
	gone := make(chan struct{})
	nc, err := nats.Connect("nats://"+addr, nats.RootCAs(made.CertFile), nats.ClientCert(client.CertFile, client.KeyFile), nats.NoReconnect(),
		nats.ClosedHandler(func(*nats.Conn) { close(gone) }))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	state := b.Clients()[0].TLS()
	reload := func(m *transport.TLS) {
		o := b.Options()
		o.TLS = m
		commit, err := b.Prepare(o)
		if err != nil {
			t.Fatal(err)
		}
		commit()
	}
	reload(load(transport.Fingerprint(state.PeerCertificates[0])))
	if err := nc.Flush(); err != nil {
		t.Fatal("though its certificate is pinned:", err)
	}
	reload(load("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"))
	select {
	case <-gone:
	case <-time.After(longest):
		t.Fatal("the connection is still there")
	}
}
