package cluster

import (
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
	"github.com/nats-broker/nats-broker/daemon/logging"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// node is a member of a cluster under test, ours or a nats-server.
type node struct {
	url    string // for clients
	route  string // for routes
	hub    *Hub
	b      *broker.Broker
	theirs *brokertest.Server
	http   string // of a nats-server: where its monitor listens
	stop   func()
}

func must[T any](t testing.TB, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// ours starts a node in this process.
func ours(t testing.TB, name string, change func(*Options), routes ...string) *node {
	t.Helper()
	return oursAt(t, name, "127.0.0.1:0", change, routes...)
}

func oursAt(t testing.TB, name, at string, change func(*Options), routes ...string) *node {
	t.Helper()
	b := must2(broker.New(broker.Options{ServerName: name, Host: "127.0.0.1", Cluster: "C", NoShortFirstPing: true}, logging.Discard()))(t)
	l := must2(b.Listen("tcp", "127.0.0.1:0"))(t)
	rl := must2(net.Listen("tcp", at))(t)
	o := Options{Name: "C", Host: "127.0.0.1", ServerName: name, Version: "2.15.3", Headers: true,
		RetryPause: 50 * time.Millisecond}
	for _, r := range routes {
		o.Routes = append(o.Routes, must2(url.Parse(r))(t))
	}
	if change != nil {
		change(&o)
	}
	h := must2(New(b, o, logging.Discard()))(t)
	h.Start([]string{l.Addr().String()}, rl)
	n := &node{url: "nats://" + l.Addr().String(), route: "nats://" + rl.Addr().String(), hub: h, b: b}
	n.stop = func() { h.Stop(); b.Stop() }
	t.Cleanup(n.stop)
	return n
}

func must2[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T { t.Helper(); return must(t, v, err) }
}

// theirs starts a nats-server.
func theirs(t testing.TB, name, extra string, routes ...string) *node {
	t.Helper()
	port, http := brokertest.FreePort(t), brokertest.FreePort(t)
	conf := fmt.Sprintf("server_name: %s\nhttp: 127.0.0.1:%d\ncluster { name: C, listen: \"127.0.0.1:%d\", routes: [%s], %s }\n",
		name, http, port, quoted(routes), extra)
	s := brokertest.Start(t, brokertest.Options{Binary: brokertest.NATSServer(t), Config: conf, Args: []string{"-D"}})
	s.WaitLog("Listening for route connections") // later than for clients, which is all that Start waits for
	return &node{url: s.URL(), route: fmt.Sprintf("nats://127.0.0.1:%d", port), theirs: s, stop: func() { s.Kill() },
		http: fmt.Sprintf("http://127.0.0.1:%d", http)}
}

func quoted(list []string) string {
	var b strings.Builder
	for _, s := range list {
		fmt.Fprintf(&b, "%q ", s)
	}
	return b.String()
}

func (n *node) client(t testing.TB, opts ...nats.Option) *nats.Conn {
	t.Helper()
	nc := must2(nats.Connect(n.url, append([]nats.Option{nats.MaxReconnects(-1), nats.ReconnectWait(20 * time.Millisecond)}, opts...)...))(t)
	t.Cleanup(nc.Close)
	return nc
}

// eventually waits for a condition that processes bring about; it fails after
// brokertest.Patience.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(brokertest.Patience); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, brokertest.Patience)
		}
		time.Sleep(5 * time.Millisecond) // between looks, not before one
	}
}

// answered waits until a request from one node is answered on another: interest has
// arrived, in both directions.
func linked(t testing.TB, from, to *node) {
	t.Helper()
	a, b := from.client(t), to.client(t)
	defer a.Close()
	defer b.Close()
	subject := nats.NewInbox()
	must2(b.Subscribe(subject, func(m *nats.Msg) { _ = m.Respond([]byte("here")) }))(t)
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a request across nodes", func() bool {
		_, err := a.Request(subject, nil, 300*time.Millisecond)
		return err == nil
	})
}

// meshed waits until each node reaches each other one.
func meshed(t testing.TB, nodes ...*node) {
	t.Helper()
	for _, n := range nodes {
		if n.hub != nil {
			eventually(t, "a full mesh", func() bool { return n.hub.complete(len(nodes) - 1) })
		}
	}
	for _, a := range nodes {
		for _, b := range nodes {
			if a != b {
				linked(t, a, b)
			}
		}
	}
}

// complete reports whether all connections to n peers are there.
func (h *Hub) complete(n int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.peers {
		if p.free() >= 0 || !p.noPool && len(h.unlinked(p)) > 0 {
			return false
		}
	}
	return len(h.peers) == n
}
