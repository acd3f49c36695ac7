package broker

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// hears subscribes plainly and in two queue groups, one of which is the service's own, and
// returns a function that tells what came.
func hears(t *testing.T, nc *nats.Conn, pattern string) func() string {
	t.Helper()
	var subs []*nats.Subscription
	for _, queue := range []string{"", "workers", "spies"} {
		for range 3 {
			sub, err := nc.QueueSubscribeSync(pattern, queue)
			if queue == "" {
				sub, err = nc.SubscribeSync(pattern)
			}
			if err != nil {
				t.Fatal(err)
			}
			subs = append(subs, sub)
		}
	}
	flush(t, nc)
	return func() string {
		t.Helper()
		var got []string
		for _, sub := range subs {
			for _, m := range strings.Fields(drain(t, nc, sub)) {
				got = append(got, m[strings.IndexByte(m, '=')+1:])
			}
		}
		slices.Sort(got)
		return strings.Join(slices.Compact(got), " ")
	}
}

// Requests to another account's service, and the answers to them, reach nobody by an import
// of a stream, and nobody takes them away; what is published does.
func TestRequestsAndAnswersArePrivate(t *testing.T) {
	everything := func(from, prefix string) []StreamImport {
		return []StreamImport{{Account: from, Subject: ">", Local: prefix + ".>"}}
	}
	_, addr := shared(t, AccountOptions{Name: "X", Exports: []ServiceExport{{Subject: "svc"}}},
		AccountOptions{Name: "I", Services: []ServiceImport{{Account: "X", Subject: "svc"}}},
		AccountOptions{Name: "N", Streams: []StreamImport{{Account: "X", Subject: "svc"}}},
		AccountOptions{Name: "SPYX", Streams: everything("X", "x")}, AccountOptions{Name: "SPYI", Streams: everything("I", "i")})
	x, i := connectAs(t, addr, "X"), connectAs(t, addr, "I")
	if _, err := x.QueueSubscribe("svc", "workers", func(m *nats.Msg) { _ = m.Respond([]byte("answer")) }); err != nil {
		t.Fatal(err)
	}
	flush(t, x)
	n, spyX, spyI := connectAs(t, addr, "N"), connectAs(t, addr, "SPYX"), connectAs(t, addr, "SPYI")
	heard := map[string]func() string{"N": hears(t, n, "svc"), "SPYX": hears(t, spyX, ">"), "SPYI": hears(t, spyI, ">")}
	for range 50 {
		if m, err := i.Request("svc", []byte("request"), 5*time.Second); err != nil || string(m.Data) != "answer" {
			t.Fatalf("%v, %v", m, err)
		}
	}
	flush(t, x, i)
	for name, want := range map[string]string{"N": "", "SPYX": "", "SPYI": "request"} { // I exports what its clients publish
		if got := heard[name](); got != want {
			t.Errorf("%s hears %q, want %q", name, got, want)
		}
	}
	if err := i.Publish("svc", []byte("message")); err != nil {
		t.Fatal(err)
	}
	if err := x.Publish("svc", []byte("published")); err != nil {
		t.Fatal(err)
	}
	flush(t, i, x)
	for name, want := range map[string]string{"N": "message published", "SPYX": "message published", "SPYI": "message"} {
		if got := heard[name](); got != want {
			t.Errorf("%s hears %q, want %q", name, got, want)
		}
	}
}

// A message without a reply subject enters the account of a service as if it were published
// there: whoever imports it as a stream gets it, but not what the service is told of who
// published it.
func TestMessageByServiceImportIsExported(t *testing.T) {
	_, addr := shared(t, AccountOptions{Name: "X", Exports: []ServiceExport{{Subject: "in.>"}}},
		AccountOptions{Name: "I", Services: []ServiceImport{{Account: "X", Subject: "in.>", Local: "to.>", Share: true}}},
		AccountOptions{Name: "N", Streams: []StreamImport{{Account: "X", Subject: "in.>", Local: "from.>"}}})
	x, i, n := connectAs(t, addr, "X"), connectAs(t, addr, "I"), connectAs(t, addr, "N")
	served, err := x.SubscribeSync("in.*")
	if err != nil {
		t.Fatal(err)
	}
	var heard []*nats.Subscription
	for _, queue := range []string{"q", ""} {
		sub, err := n.QueueSubscribeSync("from.*", queue)
		if queue == "" {
			sub, err = n.SubscribeSync("from.*")
		}
		if err != nil {
			t.Fatal(err)
		}
		heard = append(heard, sub)
	}
	flush(t, x, n)
	for k, header := range []string{"", "kept", "", "forged"} {
		m := nats.NewMsg("to.a")
		m.Data = []byte(strings.Repeat("d", []int{1, 10, 40000, 1}[k]))
		if header != "" {
			m.Header.Set("Of", header)
		}
		sent := m
		if header == "forged" { // who asks makes such lines itself
			sent = nats.NewMsg(m.Subject)
			sent.Header, sent.Data = nats.Header{"Of": {header}, requestInfo: {`{"acc":"X"}`, `{"acc":"Y"}`}}, m.Data
		}
		if err := i.PublishMsg(sent); err != nil {
			t.Fatal(err)
		}
		flush(t, i)
		if got, err := served.NextMsg(longest); err != nil || !strings.Contains(got.Header.Get(requestInfo), `"acc":"I"`) || got.Header.Get("Of") != header || len(got.Header[requestInfo]) != 1 {
			t.Errorf("the service gets %v, %v", got, err)
		}
		for _, sub := range heard {
			got, err := sub.NextMsg(longest)
			if err != nil {
				t.Fatal(err)
			}
			if got.Subject != "from.a" || string(got.Data) != string(m.Data) || fmt.Sprint(got.Header) != fmt.Sprint(m.Header) && len(got.Header)+len(m.Header) > 0 {
				t.Errorf("a stream import gets %s, %v, %d bytes, want %v, %d bytes", got.Subject, got.Header, len(got.Data), m.Header, len(m.Data))
			}
		}
	}
}

// An answer is no request of the account that it enters, though an import there matches
// everything. Where the import is named as the place for answers, it gets them.
func TestAnswersAreNoRequests(t *testing.T) {
	_, addr := shared(t, AccountOptions{Name: "X", Exports: []ServiceExport{{Subject: "svc"}, {Subject: "*.>"}}},
		AccountOptions{Name: "Z"},
		AccountOptions{Name: "I", Services: []ServiceImport{{Account: "X", Subject: "svc"}, {Account: "X", Subject: "*.>"},
			{Account: "Z", Subject: "*.>"}, {Account: "Z", Subject: "pay", Share: true}}},
		AccountOptions{Name: "W", Services: []ServiceImport{{Account: "Z", Subject: "pay"}}, Streams: []StreamImport{{Account: "Z", Subject: "pay"}}})
	x, z, i, w := connectAs(t, addr, "X", nats.Name("secret")), connectAs(t, addr, "Z"), connectAs(t, addr, "I"), connectAs(t, addr, "W")
	atX, err := x.SubscribeSync(">")
	if err != nil {
		t.Fatal(err)
	}
	atZ, err := z.SubscribeSync(">")
	if err != nil {
		t.Fatal(err)
	}
	atW, err := w.SubscribeSync("pay")
	if err != nil {
		t.Fatal(err)
	}
	flush(t, x, z, w)
	for _, c := range []struct{ reply, z string }{{"in.box", ""}, {"pay", "pay=answer"}} {
		if err := i.PublishRequest("svc", c.reply, []byte("request")); err != nil {
			t.Fatal(err)
		}
		m, err := atX.NextMsg(longest)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Respond([]byte("answer")); err != nil {
			t.Fatal(err)
		}
		flush(t, x)
		if got := drain(t, x, atX); !strings.HasPrefix(got, "_R_.") || strings.Contains(got, " ") { // the service hears itself
			t.Errorf("%s: the service gets %q", c.reply, got)
		}
		flush(t, z)
		if n, _, _ := atZ.Pending(); n > 0 {
			m, err := atZ.NextMsg(time.Second)
			if err != nil || m.Subject+"="+string(m.Data) != c.z || strings.Contains(m.Header.Get(requestInfo), "secret") {
				t.Errorf("%s: another account gets %v, %v", c.reply, m, err)
			}
		} else if c.z != "" {
			t.Errorf("%s: the import gets nothing", c.reply)
		}
		if got := drain(t, w, atW); got != "" {
			t.Errorf("%s: a stream import gets %q", c.reply, got)
		}
	}
}

// A service that is reached through two imports is told who asks, and for whom; it is told
// no more of them than they share with the first.
func TestToldThroughTwoImports(t *testing.T) {
	for _, c := range []struct {
		first, second    bool
		named, placed    bool // it is told the connection's name, and the server's
		subject, service string
	}{
		{false, false, false, false, "far", "M"},
		{false, true, false, true, "far", "M"},
		{true, false, true, true, "far", "M"},
		{true, true, true, true, "far", "M"},
		{true, true, true, true, "near", ""},
	} {
		_, addr := shared(t, AccountOptions{Name: "S", Exports: []ServiceExport{{Subject: "svc"}}},
			AccountOptions{Name: "M", Services: []ServiceImport{{Account: "S", Subject: "svc", Local: "mid", Share: c.second}}},
			AccountOptions{Name: "C", Services: []ServiceImport{{Account: "M", Subject: "mid", Local: "far", Share: c.first},
				{Account: "S", Subject: "svc", Local: "near", Share: c.first}}})
		s, nc := connectAs(t, addr, "S"), connectAs(t, addr, "C", nats.Name("asker"))
		if _, err := s.Subscribe("svc", func(m *nats.Msg) { _ = m.Respond([]byte(m.Header.Get(requestInfo))) }); err != nil {
			t.Fatal(err)
		}
		flush(t, s)
		m, err := nc.Request(c.subject, nil, 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		var i ClientInfo
		if err := json.Unmarshal(m.Data, &i); err != nil || i.Account != "C" || i.Service != c.service ||
			(i.Name == "asker") != c.named || (i.Server != "") != c.placed {
			t.Errorf("%+v: told %s, %v", c, m.Data, err)
		}
	}
}

// A request goes by each import once, also where accounts import from each other in a circle.
func TestImportsInACircle(t *testing.T) {
	_, addr := shared(t, AccountOptions{Name: "A", Services: []ServiceImport{{Account: "B", Subject: "s"}}},
		AccountOptions{Name: "B", Services: []ServiceImport{{Account: "A", Subject: "s"}}})
	a, b := connectAs(t, addr, "A"), connectAs(t, addr, "B")
	atA, err := a.SubscribeSync("s")
	if err != nil {
		t.Fatal(err)
	}
	atB, err := b.SubscribeSync("s")
	if err != nil {
		t.Fatal(err)
	}
	flush(t, a, b)
	if err := a.Publish("s", []byte("1")); err != nil {
		t.Fatal(err)
	}
	flush(t, a)
	if got, also := drain(t, a, atA), drain(t, b, atB); got != "s=1 s=1" || also != "s=1" {
		t.Errorf("A gets %q, B %q", got, also)
	}
}

// Whether an answer goes on by an import depends on where it came from, also if answers
// from elsewhere went the same way before.
func TestAnswersOfDifferentOrigin(t *testing.T) {
	_, addr := shared(t, AccountOptions{Name: "C"},
		AccountOptions{Name: "B", Services: []ServiceImport{{Account: "C", Subject: "c"}}},
		AccountOptions{Name: "D", Services: []ServiceImport{{Account: "C", Subject: "c"}}},
		AccountOptions{Name: "A", Services: []ServiceImport{{Account: "B", Subject: "c", Local: "b"}, {Account: "D", Subject: "c", Local: "d"}, {Account: "B", Subject: "in"}}})
	c, b, a := connectAs(t, addr, "C"), connectAs(t, addr, "B"), connectAs(t, addr, "A")
	requests, err := c.SubscribeSync("c")
	if err != nil {
		t.Fatal(err)
	}
	atB, err := b.SubscribeSync("in")
	if err != nil {
		t.Fatal(err)
	}
	flush(t, c, b)
	for i, by := range []string{"b", "d", "b", "d", "d"} {
		if err := a.PublishRequest(by, "in", nil); err != nil {
			t.Fatal(err)
		}
		m, err := requests.NextMsg(longest)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Respond(nil); err != nil {
			t.Fatal(err)
		}
		flush(t, c)
		if got, want := drain(t, b, atB), map[string]string{"b": "", "d": "in="}[by]; got != want {
			t.Errorf("%d: the answer by %s: B gets %q, want %q", i, by, got, want)
		}
	}
}
