package jetstream

import (
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// A stream in files, its consumers and what was acknowledged are there again after a restart.
func TestRestartKeepsStreamsAndConsumers(t *testing.T) {
	dir := t.TempDir()
	n := newNodeIn(t, dir)
	s := n.stream(jetstream.FileStorage, 30)
	c := ok(s.CreateConsumer(n.ctx, jetstream.ConsumerConfig{Durable: "c", AckPolicy: jetstream.AckExplicitPolicy, AckWait: time.Hour}))
	for m := range ok(c.Fetch(10)).Messages() {
		if meta := ok(m.Metadata()); meta.Sequence.Stream%2 == 0 {
			if err := m.DoubleAck(n.ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.DeleteMsg(n.ctx, 20); err != nil {
		t.Fatal(err)
	}
	if err := s.Purge(n.ctx, jetstream.WithPurgeSubject("s.2"), jetstream.WithPurgeKeep(5)); err != nil {
		t.Fatal(err)
	}
	ok(n.js.Publish(n.ctx, "s.9", []byte("last"), jetstream.WithMsgID("one")))
	kv := ok(n.js.CreateKeyValue(n.ctx, jetstream.KeyValueConfig{Bucket: "b"}))
	for i := range 20 {
		ok(kv.Put(n.ctx, fmt.Sprint(i%3), fmt.Append(nil, i)))
	}
	ok(n.js.CreateStream(n.ctx, jetstream.StreamConfig{Name: "gone", Storage: jetstream.FileStorage}))
	if err := n.js.DeleteStream(n.ctx, "gone"); err != nil {
		t.Fatal(err)
	}
	before, consumerBefore := ok(s.Info(n.ctx)), ok(c.Info(n.ctx))
	n.stop()

	n = newNodeIn(t, dir)
	s = ok(n.js.Stream(n.ctx, "S"))
	after := s.CachedInfo()
	if a, b := fmt.Sprintf("%+v", before.State), fmt.Sprintf("%+v", after.State); a != b {
		t.Errorf("was %s\n is %s", a, b)
	}
	if !before.Created.Equal(after.Created) {
		t.Error(after.Created)
	}
	c = ok(s.Consumer(n.ctx, "c"))
	i := c.CachedInfo()
	if i.AckFloor.Stream != consumerBefore.AckFloor.Stream || i.NumAckPending != consumerBefore.NumAckPending || i.NumPending != consumerBefore.NumPending ||
		i.Delivered.Stream != consumerBefore.Delivered.Stream || i.Delivered.Consumer != consumerBefore.Delivered.Consumer {
		t.Errorf("was %+v\n is %+v", consumerBefore, i)
	}
	if a := ok(n.js.Publish(n.ctx, "s.9", []byte("again"), jetstream.WithMsgID("one"))); !a.Duplicate {
		t.Error("the id of a message is forgotten")
	}
	kv = ok(n.js.KeyValue(n.ctx, "b"))
	if e := ok(kv.Get(n.ctx, "1")); string(e.Value()) != "19" {
		t.Error(string(e.Value()))
	}
	if _, err := n.js.Stream(n.ctx, "gone"); err == nil {
		t.Error("a deleted stream is there again")
	}
	var seqs []uint64
	for m := range ok(c.Fetch(3)).Messages() {
		seqs = append(seqs, ok(m.Metadata()).Sequence.Stream)
	}
	if fmt.Sprint(seqs) != "[11 13 14]" {
		t.Error(seqs)
	}
}
