package cluster

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
	"github.com/nats-broker/nats-broker/daemon/logging"
)

// byName lets everyone into the account that the user name names.
type byName struct{}

func (byName) Requires() broker.AuthRequirements {
	return broker.AuthRequirements{Auth: true, Told: true}
}

func (byName) Authenticate(_ context.Context, r *broker.AuthRequest) (*broker.Identity, error) {
	return &broker.Identity{Account: r.Connect.User, User: r.Connect.User}, nil
}

// sharing starts a node with accounts that share.
func sharing(t testing.TB, name string, accounts []broker.AccountOptions, routes ...string) *node {
	t.Helper()
	b := must2(broker.New(broker.Options{ServerName: name, Host: "127.0.0.1", Cluster: "C", NoShortFirstPing: true, Authenticator: byName{}}, logging.Discard()))(t)
	must2(b.PrepareAccounts(accounts))(t)()
	l := must2(b.Listen("tcp", "127.0.0.1:0"))(t)
	rl := must2(net.Listen("tcp", "127.0.0.1:0"))(t)
	o := Options{Name: "C", Host: "127.0.0.1", ServerName: name, Version: "2.15.3", Headers: true, RetryPause: 50 * time.Millisecond}
	for _, r := range routes {
		o.Routes = append(o.Routes, must2(url.Parse(r))(t))
	}
	h := must2(New(b, o, logging.Discard()))(t)
	h.Start([]string{l.Addr().String()}, rl)
	h.Sync()
	n := &node{url: "nats://" + l.Addr().String(), route: "nats://" + rl.Addr().String(), hub: h, b: b}
	n.stop = func() { h.Stop(); b.Stop() }
	t.Cleanup(n.stop)
	return n
}

// theirsSharing starts a nats-server with such accounts, written as it reads them.
func theirsSharing(t testing.TB, name, accounts string, routes ...string) *node {
	t.Helper()
	return theirs(t, name, "}\n"+strings.TrimSuffix(accounts, "}"), routes...)
}

// as connects to an account.
func (n *node) as(t testing.TB, account string) *nats.Conn {
	t.Helper()
	return n.client(t, nats.UserInfo(account, account))
}

// Requests to another account's service and the answers to them reach no importer of a
// stream on any server, and none takes them away; messages without a reply do reach them,
// without a word of who published them.
func TestRequestsArePrivateAcrossServers(t *testing.T) {
	accounts := []broker.AccountOptions{
		{Name: "X", Exports: []broker.ServiceExport{{Subject: "svc"}}},
		{Name: "I", Services: []broker.ServiceImport{{Account: "X", Subject: "svc", Share: true}}},
		{Name: "N", Streams: []broker.StreamImport{{Account: "X", Subject: "svc"}}},
		{Name: "S", Streams: []broker.StreamImport{{Account: "X", Subject: ">", Local: "x.>"}, {Account: "I", Subject: ">", Local: "i.>"}}},
	}
	const theirs = `accounts {
 X { users: [{user: X, password: X}], exports: [{service: svc}, {stream: svc}, {stream: ">"}] }
 I { users: [{user: I, password: I}], exports: [{stream: ">"}], imports: [{service: {account: X, subject: svc}, share: true}] }
 N { users: [{user: N, password: N}], imports: [{stream: {account: X, subject: svc}}] }
 S { users: [{user: S, password: S}], imports: [{stream: {account: X, subject: ">"}, to: "x.>"}, {stream: {account: I, subject: ">"}, to: "i.>"}] } }`
	for _, c := range []struct {
		name                       string
		asks, serves, hears, inbox int // on which server
		peer                       bool
	}{
		{"one", 0, 0, 0, 0, false}, {"heard elsewhere", 0, 0, 1, 0, false}, {"asked elsewhere", 1, 0, 0, 1, false}, {"served elsewhere", 0, 1, 0, 0, false},
		{"the inbox elsewhere", 0, 1, 1, 1, false}, {"all apart", 0, 1, 2, 0, false}, {"the inbox apart", 0, 1, 2, 2, false},
		{"nats-server asks", 0, 1, 1, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var nodes []*node
			for i, name := range []string{"a", "b", "c"}[:1+max(c.asks, c.serves, c.hears, c.inbox)] {
				var routes []string
				if i > 0 {
					routes = append(routes, nodes[0].route)
				}
				if i == 0 && c.peer {
					nodes = append(nodes, theirsSharing(t, name, theirs))
				} else {
					nodes = append(nodes, sharing(t, name, accounts, routes...))
				}
			}
			x, i, box := nodes[c.serves].as(t, "X"), nodes[c.asks].as(t, "I"), nodes[c.inbox].as(t, "I")
			served := must2(x.QueueSubscribeSync("svc", "workers"))(t)
			answers := must2(box.SubscribeSync("in.box"))(t)
			var heard []*nats.Subscription
			for _, s := range []struct{ account, pattern string }{{"N", "svc"}, {"S", "x.>"}, {"S", "i.in.>"}} {
				if c.peer && s.pattern == "i.in.>" {
					continue // a nats-server does not say which messages are answers
				}
				nc := nodes[c.hears].as(t, s.account)
				for _, queue := range []string{"workers", "workers", "spies"} {
					heard = append(heard, must2(nc.QueueSubscribeSync(s.pattern, queue))(t))
				}
				heard = append(heard, must2(nc.SubscribeSync(s.pattern))(t))
				if err := nc.Flush(); err != nil {
					t.Fatal(err)
				}
			}
			for _, nc := range []*nats.Conn{x, i, box} {
				if err := nc.Flush(); err != nil {
					t.Fatal(err)
				}
			}
			acrossAccounts(t, nodes)
			const times = 40
			for k := range times {
				data := []byte(fmt.Sprint("request ", k))
				if err := i.PublishRequest("svc", "in.box", data); err != nil {
					t.Fatal(err)
				}
				m, err := served.NextMsg(brokertest.Patience)
				if err != nil || string(m.Data) != string(data) {
					t.Fatalf("request %d: %v, %v", k, m, err)
				}
				if err := m.Respond(data); err != nil {
					t.Fatal(err)
				}
				if m, err = answers.NextMsg(brokertest.Patience); err != nil || string(m.Data) != string(data) {
					t.Fatalf("answer %d: %v, %v", k, m, err)
				}
			}
			m := nats.NewMsg("svc")
			m.Data, m.Header = []byte("message"), nats.Header{"A": {"b"}}
			if err := i.PublishMsg(m); err != nil {
				t.Fatal(err)
			}
			got := make([]int, len(heard))
			until := func(what string, ok func() bool) {
				eventually(t, what, func() bool {
					for k, sub := range heard {
						for n, _, _ := sub.Pending(); n > 0; n-- {
							m, err := sub.NextMsg(time.Second)
							if err == nil && strings.Contains(m.Subject, "_INBOX") {
								continue // from acrossAccounts
							}
							if err != nil || string(m.Data) != "message" || m.Header.Get("A") != "b" || len(m.Header) != 1 {
								t.Fatalf("a stream import gets %s %v %q, %v", m.Subject, m.Header, m.Data, err)
							}
							got[k]++
						}
					}
					return ok()
				})
			}
			until("the message at the stream imports", func() bool { // a group has one of it, whoever that is
				return got[3] == 1 && got[7] == 1 && got[2]+got[6] == 1
			})
			for _, n := range got[8:] {
				if n > 0 {
					t.Errorf("what comes from I's inbox: %v", got[8:])
				}
			}
		})
	}
}

// acrossAccounts waits until what was subscribed is known on all servers: what is told
// later is known later.
func acrossAccounts(t *testing.T, nodes []*node) {
	t.Helper()
	for _, account := range []string{"X", "I", "N", "S"} {
		for _, from := range nodes {
			for _, to := range nodes {
				if from == to {
					continue
				}
				a, b := from.as(t, account), to.as(t, account)
				subject := nats.NewInbox()
				must2(b.Subscribe(subject, func(m *nats.Msg) { _ = m.Respond(nil) }))(t)
				if err := b.Flush(); err != nil {
					t.Fatal(err)
				}
				eventually(t, "interest of "+account, func() bool {
					_, err := a.Request(subject, nil, time.Second)
					return err == nil
				})
				a.Close()
				b.Close()
			}
		}
	}
}

// A server says when the first subscription of an account's own comes to a pattern that
// importers of its streams have already, and when the last one goes: a request that nobody
// serves is answered so, whoever else hears the stream.
func TestWhoServesIsToldApart(t *testing.T) {
	accounts := []broker.AccountOptions{
		{Name: "X"}, {Name: "I", Services: []broker.ServiceImport{{Account: "X", Subject: "svc"}}},
		{Name: "N", Streams: []broker.StreamImport{{Account: "X", Subject: "svc"}}}, {Name: "S"},
	}
	for _, queue := range []string{"", "workers"} {
		t.Run(queue, func(t *testing.T) {
			a := sharing(t, "a", accounts)
			b := sharing(t, "b", accounts, a.route)
			i, x, n := a.as(t, "I"), b.as(t, "X"), b.as(t, "N")
			must2(n.QueueSubscribeSync("svc", queue))(t)
			if err := n.Flush(); err != nil {
				t.Fatal(err)
			}
			acrossAccounts(t, []*node{a, b})
			for range 2 {
				if m, err := i.Request("svc", nil, brokertest.Patience); err != nats.ErrNoResponders {
					t.Fatalf("with nobody but an importer: %v, %v", m, err)
				}
				sub := must2(x.QueueSubscribe("svc", queue, func(m *nats.Msg) { _ = m.Respond([]byte("here")) }))(t)
				if err := x.Flush(); err != nil {
					t.Fatal(err)
				}
				acrossAccounts(t, []*node{a, b})
				for range 10 {
					if m, err := i.Request("svc", nil, brokertest.Patience); err != nil || string(m.Data) != "here" {
						t.Fatalf("with the service: %v, %v", m, err)
					}
				}
				if err := sub.Unsubscribe(); err != nil {
					t.Fatal(err)
				}
				if err := x.Flush(); err != nil {
					t.Fatal(err)
				}
				acrossAccounts(t, []*node{a, b})
			}
		})
	}
}
