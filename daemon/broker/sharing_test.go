package broker

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/logging"
)

// byUser lets everyone into the account that the user name names.
type byUser struct{}

func (byUser) Requires() AuthRequirements { return AuthRequirements{Auth: true, Told: true} }

func (byUser) Authenticate(_ context.Context, r *AuthRequest) (*Identity, error) {
	return &Identity{Account: r.Connect.User, User: r.Connect.User}, nil
}

// shared starts a broker with these accounts.
func shared(t *testing.T, list ...AccountOptions) (*Broker, string) {
	t.Helper()
	b, err := New(Options{Authenticator: byUser{}}, logging.Discard())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Stop)
	share(t, b, list...)
	l, err := b.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return b, l.Addr().String()
}

func share(t *testing.T, b *Broker, list ...AccountOptions) {
	t.Helper()
	commit, err := b.PrepareAccounts(list)
	if err != nil {
		t.Fatal(err)
	}
	commit()
}

func connectAs(t *testing.T, addr, user string, options ...nats.Option) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect("nats://"+addr, append(options, nats.UserInfo(user, ""))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// flush makes sure that the broker has seen all that was sent on the connections.
func flush(t *testing.T, all ...*nats.Conn) {
	t.Helper()
	for _, nc := range all {
		if err := nc.Flush(); err != nil {
			t.Fatal(err)
		}
	}
}

// drain returns the messages that have arrived for a subscription, as "subject=data".
func drain(t *testing.T, nc *nats.Conn, sub *nats.Subscription) string {
	t.Helper()
	flush(t, nc)
	var got []string
	for {
		n, _, err := sub.Pending()
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return strings.Join(got, " ")
		}
		m, err := sub.NextMsg(time.Second)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, m.Subject+"="+string(m.Data))
	}
}

func TestStreamImport(t *testing.T) {
	for _, c := range []struct {
		name      string
		im        StreamImport
		pattern   string // B subscribes to
		published string // in A
		want      string
	}{
		{"same name", StreamImport{Subject: "pub.>"}, "pub.x", "pub.x", "pub.x=1"},
		{"renamed", StreamImport{Subject: "pub.>", Local: "local.>"}, "local.x", "pub.x", "local.x=1"},
		{"a wildcard over it", StreamImport{Subject: "pub.>", Local: "local.>"}, ">", "pub.x.y", "local.x.y=1"},
		{"a wildcard across it", StreamImport{Subject: "pub.>", Local: "local.>"}, "*.x", "pub.x", "local.x=1"},
		{"across, another", StreamImport{Subject: "pub.>", Local: "local.>"}, "*.x", "pub.y", ""},
		{"turned", StreamImport{Subject: "pub.*.*", Local: "l.$2.$1"}, "l.b.*", "pub.a.b", "l.b.a=1"},
		{"literal", StreamImport{Subject: "pub.a", Local: "z"}, "z", "pub.a", "z=1"},
		{"not under its name there", StreamImport{Subject: "pub.>", Local: "local.>"}, "pub.x", "pub.x", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.im.Account = "A"
			b, addr := shared(t, AccountOptions{Name: "A"}, AccountOptions{Name: "B", Streams: []StreamImport{c.im}})
			in, out := connectAs(t, addr, "A"), connectAs(t, addr, "B")
			sub, err := out.SubscribeSync(c.pattern)
			if err != nil {
				t.Fatal(err)
			}
			flush(t, out)
			for range 2 { // a fresh plan and a cached one
				if err := in.Publish(c.published, []byte("1")); err != nil {
					t.Fatal(err)
				}
				flush(t, in)
				if got := drain(t, out, sub); got != c.want {
					t.Errorf("got %q, want %q", got, c.want)
				}
			}
			if err := sub.Unsubscribe(); err != nil {
				t.Fatal(err)
			}
			flush(t, out)
			if n := b.Account("A").index.Len(); n != 0 {
				t.Errorf("%d subscriptions are left in the exporting account", n)
			}
		})
	}
}

// A queue group gets each message once, and a maximum counts messages that come by
// import.
func TestStreamImportQueueAndMax(t *testing.T) {
	_, addr := shared(t, AccountOptions{Name: "A"},
		AccountOptions{Name: "B", Streams: []StreamImport{{Account: "A", Subject: "pub.>", Local: "local.>"}}})
	in, out := connectAs(t, addr, "A"), connectAs(t, addr, "B")
	one, err := out.QueueSubscribeSync("local.*", "q")
	if err != nil {
		t.Fatal(err)
	}
	two, err := out.QueueSubscribeSync("local.*", "q")
	if err != nil {
		t.Fatal(err)
	}
	few, err := out.SubscribeSync("local.x")
	if err != nil {
		t.Fatal(err)
	}
	if err := few.AutoUnsubscribe(3); err != nil {
		t.Fatal(err)
	}
	flush(t, out)
	for range 100 {
		if err := in.Publish("pub.x", nil); err != nil {
			t.Fatal(err)
		}
	}
	flush(t, in, out)
	n1, _, _ := one.Pending()
	n2, _, _ := two.Pending()
	if n1+n2 != 100 || n1 == 0 || n2 == 0 {
		t.Errorf("the members of the group got %d and %d of 100", n1, n2)
	}
	got := 0
	for {
		if _, err := few.NextMsg(time.Second); err != nil {
			break // the client ends the subscription with its third message
		}
		got++
	}
	if got != 3 {
		t.Errorf("%d messages in spite of a maximum of 3", got)
	}
}

func TestServiceImport(t *testing.T) {
	_, addr := shared(t, AccountOptions{Name: "A", Exports: []ServiceExport{{Subject: "req.>"}}},
		AccountOptions{Name: "B", Services: []ServiceImport{{Account: "A", Subject: "req.>", Local: "r.>"}}},
		AccountOptions{Name: "C", Services: []ServiceImport{{Account: "B", Subject: "r.x", Local: "via"}}})
	service, b, c := connectAs(t, addr, "A"), connectAs(t, addr, "B"), connectAs(t, addr, "C")
	if _, err := b.Request("r.x", nil, time.Second); err != nats.ErrNoResponders {
		t.Errorf("without a service: %v", err)
	}
	if _, err := service.Subscribe("req.>", func(m *nats.Msg) {
		_ = m.Respond(fmt.Appendf(nil, "%s %s %s", m.Subject, m.Header.Get("A"), m.Data))
		_ = m.Respond([]byte("one too many"))
	}); err != nil {
		t.Fatal(err)
	}
	flush(t, service)
	for i, nc := range []*nats.Conn{b, c, b} {
		m := nats.NewMsg([]string{"r.x", "via", "r.x"}[i])
		m.Header.Set("A", "h")
		m.Data = make([]byte, []int{1, 100, 300 << 10}[i]) // the last is large enough to be passed by reference elsewhere
		got, err := nc.RequestMsg(m, 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if want := "req.x h " + string(m.Data); string(got.Data) != want {
			t.Errorf("%d bytes came back, want %d", len(got.Data), len(want))
		}
	}
}

// What a service is told of who asks, and how its answers are counted and end.
func TestServiceReplies(t *testing.T) {
	b, addr := shared(t, AccountOptions{Name: "A", Exports: []ServiceExport{
		{Subject: "one"}, {Subject: "many", Streamed: true}, {Subject: "short", Threshold: 40 * time.Millisecond},
		{Subject: "timed", Latency: &LatencySampling{Subject: "latency", Percent: 100}},
	}}, AccountOptions{Name: "B", Services: []ServiceImport{
		{Account: "A", Subject: "one"}, {Account: "A", Subject: "many"}, {Account: "A", Subject: "short"},
		{Account: "A", Subject: "timed", Share: true},
	}})
	service, asker := connectAs(t, addr, "A"), connectAs(t, addr, "B", nats.Name("asker"))
	inbox, err := asker.SubscribeSync("inbox")
	if err != nil {
		t.Fatal(err)
	}
	requests := make(chan *nats.Msg, 16)
	for _, s := range []string{"one", "many", "short", "timed", "latency"} {
		if _, err := service.ChanSubscribe(s, requests); err != nil {
			t.Fatal(err)
		}
	}
	flush(t, service, asker)
	ask := func(subject string) *nats.Msg {
		t.Helper()
		if err := asker.PublishRequest(subject, "inbox", []byte("?")); err != nil {
			t.Fatal(err)
		}
		return <-requests
	}
	answer := func(m *nats.Msg, n int) string {
		t.Helper()
		for i := range n {
			if err := service.Publish(m.Reply, fmt.Append(nil, i)); err != nil {
				t.Fatal(err)
			}
		}
		flush(t, service)
		return drain(t, asker, inbox)
	}
	one := ask("one")
	if !strings.HasPrefix(one.Reply, "_R_.") || strings.Contains(one.Header.Get("Nats-Request-Info"), "asker") {
		t.Errorf("asked with reply %q, header %v", one.Reply, one.Header)
	}
	if got := answer(one, 3); got != "inbox=0" {
		t.Errorf("a single answer: %q", got)
	}
	if got := answer(ask("many"), 3); got != "inbox=0 inbox=1 inbox=2" {
		t.Errorf("a stream of answers: %q", got)
	}
	short := ask("short")
	replies := &b.Account("A").shares.replies
	for deadline := time.Now().Add(longest); replies.isOpen(short.Reply); {
		if time.Now().After(deadline) {
			t.Fatal("the request is not forgotten after its threshold")
		}
		flush(t, asker)
	}
	if got := answer(short, 1); got != "" {
		t.Errorf("an answer that comes too late: %q", got)
	}
	timed := ask("timed")
	var who ClientInfo
	if err := json.Unmarshal([]byte(timed.Header.Get("Nats-Request-Info")), &who); err != nil || who.Name != "asker" || who.Account != "B" {
		t.Errorf("who asks is told as %+v, %v", who, err)
	}
	answer(timed, 1)
	var l serviceLatency
	if m := <-requests; m.Subject != "latency" {
		t.Errorf("a message on %s", m.Subject)
	} else if err := json.Unmarshal(m.Data, &l); err != nil || l.Requestor.Name != "asker" || l.Responder.Account != "A" || l.Total <= 0 {
		t.Errorf("%s %v", m.Data, err)
	}
	w := &b.Account("B").shares.waiting
	if w.mu.Lock(); w.n.Load() != 0 || w.by != nil {
		t.Errorf("%d measured requests wait", w.n.Load())
	}
	w.mu.Unlock()
}

func TestMapping(t *testing.T) {
	_, addr := shared(t, AccountOptions{Name: "A", Mappings: []Mapping{
		{Source: "m.*", Destinations: []MappingDestination{{Subject: "mm.$1", Weight: 100}}},
		{Source: "w", Destinations: []MappingDestination{{Subject: "w.one", Weight: 50}, {Subject: "w.two", Weight: 25}}},
		{Source: "lossy", Destinations: []MappingDestination{{Subject: "lossy", Weight: 50}}},
		{Source: "r.*", Destinations: []MappingDestination{{Subject: "r.{{wildcard(1)}}.{{random(1000)}}", Weight: 100}}},
		{Source: "c", Destinations: []MappingDestination{{Subject: "c.here", Weight: 100, Cluster: "other"}}},
	}})
	nc := connectAs(t, addr, "A")
	sub, err := nc.SubscribeSync(">")
	if err != nil {
		t.Fatal(err)
	}
	count := func(subject string, n int) map[string]int {
		t.Helper()
		for range n {
			if err := nc.Publish(subject, nil); err != nil {
				t.Fatal(err)
			}
		}
		got := map[string]int{}
		for _, m := range strings.Fields(drain(t, nc, sub)) {
			got[strings.TrimSuffix(m, "=")]++
		}
		return got
	}
	if got := count("m.1", 2); got["mm.1"] != 2 || len(got) != 1 {
		t.Error(got)
	}
	if got := count("w", 4000); got["w.one"] < 1700 || got["w.two"] < 700 || got["w"] < 700 || got["w"]+got["w.one"]+got["w.two"] != 4000 {
		t.Error(got)
	}
	if got := count("lossy", 1000); got["lossy"] < 300 || got["lossy"] > 700 {
		t.Error(got)
	}
	if got := count("r.x", 100); len(got) < 20 {
		t.Error("random is not random:", got)
	}
	if got := count("c", 1); got["c"] != 1 {
		t.Error("a mapping of another cluster applies:", got)
	}
}

// What is shared can change under connections that stay.
func TestSharingChanges(t *testing.T) {
	imports := []StreamImport{{Account: "A", Subject: "pub.>", Local: "local.>"}}
	b, addr := shared(t, AccountOptions{Name: "A"}, AccountOptions{Name: "B"})
	in, out := connectAs(t, addr, "A"), connectAs(t, addr, "B")
	sub, err := out.SubscribeSync(">")
	if err != nil {
		t.Fatal(err)
	}
	flush(t, out)
	for i, c := range []struct {
		list []AccountOptions
		want string
	}{
		{[]AccountOptions{{Name: "A"}, {Name: "B", Streams: imports}}, "local.x="},
		{[]AccountOptions{{Name: "A"}, {Name: "B"}}, ""},
		{[]AccountOptions{{Name: "A", Mappings: []Mapping{{Source: "pub.x", Destinations: []MappingDestination{{Subject: "pub.y", Weight: 100}}}}}, {Name: "B", Streams: imports}}, "local.y="},
	} {
		share(t, b, c.list...)
		if err := in.Publish("pub.x", nil); err != nil {
			t.Fatal(err)
		}
		flush(t, in)
		if got := drain(t, out, sub); got != c.want {
			t.Errorf("step %d: %q, want %q", i, got, c.want)
		}
	}
	share(t, b, AccountOptions{Name: "B"})
	b.RemoveAccount("A")
	for deadline := time.Now().Add(longest); !in.IsReconnecting() && !in.IsClosed(); {
		if time.Now().After(deadline) {
			t.Fatal("a client of an account that is gone stays")
		}
		flush(t, out)
	}
	if out.IsReconnecting() || out.IsClosed() {
		t.Error("a client of an account that stays was closed")
	}
}

func TestPrepareAccountsErrors(t *testing.T) {
	b, _ := shared(t, AccountOptions{Name: "A"})
	for _, c := range []struct {
		list []AccountOptions
		want string
	}{
		{[]AccountOptions{{Name: "A"}, {Name: "A"}}, "defined twice"},
		{[]AccountOptions{{Name: "A", Streams: []StreamImport{{Account: "X", Subject: "a"}}}}, `account "X" is not known`},
		{[]AccountOptions{{Name: "A", Streams: []StreamImport{{Account: "A", Subject: "a.*", Local: "b"}}}}, "not using all"},
		{[]AccountOptions{{Name: "A", Mappings: []Mapping{{Source: "a", Destinations: []MappingDestination{{Subject: "b", Weight: 60}, {Subject: "c", Weight: 60}}}}}}, "total weight"},
		{[]AccountOptions{{Name: "A", Mappings: []Mapping{{Source: "a", Destinations: []MappingDestination{{Subject: "b", Weight: 101}}}}}}, "individual weights"},
	} {
		if _, err := b.PrepareAccounts(c.list); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}
