package jetstream

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/vfs/sim"
)

// takenBook is what the consumer of a work queue has got that takes its messages from two streams.
type takenBook struct {
	mu   sync.Mutex
	from map[string]uint64 // the message of an origin, and its sequence in the queue
	done map[uint64]bool   // sequences whose acks were confirmed
	gone map[uint64]bool   // messages of S that were deleted, or may have been
}

// got notes a message of the queue: one of an origin must not come as two.
func (b *takenBook) got(t *testing.T, seq uint64, h nats.Header) {
	f := strings.Fields(h.Get("Nats-Stream-Source"))
	if len(f) < 2 {
		t.Errorf("message %d says nothing of its source: %v", seq, h)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	name := f[0] + " " + f[1]
	if was, ok := b.from[name]; ok && was != seq {
		t.Errorf("message %s is there as %d and as %d", name, was, seq)
	}
	b.from[name] = seq
	if b.done[seq] {
		t.Errorf("message %d comes again after its ack was confirmed", seq)
	}
}

// work lets clients use the streams until the disk is gone, or enough has happened.
func (b *takenBook) work(t *testing.T, n *node, enough func(acks int) bool) {
	js := ok(n.nc.JetStream(nats.MaxWait(2 * time.Second)))
	sub, err := js.PullSubscribe("", "c", nats.Bind("A", "c"))
	if err != nil {
		t.Error(err)
		return
	}
	var over sync.WaitGroup
	stop := make(chan struct{})
	end := sync.OnceFunc(func() { close(stop) })
	loop := func(step func(i int) bool) {
		over.Go(func() {
			defer end()
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if !step(i) {
					return
				}
			}
		})
	}
	for _, s := range []string{"s", "t"} {
		loop(func(i int) bool {
			a, err := js.Publish(fmt.Sprintf("%s.%d", s, i%3), fmt.Append(nil, i))
			if err != nil {
				return false
			}
			if i%10 == 3 && s == "s" {
				b.mu.Lock()
				b.gone[a.Sequence] = true
				b.mu.Unlock()
				return js.DeleteMsg("S", a.Sequence) == nil
			}
			return true
		})
	}
	acks := 0
	loop(func(i int) bool {
		msgs, err := sub.Fetch(10, nats.MaxWait(500*time.Millisecond))
		if err != nil && err != nats.ErrTimeout {
			return false
		}
		for _, m := range msgs {
			meta, _ := m.Metadata()
			b.got(t, meta.Sequence.Stream, m.Header)
			if meta.Sequence.Stream%7 == 0 {
				continue // it comes again
			}
			if m.AckSync(nats.AckWait(2*time.Second)) != nil {
				return false
			}
			b.mu.Lock()
			b.done[meta.Sequence.Stream] = true
			b.mu.Unlock()
			if acks++; enough(acks) {
				end()
			}
		}
		return true
	})
	over.Wait()
}

// TestFollowingPowerCuts takes the power away from a mirror and from a work queue with sources: nothing is missing, and nothing there twice.
func TestFollowingPowerCuts(t *testing.T) {
	cuts := 4
	if os.Getenv("LONG") != "" {
		cuts = 200
	}
	seed := uint64(time.Now().UnixNano())
	for i := range cuts {
		t.Run(fmt.Sprint(seed+uint64(i)), func(t *testing.T) { followingCut(t, seed+uint64(i)) })
	}
}

func followingCut(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 3))
	disk := sim.New(seed, sim.Options{JournaledNames: rng.IntN(2) == 0, Capacity: 1 << 30})
	n := newNodeOn(t, disk, "/js")
	for _, c := range []jetstream.StreamConfig{
		{Name: "S", Subjects: []string{"s.*"}}, {Name: "T", Subjects: []string{"t.*"}}, {Name: "M", Mirror: &jetstream.StreamSource{Name: "S"}},
		{Name: "A", Retention: jetstream.WorkQueuePolicy, Sources: []*jetstream.StreamSource{{Name: "S"}, {Name: "T"}}},
	} {
		ok(n.js.CreateStream(n.ctx, c))
	}
	ok(n.js.CreateConsumer(n.ctx, "A", jetstream.ConsumerConfig{Durable: "c", AckPolicy: jetstream.AckExplicitPolicy, AckWait: time.Second}))
	b := &takenBook{from: map[string]uint64{}, done: map[uint64]bool{}, gone: map[uint64]bool{}}
	least := 20 + rng.IntN(200)
	var after *sim.Disk
	b.work(t, n, func(acks int) bool {
		switch {
		case acks%20 == 0 && acks < least:
			n.server.files.checkpointSoon(n.server.files.journal.Position())
		case acks == least && after == nil:
			after = disk.Cut(seed, sim.Any)
		}
		return false
	})
	if after == nil {
		t.Fatal("the clients stopped before the power went")
	}
	n.stop()
	n = newNodeOn(t, after, "/js")
	b.compare(t, n)
	n.stop()
}

// compare holds what a node has against what was seen of it before, once it has taken over everything.
func (b *takenBook) compare(t *testing.T, n *node) {
	log := func(name string) stream.Log { return n.server.lookup("$G").stream(name).log }
	c := ok(n.js.Consumer(n.ctx, "A", "c"))
	a := ok(n.js.Stream(n.ctx, "A"))
	last := map[string]uint64{}
	for _, name := range []string{"S", "T"} {
		if seq, any := log(name).Prev(log(name).State().Last, nil); any {
			last[name] = seq
		}
	}
	n.await("the mirror has everything", func() bool { return log("M").State().Last >= last["S"] })
	n.await("the queue has everything", func() bool {
		i := ok(a.Info(n.ctx))
		return i.Sources[0].Lag == 0 && i.Sources[1].Lag == 0 && n.position("A", "S") >= last["S"] && n.position("A", "T") >= last["T"]
	})
	for ok(a.Info(n.ctx)).State.Msgs > 0 && n.ctx.Err() == nil {
		for m := range ok(c.Fetch(100, jetstream.FetchMaxWait(200*time.Millisecond))).Messages() {
			b.got(t, ok(m.Metadata()).Sequence.Stream, m.Headers())
			if err := m.DoubleAck(n.ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	var here, there stream.Record
	for _, name := range []string{"S", "T"} {
		for seq, any := log(name).Next(0, nil); any; seq, any = log(name).Next(seq+1, nil) {
			if b.from[fmt.Sprint(name, " ", seq)] == 0 {
				t.Errorf("message %d of %s is not in the queue", seq, name)
			}
		}
	}
	for seq := uint64(1); seq <= log("S").State().Last; seq++ {
		e1, e2 := log("S").Load(seq, &here), log("M").Load(seq, &there)
		switch {
		case e1 == nil && e2 != nil:
			t.Errorf("message %d is not in the mirror: %v", seq, e2)
		case e1 == nil && fmt.Sprint(here) != fmt.Sprint(there):
			t.Errorf("message %d is %v in the mirror, not %v", seq, there, here)
		case e1 != nil && e2 == nil && !b.gone[seq]:
			t.Errorf("message %d is in the mirror, and is not in its origin", seq)
		}
	}
}

// position is where a stream is with a source.
func (n *node) position(name, source string) uint64 {
	s := n.server.lookup("$G").stream(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sourced[source+" > >"].Seq
}
