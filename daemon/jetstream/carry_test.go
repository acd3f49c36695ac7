package jetstream

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/nats-broker/nats-broker/daemon/consumer"
	"github.com/nats-broker/nats-broker/daemon/fields"
	"github.com/nats-broker/nats-broker/daemon/internal/fieldstest"
	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/stream/memlog"
)

// carriedSample is a state in which no field is zero.
func carriedSample() *carried {
	live := consumer.Live{
		Active: 21, DeliveredTime: 22, FloorTime: 23, Pin: "pin", PinGroup: "g", Pinned: 24, PinEnds: 25, Window: 26, Sent: 27, Covered: 28, Asked: "$JS.FC.S.c.x",
		Rate: consumer.HeldBack{Seq: 29, Until: 30, Room: -31, Filled: 32, Last: 33, UpTo: 34},
	}
	return &carried{
		form:    carriedForm,
		streams: []carriedStream{{"A", []byte(`{"name":"S"}`), 1, 2, 3, 4, 5, 6, "ident", []byte("sourced"), []byte("runs")}},
		consumers: []carriedConsumer{
			{"A", "S", "c", []byte(`{"name":"c"}`), 7, []byte("state"), carriedLive{live}, []carriedWait{{"_INBOX.a", 8, consumer.Request{
				Batch: 9, MaxBytes: 10, NoWait: true, Heartbeat: 11, Group: "g", MinPending: 12, MinAckPending: 13, Priority: 14, ID: "pin", Delivered: 15, Plain: true,
			}}}},
			{account: "B", stream: "T", name: "d"},
		},
	}
}

// What versions before this one have left is read to its last field.
func TestGoldenCarried(t *testing.T) {
	fieldstest.Golden(t, filepath.Join("testdata", "carried"), "v1", fields.Append(nil, carriedSample()), func(b []byte) (any, error) {
		c := new(carried)
		return c, fields.Read(b, c)
	})
}

func TestEveryCarriedFieldIsThere(t *testing.T) {
	fieldstest.Complete[carried](t, "Request.Expires")
}

// leave has a node leave everything to the next one.
func (n *node) leave() (state, messages []byte) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	n.server.Rest(ctx)
	n.server.Quiet(ctx)
	var b bytes.Buffer
	state = ok(n.server.Leave(&b))
	n.stop()
	return state, b.Bytes()
}

// memoryOf returns what a stream in memory holds.
func memoryOf(n *node, name string) string {
	log := n.server.lookup("$G").stream(name).log
	var b strings.Builder
	fmt.Fprintf(&b, "%+v\n", log.State())
	var r stream.Record
	for seq, more := log.Next(0, nil); more; seq, more = log.Next(seq+1, nil) {
		ok(0, log.Load(seq, &r))
		fmt.Fprintf(&b, "%d %d %q %q %q\n", r.Seq, r.Time, r.Subject, r.Header, r.Payload)
	}
	return b.String()
}

// Streams in memory are there in the next process as they were, also emptied ones and what was deleted at their end; and so are
// consumers in memory, and message ids.
func TestMemoryIsLeft(t *testing.T) {
	n := newNode(t)
	s := n.stream(jetstream.MemoryStorage, 20)
	ok(n.js.Publish(n.ctx, "s.1", []byte("with an id"), jetstream.WithMsgID("one")))
	ok(n.js.Publish(n.ctx, "s.1", nil))
	ok(0, s.DeleteMsg(n.ctx, 5))
	ok(0, s.DeleteMsg(n.ctx, 22))
	empty := ok(n.js.CreateStream(n.ctx, jetstream.StreamConfig{Name: "E", Storage: jetstream.MemoryStorage, Subjects: []string{"e"}, MaxBytes: 1000}))
	ok(n.js.CreateStream(n.ctx, jetstream.StreamConfig{Name: "N", Storage: jetstream.MemoryStorage, Subjects: []string{"n"}}))
	ok(n.js.Publish(n.ctx, "e", nil))
	ok(0, empty.Purge(n.ctx))
	c := ok(s.CreateConsumer(n.ctx, jetstream.ConsumerConfig{Name: "c", AckPolicy: jetstream.AckExplicitPolicy, AckWait: time.Hour, InactiveThreshold: time.Hour}))
	for m := range ok(c.Fetch(3)).Messages() {
		if ok(m.Metadata()).Sequence.Stream != 2 {
			ok(0, m.DoubleAck(n.ctx))
		}
	}
	before, stored, reserved := memoryOf(n, "S")+memoryOf(n, "E")+memoryOf(n, "N"), n.server.stored[1].Load(), n.server.reserved[1].Load()
	info, created := ok(c.Info(n.ctx)), ok(s.Info(n.ctx)).Created
	state, messages := n.leave()

	next := newServer(t, "")
	ok(0, next.Inherit(state, bytes.NewReader(messages), int64(len(messages))))
	clear(state)
	n = serve(t, next)
	next.Resume()
	if after := memoryOf(n, "S") + memoryOf(n, "E") + memoryOf(n, "N"); after != before {
		t.Errorf("was %s\n is %s", before, after)
	}
	if next.stored[1].Load() != stored || next.reserved[1].Load() != reserved || reserved != 1000 {
		t.Errorf("%d stored, was %d; %d reserved, was %d", next.stored[1].Load(), stored, next.reserved[1].Load(), reserved)
	}
	s = ok(n.js.Stream(n.ctx, "S"))
	if !s.CachedInfo().Created.Equal(created) {
		t.Error(s.CachedInfo().Created)
	}
	c = ok(s.Consumer(n.ctx, "c"))
	now := c.CachedInfo()
	if fmt.Sprint(now.AckFloor, now.Delivered, now.NumAckPending, now.NumPending, now.Created) !=
		fmt.Sprint(info.AckFloor, info.Delivered, info.NumAckPending, info.NumPending, info.Created) || now.NumAckPending != 1 {
		t.Errorf("was %+v\n is %+v", info, now)
	}
	for m := range ok(c.Fetch(1)).Messages() {
		if meta := ok(m.Metadata()); meta.Sequence.Stream != 4 || meta.Sequence.Consumer != 4 {
			t.Errorf("%+v", meta)
		}
	}
	if a := ok(n.js.Publish(n.ctx, "s.1", nil, jetstream.WithMsgID("one"))); !a.Duplicate {
		t.Error("the id of a message is forgotten")
	}
	if a := ok(n.js.Publish(n.ctx, "s.1", nil)); a.Sequence != 23 {
		t.Errorf("sequence %d", a.Sequence)
	}
}

// What is too much goes on empty, with the sequences it had, and nothing else suffers.
func TestTooMuchMemoryIsNotLeft(t *testing.T) {
	n := newNode(t)
	n.stream(jetstream.MemoryStorage, 20)
	ok(n.js.CreateStream(n.ctx, jetstream.StreamConfig{Name: "L", Storage: jetstream.MemoryStorage, Subjects: []string{"l"}}))
	ok(n.js.Publish(n.ctx, "l", nil))
	l := n.server.lookup("$G").stream("L")
	l.mu.Lock()
	l.reading.Lock()
	l.watched.Log = &large{l.watched.Log}
	l.reading.Unlock()
	l.mu.Unlock()
	state, messages := n.leave()
	next := newServer(t, "")
	ok(0, next.Inherit(state, bytes.NewReader(messages), int64(len(messages))))
	n = serve(t, next)
	if st := ok(n.js.Stream(n.ctx, "S")).CachedInfo().State; st.Msgs != 20 {
		t.Errorf("%+v", st)
	}
	if st := ok(n.js.Stream(n.ctx, "L")).CachedInfo().State; st.Msgs != 0 || st.FirstSeq != 2 {
		t.Errorf("%+v", st)
	}
}

// large is a log that says that it has much.
type large struct{ stream.Log }

func (l *large) State() stream.State {
	st := l.Log.State()
	st.Bytes = MaxCarried
	return st
}

// Streams of accounts that have not come are left once more.
func TestUnclaimedIsLeftOnceMore(t *testing.T) {
	n := newNode(t)
	g := &guest{n: n}
	g.come()
	g.good("$JS.API.STREAM.CREATE.S", `{"name":"S","subjects":["m.*"],"storage":"memory"}`)
	g.good("m.1", "text")
	g.good("$JS.API.CONSUMER.DURABLE.CREATE.S.c", `{"stream_name":"S","config":{"durable_name":"c","ack_policy":"explicit"}}`)
	for range 2 {
		state, messages := n.leave()
		next := newServer(t, "")
		ok(0, next.Inherit(state, bytes.NewReader(messages), int64(len(messages))))
		n = serve(t, next)
		next.Resume()
		if next.Inherited() != 1 {
			t.Fatal(next.Inherited())
		}
	}
	g = &guest{n: n}
	g.come()
	if i := g.info("c"); i.NumPending != 1 || n.server.Inherited() != 0 {
		t.Errorf("%+v, %d", i, n.server.Inherited())
	}
}

// What was damaged, or made up, is an error, and costs no more memory than there is of it.
func FuzzCarried(f *testing.F) {
	log := memlog.New()
	for i := range uint64(3) {
		ok(0, log.Append(&stream.Record{Seq: 2*i + 1, Time: int64(i), Subject: []byte("s"), Header: []byte("NATS/1.0\r\n\r\n"), Payload: []byte("text")}))
	}
	var b bytes.Buffer
	msgs, _, err := writeMessages(&b, log)
	ok(msgs, err)
	f.Add(fields.Append(nil, carriedSample()), b.Bytes(), msgs)
	f.Add([]byte{}, []byte{}, uint64(0))
	f.Fuzz(func(t *testing.T, state, messages []byte, msgs uint64) {
		var s Server
		_ = s.Inherit(state, bytes.NewReader(messages), int64(len(messages)))
		log, err := readMessages(io.NewSectionReader(bytes.NewReader(messages), 0, int64(len(messages))), msgs)
		if err != nil {
			return
		}
		var again bytes.Buffer
		if n, _, err := writeMessages(&again, log); err != nil || n != msgs {
			t.Fatal(n, err)
		}
	})
}
