package jetstream

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/nats-broker/nats-broker/daemon/follow"
	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/vfs/sim"
)

// holds is everything that a stream holds, with sequences and times.
func (n *node) holds(name string) string {
	log := n.server.lookup("$G").stream(name).log
	var b strings.Builder
	st := log.State()
	fmt.Fprintf(&b, "%d messages, %d to %d\n", st.Msgs, st.First, st.Last)
	var r stream.Record
	for seq, ok := log.Next(0, nil); ok; seq, ok = log.Next(seq+1, nil) {
		if err := log.Load(seq, &r); err != nil {
			fmt.Fprintf(&b, "%d: %v\n", seq, err)
			continue
		}
		fmt.Fprintf(&b, "%d at %d on %s: %q %q\n", seq, r.Time, r.Subject, r.Header, r.Payload)
	}
	return b.String()
}

func TestMirror(t *testing.T) {
	for _, storage := range []jetstream.StorageType{jetstream.MemoryStorage, jetstream.FileStorage} {
		t.Run(storage.String(), func(t *testing.T) {
			n := newNodeIn(t, t.TempDir())
			s := n.stream(storage, 20)
			for _, seq := range []uint64{1, 2, 7, 8, 20} {
				if err := s.DeleteMsg(n.ctx, seq); err != nil {
					t.Fatal(err)
				}
			}
			ok(n.js.CreateStream(n.ctx, jetstream.StreamConfig{Name: "M", Storage: storage, Mirror: &jetstream.StreamSource{Name: "S"}}))
			n.await("the mirror has message 19", func() bool { return strings.Contains(n.holds("M"), "3 to 19") })
			for i := range 500 {
				ok(n.js.Publish(n.ctx, "s.0", fmt.Append(nil, "more ", i)))
			}
			n.await("the mirror is like its origin", func() bool { return n.holds("M") == n.holds("S") })
			i := ok(ok(n.js.Stream(n.ctx, "M")).Info(n.ctx))
			if i.Mirror == nil || i.Mirror.Lag != 0 || i.Mirror.Error != nil || i.Mirror.Name != "S" {
				t.Errorf("%+v", i.Mirror)
			}
		})
	}
}

func TestSources(t *testing.T) {
	for _, storage := range []jetstream.StorageType{jetstream.MemoryStorage, jetstream.FileStorage} {
		t.Run(storage.String(), func(t *testing.T) {
			n := newNodeIn(t, t.TempDir())
			n.stream(storage, 20)
			ok(n.js.CreateStream(n.ctx, jetstream.StreamConfig{Name: "T", Subjects: []string{"t.*"}, Storage: storage}))
			for i := range 10 {
				ok(n.js.Publish(n.ctx, "t.x", fmt.Append(nil, i)))
			}
			ok(n.js.CreateStream(n.ctx, jetstream.StreamConfig{Name: "A", Storage: storage, Subjects: []string{"own"}, Sources: []*jetstream.StreamSource{
				{Name: "S", SubjectTransforms: []jetstream.SubjectTransformConfig{{Source: "s.1", Destination: "from.s"}}}, {Name: "T", OptStartSeq: 4},
			}}))
			ok(n.js.Publish(n.ctx, "own", nil))
			n.await("all is there", func() bool { return n.server.lookup("$G").stream("A").log.State().Msgs == 7+7+1 })
			for i := range 9 {
				ok(n.js.Publish(n.ctx, fmt.Sprintf("s.%d", i%3), fmt.Append(nil, i)))
			}
			n.await("all is there", func() bool { return n.server.lookup("$G").stream("A").log.State().Msgs == 7+7+1+3 })
			all := n.holds("A")
			for _, want := range []string{`Nats-Stream-Source: S 28 s.1 from.s s.1 `, `on from.s: `, `Nats-Stream-Source: T 4 > > t.x `, `on t.x: `, `on own: `} {
				if !strings.Contains(all, want) {
					t.Errorf("%s is not there:\n%s", want, all)
				}
			}
			i := ok(ok(n.js.Stream(n.ctx, "A")).Info(n.ctx))
			if len(i.Sources) != 2 || i.Sources[0].Name != "S" || i.Sources[0].Error != nil || i.Sources[1].Lag != 0 {
				t.Errorf("%+v", i.Sources)
			}
		})
	}
}

// messages is how many a stream holds.
func (n *node) messages(name string) uint64 {
	return n.server.lookup("$G").stream(name).log.State().Msgs
}

// An origin that is not what it was is not followed, and the info says so.
func TestOriginThatWentBack(t *testing.T) {
	dir := t.TempDir()
	n := newNodeIn(t, dir)
	n.stream(jetstream.FileStorage, 10)
	ok(n.js.CreateStream(n.ctx, jetstream.StreamConfig{Name: "M", Mirror: &jetstream.StreamSource{Name: "S"}}))
	ok(n.js.CreateStream(n.ctx, jetstream.StreamConfig{Name: "A", Sources: []*jetstream.StreamSource{{Name: "S"}}}))
	ok(n.js.CreateStream(n.ctx, jetstream.StreamConfig{Name: "B", Sources: []*jetstream.StreamSource{{Name: "S"}}}))
	for _, name := range []string{"M", "A", "B"} {
		n.await("all is there", func() bool { return n.messages(name) == 10 })
	}
	b := n.server.lookup("$G").stream("B")
	b.mu.Lock() // as if its origin had lost its end
	b.sourced["S > >"] = follow.Position{Seq: 100, Identity: b.sourced["S > >"].Identity}
	b.consumersChanged.Store(true)
	b.mu.Unlock()
	ok(0, n.js.DeleteStream(n.ctx, "M"))
	ok(n.js.CreateStream(n.ctx, jetstream.StreamConfig{Name: "M", Mirror: &jetstream.StreamSource{Name: "S"}}))
	n.await("all is there", func() bool { return n.messages("M") == 10 })
	n.stop()

	n = newNodeIn(t, dir)
	n.await("it is told", func() bool {
		return n.saidOfOrigin("B") == "the origin went back: its last sequence is 10, and 100 was taken of it"
	})
	ok(0, n.js.DeleteStream(n.ctx, "S"))
	n.stop()

	n = newNodeIn(t, dir)
	n.stream(jetstream.FileStorage, 20)
	n.await("it is told", func() bool {
		return n.saidOfOrigin("M") == "the origin is another one than before, and does not go on where that was"
	})
	n.await("all is there", func() bool { return n.messages("A") == 30 })
	if n.messages("M") != 10 || n.saidOfOrigin("A") != "" {
		t.Errorf("%d messages, %s", n.messages("M"), n.saidOfOrigin("A"))
	}
}

// saidOfOrigin is what the info of a stream says of its only origin.
func (n *node) saidOfOrigin(name string) string {
	i := ok(ok(n.js.Stream(n.ctx, name)).Info(n.ctx))
	all := i.Sources
	if i.Mirror != nil {
		all = append(all, i.Mirror)
	}
	if all[0].Error == nil {
		return ""
	}
	return all[0].Error.Description
}

// What is known of an origin is known after a power cut too: which one it is, and that it went back, though it has gone on since.
func TestOriginsAreRemembered(t *testing.T) {
	disk := sim.New(1, sim.Options{Capacity: 1 << 30})
	n := newNodeOn(t, disk, "/js")
	n.stream(jetstream.FileStorage, 10)
	ok(n.js.CreateStream(n.ctx, jetstream.StreamConfig{Name: "M", Mirror: &jetstream.StreamSource{Name: "S"}}))
	ok(n.js.CreateStream(n.ctx, jetstream.StreamConfig{Name: "B", Sources: []*jetstream.StreamSource{{Name: "S"}}}))
	n.await("all is there", func() bool { return n.messages("M") == 10 && n.messages("B") == 10 })
	b := n.server.lookup("$G").stream("B")
	b.mu.Lock() // as if its origin had lost its end
	b.unfollow()
	b.sourced["S > >"] = follow.Position{Seq: 100, Identity: b.sourced["S > >"].Identity}
	b.mu.Unlock()
	b.pursue()
	n.await("it is told", func() bool { return strings.HasPrefix(n.saidOfOrigin("B"), "the origin went back: ") })
	for i := range 100 {
		ok(n.js.Publish(n.ctx, "s.0", fmt.Append(nil, "more ", i)))
	}
	after := disk.Cut(2, sim.Any)
	n.stop()

	n = newNodeOn(t, after, "/js")
	n.await("it is told", func() bool {
		return n.saidOfOrigin("B") == "the origin went back, and holds something else than what was taken of it"
	})
	ok(0, n.js.DeleteStream(n.ctx, "S"))
	n.stop()

	n = newNodeOn(t, after, "/js")
	n.stream(jetstream.FileStorage, 200)
	n.await("it is told", func() bool {
		return n.saidOfOrigin("M") == "the origin is another one than before, and does not go on where that was"
	})
	n.await("the source begins anew", func() bool { return n.messages("B") == 210 && n.saidOfOrigin("B") == "" })
}

// An upgrade goes on with mirrors and sources in memory where they were.
func TestFollowingIsHandedOver(t *testing.T) {
	n := newNode(t)
	memory := jetstream.MemoryStorage
	n.stream(memory, 10)
	ok(n.js.CreateStream(n.ctx, jetstream.StreamConfig{Name: "M", Storage: memory, Mirror: &jetstream.StreamSource{Name: "S"}}))
	ok(n.js.CreateStream(n.ctx, jetstream.StreamConfig{Name: "A", Storage: memory, Retention: jetstream.WorkQueuePolicy, Sources: []*jetstream.StreamSource{{Name: "S"}}}))
	n.await("all is there", func() bool { return n.messages("M") == 10 && n.messages("A") == 10 })
	ok(0, ok(n.js.Stream(n.ctx, "A")).Purge(n.ctx)) // nothing says any more where the stream is with its source
	state, messages := n.leave()

	next := newServer(t, "")
	ok(0, next.Inherit(state, bytes.NewReader(messages), int64(len(messages))))
	n = serve(t, next)
	next.Resume()
	for range 5 {
		ok(n.js.Publish(n.ctx, "s.1", nil))
	}
	n.await("the rest is there", func() bool { return n.messages("M") == 15 && n.messages("A") == 5 })
	if n.holds("M") != n.holds("S") {
		t.Errorf("%s%s", n.holds("M"), n.holds("S"))
	}
}

// A mirror that becomes a stream of its own knows the ids of what it holds.
func TestPromotion(t *testing.T) {
	n := newNodeIn(t, t.TempDir())
	n.stream(jetstream.FileStorage, 1)
	ok(n.js.Publish(n.ctx, "s.1", nil, jetstream.WithMsgID("one")))
	ok(n.js.CreateStream(n.ctx, jetstream.StreamConfig{Name: "M", Mirror: &jetstream.StreamSource{Name: "S"}}))
	n.await("all is there", func() bool { return n.messages("M") == 2 })
	ok(0, n.js.DeleteStream(n.ctx, "S"))
	ok(n.js.UpdateStream(n.ctx, jetstream.StreamConfig{Name: "M", Subjects: []string{"s.*"}}))
	if a := ok(n.js.Publish(n.ctx, "s.1", nil, jetstream.WithMsgID("one"))); !a.Duplicate || a.Sequence != 2 {
		t.Errorf("%+v", a)
	}
	if a := ok(n.js.Publish(n.ctx, "s.1", nil)); a.Sequence != 3 {
		t.Errorf("%+v", a)
	}
}

// Counters of several streams are summed up.
func TestSourcesOfCounters(t *testing.T) {
	n := newNodeIn(t, t.TempDir())
	create := func(name, more string) {
		r := ok(n.nc.Request("$JS.API.STREAM.CREATE."+name, fmt.Appendf(nil, `{"name":"%s","allow_msg_counter":true,%s}`, name, more), patience))
		if strings.Contains(string(r.Data), "error") {
			t.Fatalf("%s", r.Data)
		}
	}
	create("S", `"subjects":["s.*"]`)
	create("T", `"subjects":["t.*"]`)
	create("A", `"sources":[{"name":"S","subject_transforms":[{"src":"s.*","dest":"sum.$1"}]},{"name":"T","subject_transforms":[{"src":"t.*","dest":"sum.$1"}]}]`)
	add := func(subj, by string) {
		r := ok(n.nc.RequestMsg(&nats.Msg{Subject: subj, Header: nats.Header{"Nats-Incr": {by}}}, patience))
		if strings.Contains(string(r.Data), "error") {
			t.Fatalf("%s", r.Data)
		}
	}
	for _, by := range []string{"1", "20", "-3"} {
		add("s.x", by)
		add("t.x", by+"00")
		add("t.y", "7")
	}
	n.await("all is there", func() bool { return n.messages("A") == 9 })
	var r stream.Record
	log := n.server.lookup("$G").stream("A").log
	at := ok(log.Subject([]byte("sum.x")))
	ok(0, log.Load(at.Last, &r))
	if string(r.Payload) != `{"val":"1818"}` || !strings.Contains(string(r.Header), `Nats-Counter-Sources: {"S":{"s.x":"18"},"T":{"t.x":"1800"}}`) {
		t.Errorf("%s %s", r.Header, r.Payload)
	}
}
