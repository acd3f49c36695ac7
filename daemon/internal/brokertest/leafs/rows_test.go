package leafs_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// world is a hub with two leaf nodes, and several accounts between them.
type world struct{ hub, leaf, other *server }

const hubConfig = `
server_name: hub
accounts {
  A { users: [{user: a, password: p}, {user: la, password: p}]
      imports: [{service: {account: S, subject: "svc.hub"}}, {stream: {account: S, subject: "st.>"}}] }
  P { users: [{user: p, password: p}, {user: lp, password: p, permissions: {publish: {allow: ["up.>", "_INBOX.>"], deny: "up.no"}, subscribe: {allow: ["down.>", "_INBOX.>"], deny: "down.no"}}}] }
  D { users: [{user: d, password: p}, {user: ld, password: p}] }
  M { users: [{user: m, password: p}, {user: lm, password: p}], mappings: {"old.hub": "new.hub", "half.>": [{destination: "first.>", weight: 100}]} }
  H { users: [{user: h, password: p}, {user: lh, password: p}] }
  I { users: [{user: i, password: p}, {user: li, password: p}] }
  S { users: [{user: s, password: p}], exports: [{service: "svc.hub"}, {stream: "st.>"}] }
  SYS { users: [{user: sys, password: p}] }
}
system_account: SYS
leafnodes { listen: LEAF }
`

const leafConfig = `
server_name: %s
accounts {
  LA { users: [{user: a, password: p}], imports: [{service: {account: LS, subject: "svc.leaf"}}] }
  LP { users: [{user: p, password: p}] }
  LD { users: [{user: d, password: p}] }
  LM { users: [{user: m, password: p}], mappings: {"old.leaf": "new.leaf"} }
  LH { users: [{user: h, password: p}] }
  LI { users: [{user: i, password: p}] }
  LS { users: [{user: s, password: p}], exports: [{service: "svc.leaf"}] }
  SYS { users: [{user: sys, password: p}] }
}
system_account: SYS
leafnodes { remotes: [
  {url: %q, account: LA}
  {url: %q, account: LP}
  {url: %q, account: LD, deny_imports: ["no.in", "not.in.>"], deny_exports: ["no.out", "not.out.*"]}
  {url: %q, account: LM}
  {url: %q, account: LI, request_isolation: true}
  %s
] }
`

func leafOf(hub *server, name, more string) string {
	return fmt.Sprintf(leafConfig, name, hub.url("la"), hub.url("lp"), hub.url("ld"), hub.url("lm"), hub.url("li"), more)
}

// TestRows goes through what crosses a leaf node connection, and what does not.
func TestRows(t *testing.T) {
	for _, m := range mixes {
		t.Run(m.name, func(t *testing.T) {
			w := &world{hub: start(t, m.hubTheirs, hubConfig)}
			w.leaf = start(t, m.theirs, leafOf(w.hub, "leaf", fmt.Sprintf("{url: %q, account: LH, hub: true}", w.hub.url("lh"))))
			w.other = start(t, m.theirs, leafOf(w.hub, "other", ""))
			eventually(t, "all connections", func() bool {
				n := struct {
					N int `json:"leafnodes"`
				}{}
				w.hub.get("/varz", &n)
				return n.N == 11
			})
			for _, r := range rows {
				t.Run(r.name, func(t *testing.T) {
					for _, s := range []*server{w.hub, w.leaf, w.other} {
						s.t = t
					}
					r.run(t, w)
				})
			}
		})
	}
}

var rows = []struct {
	name string
	run  func(*testing.T, *world)
}{
	{"down", func(t *testing.T, w *world) { crosses(t, w.hub.as("a"), w.leaf.as("a")) }},
	{"up", func(t *testing.T, w *world) { crosses(t, w.leaf.as("a"), w.hub.as("a")) }},
	{"from leaf to leaf", func(t *testing.T, w *world) { crosses(t, w.leaf.as("a"), w.other.as("a")) }},
	{"once each", func(t *testing.T, w *world) {
		subject := fresh("once")
		var subs []*nats.Subscription
		for _, s := range []*server{w.hub, w.leaf, w.other} {
			subs = append(subs, subscribe(t, s.as("a"), subject), subscribe(t, s.as("a"), "once.*"))
		}
		all(t, w, "a", "a")
		publish(t, w.leaf.as("a"), subject, "x")
		all(t, w, "a", "a")
		for _, sub := range subs {
			next(t, sub)
			none(t, sub)
		}
	}},
	{"headers", func(t *testing.T, w *world) {
		for _, way := range [][2]*nats.Conn{{w.hub.as("a"), w.leaf.as("a")}, {w.leaf.as("a"), w.hub.as("a")}} {
			subject := fresh("headers")
			sub := subscribe(t, way[1], subject)
			reach(t, way[0], way[1], "r")
			m := nats.NewMsg(subject)
			m.Header.Set("K", "v")
			m.Data = []byte("body")
			if err := way[0].PublishMsg(m); err != nil {
				t.Fatal(err)
			}
			if got := next(t, sub); got.Header.Get("K") != "v" || string(got.Data) != "body" {
				t.Errorf("got %v", got)
			}
		}
	}},
	{"large", func(t *testing.T, w *world) {
		for _, way := range [][2]*nats.Conn{{w.hub.as("a"), w.leaf.as("a")}, {w.leaf.as("a"), w.hub.as("a")}} {
			subject := fresh("large")
			sub := subscribe(t, way[1], subject)
			reach(t, way[0], way[1], "r")
			data := strings.Repeat("0123456789abcdef", 40_000)
			publish(t, way[0], subject, data)
			if got := next(t, sub); string(got.Data) != data {
				t.Errorf("got %d bytes", len(got.Data))
			}
		}
	}},
	{"many in order", func(t *testing.T, w *world) {
		subject := fresh("many")
		sub := subscribe(t, w.other.as("a"), subject)
		reach(t, w.leaf.as("a"), w.other.as("a"), "r")
		const n = 20_000
		for i := range n {
			if err := w.leaf.as("a").Publish(subject, fmt.Append(nil, i)); err != nil {
				t.Fatal(err)
			}
		}
		for i := range n {
			if got := next(t, sub); string(got.Data) != fmt.Sprint(i) {
				t.Fatalf("message %d is %s", i, got.Data)
			}
		}
	}},
	{"request down", func(t *testing.T, w *world) { answers(t, w.hub.as("a"), w.leaf.as("a")) }},
	{"request up", func(t *testing.T, w *world) { answers(t, w.leaf.as("a"), w.hub.as("a")) }},
	{"request from leaf to leaf", func(t *testing.T, w *world) { answers(t, w.leaf.as("a"), w.other.as("a")) }},
	{"no responders", func(t *testing.T, w *world) {
		for _, nc := range []*nats.Conn{w.hub.as("a"), w.leaf.as("a")} {
			if _, err := nc.Request(fresh("nobody"), nil, brokertest.Patience); err != nats.ErrNoResponders {
				t.Errorf("%v", err)
			}
		}
	}},
	{"interest goes", func(t *testing.T, w *world) {
		subject := fresh("goes")
		sub := subscribe(t, w.leaf.as("a"), subject)
		eventually(t, "interest", func() bool { return slices.Contains(w.hub.wanted("A"), subject) })
		_ = sub.Unsubscribe()
		eventually(t, "no interest", func() bool { return !slices.Contains(w.hub.wanted("A"), subject) })
		if _, err := w.hub.as("a").Request(subject, nil, brokertest.Patience); err != nats.ErrNoResponders {
			t.Errorf("%v", err)
		}
	}},
	{"interest of a connection that ends", func(t *testing.T, w *world) {
		subject := fresh("ends")
		nc, err := nats.Connect(w.leaf.URL(), nats.Timeout(brokertest.Patience), nats.UserInfo("a", "p"))
		if err != nil {
			t.Fatal(err)
		}
		subscribe(t, nc, subject)
		eventually(t, "interest", func() bool { return slices.Contains(w.hub.wanted("A"), subject) })
		nc.Close()
		eventually(t, "no interest", func() bool { return !slices.Contains(w.hub.wanted("A"), subject) })
	}},
	{"a queue group on the other side only", func(t *testing.T, w *world) {
		for _, way := range [][2]*nats.Conn{{w.hub.as("a"), w.leaf.as("a")}, {w.leaf.as("a"), w.hub.as("a")}, {w.leaf.as("a"), w.other.as("a")}} {
			subject := fresh("group")
			one, two := group(t, way[1], subject, "q"), group(t, way[1], subject, "q")
			reach(t, way[0], way[1], "r")
			for range 10 {
				publish(t, way[0], subject, "x")
			}
			eventually(t, "ten messages", func() bool { return waiting(one)+waiting(two) == 10 })
			reach(t, way[0], way[1], "r")
			if n := waiting(one) + waiting(two); n != 10 {
				t.Errorf("%d messages", n)
			}
		}
	}},
	{"members of a queue group here come first", func(t *testing.T, w *world) {
		subject := fresh("near")
		hub, leaf := group(t, w.hub.as("a"), subject, "q"), group(t, w.leaf.as("a"), subject, "q")
		all(t, w, "a", "a")
		for range 20 {
			publish(t, w.hub.as("a"), subject, "hub")
			publish(t, w.leaf.as("a"), subject, "leaf")
		}
		all(t, w, "a", "a")
		if waiting(hub) != 20 || waiting(leaf) != 20 {
			t.Errorf("%d and %d of 20 each", waiting(hub), waiting(leaf))
		}
		_ = leaf.Unsubscribe()
		all(t, w, "a", "a")
		publish(t, w.leaf.as("a"), subject, "x")
		eventually(t, "the other side serves", func() bool { return waiting(hub) == 21 })
	}},
	{"two queue groups and a plain one", func(t *testing.T, w *world) {
		subject := fresh("both")
		q1, q2, plain := group(t, w.leaf.as("a"), subject, "q1"), group(t, w.other.as("a"), subject, "q2"), subscribe(t, w.other.as("a"), subject)
		all(t, w, "a", "a")
		publish(t, w.hub.as("a"), subject, "x")
		all(t, w, "a", "a")
		for _, sub := range []*nats.Subscription{q1, q2, plain} {
			next(t, sub)
			none(t, sub)
		}
	}},
	{"a request to a queue group", func(t *testing.T, w *world) {
		subject := fresh("served")
		for _, s := range []*server{w.leaf, w.other} {
			sub, err := s.as("a").QueueSubscribe(subject, "q", func(m *nats.Msg) { _ = m.Respond([]byte("served")) })
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = sub.Unsubscribe() })
		}
		all(t, w, "a", "a")
		for range 20 {
			m, err := w.hub.as("a").Request(subject, nil, brokertest.Patience)
			if err != nil || string(m.Data) != "served" {
				t.Fatalf("%v %v", m, err)
			}
		}
	}},
	{"a user may send up some", func(t *testing.T, w *world) {
		yes, no, other := subscribe(t, w.hub.as("p"), "up.yes"), subscribe(t, w.hub.as("p"), "up.no"), subscribe(t, w.hub.as("p"), "aside")
		settled(t, w.leaf.as("p"), w.hub.as("p"), "up")
		for _, s := range []string{"up.no", "aside", "up.yes"} {
			publish(t, w.leaf.as("p"), s, "x")
		}
		next(t, yes)
		settled(t, w.leaf.as("p"), w.hub.as("p"), "up")
		none(t, no)
		none(t, other)
	}},
	{"a user may have some", func(t *testing.T, w *world) {
		yes, no, other, every := subscribe(t, w.leaf.as("p"), "down.yes"), subscribe(t, w.leaf.as("p"), "down.no"), subscribe(t, w.leaf.as("p"), "aside"),
			subscribe(t, w.leaf.as("p"), "down.>")
		settled(t, w.hub.as("p"), w.leaf.as("p"), "down")
		for len(pull(every)) > 0 {
		}
		for _, s := range []string{"down.no", "aside", "down.yes"} {
			publish(t, w.hub.as("p"), s, "x")
		}
		next(t, yes)
		settled(t, w.hub.as("p"), w.leaf.as("p"), "down")
		none(t, no)
		none(t, other)
		for _, s := range pull(every) {
			if s == "down.no" {
				t.Error("the wildcard got what is denied")
			}
		}
	}},
	{"a connection survives what is denied", func(t *testing.T, w *world) {
		publish(t, w.leaf.as("p"), "up.no", "x")
		crossesBelow(t, "up", w.leaf.as("p"), w.hub.as("p"))
	}},
	{"deny_imports", func(t *testing.T, w *world) {
		yes, no, wild := subscribe(t, w.leaf.as("d"), "fine.in"), subscribe(t, w.leaf.as("d"), "no.in"), subscribe(t, w.leaf.as("d"), "not.in.>")
		every := subscribe(t, w.leaf.as("d"), "no.*")
		settled(t, w.hub.as("d"), w.leaf.as("d"), "r")
		for _, s := range []string{"no.in", "not.in.x", "fine.in"} {
			publish(t, w.hub.as("d"), s, "x")
		}
		next(t, yes)
		settled(t, w.hub.as("d"), w.leaf.as("d"), "r")
		none(t, no)
		none(t, wild)
		none(t, every)
	}},
	{"deny_exports", func(t *testing.T, w *world) {
		yes, no, wild := subscribe(t, w.hub.as("d"), "fine.out"), subscribe(t, w.hub.as("d"), "no.out"), subscribe(t, w.hub.as("d"), "not.out.*")
		settled(t, w.leaf.as("d"), w.hub.as("d"), "r")
		for _, s := range []string{"no.out", "not.out.x", "fine.out"} {
			publish(t, w.leaf.as("d"), s, "x")
		}
		next(t, yes)
		settled(t, w.leaf.as("d"), w.hub.as("d"), "r")
		none(t, no)
		none(t, wild)
	}},
	{"mapped at the hub", func(t *testing.T, w *world) {
		sub, q := subscribe(t, w.hub.as("m"), "new.hub"), group(t, w.hub.as("m"), "new.hub", "q")
		settled(t, w.leaf.as("m"), w.hub.as("m"), "r")
		publish(t, w.leaf.as("m"), "old.hub", "x")
		next(t, sub)
		next(t, q)
		settled(t, w.leaf.as("m"), w.hub.as("m"), "r")
		none(t, sub)
		none(t, q)
	}},
	{"mapped at the leaf node", func(t *testing.T, w *world) {
		sub := subscribe(t, w.leaf.as("m"), "new.leaf")
		settled(t, w.hub.as("m"), w.leaf.as("m"), "r")
		publish(t, w.hub.as("m"), "old.leaf", "x")
		next(t, sub)
	}},
	{"mapped where it is published", func(t *testing.T, w *world) {
		sub := subscribe(t, w.hub.as("m"), "new.leaf")
		settled(t, w.leaf.as("m"), w.hub.as("m"), "r")
		publish(t, w.leaf.as("m"), "old.leaf", "x")
		next(t, sub)
	}},
	{"a mapping of a wildcard", func(t *testing.T, w *world) {
		sub := subscribe(t, w.hub.as("m"), "first.x.y")
		settled(t, w.leaf.as("m"), w.hub.as("m"), "r")
		publish(t, w.leaf.as("m"), "half.x.y", "x")
		next(t, sub)
	}},
	{"a service that the hub imports", func(t *testing.T, w *world) {
		answersOn(t, "svc.hub", w.leaf.as("a"), w.hub.as("s"))
	}},
	{"a service that the leaf node imports", func(t *testing.T, w *world) {
		answersOn(t, "svc.leaf", w.hub.as("a"), w.leaf.as("s"))
	}},
	{"a stream that the hub imports", func(t *testing.T, w *world) {
		sub := subscribe(t, w.hub.as("a"), "st.x")
		publish(t, w.hub.as("s"), "st.x", "x")
		next(t, sub)
	}},
	{"this side dials and is the hub", func(t *testing.T, w *world) {
		crosses(t, w.leaf.as("h"), w.hub.as("h"))
		crosses(t, w.hub.as("h"), w.leaf.as("h"))
		if l := w.leaf.leafs("LH"); len(l) != 1 || l[0].Spoke {
			t.Errorf("%+v", l)
		}
		if l := w.hub.leafs("H"); len(l) != 1 || !l[0].Spoke {
			t.Errorf("%+v", l)
		}
	}},
	{"isolated", func(t *testing.T, w *world) {
		subject := fresh("isolated")
		sub := subscribe(t, w.other.as("i"), subject)
		crosses(t, w.leaf.as("i"), w.hub.as("i"))
		settled(t, w.hub.as("i"), w.other.as("i"), "r")
		publish(t, w.leaf.as("i"), subject, "x")
		publish(t, w.hub.as("i"), subject, "from the hub")
		if m := next(t, sub); string(m.Data) != "from the hub" {
			t.Errorf("%s", m.Data)
		}
		if l := w.hub.leafs("I"); len(l) != 2 || !l[0].Isolated {
			t.Errorf("%+v", l)
		}
	}},
	{"accounts are apart", func(t *testing.T, w *world) {
		subject := fresh("apart")
		sub := subscribe(t, w.hub.as("d"), subject)
		publish(t, w.leaf.as("a"), subject, "x")
		settled(t, w.leaf.as("a"), w.hub.as("a"), "r")
		settled(t, w.leaf.as("d"), w.hub.as("d"), "r")
		none(t, sub)
	}},
	{"leafz", func(t *testing.T, w *world) {
		hub, leaf := w.hub.leafs("A"), w.leaf.leafs("LA")
		if len(hub) != 2 || len(leaf) != 1 {
			t.Fatalf("%+v %+v", hub, leaf)
		}
		names := []string{hub[0].Name, hub[1].Name}
		slices.Sort(names)
		if !slices.Equal(names, []string{"leaf", "other"}) || leaf[0].Name != "hub" || hub[0].Spoke || !leaf[0].Spoke {
			t.Errorf("%+v %+v", hub, leaf)
		}
		eventually(t, "round-trip times", func() bool { return w.hub.leafs("A")[0].RTT != "0s" && w.leaf.leafs("LA")[0].RTT != "0s" })
		if leaf[0].InMsgs == 0 || leaf[0].OutMsgs == 0 || !strings.HasPrefix(leaf[0].Compression, "s2_") || hub[0].Compression == "" {
			t.Errorf("%+v %+v", hub, leaf)
		}
	}},
	{"varz", func(t *testing.T, w *world) {
		v := struct {
			N    int `json:"leafnodes"`
			Leaf struct {
				Host    string
				Port    int
				Auth    float64 `json:"auth_timeout"`
				Remotes []struct {
					Account string `json:"local_account"`
					URLs    []string
					Deny    struct{ Imports, Exports []string }
				}
			}
		}{}
		w.hub.get("/varz", &v)
		if v.N != 11 || v.Leaf.Host != "127.0.0.1" || v.Leaf.Port != w.hub.leaf || v.Leaf.Auth != 2 {
			t.Errorf("%+v", v)
		}
		w.leaf.get("/varz", &v)
		r := v.Leaf.Remotes
		if v.N != 6 || len(r) != 6 || r[2].Account != "LD" || r[2].URLs[0] != fmt.Sprintf("127.0.0.1:%d", w.hub.leaf) || len(r[2].Deny.Imports) != 2 {
			t.Errorf("%+v", v)
		}
	}},
	{"accstatz", func(t *testing.T, w *world) {
		z := struct {
			Accounts []struct {
				Acc  string `json:"acc"`
				Leaf int    `json:"leafnodes"`
			} `json:"account_statz"`
		}{}
		w.hub.get("/accstatz?unused=1", &z)
		for _, a := range z.Accounts {
			if a.Acc == "A" && a.Leaf != 2 {
				t.Errorf("%+v", a)
			}
		}
	}},
	{"LEAFZ", func(t *testing.T, w *world) {
		m, err := w.hub.as("sys").Request("$SYS.REQ.SERVER.PING.LEAFZ", []byte(`{"account": "A"}`), brokertest.Patience)
		if err != nil || strings.Count(string(m.Data), `"is_spoke":false`) != 2 {
			t.Errorf("%v %v", m, err)
		}
	}},
	{"interest is exact", func(t *testing.T, w *world) {
		for _, c := range []struct {
			s       *server
			account string
		}{{w.hub, "A"}, {w.leaf, "LA"}, {w.hub, "D"}, {w.hub, "M"}} {
			eventually(t, "nothing is left of the rows before", func() bool {
				list := w.left(c.s, c.account)
				return len(list) == 0
			})
		}
	}},
}

// left is interest that is not of what the configuration says.
func (w *world) left(s *server, account string) []string {
	return slices.DeleteFunc(s.wanted(account), func(s string) bool {
		return slices.Contains([]string{"svc.hub", "svc.leaf", "old.hub", "old.leaf", "half.>"}, s)
	})
}

func waiting(sub *nats.Subscription) int {
	n, _, _ := sub.Pending()
	return n
}

// pull takes what is waiting.
func pull(sub *nats.Subscription) (subjects []string) {
	for waiting(sub) > 0 {
		m, err := sub.NextMsg(time.Second)
		if err != nil {
			return subjects
		}
		subjects = append(subjects, m.Subject)
	}
	return subjects
}

// crosses holds that a message goes from one to the other, for a subject and for a wildcard, and once.
func crosses(t *testing.T, from, to *nats.Conn) {
	t.Helper()
	crossesBelow(t, "cross", from, to)
}

func crossesBelow(t *testing.T, prefix string, from, to *nats.Conn) {
	t.Helper()
	subject := fresh(prefix)
	sub, wild := subscribe(t, to, subject), subscribe(t, to, subject[:strings.LastIndexByte(subject, '.')]+".*")
	defer func() { _, _, _ = sub.Unsubscribe(), wild.Unsubscribe(), to.FlushTimeout(brokertest.Patience) }()
	reach(t, from, to, prefix)
	pull(wild)
	publish(t, from, subject, "x")
	if m := next(t, sub); string(m.Data) != "x" {
		t.Errorf("%s", m.Data)
	}
	next(t, wild)
	none(t, sub)
}

// answers holds that a request from one is answered at the other.
func answers(t *testing.T, from, to *nats.Conn) {
	t.Helper()
	answersOn(t, fresh("ask"), from, to)
}

func answersOn(t *testing.T, subject string, from, to *nats.Conn) {
	t.Helper()
	sub, err := to.Subscribe(subject, func(m *nats.Msg) { _ = m.Respond(append([]byte("re "), m.Data...)) })
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	flush(t, to)
	eventually(t, "an answer", func() bool {
		m, err := from.Request(subject, []byte("x"), 500*time.Millisecond) // interest may be on its way, or that in the answer
		return err == nil && string(m.Data) == "re x"
	})
	for range 20 {
		if m, err := from.Request(subject, []byte("y"), brokertest.Patience); err != nil || string(m.Data) != "re y" {
			t.Fatalf("%v %v", m, err)
		}
	}
}

// all waits until all three reach each other.
func all(t *testing.T, w *world, hub, leaf string) {
	t.Helper()
	list := []*nats.Conn{w.hub.as(hub), w.leaf.as(leaf), w.other.as(leaf)}
	for _, a := range list {
		for _, b := range list {
			if a != b {
				reach(t, a, b, "r")
			}
		}
	}
}

// settled waits until what was said before has come to the other, in both directions where that is allowed.
func settled(t *testing.T, from, to *nats.Conn, prefix string) {
	t.Helper()
	reach(t, from, to, prefix)
}
