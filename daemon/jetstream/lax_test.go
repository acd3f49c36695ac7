package jetstream

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/nats-broker/nats-broker/daemon/vfs/sim"
)

// lax has a node sync what it stores once an hour.
func lax(t *testing.T, disk *sim.Disk) *node {
	t.Helper()
	s := newServer(t, "/js")
	s.fs = disk
	o := *s.options()
	o.SyncInterval = time.Hour
	s.opts.Store(&o)
	return serve(t, s)
}

// A power cut may cost what was not synced. The states of consumers are, and may know of messages that are lost with it: what is
// published afterwards, with the sequences of those, is delivered all the same.
func TestAPowerCutSkipsNothingNew(t *testing.T) {
	disk := sim.New(1, sim.Options{Capacity: 1 << 30})
	n := lax(t, disk)
	s := n.stream(jetstream.FileStorage, 50)
	c := ok(s.CreateConsumer(n.ctx, jetstream.ConsumerConfig{Durable: "c", AckPolicy: jetstream.AckExplicitPolicy, AckWait: time.Hour}))
	n.server.Checkpoint()
	for range 50 {
		ok(n.js.Publish(n.ctx, "s.0", []byte("lost")))
	}
	for m := range ok(c.Fetch(90)).Messages() {
		if ok(m.Metadata()).Sequence.Stream%2 == 0 {
			ok(0, m.DoubleAck(n.ctx))
		}
	}
	ok(0, n.server.lookup("$G").stream("S").saveConsumers(n.server.files)) // as a checkpoint does that began before
	left := disk.Cut(1, sim.Lost)
	n.stop()

	for range 2 { // the second start reads the same states, and what has changed since
		n = lax(t, left)
		s = ok(n.js.Stream(n.ctx, "S"))
		c = ok(s.Consumer(n.ctx, "c"))
		last := s.CachedInfo().State.LastSeq
		for range 20 {
			ok(n.js.Publish(n.ctx, "s.0", []byte("new")))
		}
		for m := range ok(c.Fetch(20)).Messages() {
			last++
			if seq := ok(m.Metadata()).Sequence.Stream; seq != last || string(m.Data()) != "new" {
				t.Fatalf("message %d comes instead of %d: %s", seq, last, m.Data())
			}
		}
		ok(0, n.server.files.journal.Sync())
		left = left.Cut(2, sim.Lost)
		n.stop()
	}
}
