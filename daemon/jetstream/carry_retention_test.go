package jetstream

import (
	"bytes"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// next is the node that goes on where another one has left, with the same store.
func (n *node) next(dir string) *node { return n.nextBy(dir, func(*Server) {}) }

// nextBy is next with a server that is prepared.
func (n *node) nextBy(dir string, prepare func(*Server)) *node {
	n.t.Helper()
	state, messages := n.leave()
	s := newServer(n.t, dir)
	prepare(s)
	ok(0, s.Inherit(state, bytes.NewReader(messages), int64(len(messages))))
	next := serve(n.t, s)
	s.Resume()
	return next
}

// What a consumer in memory waits for is kept for it, also where a start takes out what nobody waits for; and what it acknowledges
// after the hand-over goes.
func TestMemoryConsumersKeepTheirMessages(t *testing.T) {
	for _, storage := range []jetstream.StorageType{jetstream.FileStorage, jetstream.MemoryStorage} {
		for _, retention := range []jetstream.RetentionPolicy{jetstream.InterestPolicy, jetstream.WorkQueuePolicy} {
			t.Run(storage.String()+" "+retention.String(), func(t *testing.T) {
				dir := t.TempDir()
				n := newNodeIn(t, dir)
				s := ok(n.js.CreateStream(n.ctx, jetstream.StreamConfig{Name: "S", Subjects: []string{"s.*"}, Storage: storage, Retention: retention}))
				c := ok(s.CreateConsumer(n.ctx, jetstream.ConsumerConfig{
					Name: "c", AckPolicy: jetstream.AckExplicitPolicy, MemoryStorage: true, InactiveThreshold: time.Hour, AckWait: time.Hour,
				}))
				for range 4 {
					ok(n.js.Publish(n.ctx, "s.1", nil))
				}
				for m := range ok(c.Fetch(2)).Messages() {
					if ok(m.Metadata()).Sequence.Stream == 1 {
						ok(0, m.DoubleAck(n.ctx))
					}
				}
				n = n.next(dir)
				s = ok(n.js.Stream(n.ctx, "S"))
				if st := s.CachedInfo().State; st.Msgs != 3 || st.FirstSeq != 2 {
					t.Fatalf("%+v", st)
				}
				c = ok(s.Consumer(n.ctx, "c"))
				if i := c.CachedInfo(); i.NumAckPending != 1 || i.NumPending != 2 {
					t.Fatalf("%+v", i)
				}
				for m := range ok(c.Fetch(2)).Messages() {
					ok(0, m.DoubleAck(n.ctx))
				}
				if st := ok(s.Info(n.ctx)).State; st.Msgs != 1 || st.FirstSeq != 2 || st.LastSeq != 4 {
					t.Errorf("%+v", st)
				}
			})
		}
	}
}
