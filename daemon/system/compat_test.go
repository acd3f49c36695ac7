package system_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

const accounts = `
server_name: watched
server_tags: ["eu", "Blue"]
accounts {
  $SYS { users: [{user: sys, password: sys}] }
  A { users: [
    {user: a, password: a},
    {user: limited, password: limited, permissions: {
      publish: {allow: ["foo.>", "$SYS.REQ.USER.INFO"], deny: "foo.bar"}, subscribe: {allow: ["_INBOX.>", "q work"], deny: ["x"]},
      allow_responses: {max: 3, expires: "1m"}}}
  ] }
  B { users: [{user: b, password: b}] }
}
`

// node is one of the two servers, with connections to it.
type node struct {
	t      *testing.T
	server *brokertest.Server
	sys    *nats.Conn
	a      *nats.Conn
	id     string
}

func startNode(t *testing.T, binary, config string) *node {
	t.Helper()
	n := &node{t: t, server: brokertest.Start(t, brokertest.Options{Binary: binary, Config: config})}
	n.sys = n.connect("sys", "sys")
	n.id = n.sys.ConnectedServerId()
	return n
}

func (n *node) connect(user, name string) *nats.Conn {
	n.t.Helper()
	nc, err := nats.Connect(n.server.URL(), nats.Timeout(brokertest.Patience), nats.UserInfo(user, user), nats.Name(name))
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(nc.Close)
	return nc
}

// load makes the same connections, subscriptions and traffic each time.
func (n *node) load() {
	n.t.Helper()
	gone := n.connect("a", "gone")
	n.must(gone.FlushTimeout(brokertest.Patience))
	gone.Close()
	n.awaitClosed("gone")
	n.a = n.connect("a", "first")
	sub, err := n.a.SubscribeSync("orders.>")
	n.must(err)
	_, err = n.a.QueueSubscribe("orders.new", "workers", func(*nats.Msg) {})
	n.must(err)
	for range 10_000 { // more than anybody else sends: it is the first by what it sends
		n.must(n.a.Publish("orders.new", []byte("hello")))
	}
	_, err = sub.NextMsg(brokertest.Patience)
	n.must(err)
	n.must(n.a.FlushTimeout(brokertest.Patience))
}

// awaitClosed waits until the server has noticed that a client has gone.
func (n *node) awaitClosed(name string) {
	n.t.Helper()
	for end := time.Now().Add(brokertest.Patience); ; {
		m := n.ask("$SYS.REQ.SERVER.<id>.CONNZ", `{"state":1}`) // which leaves no subscription behind
		if m != nil && strings.Contains(string(m.Data), fmt.Sprintf(`"name":%q`, name)) {
			break
		}
		time.Sleep(time.Millisecond) // between looks, of which there are to be fewer than load has messages
		if time.Now().After(end) {
			n.t.Fatalf("the server does not notice that %s has gone: %v", name, m)
		}
	}
	n.must(n.sys.FlushTimeout(brokertest.Patience))
}

func (n *node) must(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatal(err)
	}
}

// ask sends a request, with <id> in the subject replaced, and returns the answer; nil
// if the server has answered what was asked after it, but not this.
func (n *node) ask(subject, body string) *nats.Msg {
	n.t.Helper()
	inbox := nats.NewInbox()
	sub, err := n.sys.SubscribeSync(inbox + ".*")
	n.must(err)
	defer sub.Unsubscribe()
	behind := []string{"$SYS.REQ.SERVER.<id>.STATSZ", "$SYS.REQ.SERVER.<id>.HEALTHZ", "$SYS.REQ.ACCOUNT.NSUBS"}
	if strings.HasSuffix(subject, ".PROFILEZ") {
		behind = nil // it takes its time
	}
	for i, s := range append([]string{subject}, behind...) {
		if i > 0 {
			body = `{"acc":"$SYS","subject":"x"}`
		}
		n.must(n.sys.PublishRequest(strings.ReplaceAll(s, "<id>", n.id), fmt.Sprint(inbox, ".", i), []byte(body)))
	}
	for missing := len(behind); ; missing-- {
		m, err := sub.NextMsg(brokertest.Patience)
		if errors.Is(err, nats.ErrNoResponders) {
			return nil
		}
		n.must(err)
		if strings.HasSuffix(m.Subject, ".0") {
			return m
		}
		if missing == 1 {
			return nil
		}
	}
}

// shape collects the paths of a JSON value with their types: "a.b[].c number".
func shape(v any, path string, into map[string]string) {
	switch v := v.(type) {
	case map[string]any:
		into[path] = "object"
		for k, e := range v {
			shape(e, path+"."+k, into)
		}
	case []any:
		into[path] = "array"
		for _, e := range v {
			shape(e, path+"[]", into)
		}
	case string:
		into[path] = "string"
		if _, err := time.Parse(time.RFC3339Nano, v); err == nil {
			into[path] = "time"
		}
	default:
		into[path] = fmt.Sprintf("%T", v)
	}
}

// elsewhere are the parts of nats-server's answers that come from what this broker
// does not have.
var elsewhere = []string{
	".server.nats_broker", ".data.nats_broker", ".nats_broker", // our own: which nats-broker it is
	".data.memstats.", ".data.System ", // of what is busy at the moment
	".data.account_detail.imports", ".data.account_detail.exports", ".data.imports", ".data.exports",
}

func shapes(t *testing.T, m *nats.Msg) map[string]string {
	t.Helper()
	if m == nil {
		return map[string]string{"": "no answer"}
	}
	got := map[string]string{}
	var v any
	if err := json.Unmarshal(m.Data, &v); err != nil {
		return map[string]string{"": fmt.Sprintf("%q", m.Data)}
	}
	shape(v, "", got)
	maps.DeleteFunc(got, func(p, _ string) bool {
		return slices.ContainsFunc(elsewhere, func(e string) bool { return strings.HasPrefix(p, e) })
	})
	return got
}

func compareShapes(t *testing.T, what string, ours, theirs *nats.Msg) {
	t.Helper()
	compareShapesBut(t, what, ours, theirs, func(string) bool { return false })
}

// compareShapesBut passes over some paths.
func compareShapesBut(t *testing.T, what string, ours, theirs *nats.Msg, but func(path string) bool) {
	t.Helper()
	got, want := shapes(t, ours), shapes(t, theirs)
	for _, m := range []map[string]string{got, want} {
		maps.DeleteFunc(m, func(p, _ string) bool { return but(p) })
	}
	for _, p := range slices.Sorted(maps.Keys(want)) {
		if got[p] != want[p] {
			t.Errorf("%s: %s is %q, want %s", what, p, got[p], want[p])
		}
	}
	for _, p := range slices.Sorted(maps.Keys(got)) {
		if want[p] == "" {
			t.Errorf("%s: %s is %s, nats-server has none", what, p, got[p])
		}
	}
}

// fleeting are the keys whose values are not the same in two runs, or on two servers.
var fleeting = []string{
	"id", "server_id", "now", "start", "time", "timestamp", "seq", "uptime", "idle", "last_activity", "stop", "rtt", "mem", "cpu", "port",
	"config_load_time", "git_commit", "config_digest", "gomemlimit", "update_time", "memstats", "cmdline", "profile", "go", "cid", "feature_flags", "pending_bytes",
	// The traffic of the test's own requests, and what the servers subscribe to themselves.
	"in_msgs", "out_msgs", "in_bytes", "out_bytes", "in_client_msgs", "out_client_msgs", "in_client_bytes", "out_client_bytes", "sent", "received",
	"sent_to_clients", "received_from_clients", "num_subscriptions", "subscriptions", "num_inserts", "num_removes", "num_matches", "num_cache", "cache_hit_rate",
	"created", "ts", "first_ts", "last_ts", "last_active", "store_dir", "_nats.ver",
	"max_fanout", "avg_fanout", "total", "http_req_stats", "System recvQ", "System recvQ Pings", "System sendQ", "subscriptions_list", "subscriptions_list_detail",
}

// settle takes what is fleeting out of a JSON value, and puts lists without an order
// into one.
func settle(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if slices.Contains(fleeting, k) {
				v[k] = "…"
			} else {
				v[k] = settle(e)
			}
		}
	case []any:
		for i := range v {
			v[i] = settle(v[i])
		}
		text := func(v any) string { b, _ := json.Marshal(v); return string(b) }
		slices.SortFunc(v, func(a, b any) int { return strings.Compare(text(a), text(b)) })
	}
	return v
}

func compareValues(t *testing.T, what string, ours, theirs *nats.Msg) {
	t.Helper()
	if ours == nil || theirs == nil {
		return
	}
	var a, b any
	if json.Unmarshal(ours.Data, &a) != nil || json.Unmarshal(theirs.Data, &b) != nil {
		return
	}
	differ(t, what, "", settle(a), settle(b))
}

func differ(t *testing.T, what, path string, a, b any) {
	t.Helper()
	x, isMap := a.(map[string]any)
	y, both := b.(map[string]any)
	if isMap && both {
		for k := range y {
			if _, ok := x[k]; ok {
				differ(t, what, path+"."+k, x[k], y[k])
			}
		}
		return
	}
	got, _ := json.Marshal(a)
	want, _ := json.Marshal(b)
	if string(got) != string(want) {
		t.Errorf("%s: %s is %.300s, want %.300s", what, path, got, want)
	}
}

// TestRequests asks both servers everything an operator can ask.
func TestRequests(t *testing.T) {
	ours, theirs := startNode(t, "", accounts), startNode(t, brokertest.NATSServer(t), accounts)
	ours.load()
	theirs.load()
	for _, c := range []struct{ subject, body string }{
		{"$SYS.REQ.SERVER.PING", ""},
		{"$SYS.REQ.SERVER.PING.STATSZ", ""},
		{"$SYS.REQ.SERVER.PING.IDZ", ""},
		{"$SYS.REQ.SERVER.PING.VARZ", ""},
		{"$SYS.REQ.SERVER.PING.CONNZ", ""},
		{"$SYS.REQ.SERVER.PING.CONNZ", `{"auth":true,"subscriptions":true,"sort":"msgs_from","limit":2}`},
		{"$SYS.REQ.SERVER.PING.CONNZ", `{"subscriptions_detail":true,"acc":"A"}`},
		{"$SYS.REQ.SERVER.PING.CONNZ", `{"state":1}`},
		{"$SYS.REQ.SERVER.PING.CONNZ", `{"sort":"nonsense"}`},
		{"$SYS.REQ.SERVER.PING.CONNZ", `{"offset":-1,"limit":-1}`},
		{"$SYS.REQ.SERVER.PING.SUBSZ", ""},
		{"$SYS.REQ.SERVER.PING.SUBSZ", `{"subscriptions":true,"account":"A"}`},
		{"$SYS.REQ.SERVER.PING.SUBSZ", `{"test":"foo.*"}`},
		{"$SYS.REQ.SERVER.PING.ROUTEZ", ""},
		{"$SYS.REQ.SERVER.PING.GATEWAYZ", ""},
		{"$SYS.REQ.SERVER.PING.LEAFZ", ""},
		{"$SYS.REQ.SERVER.PING.ACCOUNTZ", ""},
		{"$SYS.REQ.SERVER.PING.ACCOUNTZ", `{"account":"A"}`},
		{"$SYS.REQ.SERVER.PING.ACCOUNTZ", `{"account":"$SYS"}`},
		{"$SYS.REQ.SERVER.PING.ACCOUNTZ", `{"account":"nobody"}`},
		{"$SYS.REQ.SERVER.PING.JSZ", ""},
		{"$SYS.REQ.SERVER.PING.JSZ", `{"leader_only":true}`},
		{"$SYS.REQ.SERVER.PING.HEALTHZ", ""},
		{"$SYS.REQ.SERVER.PING.HEALTHZ", `{"stream":"x"}`},
		{"$SYS.REQ.SERVER.PING.HEALTHZ", `{"stream":"x","details":true}`},
		{"$SYS.REQ.SERVER.PING.EXPVARZ", ""},
		{"$SYS.REQ.SERVER.PING.IPQUEUESZ", ""},
		{"$SYS.REQ.SERVER.PING.RAFTZ", ""},
		{"$SYS.REQ.SERVER.PING.PROFILEZ", ""},
		{"$SYS.REQ.SERVER.PING.PROFILEZ", `{"name":"heap"}`},
		{"$SYS.REQ.SERVER.PING.PROFILEZ", `{"name":"nothing"}`},
		{"$SYS.REQ.SERVER.PING.PROFILEZ", `{"name":"cpu","duration":1000000}`},
		{"$SYS.REQ.SERVER.PING.PROFILEZ", `{"name":"cpu","duration":100000000000}`},
		{"$SYS.REQ.SERVER.<id>.STATSZ", ""},
		{"$SYS.REQ.SERVER.<id>.VARZ", ""},
		{"$SYS.REQ.SERVER.<id>.CONNZ", `{"cid":1000}`},
		{"$SYS.REQ.SERVER.<id>.IDZ", ""},
		{"$SYS.REQ.SERVER.<id>.RELOAD", ""},
		{"$SYS.REQ.SERVER.<id>.RELOAD", `{"server_name":"another"}`},
		{"$SYS.REQ.SERVER.<id>.KICK", `{"cid":100000}`},
		{"$SYS.REQ.SERVER.<id>.KICK", `{"cid":"x"}`},
		{"$SYS.REQ.SERVER.<id>.LDM", `{"cid":100000}`},
		{"$SYS.REQ.SERVER.nobody.VARZ", ""},
		{"$SYS.REQ.ACCOUNT.A.CONNZ", ""},
		{"$SYS.REQ.ACCOUNT.A.CONNZ", `{"auth":true,"acc":"B"}`},
		{"$SYS.REQ.ACCOUNT.nobody.CONNZ", ""},
		{"$SYS.REQ.ACCOUNT.A.SUBSZ", ""},
		{"$SYS.REQ.ACCOUNT.A.LEAFZ", ""},
		{"$SYS.REQ.ACCOUNT.A.JSZ", ""},
		{"$SYS.REQ.ACCOUNT.A.INFO", ""},
		{"$SYS.REQ.ACCOUNT.nobody.INFO", ""},
		{"$SYS.REQ.ACCOUNT.A.STATZ", ""},
		{"$SYS.REQ.ACCOUNT.B.STATZ", ""},
		{"$SYS.REQ.ACCOUNT.B.STATZ", `{"include_unused":true}`},
		{"$SYS.REQ.ACCOUNT.A.CONNS", ""},
		{"$SYS.REQ.ACCOUNT.A.CONNS", `{"acc":"A"}`},
		{"$SYS.REQ.ACCOUNT.B.CONNS", ""},
		{"$SYS.REQ.ACCOUNT.PING.STATZ", ""},
		{"$SYS.REQ.ACCOUNT.PING.STATZ", `{"accounts":["A"]}`},
		{"$SYS.REQ.ACCOUNT.PING.STATZ", `{"accounts":["B"]}`},
		{"$SYS.REQ.ACCOUNT.PING.CONNZ", ""},
		{"$SYS.REQ.USER.INFO", ""},
		{"$SYS.DEBUG.SUBSCRIBERS", "orders.new"},
		{"$SYS.REQ.ACCOUNT.NSUBS", `{"acc":"A","subject":"orders.new"}`},
		{"$SYS.REQ.ACCOUNT.NSUBS", `{"acc":"A","subject":"orders.new","queue":"d29ya2Vycw=="}`},
		{"$SYS.REQ.ACCOUNT.NSUBS", `{"acc":"A","subject":">"}`},
		// Filters and nonsense.
		{"$SYS.REQ.SERVER.PING.VARZ", `{"server_name":"watch"}`},
		{"$SYS.REQ.SERVER.PING.VARZ", `{"server_name":"watch","exact_match":true}`},
		{"$SYS.REQ.SERVER.PING.VARZ", `{"server_name":"watched","exact_match":true}`},
		{"$SYS.REQ.SERVER.PING.VARZ", `{"tags":["eu","blue"]}`},
		{"$SYS.REQ.SERVER.PING.VARZ", `{"tags":["eu","red"]}`},
		{"$SYS.REQ.SERVER.PING.VARZ", `{"host":"0.0"}`},
		{"$SYS.REQ.SERVER.PING.VARZ", `{"cluster":"x"}`},
		{"$SYS.REQ.SERVER.PING.VARZ", `{"domain":"hub"}`},
		{"$SYS.REQ.SERVER.PING.STATSZ", `{"server_name":"other"}`},
		{"$SYS.REQ.SERVER.PING.STATSZ", `{"server_name":`},
		{"$SYS.REQ.SERVER.PING.VARZ", `x`},
		{"$SYS.REQ.SERVER.<id>.RELOAD", `x`},
	} {
		what := c.subject + " " + c.body
		got, want := ours.ask(c.subject, c.body), theirs.ask(c.subject, c.body)
		compareShapes(t, what, got, want)
		compareValues(t, what, got, want)
	}
}

// TestAccountRequests asks as a user of an account, who sees what is the account's.
func TestAccountRequests(t *testing.T) {
	ours, theirs := startNode(t, "", accounts), startNode(t, brokertest.NATSServer(t), accounts)
	ours.load()
	theirs.load()
	for _, c := range []struct{ user, subject, body string }{
		{"a", "$SYS.REQ.USER.INFO", ""},
		{"b", "$SYS.REQ.USER.INFO", ""},
		{"limited", "$SYS.REQ.USER.INFO", ""},
		{"sys", "$SYS.REQ.USER.INFO", ""},
		{"a", "$SYS.REQ.SERVER.PING.CONNZ", `{"auth":true}`},
		{"b", "$SYS.REQ.SERVER.PING.CONNZ", `{"acc":"A"}`},
		{"a", "$SYS.REQ.ACCOUNT.PING.CONNZ", `{"subscriptions":true}`},
		{"a", "$SYS.REQ.ACCOUNT.PING.STATZ", ""},
		{"b", "$SYS.REQ.ACCOUNT.PING.STATZ", `{"accounts":["A"]}`},
	} {
		what := c.user + ": " + c.subject + " " + c.body
		var answers [2]*nats.Msg
		for i, n := range []*node{ours, theirs} {
			m, err := n.connect(c.user, "asker").Request(c.subject, []byte(c.body), brokertest.Patience)
			n.must(err)
			answers[i] = m
		}
		compareShapes(t, what, answers[0], answers[1])
		compareValues(t, what, answers[0], answers[1])
	}
	// What is not an account's own is not to be had.
	for _, subject := range []string{"$SYS.REQ.SERVER.PING", "$SYS.REQ.SERVER.PING.VARZ", "$SYS.REQ.ACCOUNT.B.CONNZ", "$SYS.REQ.USER.A.INFO", "$SYS.DEBUG.SUBSCRIBERS"} {
		for name, n := range map[string]*node{"nats-broker": ours, "nats-server": theirs} {
			if m, err := n.a.Request(subject, nil, brokertest.Patience); !errors.Is(err, nats.ErrNoResponders) {
				t.Errorf("%s: %s is answered in account A: %v, %v", name, subject, m, err)
			}
		}
	}
}

// TestActions does to a connection what can be done, and reloads.
func TestActions(t *testing.T) {
	for name, binary := range map[string]string{"nats-broker": "", "nats-server": brokertest.NATSServer(t)} {
		t.Run(name, func(t *testing.T) {
			n := startNode(t, binary, accounts)
			gone, duck := make(chan bool, 1), make(chan bool, 1)
			victim, err := nats.Connect(n.server.URL(), nats.Timeout(brokertest.Patience), nats.UserInfo("a", "a"), nats.NoReconnect(),
				nats.ClosedHandler(func(*nats.Conn) { gone <- true }), nats.LameDuckModeHandler(func(*nats.Conn) { duck <- true }))
			n.must(err)
			n.must(victim.FlushTimeout(brokertest.Patience))
			cid, err := victim.GetClientID()
			n.must(err)
			which := fmt.Sprintf(`{"cid":%d}`, cid)
			if m := n.ask("$SYS.REQ.SERVER.<id>.LDM", which); m == nil || strings.Contains(string(m.Data), "error") {
				t.Fatalf("LDM: %v", m)
			}
			await(t, duck, "a request to go")
			if m := n.ask("$SYS.REQ.SERVER.<id>.KICK", which); m == nil || strings.Contains(string(m.Data), "error") {
				t.Fatalf("KICK: %v", m)
			}
			await(t, gone, "the end of the connection")
			n.server.SetConfig(strings.Replace(accounts, "user: b, password: b", "user: c, password: c", 1))
			if m := n.ask("$SYS.REQ.SERVER.<id>.RELOAD", ""); m == nil || strings.Contains(string(m.Data), "error") {
				t.Fatalf("RELOAD: %v", m)
			}
			n.must(n.connect("c", "new user").FlushTimeout(brokertest.Patience))
			n.server.SetConfig("nonsense {")
			if m := n.ask("$SYS.REQ.SERVER.<id>.RELOAD", ""); m == nil || !strings.Contains(string(m.Data), `"error":{"code":500`) {
				t.Fatalf("RELOAD of nonsense: %v", m)
			}
		})
	}
}

// await waits for something to be told.
func await(t *testing.T, c <-chan bool, what string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(brokertest.Patience):
		t.Fatalf("%s: not within %v", what, brokertest.Patience)
	}
}
