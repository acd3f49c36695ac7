package jetstream

import (
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

// A pull that waits until enough is pending is served when new messages make it so, though there was something for others all
// the time.
func TestThresholdIsReached(t *testing.T) {
	n := newNode(t)
	s := n.stream(jetstream.MemoryStorage, 2)
	c := ok(s.CreateConsumer(n.ctx, jetstream.ConsumerConfig{Durable: "c", AckPolicy: jetstream.AckExplicitPolicy,
		PriorityPolicy: jetstream.PriorityPolicyOverflow, PriorityGroups: []string{"A"}}))
	sub := ok(n.nc.SubscribeSync("in"))
	if err := n.nc.PublishRequest("$JS.API.CONSUMER.MSG.NEXT.S.c", "in", []byte(`{"group":"A","batch":1,"min_pending":4}`)); err != nil {
		t.Fatal(err)
	}
	for ok(c.Info(n.ctx)).NumWaiting != 1 {
	}
	for range 2 {
		ok(n.js.Publish(n.ctx, "s.0", nil))
	}
	if m := ok(sub.NextMsg(patience)); m.Header.Get("Status") != "" {
		t.Error(m.Header)
	}
}
