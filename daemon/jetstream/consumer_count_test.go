package jetstream

import (
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/nats-broker/nats-broker/daemon/consumer"
)

// A message that is taken out from before others while a consumer is at work is not counted as pending for ever, though the
// consumer steps over its place before it would have read of it.
func TestPendingIsRightAfterRemovals(t *testing.T) {
	n := newNode(t)
	s := ok(n.js.CreateStream(n.ctx, jetstream.StreamConfig{Name: "S", Subjects: []string{"s.*"}, Storage: jetstream.MemoryStorage, MaxMsgsPerSubject: 1}))
	for _, to := range []string{"s.0", "s.1", "s.2"} {
		ok(n.js.Publish(n.ctx, to, nil))
	}
	made := ok(s.CreateConsumer(n.ctx, jetstream.ConsumerConfig{Durable: "c", AckPolicy: jetstream.AckNonePolicy}))
	ok(n.nc.Subscribe("to", func(*nats.Msg) {})) // who takes what is delivered
	if i := ok(made.Info(n.ctx)); i.NumPending != 3 {
		t.Fatalf("%+v", i)
	}

	c := n.server.lookup("$G").stream("S").consumers.get("c")
	c.mu.Lock() // as in a round
	ok(n.js.Publish(n.ctx, "s.1", nil))
	c.pub.Begin()
	c.s.reading.RLock()
	c.m.Request("to", consumer.Request{Batch: 2}, c.s.now())
	c.s.reading.RUnlock()
	for range 2 {
		if _, sent := c.deliverOne(c.s.now()); !sent {
			t.Error("not delivered")
		}
	}
	c.pub.End()
	c.mu.Unlock()

	for range 2 { // with and without what came meanwhile
		if i := ok(made.Info(n.ctx)); i.Delivered.Stream != 3 || i.NumPending != 1 {
			t.Fatalf("%+v", i)
		}
	}
}
