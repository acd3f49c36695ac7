package cluster

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
	"github.com/nats-broker/nats-broker/daemon/peer"
)

// routez is what a nats-server shows of its routes.
func (n *node) routez(t testing.TB) (list []struct {
	Compression, Account string
	RTT                  string
}) {
	t.Helper()
	res := must2(http.Get(n.http + "/routez"))(t)
	defer res.Body.Close()
	z := struct{ Routes any }{&list}
	if err := json.NewDecoder(res.Body).Decode(&z); err != nil {
		t.Fatal(err)
	}
	http.DefaultClient.CloseIdleConnections()
	return list
}

// modes lists the modes of compression that a node's connections have.
func (n *node) modes(t testing.TB) string {
	set := map[string]bool{}
	if n.hub != nil {
		for _, s := range n.hub.Stats(false) {
			set[s.Compression] = true
		}
	} else {
		for _, r := range n.routez(t) {
			set[r.Compression] = true
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(set)), ",")
}

// TestCompression: what two servers settle on is what two nats-servers do, whoever
// dials, and messages of all sizes get through.
func TestCompression(t *testing.T) {
	for _, c := range []struct{ a, b, aSends, bSends string }{ // a is ours
		{"accept", "accept", "off", "off"},
		{"off", "s2_fast", "off", "off"},
		{"s2_fast", "off", "off", "off"},
		{"s2_fast", "accept", "s2_fast", "s2_fast"},
		{"accept", "s2_better", "s2_better", "s2_better"},
		{"s2_best", "s2_fast", "s2_best", "s2_fast"},
		{"s2_auto", "s2_auto", "s2_uncompressed", "s2_uncompressed"},
		{"s2_auto", "accept", "s2_uncompressed", "s2_fast"},
		{"accept", "s2_auto", "s2_fast", "s2_uncompressed"},
		{"s2_fast", "not_supported", "not supported", "not supported"},
		{"not supported", "s2_fast", "not supported", "not supported"},
	} {
		ours := func(t *testing.T, routes ...string) *node {
			return ours(t, "a", func(o *Options) { o.Compression.Mode = c.a }, routes...)
		}
		theirs := func(t *testing.T, routes ...string) *node {
			return theirs(t, "b", "compression: "+c.b, routes...)
		}
		check := func(t *testing.T, a, b *node) {
			meshed(t, a, b)
			byTime := func(got, want string) bool { // on a busy machine the round trip takes long
				return want == peer.CompressStored && got != "" && strings.Count(got, "s2_") == strings.Count(got, ",")+1
			}
			if got := a.modes(t); got != c.aSends && !byTime(got, c.aSends) {
				t.Errorf("ours sends by %q, want %q", got, c.aSends)
			}
			if got := b.modes(t); got != c.bSends && !byTime(got, c.bSends) {
				t.Errorf("nats-server sends by %q, want %q", got, c.bSends)
			}
			sizes(t, a, b)
			sizes(t, b, a)
		}
		t.Run(c.a+" dials "+c.b, func(t *testing.T) {
			b := theirs(t)
			check(t, ours(t, b.route), b)
		})
		t.Run(c.a+" is dialled by "+c.b, func(t *testing.T) {
			a := ours(t)
			check(t, a, theirs(t, a.route))
		})
	}
}

// sizes sends messages of all sizes from one node to the other.
func sizes(t *testing.T, from, to *node) {
	t.Helper()
	in, out := to.client(t), from.client(t)
	defer in.Close()
	defer out.Close()
	sub := must2(in.SubscribeSync("size"))(t)
	if err := in.Flush(); err != nil {
		t.Fatal(err)
	}
	meshed(t, from, to)
	data := bytes.Repeat([]byte("all work and no play makes jack a dull boy. "), 25_000)[:1<<20]
	list := []int{0, 1, 100, 5000, 70_000, 300_000, 1 << 20}
	for range 3 {
		for _, n := range list {
			if err := out.Publish("size", data[:n]); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 3 {
		for _, n := range list {
			if m, err := sub.NextMsg(brokertest.Patience); err != nil || !bytes.Equal(m.Data, data[:n]) {
				t.Fatalf("a message of %d bytes: %v", n, err)
			}
		}
	}
}

// TestCompressionMatrix: clusters of three whose nodes want different things.
func TestCompressionMatrix(t *testing.T) {
	mode := func(m string) func(*Options) { return func(o *Options) { o.Compression.Mode = m } }
	a := ours(t, "a", mode("s2_better"))
	b := theirs(t, "b", "compression: s2_auto", a.route)
	c := ours(t, "c", mode("s2_fast"), a.route)
	nodes := []*node{a, b, c}
	meshed(t, nodes...)
	plainMessages(t, nodes)
	queueMessages(t, nodes)
	noResponders(t, nodes)
}

// set changes a node's options while it runs.
func (n *node) set(t testing.TB, change func(*Options)) {
	t.Helper()
	o := *n.hub.opts.Load()
	change(&o)
	must2(n.hub.Prepare(o))(t)()
}

// TestCompressionReload: a change of how hard is at once, on the same connections; one
// that the peer has to agree to makes new ones. Nothing is garbled meanwhile.
func TestCompressionReload(t *testing.T) {
	a := ours(t, "a", func(o *Options) { o.Compression.Mode = "s2_fast" })
	b := theirs(t, "b", "compression: accept", a.route)
	meshed(t, a, b)
	in, out := b.client(t), a.client(t)
	sub := must2(in.SubscribeSync("n"))(t)
	if err := in.Flush(); err != nil {
		t.Fatal(err)
	}
	linked(t, a, b)
	rid := a.hub.Stats(false)[0].RID
	for i, mode := range []string{"s2_best", "s2_auto", "s2_better", "s2_fast"} {
		a.set(t, func(o *Options) { o.Compression = Compression{Mode: mode} })
		for k := range 50 {
			if err := out.Publish("n", fmt.Appendf(nil, "%d %d %s", i, k, strings.Repeat("x", k*100))); err != nil {
				t.Fatal(err)
			}
		}
		if got := a.modes(t); got != mode && mode != "s2_auto" {
			t.Errorf("sends by %q, want %q", got, mode)
		}
	}
	for i := range 4 {
		for k := range 50 {
			m, err := sub.NextMsg(brokertest.Patience)
			if err != nil || !strings.HasPrefix(string(m.Data), fmt.Sprintf("%d %d ", i, k)) {
				t.Fatalf("message %d.%d: %v", i, k, err)
			}
		}
	}
	if got := a.hub.Stats(false)[0].RID; got != rid {
		t.Error("the connection was closed")
	}
	for _, mode := range []string{"off", "s2_fast", "accept"} {
		a.set(t, func(o *Options) { o.Compression.Mode = mode })
		want := mode
		if mode == "accept" {
			want = "off"
		}
		eventually(t, "connections with "+mode, func() bool { return a.hub.complete(1) && a.modes(t) == want })
		meshed(t, a, b)
	}
}

// TestCompressionChangesInAHandshake: what a peer agrees to is what it was told; if that
// has changed by then, the connection begins anew.
func TestCompressionChangesInAHandshake(t *testing.T) {
	a := ours(t, "a", func(o *Options) { o.Compression.Mode = "off" })
	p := dialled(t, a, &strings.Builder{})
	p.hear(1)
	a.set(t, func(o *Options) { o.Compression.Mode = "s2_fast" })
	p.say(`CONNECT {"echo":true,"headers":true,"name":"`+peerID+`","cluster":"C"}`,
		`INFO {"server_id":"`+peerID+`","server_name":"peer","version":"2.15.3","proto":1,"host":"127.0.0.1","port":1,`+
			`"headers":true,"max_payload":1048576,"cluster":"C","route_pool_size":3,"compression":"off"}`)
	p.heard() // fails if it stays open
}

// TestCompressionEndsInAHandshake: the peer was told that there is compression and begins with it, so we do too, although
// it is not wanted any more. The connection begins anew when the handshake is over.
func TestCompressionEndsInAHandshake(t *testing.T) {
	a := ours(t, "a", func(o *Options) { o.Compression.Mode = "s2_fast" })
	p := dialled(t, a, &strings.Builder{})
	p.hear(1)
	a.set(t, func(o *Options) { o.Compression.Mode = "off" })
	p.say(`CONNECT {"echo":true,"headers":true,"name":"`+peerID+`","cluster":"C"}`,
		`INFO {"server_id":"`+peerID+`","server_name":"peer","version":"2.15.3","proto":1,"host":"127.0.0.1","port":1,`+
			`"headers":true,"max_payload":1048576,"cluster":"C","route_pool_size":3,"compression":"s2_fast"}`)
	head := make([]byte, 10)
	if _, err := io.ReadFull(p.in, head); err != nil || !bytes.HasPrefix(head, []byte("\xff\x06\x00\x00S2sTwO")) {
		t.Errorf("the answer begins with %q (%v), not with a stream of S2", head, err)
	}
}

// TestCompressionAuto: the mode follows the round-trip time.
func TestCompressionAuto(t *testing.T) {
	c := Compression{Mode: "s2_auto"}
	if err := c.Normalise(peer.CompressAccept); err != nil {
		t.Fatal(err)
	}
	ms := time.Millisecond
	for _, k := range []struct {
		limits []time.Duration
		rtt    time.Duration
		want   string
	}{
		{c.Thresholds, 0, "s2_uncompressed"}, {c.Thresholds, 10 * ms, "s2_uncompressed"}, {c.Thresholds, 11 * ms, "s2_fast"},
		{c.Thresholds, 51 * ms, "s2_better"}, {c.Thresholds, 101 * ms, "s2_best"},
		{[]time.Duration{0, 10 * ms}, 5 * ms, "s2_fast"}, {[]time.Duration{0, 10 * ms}, 50 * ms, "s2_fast"},
		{[]time.Duration{0, 0, 20 * ms, 30 * ms}, ms, "s2_better"}, {[]time.Duration{0, 0, 20 * ms, 30 * ms}, 25 * ms, "s2_best"},
	} {
		if got := (&Compression{Mode: "s2_auto", Thresholds: k.limits}).Auto(k.rtt); got != k.want {
			t.Errorf("%v and %v: %s, want %s", k.limits, k.rtt, got, k.want)
		}
	}
	a := ours(t, "a", func(o *Options) { o.Compression = Compression{Mode: "s2_auto", Thresholds: []time.Duration{time.Hour}} })
	b := theirs(t, "b", "compression: s2_fast", a.route)
	meshed(t, a, b)
	if got := a.modes(t); got != "s2_uncompressed" {
		t.Errorf("sends by %q within an hour", got)
	}
	for _, r := range a.hub.registered() {
		r.adapt(2 * time.Hour) // as after a PONG that took so long
		if r.mode() != "s2_uncompressed" {
			t.Error("with one threshold there is one mode")
		}
	}
	a.set(t, func(o *Options) {
		o.Compression.Thresholds = []time.Duration{time.Nanosecond, time.Nanosecond, time.Nanosecond}
	})
	if got := a.modes(t); got != "s2_best" {
		t.Errorf("sends by %q over a nanosecond", got)
	}
	sub := must2(b.client(t).SubscribeSync("x"))(t)
	linked(t, a, b)
	if err := a.client(t).PublishMsg(&nats.Msg{Subject: "x", Data: bytes.Repeat([]byte("y"), 50_000)}); err != nil {
		t.Fatal(err)
	}
	if m, err := sub.NextMsg(brokertest.Patience); err != nil || len(m.Data) != 50_000 {
		t.Error(err)
	}
}

func TestCompressionMode(t *testing.T) {
	for mode, ok := range map[string]bool{"": true, "off": true, "s2_auto": true, "gzip": false, "fast": false} {
		if err := (&Compression{Mode: mode}).Normalise(peer.CompressAccept); (err == nil) != ok {
			t.Errorf("%q: %v", mode, err)
		}
	}
	if _, err := peer.Agree("s2_fast", "zstd"); err == nil || err.Error() != `unsupported route compression mode "zstd"` {
		t.Error(err)
	}
}
