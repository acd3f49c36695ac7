package jetstream

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/nats-broker/nats-broker/daemon/vfs/sim"
)

// The states of consumers may be written before the journal has the acks that they know of: the messages that were to go with them
// are written beside, and go at the start.
func TestStatesAheadOfTheJournal(t *testing.T) {
	disk := sim.New(1, sim.Options{Capacity: 1 << 30})
	n := newNodeOn(t, disk, "/js")
	ok(n.js.CreateStream(n.ctx, jetstream.StreamConfig{Name: "S", Subjects: []string{"s.*"}, Retention: jetstream.WorkQueuePolicy}))
	c := ok(n.js.CreateConsumer(n.ctx, "S", jetstream.ConsumerConfig{Durable: "c", AckPolicy: jetstream.AckExplicitPolicy, AckWait: time.Hour}))
	for range 3 {
		ok(n.js.Publish(n.ctx, "s.1", nil))
	}
	s := n.server.lookup("$G").stream("S")
	set := func(paused bool) {
		s.mu.Lock()
		s.paused = paused
		s.mu.Unlock()
	}
	set(true) // acks wait from now on
	for m := range ok(c.Fetch(2)).Messages() {
		if err := m.Ack(); err != nil {
			t.Fatal(err)
		}
	}
	for waits := 0; waits < 2 && n.ctx.Err() == nil; time.Sleep(time.Millisecond) { // until both are there: nobody is told
		s.mu.Lock()
		waits = 0
		for _, x := range s.late {
			waits += len(x.gone)
		}
		s.mu.Unlock()
	}
	s.consumersChanged.Store(true)
	if err := s.saveConsumers(n.server.files); err != nil {
		t.Fatal(err)
	}
	after := disk.Cut(1, sim.Any)
	s.mu.Lock()
	s.paused = false
	s.decide()
	s.unlock()
	n.stop()

	n = newNodeOn(t, after, "/js")
	if i := ok(ok(n.js.Stream(n.ctx, "S")).Info(n.ctx)); i.State.Msgs != 1 || i.State.FirstSeq != 3 {
		t.Errorf("%+v", i.State)
	}
	c = ok(n.js.Consumer(n.ctx, "S", "c"))
	if i := ok(c.Info(n.ctx)); i.NumAckPending != 0 || i.NumPending != 1 {
		t.Errorf("%d wait for acks, %d are to come", i.NumAckPending, i.NumPending)
	}
}

// Acks do not keep a message waiting that can be decided on only when nothing is pending.
func TestAcksLetPublishersBy(t *testing.T) {
	n := newNodeIn(t, t.TempDir())
	ok(n.js.CreateStream(n.ctx, jetstream.StreamConfig{
		Name: "S", Subjects: []string{"s.*"}, Retention: jetstream.WorkQueuePolicy, MaxMsgs: 50, Discard: jetstream.DiscardNew,
	}))
	c := ok(n.js.CreateConsumer(n.ctx, "S", jetstream.ConsumerConfig{Durable: "c", AckPolicy: jetstream.AckExplicitPolicy}))
	run := ok(c.Consume(func(m jetstream.Msg) { _ = m.Ack() }))
	defer run.Stop()
	stored := 0
	for i := 0; stored < 2000; i++ {
		if _, err := n.js.Publish(n.ctx, "s.1", nil); err == nil {
			stored++
		} else if n.ctx.Err() != nil {
			t.Fatal(stored, err)
		}
	}
	s := ok(n.js.Stream(n.ctx, "S"))
	for n.ctx.Err() == nil && ok(s.Info(n.ctx)).State.Msgs > 0 {
	}
	if i := s.CachedInfo(); i.State.Msgs != 0 || i.State.LastSeq != 2000 {
		t.Errorf("%+v", i.State)
	}
}

// Messages with interest that two consumers share go when both have acknowledged them, in whatever order, with both at it at once.
func TestInterestOfTwo(t *testing.T) {
	for _, storage := range []jetstream.StorageType{jetstream.MemoryStorage, jetstream.FileStorage} {
		n := newNodeIn(t, t.TempDir())
		ok(n.js.CreateStream(n.ctx, jetstream.StreamConfig{Name: "S", Subjects: []string{"s.*"}, Retention: jetstream.InterestPolicy, Storage: storage}))
		for _, name := range []string{"a", "b", "c"} {
			cfg := jetstream.ConsumerConfig{Durable: name, AckPolicy: jetstream.AckExplicitPolicy}
			if name == "c" {
				cfg.AckPolicy, cfg.FilterSubject = jetstream.AckAllPolicy, "s.1"
			}
			c := ok(n.js.CreateConsumer(n.ctx, "S", cfg))
			defer ok(c.Consume(func(m jetstream.Msg) { _ = m.Ack() })).Stop()
		}
		for i := range 1000 {
			ok(n.js.Publish(n.ctx, []string{"s.0", "s.1", "s.2"}[i%3], nil))
		}
		s := ok(n.js.Stream(n.ctx, "S"))
		for n.ctx.Err() == nil && ok(s.Info(n.ctx)).State.Msgs > 0 {
		}
		if i := s.CachedInfo(); i.State.Msgs != 0 || i.State.LastSeq != 1000 {
			t.Errorf("%+v", i.State)
		}
	}
}
