package broker

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/batch"
	"github.com/nats-broker/nats-broker/daemon/proto"
)

// tape is a sink as a stream will be one: it has records of its own, and keeps the memory
// that they are in.
type tape struct {
	outlet batch.Outlet
	refuse atomic.Bool // takes nothing

	mu   sync.Mutex
	more sync.Cond
	kept []batch.Segment
	puts int
	msgs int
	note []string // what came with the lanes
}

func newTape() *tape {
	t := &tape{}
	t.outlet.Leads(t)
	t.more.L = &t.mu
	return t
}

func (t *tape) Outlet() *batch.Outlet { return &t.outlet }

// A record is four lengths, of all that follow, and subject, reply, header and payload.
// Large payloads lie in segments of their own.
func (t *tape) Stage(l *batch.Lane, m *Message) bool {
	if t.refuse.Load() {
		return false
	}
	if len(m.Header) > 0 {
		l.Note = "header"
	}
	n := 16 + len(m.Subject) + len(m.Reply)
	large := len(m.Header)+len(m.Payload) >= batch.KeepFrom
	if !large {
		n += len(m.Header) + len(m.Payload)
	}
	b := l.Reserve(n)[:0]
	for _, p := range [][]byte{m.Subject, m.Reply, m.Header, m.Payload} {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(p)))
	}
	b = append(append(b, m.Subject...), m.Reply...)
	if !large {
		_ = append(append(b, m.Header...), m.Payload...)
	} else if !m.Refer(l) {
		s := m.Hold()
		l.Share(s.Block, s.From, s.To)
		s.Release()
	}
	l.Msgs++
	return true
}

func (t *tape) Put(l *batch.Lane) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, l.Segments()...)
	t.puts++
	t.msgs += l.Msgs
	if l.Note != nil {
		t.note = append(t.note, l.Note.(string))
	}
	t.more.Broadcast()
	return false
}

func (t *tape) AwaitRoom(func() bool) {}

// await waits until so many messages have come.
func (t *tape) await(tb testing.TB, n int) {
	tb.Helper()
	stop := time.AfterFunc(30*time.Second, func() { // only if the test fails
		t.mu.Lock()
		t.msgs += 1 << 30
		t.more.Broadcast()
		t.mu.Unlock()
	})
	defer stop.Stop()
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.msgs < n {
		t.more.Wait()
	}
	if t.msgs >= 1<<30 {
		tb.Fatalf("%d messages have come, not %d", t.msgs-1<<30, n)
	}
}

// take returns the records, "subject reply header payload", and forgets them.
func (t *tape) take(tb testing.TB) (all []string) {
	tb.Helper()
	t.mu.Lock()
	defer t.mu.Unlock()
	var b []byte
	for i := range t.kept {
		b = append(b, t.kept[i].Bytes()...)
	}
	batch.ReleaseAll(t.kept)
	t.kept, t.msgs, t.puts = t.kept[:0], 0, 0
	for len(b) > 0 {
		var parts []string
		rest := b[16:]
		for i := range 4 {
			n := binary.LittleEndian.Uint32(b[4*i:])
			parts = append(parts, string(rest[:n]))
			rest = rest[n:]
		}
		all = append(all, fmt.Sprintf("%s|%s|%s|%s", parts[0], parts[1], parts[2], parts[3]))
		b = rest
	}
	return all
}

func (t *tape) expect(tb testing.TB, want ...string) {
	tb.Helper()
	t.await(tb, len(want))
	if got := t.take(tb); !slices.Equal(got, want) {
		tb.Errorf("captured %.300q, want %.300q", got, want)
	}
}

func capturing(t testing.TB, a *Account, pattern string) (*tape, *InternalSubscription) {
	t.Helper()
	to := newTape()
	sub, err := a.Capture(pattern, to)
	if err != nil {
		t.Fatal(err)
	}
	return to, sub
}

// What is captured is what was published, by whomever and in whatever form, beside what
// clients get of it.
func TestCapture(t *testing.T) {
	b, addr := start(t, Options{})
	acc := b.Account("")
	to, sub := capturing(t, acc, "a.>")
	c, s := connect(t, addr), connect(t, addr)
	s.send("SUB a.b 7\r\n")
	s.sync()
	const header = "NATS/1.0\r\nA: b\r\n\r\n"
	large := strings.Repeat("0123456789abcdef", 8<<10)
	for _, m := range []struct{ subject, reply, header, payload string }{
		{"a.b", "", "", "hello"},
		{"a.b", "r.1", "", ""},
		{"a.b", "", header, "x"},
		{"a.b", "r.2", header, large},
		{"a.c", "", "", large},
	} {
		total := m.header + m.payload
		reply := m.reply
		if reply != "" {
			reply += " "
		}
		line := fmt.Sprintf("PUB %s %s%d\r\n%s\r\n", m.subject, reply, len(total), total)
		if m.header != "" {
			line = fmt.Sprintf("HPUB %s %s%d %d\r\n%s\r\n", m.subject, reply, len(m.header), len(total), total)
		}
		want := m.subject + "|" + m.reply + "|" + m.header + "|" + m.payload
		c.send("%s", line)
		to.expect(t, want)
		acc.Publish(m.subject, m.reply, []byte(m.header), []byte(m.payload))
		to.expect(t, want)
		if m.subject == "a.b" {
			for range 2 {
				got := make([]byte, len(strings.Replace(line, "PUB a.b", "MSG a.b 7", 1)))
				if _, err := io.ReadFull(s.r, got); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if n := len(to.note); n != 4 {
		t.Errorf("the sink was told %d times that there are headers, want 4", n)
	}
	injectFrame("a.far", "from another server", func(p *PeerPublisher, f *proto.Frame) {
		if !p.Deliver(acc, Published, f, false, nil) {
			t.Error("a message of another server was not delivered")
		}
	})
	to.expect(t, "a.far|||from another server")
	sub.Unsubscribe()
	c.send("PUB a.b 4\r\nlate\r\n")
	c.sync()
	if got := to.take(t); len(got) > 0 {
		t.Errorf("captured after the end: %q", got)
	}
}

// A sink is called once for what one batch has for it, however much that is.
func TestCaptureIsOneCallABatch(t *testing.T) {
	b, _ := start(t, Options{})
	acc := b.Account("")
	to, _ := capturing(t, acc, "a.*")
	other, _ := capturing(t, acc, "a.1")
	p := acc.NewPublisher(Own)
	defer p.Close()
	p.Begin()
	for i := range 200 {
		if !p.Send(fmt.Appendf(nil, "a.%d", i%10), nil, nil, []byte("payload")) {
			t.Fatal("a captured message reached nobody")
		}
	}
	p.End()
	if to.puts != 1 || to.msgs != 200 || other.puts != 1 || other.msgs != 20 {
		t.Errorf("%d calls for %d messages, and %d for %d", to.puts, to.msgs, other.puts, other.msgs)
	}
	to.take(t)
	other.take(t)
}

// A captured request has somebody who receives it, unless the sink says no.
func TestCapturedRequestsHaveResponders(t *testing.T) {
	b, addr := start(t, Options{})
	to, _ := capturing(t, b.Account(""), "ask")
	c := connect(t, addr)
	c.send("SUB in.* 1\r\nPUB ask in.1 0\r\n\r\n")
	c.sync()
	to.expect(t, "ask|in.1||")
	to.refuse.Store(true)
	c.send("PUB ask in.2 0\r\n\r\n")
	if line := c.line(); !strings.HasPrefix(line, "HMSG in.2 1 ") {
		t.Errorf("got %q, want that nobody answers", line)
	}
}

// Other servers are told of a capture as of a client's subscription.
func TestCaptureIsAnnounced(t *testing.T) {
	b, _ := start(t, Options{})
	acc := b.Account("")
	var got []Change
	acc.Watch(func(c Change) { got = append(got, c) })
	to, sub := capturing(t, acc, "a.>")
	if !acc.Interested("a.b") {
		t.Error("nobody is interested")
	}
	sub.Unsubscribe()
	if want := []Change{{Subject: "a.>", Count: 1, Added: true}, {Subject: "a.>"}}; !slices.Equal(got, want) {
		t.Errorf("told %v, want %v", got, want)
	}
	if acc.Interested("a.b") {
		t.Error("somebody is still interested")
	}
	to.take(t)
}

// Messages come by mappings, imports of services and imports of streams, whenever those
// were made.
func TestCaptureBehindMappingsAndImports(t *testing.T) {
	accounts := func(stream bool) []AccountOptions {
		in := AccountOptions{Name: "IN", Services: []ServiceImport{{Account: "A", Subject: "a.ask", Local: "ask.a"}}}
		if stream {
			in.Streams = []StreamImport{{Account: "A", Subject: "a.*", Local: "from.*"}}
		}
		return []AccountOptions{
			{Name: "A", Exports: []ServiceExport{{Subject: "a.ask"}},
				Mappings: []Mapping{{Source: "old.*", Destinations: []MappingDestination{{Subject: "a.$1", Weight: 100}}}}},
			in,
		}
	}
	b, addr := shared(t, accounts(false)...)
	a, _ := capturing(t, b.Account("A"), "a.*")
	in, inSub := capturing(t, b.Account("IN"), "from.>")
	nc, other := connectAs(t, addr, "A"), connectAs(t, addr, "IN")

	publish(t, nc, "old.1", "mapped")
	a.expect(t, "a.1|||mapped")

	share(t, b, accounts(true)...)
	publish(t, nc, "a.2", "exported")
	a.expect(t, "a.2|||exported")
	in.expect(t, "from.2|||exported")

	late, lateSub := capturing(t, b.Account("IN"), "from.3")
	publish(t, nc, "a.3", "exported")
	a.expect(t, "a.3|||exported")
	in.expect(t, "from.3|||exported")
	late.expect(t, "from.3|||exported")

	if err := other.PublishRequest("ask.a", "in.box", []byte("request")); err != nil {
		t.Fatal(err)
	}
	flush(t, other)
	a.await(t, 1)
	got := a.take(t)
	if len(got) != 1 || !strings.HasPrefix(got[0], "a.ask|_R_.") || !strings.HasSuffix(got[0], "|request") {
		t.Errorf("captured %q, want a request", got)
	}
	// The request is not exported again as a stream.
	inSub.Unsubscribe()
	lateSub.Unsubscribe()
	publish(t, nc, "a.3", "after the end")
	a.expect(t, "a.3|||after the end")
	if got := append(in.take(t), late.take(t)...); len(got) > 0 {
		t.Errorf("captured %q, want nothing", got)
	}
}

func publish(t *testing.T, nc *nats.Conn, subject, payload string) {
	t.Helper()
	if err := nc.Publish(subject, []byte(payload)); err != nil {
		t.Fatal(err)
	}
	flush(t, nc)
}

// Memory that a part holds stays as it is when the reader goes on.
func TestHeldMessages(t *testing.T) {
	b, addr := start(t, Options{})
	acc := b.Account("")
	var mu sync.Mutex // the reader of the connection holds messages
	var held []batch.Segment
	sub, err := acc.SubscribeInternal("keep", "", func(m *Message) {
		mu.Lock()
		defer mu.Unlock()
		held = append(held, m.Hold())
	})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Unsubscribe()
	c := connect(t, addr)
	var want []string
	for i := range 60 {
		text := strings.Repeat(string(rune('A'+i%26)), []int{10, 40 << 10}[i%2])
		want = append(want, text)
		c.send("PUB keep %d\r\n%s\r\n", len(text), text)
	}
	c.sync()
	mu.Lock()
	defer mu.Unlock()
	for i := range held {
		if got := string(held[i].Bytes()); got != want[i] {
			t.Errorf("message %d: %d bytes that begin with %.10q, want %d with %.10q", i, len(got), got, len(want[i]), want[i])
		}
	}
	if len(held) != len(want) {
		t.Errorf("%d messages held, want %d", len(held), len(want))
	}
	batch.ReleaseAll(held)
}
