package broker

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/msgtrace"
	"github.com/nats-broker/nats-broker/daemon/proto"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

// reported collects reports.
type reported struct {
	mu   sync.Mutex
	list []string
}

func collect(b *Broker) *reported {
	r := new(reported)
	b.ReportTo(func(a *Account, t *msgtrace.Trail) {
		text, err := json.Marshal(t.Report(a.Name()))
		if err != nil {
			panic(err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.list = append(r.list, string(text))
	})
	return r
}

// take returns what has been reported.
func (r *reported) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.list
	r.list = nil
	return list
}

// hpub is a frame of a client.
func hpub(subject, reply, payload string, fields ...string) string {
	h := "NATS/1.0\r\n" + strings.Join(append(fields, ""), "\r\n") + "\r\n"
	if reply != "" {
		reply += " "
	}
	return fmt.Sprintf("HPUB %s %s%d %d\r\n%s%s\r\n", subject, reply, len(h), len(h)+len(payload), h, payload)
}

const (
	asks = "Nats-Trace-Dest: t"
	dry  = "Nats-Trace-Only: 1"
	dust = "Nats-Trace-Dust: t" // as long as asks
	wet  = "Nats-Trace-Okay: 1"
)

// Messages that come together are each looked at, also where they are delivered by the run.
func TestOneOfMany(t *testing.T) {
	b, addr := start(t, Options{})
	r := collect(b)
	sub, pub := connect(t, addr), connect(t, addr)
	for _, subs := range []string{"SUB a 1\r\n", "SUB a 1\r\nSUB a 22\r\n"} { // by the short form, and a fan-out
		sub.send("%s", subs)
		sub.sync()
		n := strings.Count(subs, "SUB")
		for _, at := range []int{0, 1, 2, 5, 6} {
			var text strings.Builder
			for i := range 7 {
				if i == at {
					text.WriteString(hpub("a", "", fmt.Sprint(i), asks, dry))
				} else {
					text.WriteString(hpub("a", "", fmt.Sprint(i), dust, wet))
				}
			}
			pub.send("%s%s", text.String(), text.String())
			pub.sync()
			if got := r.take(); len(got) != 2 || strings.Count(got[1], `"type":"eg"`) != n {
				t.Errorf("the %dth asks: %q", at, got)
			}
			for range 2 {
				for i := range 7 {
					for range n {
						if i == at {
							break
						}
						if got := sub.line(); !strings.HasPrefix(got, "HMSG a ") {
							t.Fatalf("got %q", got)
						}
						sub.expect("NATS/1.0", dust, wet, "", fmt.Sprint(i))
					}
				}
			}
		}
	}
}

// The same of messages that a peer sends.
func TestOneOfManyOfAPeer(t *testing.T) {
	b, addr := start(t, Options{})
	r := collect(b)
	sub := connect(t, addr)
	sub.send("SUB a 1\r\n")
	sub.sync()
	p := NewPeerPublisher(func(a *Account, _ Entry) string { return "RMSG " + a.Name() + " " })
	for at := range 5 {
		var text strings.Builder
		for i := range 5 {
			f := dust + "\r\n" + wet
			if i == at {
				f = asks + "\r\n" + dry
			}
			h := "NATS/1.0\r\n" + f + "\r\n\r\n"
			fmt.Fprintf(&text, "HMSG $G a %d %d\r\n%s%d\r\n", len(h), len(h)+1, h, i)
		}
		transport.Inject([]byte(text.String()), func(in *transport.Input) {
			p.Begin(in)
			var f proto.Frame
			var rf proto.RouteFrame
			for used := 0; used < len(in.Data); {
				if n, _, _ := p.Again(in.Data[used:], &f); n > 0 {
					used += n
					continue
				}
				n, _, err := proto.NextRoute(in.Data[used:], &proto.Limits{ControlLine: 1 << 20}, false, &rf)
				if err != nil || n == 0 {
					t.Fatal(n, err)
				}
				rf.Message(in.Data[used:used+n], &f)
				p.Deliver(b.Account(""), Published, &f, false, nil)
				used += n
			}
			p.End()
		})
		if got := r.take(); len(got) != 1 || !strings.Contains(got[0], `"kind":1`) {
			t.Errorf("the %dth asks: %q", at, got)
		}
		for i := range 5 {
			if i != at {
				sub.expect("HMSG a 1 52 53", "NATS/1.0", dust, wet, "", fmt.Sprint(i))
			}
		}
	}
}

// traceless is a peer that may or may not take part.
type traceless struct {
	mu  sync.Mutex
	got []string
	way Way
}

func (f *traceless) take() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	got := f.got
	f.got = nil
	return got
}

func (f *traceless) Deliver(d *Delivery) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.got = append(f.got, string(d.Frame.Body))
	return true
}
func (f *traceless) Way() Way            { return f.way }
func (f *traceless) Accepts(string) bool { return true }
func (f *traceless) Why(string) string   { return "why" }

// A peer that does not know of traces gets no dry run, since it would deliver the message.
func TestPeersWithoutTraces(t *testing.T) {
	b, addr := start(t, Options{})
	r := collect(b)
	pub := connect(t, addr)
	for _, tt := range []struct {
		fields []string
		traces bool
		got    int
		error  string
	}{
		{[]string{asks}, true, 1, ""},
		{[]string{asks, dry}, true, 1, ""},
		{[]string{asks}, false, 1, msgtrace.NotSupported},
		{[]string{asks, dry}, false, 0, msgtrace.NotSupportedOnly},
	} {
		far := &traceless{way: Way{Kind: msgtrace.Route, ID: 7, Name: "far", Traces: tt.traces}}
		for _, queue := range []string{"", "q"} {
			i, err := b.Account("").AddRemote(far, []byte("to"), queue, Members{All: 1, Own: 1})
			if err != nil {
				t.Fatal(err)
			}
			pub.send("%s", hpub("to", "", "x", tt.fields...))
			pub.sync()
			got, there := r.take(), far.take()
			if len(got) != 1 || len(there) != tt.got || !strings.Contains(got[0], `"hops":1`) {
				t.Fatalf("%v: %q, and the peer got %q", tt, got, there)
			}
			want := `"kind":1,"cid":7,"name":"far","hop":"1"`
			if tt.error != "" {
				want += `,"error":"` + tt.error + `"`
			}
			if !strings.Contains(got[0], want+"}") {
				t.Errorf("%v: %s", tt, got[0])
			}
			if tt.got == 1 && !strings.HasSuffix(there[0], "Nats-Trace-Hop: 1\r\n\r\nx\r\n") {
				t.Errorf("the peer got %q", there)
			}
			i.Remove()
		}
	}
}

// A dry run calls no part of the server and is captured by nothing that does not know of it.
func TestDryRunsReachNoPart(t *testing.T) {
	b, addr := start(t, Options{})
	r := collect(b)
	a := b.Account("")
	var calls atomic.Int32
	for _, queue := range []string{"", "q"} {
		if _, err := a.SubscribeService("to", queue, func(*Message) { calls.Add(1) }); err != nil {
			t.Fatal(err)
		}
	}
	to, _ := capturing(t, a, "to")
	pub := connect(t, addr)
	pub.send("SUB inbox 1\r\n%s", hpub("to", "inbox", "x", asks, dry))
	pub.sync() // and it is not told that nobody answers
	to.mu.Lock()
	captured := to.msgs
	to.mu.Unlock()
	if len(r.take()) != 1 || calls.Load() != 0 || captured != 0 {
		t.Errorf("%d calls, %d captured", calls.Load(), captured)
	}
	pub.send("%s", hpub("to", "inbox", "x", asks))
	pub.sync()
	to.await(t, 1)
	if len(r.take()) != 1 || calls.Load() != 2 {
		t.Errorf("%d calls", calls.Load())
	}
}

// A message that is too large ends the connection, and is reported if its header has come.
func TestTooLargeIsReported(t *testing.T) {
	b, addr := start(t, Options{MaxPayload: 100})
	r := collect(b)
	pub := connect(t, addr)
	pub.send("%s", hpub("to", "", strings.Repeat("x", 200), asks, dry))
	pub.expect("-ERR 'Maximum Payload Violation'")
	got := r.take()
	if len(got) != 1 || !strings.Contains(got[0], `"subj":"to","error":"maximum payload exceeded"`) {
		t.Errorf("%q", got)
	}
}

// What a request through an import leaves behind so that reports of other servers come back is gone when none will come.
func TestNothingIsLeftOfATracedRequest(t *testing.T) {
	b, addr := shared(t, AccountOptions{Name: "A", Exports: []ServiceExport{{Subject: "svc", AllowTrace: true}}},
		AccountOptions{Name: "B", Services: []ServiceImport{{Account: "A", Subject: "svc"}}})
	r := collect(b)
	p := dial(t, addr)
	p.send(`CONNECT {"verbose":false,"headers":true,"user":"B"}` + "\r\n")
	p.sync()
	table := &b.Account("A").shares.replies
	for _, f := range [][]string{{asks}, {asks, dry}} {
		for _, reply := range []string{"", "inbox"} {
			p.send("%s", hpub("svc", reply, "x", f...))
			p.sync()
			if got := r.take(); len(got) != 1 || !strings.Contains(got[0], `"type":"si"`) {
				t.Fatalf("%q", got)
			}
			for _, c := range table.classes {
				if table.anyOpen(c) {
					t.Errorf("%v with reply subject %q: a request is open", f, reply)
				}
			}
		}
	}
}
