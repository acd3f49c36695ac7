package broker

import (
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
)

// traffic is one way messages take, in its steady state.
type traffic struct {
	name string
	subs []string // SUB lines, each of a connection of its own
	pub  string   // a frame
	gets []string // what the subscribers get for it
}

func trafficKinds() []traffic {
	body := strings.Repeat("x", 128) + "\r\n"
	head := "NATS/1.0\r\nA: b\r\n\r\n"
	ten := traffic{name: "fan-out", pub: "PUB a.b 128\r\n" + body}
	sids := traffic{name: "distinct-sids", pub: "PUB a.b 128\r\n" + body}
	for i := range 10 {
		ten.subs = append(ten.subs, "SUB a.b 1\r\n")
		ten.gets = append(ten.gets, "MSG a.b 1 128\r\n"+body)
		sids.subs = append(sids.subs, fmt.Sprintf("SUB a.b %d\r\n", i+1))
		sids.gets = append(sids.gets, fmt.Sprintf("MSG a.b %d 128\r\n", i+1)+body)
	}
	return []traffic{
		{"nobody", nil, "PUB a.b 128\r\n" + body, nil},
		{"one-to-one", []string{"SUB a.b 1\r\n"}, "PUB a.b 128\r\n" + body, []string{"MSG a.b 1 128\r\n" + body}},
		{"wildcard", []string{"SUB a.* 1\r\n"}, "PUB a.b 128\r\n" + body, []string{"MSG a.b 1 128\r\n" + body}},
		{"headers", []string{"SUB a.b 1\r\n"}, "HPUB a.b 18 146\r\n" + head + body, []string{"HMSG a.b 1 18 146\r\n" + head + body}},
		{"reply", []string{"SUB a.b 1\r\n"}, "PUB a.b _INBOX.x.1 128\r\n" + body, []string{"MSG a.b 1 _INBOX.x.1 128\r\n" + body}},
		{"queue", []string{"SUB a.b q 1\r\n"}, "PUB a.b 128\r\n" + body, []string{"MSG a.b 1 128\r\n" + body}},
		ten, sids,
	}
}

// road is a kind of traffic set up on a broker in this process. What it takes to send and
// receive is allocated beforehand.
type road struct {
	*traffic
	pub  *peer
	subs []*peer
	out  []byte
	in   []byte
	each int // messages in a block
	got  chan error
}

func newRoad(t testing.TB, k traffic) *road {
	_, addr := start(t, Options{NoShortFirstPing: true})
	r := &road{traffic: &k, each: 100, got: make(chan error, 16)}
	r.out = []byte(strings.Repeat(k.pub, r.each))
	for i, line := range k.subs {
		p := connect(t, addr)
		p.send("%s", line)
		p.sync()
		r.subs = append(r.subs, p)
		go func() { // ends with the connection
			buf := make([]byte, len(k.gets[i])*r.each)
			for {
				_, err := io.ReadFull(p.nc, buf)
				r.got <- err
				if err != nil {
					return
				}
			}
		}()
	}
	r.pub = connect(t, addr)
	r.in = make([]byte, len("PONG\r\n"))
	t.Cleanup(func() { // lets the readers end
		for _, p := range r.subs {
			p.nc.(*net.TCPConn).Close()
			<-r.got
		}
	})
	return r
}

func (r *road) messages() int { return r.each }

// block sends a block of messages and waits until all have arrived.
func (r *road) block(t testing.TB) {
	if _, err := r.pub.nc.Write(r.out); err != nil {
		t.Fatal(err)
	}
	for range r.subs {
		if err := <-r.got; err != nil {
			t.Fatal(err)
		}
	}
	if len(r.subs) == 0 {
		if _, err := r.pub.nc.Write(ping); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(r.pub.nc, r.in); err != nil {
			t.Fatal(err)
		}
	}
}

var ping = []byte("PING\r\n")

// In its steady state the broker allocates nothing per message: what is left are pools
// that the garbage collector has emptied.
func TestNothingIsAllocatedPerMessage(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates, and pools forget")
	}
	for _, k := range trafficKinds() {
		t.Run(k.name, func(t *testing.T) { nothingIsAllocated(t, newRoad(t, k), 1000) })
	}
	for _, e := range askings() {
		t.Run(e.name, func(t *testing.T) { nothingIsAllocated(t, newTalk(t, e), 200) })
	}
	for _, kind := range ownRoads {
		t.Run("own-"+kind, func(t *testing.T) { nothingIsAllocated(t, newOwnRoad(t, kind), 1000) })
	}
}

// steady is what can be repeated: so many messages at a time.
type steady interface {
	block(t testing.TB)
	messages() int
}

// nothingIsAllocated fails if there is more than one allocation for so many messages. Of
// subjects that never came before, a few are taken for ones that did, and given a plan.
func nothingIsAllocated(t *testing.T, r steady, messages uint64) {
	for range 100 {
		r.block(t)
	}
	const blocks = 500
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range blocks {
		r.block(t)
	}
	runtime.ReadMemStats(&after)
	n := after.Mallocs - before.Mallocs
	if n > blocks*uint64(r.messages())/messages {
		t.Errorf("%d allocations for %d messages", n, blocks*r.messages())
	}
}

// BenchmarkDelivery is the whole way of a message through sockets of this machine; the
// allocations it reports are those of the broker.
func BenchmarkDelivery(b *testing.B) {
	for _, k := range trafficKinds() {
		b.Run(k.name, func(b *testing.B) { delivers(b, newRoad(b, k)) })
	}
	for _, e := range askings() {
		b.Run(e.name, func(b *testing.B) { delivers(b, newTalk(b, e)) })
	}
	for _, kind := range ownRoads {
		b.Run("own-"+kind, func(b *testing.B) { delivers(b, newOwnRoad(b, kind)) })
	}
}

func delivers(b *testing.B, r steady) {
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N/r.messages() + 1 {
		r.block(b)
	}
}
