package jetstream

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
)

// A consumer that has been taken away is not changed any more, and does not come back with the next start.
func TestADeletedConsumerIsNotChanged(t *testing.T) {
	dir := t.TempDir()
	n := newNodeIn(t, dir)
	s := n.stream(jetstream.FileStorage, 1)
	ok(s.CreateConsumer(n.ctx, jetstream.ConsumerConfig{Durable: "c", AckPolicy: jetstream.AckExplicitPolicy}))
	a := n.server.lookup("$G")
	c := a.stream("S").consumers.get("c")
	a.changing.Lock()
	if err := a.dropConsumer(c); err != nil {
		t.Fatal(err)
	}
	if _, err := c.pause(time.Now().Add(time.Hour)); err == nil {
		t.Error("it was paused")
	}
	cfg := c.config.Load().Clone()
	cfg.Description = "another"
	if _, err := c.change(cfg, api.CreateOrUpdate); err == nil {
		t.Error("it was changed")
	}
	a.changing.Unlock()
	n.stop()
	n = newNodeIn(t, dir)
	if _, err := n.js.Consumer(n.ctx, "S", "c"); err == nil {
		t.Error("it is there again")
	}
}

// A consumer that ends by itself, and that somebody begins to use or change at that moment, does not.
func TestAConsumerInUseDoesNotEnd(t *testing.T) {
	n := newNode(t)
	s := n.stream(jetstream.MemoryStorage, 1)
	ok(s.CreateConsumer(n.ctx, jetstream.ConsumerConfig{Name: "c", InactiveThreshold: time.Hour}))
	c := n.server.lookup("$G").stream("S").consumers.get("c")
	c.end() // as a round does that has found it unused, before
	if ok(s.Consumer(n.ctx, "c")).CachedInfo().NumPending != 1 {
		t.Error("it has ended")
	}
}
