package leaf

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRules(t *testing.T) {
	r := func(allow, deny string) *Rules {
		n := &Rules{Deny: strings.Fields(deny)}
		if allow != "" {
			n.Allow = strings.Fields(allow)
		}
		return n
	}
	for _, c := range []struct {
		rules          *Rules
		subject        string
		passes, covers bool
	}{
		{nil, "a", true, true}, {&Rules{}, "a", true, true}, {&Rules{Allow: []string{}}, "a", false, false},
		{r("a.>", ""), "a.b", true, true}, {r("a.>", ""), "b", false, false}, {r("", "a.*"), "a.b", false, false}, {r("", "a.*"), "b", true, true},
		{r("a.>", "a.b"), "a.b", false, false}, {r("a.>", "a.b"), "a.c", true, true},
		{r("a.>", "a.b"), "_R_.x.y", true, true}, {r("a.>", ""), "$LDS.x", true, true}, {r("a.>", ""), "$JS.ACK.x", true, true},
		{r("a.>", ""), "$JS.API.x", false, false},
	} {
		if got := c.rules.passes(c.subject); got != c.passes {
			t.Errorf("%+v passes %q: %v", c.rules, c.subject, got)
		}
		if got := c.rules.covers(c.subject); got != c.covers {
			t.Errorf("%+v covers %q: %v", c.rules, c.subject, got)
		}
	}
	for _, c := range []struct {
		rules   *Rules
		pattern string
		covers  bool
	}{
		{r("a.b", ""), ">", true}, {r("a.b", ""), "a.*", true}, {r("a.b", ""), "b.*", false}, // some of it is allowed
		{r("", "a.b"), "a.*", true}, {r("", "a.>"), "a.*", false}, {r("", ">"), "a.*", false},
		{&Rules{Allow: []string{"a q"}}, "a", false}, {&Rules{Deny: []string{"a q"}}, "a", false},
	} {
		if got := c.rules.covers(c.pattern); got != c.covers {
			t.Errorf("%+v covers %q: %v", c.rules, c.pattern, got)
		}
	}
}

func TestVersions(t *testing.T) {
	for _, c := range []struct {
		version, least string
		older          bool
	}{
		{"2.15.3", "2.15.3", false}, {"2.15.2", "2.15.3", true}, {"2.9.99", "2.10.0", true}, {"3.0.0", "2.10.0", false}, {"v2.10.0", "2.10.0", false},
		{"2.11.0-beta.1", "2.11.0", false}, {"", "2.8.0", true}, {"2.8", "2.8.0", true}, {"x.y.z", "2.8.0", true},
	} {
		if got := olderThan(c.version, c.least); got != c.older {
			t.Errorf("%q and %q: %v", c.version, c.least, got)
		}
	}
}

// TestDemand: the sums by which peers are told are those that one gets by counting, for every kind of peer.
func TestDemand(t *testing.T) {
	links := []*Link{{}, {cluster: "x"}, {cluster: "x"}, {cluster: "y", isolated: true}, {toHub: true, cluster: "hub"}, {toHub: true, isolated: true}}
	type route struct {
		broker.Remote
		n int
	}
	remotes := []broker.Remote{&route{n: 1}, &route{n: 2}}
	for _, l := range links {
		remotes = append(remotes, l)
	}
	random := rand.New(rand.NewPCG(1, 2))
	d := &demand{}
	model := map[source]holder{}
	for range 20_000 {
		r := remotes[random.IntN(len(remotes))]
		of := broker.RouteInterest
		if l, ok := r.(*Link); ok {
			of = broker.LeafInterest
			if l.toHub {
				of = broker.HubInterest
			}
		}
		c := broker.RemoteChange{Of: of, Remote: r, Weight: 1 + random.IntN(5)}
		who := source{remote: r}
		switch l, _ := r.(*Link); of {
		case broker.RouteInterest:
			c.Origin = []string{"", "x", "y", "z"}[random.IntN(4)]
			who.behind = c.Origin
		case broker.LeafInterest:
			c.Origin = l.cluster
		}
		if _, there := model[who]; there && random.IntN(2) == 0 {
			c.Gone = true
			delete(model, who)
		} else {
			model[who] = holder{c.Weight, of, c.Origin}
		}
		d.note(&c)
		d.own = random.IntN(3)
		for _, loop := range []bool{false, true} {
			for _, l := range links {
				want := d.own
				for o, h := range model {
					far := h.of != broker.LeafInterest
					switch {
					case o.remote == broker.Remote(l), far && l.toHub && !loop:
					case h.of == broker.HubInterest, h.of == broker.RouteInterest && h.origin == "":
						want += h.weight
					case l.isolated && !loop, l.cluster != "" && h.origin == l.cluster:
					default:
						want += h.weight
					}
				}
				if got := d.sum(l, loop); got != want {
					t.Fatalf("%+v of %+v is told %d, not %d", l, d, got, want)
				}
			}
		}
	}
	for r := range model {
		h := model[r]
		d.note(&broker.RemoteChange{Of: h.of, Origin: h.origin, Remote: r.remote, Gone: true})
	}
	if d.own = 0; !d.empty() || d.routes+d.leafs+d.routed+d.hubs != 0 || len(d.cluster)+len(d.behind) != 0 {
		t.Errorf("left: %+v", d)
	}
}

func TestSameRemote(t *testing.T) {
	u, _ := url.Parse("nats://a:p@h:1")
	a := Remote{URLs: []*url.URL{u}, Account: "A", DenyImports: []string{"x"}}
	b := a
	b.Compression.Mode = "s2_fast"
	if !a.same(&b) || a.key() != b.key() {
		t.Error("compression alone makes another remote")
	}
	if b.DenyImports = nil; a.same(&b) || a.key() != b.key() {
		t.Error("what is denied makes no difference")
	}
	if b.Account = "B"; a.key() == b.key() {
		t.Error("the account makes no difference")
	}
	if strings.Contains(a.Name(), ":p@") {
		t.Error("the password is shown: " + a.Name())
	}
}

// node is a server with its clients' port and that of leaf nodes.
type node struct {
	b      *broker.Broker
	s      *Server
	client string
	leaf   string
}

func ours(t testing.TB, name string, change func(*Options)) *node {
	t.Helper()
	b, err := broker.New(broker.Options{ServerName: name, Host: "127.0.0.1", NoShortFirstPing: true}, logging.Discard())
	if err != nil {
		t.Fatal(err)
	}
	l, err := b.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ll, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Host: "127.0.0.1", ServerName: name, Version: "2.15.3", Headers: true, Reconnect: 50 * time.Millisecond}
	if change != nil {
		change(&o)
	}
	s, err := New(b, o, logging.Discard())
	if err != nil {
		t.Fatal(err)
	}
	s.Start(ll)
	t.Cleanup(func() { s.Stop(); b.Stop() })
	return &node{b, s, l.Addr().String(), ll.Addr().String()}
}

func dials(n *node) func(*Options) {
	return func(o *Options) {
		u, _ := url.Parse("nats://" + n.leaf)
		o.Remotes = []Remote{{URLs: []*url.URL{u}, Compression: Compression{Mode: "off"}}}
	}
}

// until waits for what other goroutines bring about.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); {
		if time.Now().After(end) {
			t.Fatal(what)
		}
		time.Sleep(time.Millisecond) // between looks, not before one
	}
}

// FuzzLink: no bytes of a peer, before the handshake or behind it, make the server panic, and when the connection has
// ended nothing is left of it.
func FuzzLink(f *testing.F) {
	n := ours(f, "a", nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = l.Close() })
	hello := `CONNECT {"version":"2.15.3","name":"x","cluster":"x","headers":true,"remote_account":"A","deny_pub":["no.>"]}` + "\r\n"
	for _, s := range []string{
		hello, "LS+ foo\r\nLS+ foo q 3\r\nLS- foo\r\nLMSG foo + r q q2 2\r\nhi\r\nLMSG foo 2\r\nhi\r\nLMSG foo 2\r\nhi\r\n", "PING\r\nPONG\r\n-ERR 'x'\r\n",
		"HMSG foo 12 14\r\nNATS/1.0\r\n\r\nhi\r\n", `INFO {"compression":"s2_fast"}` + "\r\n", `INFO {"compression":"zstd"}` + "\r\n",
		"LS+ no.x\r\nLS+ $LDS.x\r\nLMSG $JS.ACK.a.b.1.2.3.4.5@shown r 0\r\n\r\n", strings.Replace(hello, `"x"`, `"_"`, 2), "LMSG a.b $JS.ACK.a.b.1.2.3.4.5@shown 0\r\n\r\n",
	} {
		f.Add([]byte(s), true)
		f.Add([]byte(s), false)
	}
	f.Fuzz(func(t *testing.T, data []byte, known bool) {
		other, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		nc, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		k := n.s.newLink(nc, nil, nil)
		if err := transport.NewConn(&k.Conn, nc); err != nil {
			t.Fatal(err)
		}
		k.watch(time.Hour)
		n.s.mu.Lock()
		n.s.links[k] = struct{}{}
		n.s.mu.Unlock()
		if known {
			data = slices.Concat([]byte(hello), data)
		}
		why := error(nil)
		for len(data) > 0 && why == nil {
			used := 0
			transport.Inject(data, func(in *transport.Input) { used, _, why = k.Receive(in) })
			if data = data[used:]; used == 0 {
				break
			}
		}
		k.teardown(why)
		if len(n.s.registered()) != 0 {
			t.Error("a connection is left")
		}
		if st := n.b.Account("$G").Stats(); st.Subscriptions != 0 {
			t.Errorf("%d subscriptions are left", st.Subscriptions)
		}
	})
}

// FuzzHub: no INFO of a hub makes who dials panic.
func FuzzHub(f *testing.F) {
	for _, s := range []string{
		`{"server_id":"N","server_name":"h","client_id":3,"nonce":"x","leafnode_urls":["a:1"],"info_on_connect":true,"compression":"off"}`,
		`{"connect_info":true,"remote_account":"A","import":{"allow":["a.>"]},"export":{"deny":["b"]}}`, `{"client_id":1}`, `{"cluster":"a b","client_id":1,"info_on_connect":true}`,
		`{"client_id":1,"info_on_connect":true,"leafnode_urls":["%%","x","[::1]:2"],"domain":"d"}`, `{"client_id":1,"leafnode_urls":["a:1"]}`,
	} {
		f.Add([]byte(s), []byte(`{"connect_info":true,"import":{"deny":["x"]}}`))
	}
	n := ours(f, "a", nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = l.Close() })
	f.Fuzz(func(t *testing.T, first, second []byte) {
		other, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		nc, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		u, _ := url.Parse("nats://h:1")
		d := &dialer{srv: n.s}
		d.cfg.Store(&Remote{URLs: []*url.URL{u}, Account: "$G", Compression: Compression{Mode: "off"}})
		k := n.s.newLink(nc, d, u)
		if err := transport.NewConn(&k.Conn, nc); err != nil {
			t.Fatal(err)
		}
		k.watch(time.Hour)
		var why error
		for _, i := range [][]byte{first, second, second} {
			line := fmt.Appendf(nil, "INFO %s\r\n", i)
			if why == nil {
				transport.Inject(line, func(in *transport.Input) { _, _, why = k.Receive(in) })
			}
		}
		k.teardown(why)
		if len(n.s.registered()) != 0 {
			t.Error("a connection is left")
		}
	})
}
