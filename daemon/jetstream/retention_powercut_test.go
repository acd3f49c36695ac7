package jetstream

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/nats-broker/nats-broker/daemon/vfs/sim"
)

// queueBook is what clients of a stream were told that lets go of what is acknowledged.
type queueBook struct {
	mu    sync.Mutex
	sent  map[uint64]string            // acknowledged to the publisher
	tried map[string]map[uint64]bool   // acks that were sent, by consumer
	done  map[string]map[uint64]bool   // acks that were confirmed
	asks  map[string]func(string) bool // which subjects a consumer asks for
	gone  map[string]bool              // consumers that were deleted, or may have been
}

func (b *queueBook) publish(js nats.JetStreamContext, k, i int, count func()) bool {
	subj := fmt.Sprintf("s.%d", (k+i)%3)
	a, err := js.Publish(subj, fmt.Appendf(nil, "%d-%d", k, i))
	if err != nil {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sent[a.Sequence] = subj
	count()
	return true
}

func (b *queueBook) consume(t *testing.T, sub *nats.Subscription, name string, i int) bool {
	msgs, err := sub.Fetch(7, nats.MaxWait(500*time.Millisecond))
	if err != nil && !errors.Is(err, nats.ErrTimeout) {
		return false
	}
	for _, m := range msgs {
		meta, _ := m.Metadata()
		seq := meta.Sequence.Stream
		b.mu.Lock()
		if b.done[name][seq] {
			t.Errorf("%s gets message %d again after its ack was confirmed", name, seq)
		}
		b.mu.Unlock()
		if (i+int(seq))%5 == 0 {
			_ = m.Nak() // it comes again
			continue
		}
		b.mu.Lock()
		b.tried[name][seq] = true
		b.mu.Unlock()
		if m.AckSync(nats.AckWait(2*time.Second)) != nil {
			return false
		}
		b.mu.Lock()
		b.done[name][seq] = true
		b.mu.Unlock()
	}
	return true
}

// work lets clients use the stream until its disk is gone, or enough has happened.
func (b *queueBook) work(t *testing.T, n *node, enough func(acks int) bool) {
	js := ok(n.nc.JetStream(nats.MaxWait(2 * time.Second)))
	var over sync.WaitGroup
	stop := make(chan struct{})
	end := sync.OnceFunc(func() { close(stop) })
	acks := 0
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
	for k := range 2 {
		loop(func(i int) bool {
			return b.publish(js, k, i, func() {
				if acks++; enough(acks) {
					end()
				}
			})
		})
	}
	for name := range b.asks {
		if b.gone[name] {
			continue
		}
		sub, err := js.PullSubscribe("", name, nats.Bind("S", name))
		if err != nil {
			t.Error(err)
			return
		}
		loop(func(i int) bool { return b.consume(t, sub, name, i) })
	}
	over.Wait()
}

// hold compares what a node has with what clients were told.
func (b *queueBook) hold(t *testing.T, n *node) {
	s := ok(n.js.Stream(n.ctx, "S"))
	for seq, subj := range b.sent {
		waited, may := false, false // somebody waits for it; somebody may
		for name, asks := range b.asks {
			if !asks(subj) || b.done[name][seq] {
				continue
			}
			if !b.tried[name][seq] && !b.gone[name] {
				waited = true
			}
			may = true
		}
		_, err := s.GetMsg(n.ctx, seq)
		if err != nil && waited {
			t.Errorf("message %d is waited for: %v", seq, err)
		}
		if err == nil && !may {
			t.Errorf("message %d is there, and everybody has had it", seq)
		}
	}
	// What was delivered and not acknowledged comes again when its wait is over.
	for left := uint64(1); left > 0 && n.ctx.Err() == nil; left = ok(s.Info(n.ctx)).State.Msgs {
		for name := range b.asks {
			if !b.gone[name] {
				b.drain(t, n, ok(s.Consumer(n.ctx, name)), name)
			}
		}
	}
}

func (b *queueBook) drain(t *testing.T, n *node, c jetstream.Consumer, name string) {
	for m := range ok(c.Fetch(100, jetstream.FetchMaxWait(200*time.Millisecond))).Messages() {
		seq := ok(m.Metadata()).Sequence.Stream
		if b.done[name][seq] {
			t.Errorf("%s gets message %d after its ack was confirmed", name, seq)
		}
		if err := m.DoubleAck(n.ctx); err != nil {
			t.Fatal(err)
		}
	}
}

// TestQueuePowerCuts takes the power away from a work queue, or from a stream with interest, while clients use it: what was confirmed
// never comes again, and what was not is never lost.
func TestQueuePowerCuts(t *testing.T) {
	cuts := 6
	if os.Getenv("LONG") != "" {
		cuts = 200
	}
	seed := uint64(time.Now().UnixNano())
	for i := range cuts {
		t.Run(fmt.Sprint(seed+uint64(i)), func(t *testing.T) { queueCut(t, seed+uint64(i)) })
	}
}

func queueCut(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 2))
	disk := sim.New(seed, sim.Options{JournaledNames: rng.IntN(2) == 0, Capacity: 1 << 30})
	n := newNodeOn(t, disk, "/js")
	cfg := jetstream.StreamConfig{Name: "S", Subjects: []string{"s.*"}, Storage: jetstream.FileStorage, Retention: jetstream.WorkQueuePolicy}
	filters := map[string][]string{"a": {"s.0"}, "b": {"s.1", "s.2"}}
	if rng.IntN(2) == 0 {
		cfg.Retention = jetstream.InterestPolicy
		filters["c"] = nil
	}
	if rng.IntN(3) == 0 {
		cfg.MaxMsgs, cfg.Discard = 1000, jetstream.DiscardNew // publishes are decided on when acks are applied
	}
	ok(n.js.CreateStream(n.ctx, cfg))
	b := &queueBook{
		sent: map[uint64]string{}, tried: map[string]map[uint64]bool{}, done: map[string]map[uint64]bool{}, gone: map[string]bool{},
		asks: map[string]func(string) bool{},
	}
	for name, f := range filters {
		ok(n.js.CreateConsumer(n.ctx, "S", jetstream.ConsumerConfig{Durable: name, FilterSubjects: f, AckPolicy: jetstream.AckExplicitPolicy, AckWait: time.Second}))
		b.tried[name], b.done[name] = map[uint64]bool{}, map[uint64]bool{}
		b.asks[name] = func(subj string) bool {
			for _, p := range f {
				if p == subj {
					return true
				}
			}
			return len(f) == 0
		}
	}
	least := 20 + rng.IntN(300)
	// The consumers are deleted and made again in a life without a cut: acks of one that is gone are as good as others.
	if rng.IntN(2) == 0 {
		b.work(t, n, func(acks int) bool { return acks >= least })
		b.again(n, rng, cfg.Retention, filters)
	}
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
	b.hold(t, n)
	n.stop()
}

// again deletes a consumer, and makes it again in a work queue, where it gets what was not acknowledged.
func (b *queueBook) again(n *node, rng *rand.Rand, retention jetstream.RetentionPolicy, filters map[string][]string) {
	name := []string{"a", "b"}[rng.IntN(2)]
	if err := n.js.DeleteConsumer(n.ctx, "S", name); err != nil {
		panic(err)
	}
	if retention == jetstream.InterestPolicy {
		b.gone[name] = true
		delete(b.asks, name)
		return
	}
	ok(n.js.CreateConsumer(n.ctx, "S", jetstream.ConsumerConfig{Durable: name, FilterSubjects: filters[name], AckPolicy: jetstream.AckExplicitPolicy, AckWait: time.Second}))
}
