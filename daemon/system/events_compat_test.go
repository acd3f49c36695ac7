package system_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// watcher collects the events of a server.
type watcher struct {
	n   *node
	sub *nats.Subscription
}

// watch subscribes to all events but those that come by the clock.
func (n *node) watch() *watcher {
	n.t.Helper()
	sub, err := n.sys.SubscribeSync("$SYS.>")
	n.must(err)
	n.must(n.sys.FlushTimeout(brokertest.Patience))
	return &watcher{n, sub}
}

// heardBy waits until another server knows that somebody watches.
func (w *watcher) heardBy(other *node) {
	w.n.t.Helper()
	const ready = "$SYS.TEST.READY"
	for end := time.Now().Add(brokertest.Patience); ; {
		w.n.must(other.sys.Publish(ready, nil))
		w.n.must(other.sys.FlushTimeout(brokertest.Patience))
		m, err := w.sub.NextMsg(20 * time.Millisecond) // then the other is asked again
		if err == nil && m.Subject == ready {
			return
		}
		if time.Now().After(end) {
			w.n.t.Fatal("the other server does not hear of the interest")
		}
	}
}

// next returns the next event, by a subject in which <id> is the server's. Statistics
// are passed over, and what is said of the connections of the system account: that of
// who watches may be told late.
func (w *watcher) next() (subject string, m *nats.Msg) {
	w.n.t.Helper()
	for {
		m, err := w.sub.NextMsg(brokertest.Patience)
		w.n.must(err)
		if strings.HasSuffix(m.Subject, ".STATSZ") || strings.HasPrefix(m.Subject, "$SYS.REQ.") ||
			strings.HasPrefix(m.Subject, "$SYS.ACCOUNT.$SYS.") || strings.HasPrefix(m.Subject, "$SYS.SERVER.ACCOUNT.$SYS.") {
			continue
		}
		return strings.ReplaceAll(m.Subject, w.n.id, "<id>"), m
	}
}

// expect waits until events on all these subjects have come, in any order, and
// returns them. How many connections an account has is told again every half minute.
func (w *watcher) expect(subjects ...string) map[string]*nats.Msg {
	w.n.t.Helper()
	got := map[string]*nats.Msg{}
	for missing := len(subjects); missing > 0; {
		subject, m := w.next()
		switch {
		case got[subject] == nil && slices.Contains(subjects, subject):
			got[subject] = m
			missing--
		case !strings.HasSuffix(subject, "CONNS"):
			w.n.t.Fatalf("an event %s %s, but not all of %q have come: %v", subject, m.Data, subjects, keys(got))
		}
	}
	return got
}

func keys(m map[string]*nats.Msg) (list []string) {
	for k, v := range m {
		list = append(list, k+" "+string(v.Data))
	}
	return list
}

// TestEvents makes the same things happen to both servers.
func TestEvents(t *testing.T) {
	config := accounts + "lame_duck_duration: 30s\nlame_duck_grace_period: 10s\n"
	nodes := []*node{startNode(t, "", config), startNode(t, brokertest.NATSServer(t), config)}
	watchers := []*watcher{nodes[0].watch(), nodes[1].watch()}
	both := func(what string, do func(n *node), subjects ...string) {
		t.Helper()
		var events [2]map[string]*nats.Msg
		for i, n := range nodes {
			do(n)
			events[i] = watchers[i].expect(subjects...)
		}
		for _, s := range subjects {
			compareShapes(t, what+": "+s, events[0][s], events[1][s])
			compareValues(t, what+": "+s, events[0][s], events[1][s])
		}
	}
	const conns, old = "$SYS.ACCOUNT.A.SERVER.CONNS", "$SYS.SERVER.ACCOUNT.A.CONNS"
	clients := map[*node]*nats.Conn{}
	both("a client connects", func(n *node) { clients[n] = n.connect("a", "first") }, "$SYS.ACCOUNT.A.CONNECT", conns, old)
	both("it goes", func(n *node) { n.must(clients[n].FlushTimeout(brokertest.Patience)); clients[n].Close() }, "$SYS.ACCOUNT.A.DISCONNECT", conns, old)
	both("a wrong password", func(n *node) {
		_, err := nats.Connect(n.server.URL(), nats.Timeout(brokertest.Patience), nats.UserInfo("a", "wrong-"+secret), nats.Name("intruder"))
		if !errors.Is(err, nats.ErrAuthorization) {
			t.Fatal(err)
		}
	}, "$SYS.ACCOUNT.$G.DISCONNECT", "$SYS.SERVER.<id>.CLIENT.AUTH.ERR")
	both("a token", func(n *node) {
		if _, err := nats.Connect(n.server.URL(), nats.Timeout(brokertest.Patience), nats.Token(secret)); !errors.Is(err, nats.ErrAuthorization) {
			t.Fatal(err)
		}
	}, "$SYS.ACCOUNT.$G.DISCONNECT", "$SYS.SERVER.<id>.CLIENT.AUTH.ERR")
	both("no CONNECT", func(n *node) {
		c := n.server.Dial(t)
		c.Frame()
		c.Net().Close()
	}, "$SYS.ACCOUNT.$G.DISCONNECT")
	both("something else than CONNECT", func(n *node) {
		c := n.server.Dial(t)
		c.Frame()
		c.Send("PING\r\n")
	}, "$SYS.ACCOUNT.$G.DISCONNECT", "$SYS.SERVER.<id>.CLIENT.AUTH.ERR")
	both("a user of two", func(n *node) { clients[n] = n.connect("b", "second") },
		"$SYS.ACCOUNT.B.CONNECT", "$SYS.ACCOUNT.B.SERVER.CONNS", "$SYS.SERVER.ACCOUNT.B.CONNS")
	both("a request for statistics without an answer", func(n *node) {
		sub, err := n.sys.SubscribeSync("$SYS.SERVER.*.STATSZ")
		n.must(err)
		n.must(n.sys.Publish("$SYS.REQ.SERVER.PING.STATSZ", nil))
		_, err = sub.NextMsg(brokertest.Patience)
		n.must(err)
	})
	both("lame duck mode", func(n *node) { n.server.Signal(syscall.SIGUSR2) }, "$SYS.SERVER.<id>.LAMEDUCK")
	both("a request for statistics in lame duck mode", func(n *node) {
		sub, err := n.sys.SubscribeSync("$SYS.SERVER.*.STATSZ")
		n.must(err)
		n.must(n.sys.Publish("$SYS.REQ.SERVER.PING.STATSZ", nil)) // that all shall be told
		for range 2 {                                             // who asks for himself is answered, after it
			if n.ask("$SYS.REQ.SERVER.<id>.STATSZ", "") == nil {
				t.Error("no answer in lame duck mode")
			}
		}
		if m, err := sub.NextMsg(0); err == nil {
			t.Errorf("told to all: %s", m.Subject)
		}
	})
}

// secret is what must appear nowhere.
const secret = "sesame-open"

// TestShutdownEvent sees the end of a server on another one.
func TestShutdownEvent(t *testing.T) {
	for _, c := range []struct{ name, goes, stays string }{
		{"both ours", "", ""},
		{"nats-server stays", "", brokertest.NATSServer(t)},
		{"nats-server goes", brokertest.NATSServer(t), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			nodes := startCluster(t, accounts, c.goes, c.stays)
			a, b := nodes[0], nodes[1]
			w := b.watch()
			w.heardBy(a)
			a.server.Stop()
			for end := time.Now().Add(brokertest.Patience); ; {
				m, err := w.sub.NextMsg(time.Until(end))
				b.must(err)
				if m.Subject == "$SYS.SERVER."+a.id+".SHUTDOWN" {
					var si struct{ ID, Name string }
					if err := json.Unmarshal(m.Data, &si); err != nil || si.ID != a.id || si.Name != "a" {
						t.Errorf("%v: %s", err, m.Data)
					}
					return
				}
			}
		})
	}
}

// awaitServers waits until a server knows of so many, itself among them.
func (n *node) awaitServers(want int) {
	n.t.Helper()
	for end := time.Now().Add(brokertest.Patience); ; {
		var z struct {
			Stats struct {
				Active int `json:"active_servers"`
			} `json:"statsz"`
		}
		m, err := n.sys.Request("$SYS.REQ.SERVER."+n.id+".STATSZ", nil, brokertest.Patience)
		n.must(err)
		n.must(json.Unmarshal(m.Data, &z))
		if z.Stats.Active == want {
			return
		}
		if time.Now().After(end) {
			n.t.Fatalf("%d servers are known, want %d", z.Stats.Active, want)
		}
	}
}
