package jetstream

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/nats-broker/nats-broker/daemon/consumer"
	"github.com/nats-broker/nats-broker/daemon/subjects"
	"github.com/nats-broker/nats-broker/daemon/vfs/sim"
)

// trapped is a world in which a question after a sequence is the end of who asks.
type trapped struct {
	world
	from atomic.Uint64
}

func (w *trapped) Next(from uint64, f *subjects.Filter) (uint64, bool) {
	if at := w.from.Load(); at > 0 && from >= at {
		panic("trapped")
	}
	return w.world.Next(from, f)
}

// trap has the machine of a consumer fail when it asks for a message from a sequence on.
func (n *node) trap(name string, from uint64) *Consumer {
	n.t.Helper()
	c := n.server.lookup("$G").stream("S").consumers.get(name)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writeChanges(nil)
	state := c.m.State()
	w := &trapped{world: c.s.world()}
	w.from.Store(from)
	c.m = consumer.Reopen(machineOf(c.s, c.name, c.config.Load()), w, c.s.now())
	if err := c.m.Restore(state); err != nil {
		n.t.Fatal(err)
	}
	c.m.Resumed(true)
	return c
}

// A consumer whose machine fails costs nobody else anything: requests are answered, checkpoints are made, the server stops, and
// the next start goes on with the consumer where it was.
func TestABrokenConsumerCostsOnlyItself(t *testing.T) {
	disk := sim.New(1, sim.Options{Capacity: 1 << 30})
	n := newNodeOn(t, disk, "/js")
	s := n.stream(jetstream.FileStorage, 10)
	cfg := jetstream.ConsumerConfig{Durable: "c", AckPolicy: jetstream.AckExplicitPolicy, AckWait: time.Second, DeliverPolicy: jetstream.DeliverNewPolicy}
	c := ok(s.CreateConsumer(n.ctx, cfg))
	for range 20 {
		ok(n.js.Publish(n.ctx, "s.0", nil))
	}
	for m := range ok(c.Fetch(5)).Messages() {
		if err := m.DoubleAck(n.ctx); err != nil {
			t.Fatal(err)
		}
	}
	n.server.Checkpoint()
	broken := n.trap("c", 20)
	got := 0
	for range ok(c.Fetch(20, jetstream.FetchMaxWait(time.Second))).Messages() {
		got++
	}
	broken.mu.Lock()
	if !broken.broken || got > 4 {
		t.Errorf("broken: %v, delivered %d", broken.broken, got)
	}
	broken.mu.Unlock()
	if i := ok(c.Info(n.ctx)); i.Name != "c" {
		t.Errorf("%+v", i)
	}
	if _, err := s.UpdateConsumer(n.ctx, cfg); err == nil {
		t.Error("it can be updated")
	}
	if _, err := n.js.PauseConsumer(n.ctx, "S", "c", time.Now().Add(time.Hour)); err == nil {
		t.Error("it can be paused")
	}
	ok(s.CreateConsumer(n.ctx, jetstream.ConsumerConfig{Durable: "other", AckPolicy: jetstream.AckExplicitPolicy}))
	for range 100 {
		ok(n.js.Publish(n.ctx, "s.0", nil))
	}
	n.server.Checkpoint()
	x := ok(n.server.files.readStates(broken.s.kept))[broken.id]
	if m := consumer.Reopen(machineFor(broken.config.Load()), broken.s.world(), 1); m.Restore(x.state) != nil || m.Info(1).Delivered.Stream < 15 {
		t.Errorf("kept is %q", x.state)
	}

	n, _ = n.killed(disk)
	c = ok(n.js.Consumer(n.ctx, "S", "c"))
	seen := map[uint64]bool{}
	for len(seen) < 115 { // those that were being delivered come when their ack wait is over
		for m := range ok(c.Fetch(200, jetstream.FetchMaxWait(time.Second))).Messages() {
			seq := ok(m.Metadata()).Sequence.Stream
			if seen[seq] = true; seq <= 15 || seq > 130 {
				t.Fatalf("message %d", seq)
			}
			ok(0, m.DoubleAck(n.ctx))
		}
		if n.ctx.Err() != nil {
			t.Fatalf("%d messages: %v", len(seen), seen)
		}
	}
}
