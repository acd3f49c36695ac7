package stream_test

import (
	"reflect"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/stream/memlog"
)

// TestAgainstNaive makes random changes of a stream whose messages are applied now and then, and compares every answer and
// the stream itself with one that stores at once; and with one that replays the changes.
func TestAgainstNaive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWalk(t, drawConfig(t))
		t.Repeat(map[string]func(*rapid.T){
			"publish": w.publish, "burst": w.burst, "apply": w.applySome, "purge": w.purge, "delete": w.delete, "expire": w.expire,
			"remove": w.remove, "interest": w.interest,
			"configure": w.configure, "abandon": w.reopen, "": w.compare,
		})
	})
}

type walk struct {
	s       *stream.Stream
	n       *naive
	now     int64
	changes []stream.Change // applied, since replay was opened
	replay  *stream.Stream
	waited  []uint64 // what the naive stream said of purges and deletes that are pending
}

func drawConfig(t *rapid.T) stream.Config {
	limit := func(name string) uint64 { return uint64(rapid.SampledFrom([]int{0, 0, 1, 3, 8}).Draw(t, name)) }
	cfg := stream.Config{
		Name: "S", MaxMsgs: limit("msgs"), MaxMsgsPerSubject: limit("per subject"), DiscardNew: rapid.Bool().Draw(t, "discard new"),
		MaxBytes: 60 * limit("bytes"), AllowRollup: rapid.Bool().Draw(t, "rollup"), MaxMsgSize: 10 * int(limit("size")),
		MaxAge: time.Duration(limit("age")) * 5 * step, Window: time.Duration(limit("window")) * 3 * step,
	}
	cfg.DiscardNewPerSubject = cfg.DiscardNew && cfg.MaxMsgsPerSubject > 0 && rapid.Bool().Draw(t, "discard new per subject")
	return cfg
}

var key = stream.Key{1, 2}

func newWalk(t *rapid.T, cfg stream.Config) *walk {
	w := &walk{n: &naive{cfg: cfg, ids: map[string]naiveID{}}, now: int64(time.Hour)}
	w.s, w.replay = open(t, cfg, memlog.New(), w.now), open(t, cfg, memlog.New(), w.now)
	return w
}

func open(t *rapid.T, cfg stream.Config, l stream.Log, now int64) *stream.Stream {
	s, err := stream.Open(cfg, l, key, now)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (w *walk) message(t *rapid.T) sent {
	m := sent{subject: rapid.SampledFrom([]string{"a.x", "a.y", "b"}).Draw(t, "subject"), payload: rapid.IntRange(0, 40).Draw(t, "payload"), headers: map[string]string{}}
	some := func(name string, values ...string) {
		if rapid.IntRange(0, 4).Draw(t, name) == 0 {
			m.headers[name] = rapid.SampledFrom(values).Draw(t, name+" value")
		}
	}
	seq := strconv.FormatUint(w.n.last, 10)
	of := "0"
	if l := w.n.of(m.subject); len(l) > 0 {
		of = strconv.FormatUint(l[len(l)-1].Seq, 10)
	}
	some("Nats-Msg-Id", "1", "2", "3", "4")
	some("Nats-Expected-Last-Msg-Id", "1", "2", w.n.lastID)
	some("Nats-Expected-Stream", "S", "T")
	some("Nats-Expected-Last-Sequence", seq, seq, "1")
	some("Nats-Expected-Last-Subject-Sequence", of, of, of, "0", "3")
	some("Nats-Expected-Last-Subject-Sequence-Subject", m.subject, "a.*", ">", "none")
	some("Nats-Rollup", "sub", "all", "junk")
	some("Other", "value")
	return m
}

func (w *walk) publish(t *rapid.T) {
	m := w.message(t)
	w.now += int64(step) * rapid.Int64Range(0, 4).Draw(t, "later")
	r := stream.Record{Subject: []byte(m.subject), Header: m.header(), Payload: make([]byte, m.payload)}
	got := w.s.Accept(&r, nil, w.now)
	if got.Reason == stream.Wait {
		if w.s.Pending() == 0 {
			t.Fatal("asked to wait for nothing")
		}
		w.applyAll(t)
		got = w.s.Accept(&r, nil, w.now)
	}
	if want := w.n.offer(m, w.now); got != want {
		t.Fatalf("%+v: %+v; want %+v", m, got, want)
	}
}

func (w *walk) burst(t *rapid.T) {
	for range rapid.IntRange(2, 12).Draw(t, "messages") {
		w.publish(t)
	}
}

func (w *walk) applyOne(t *rapid.T) {
	c, res, err := w.s.Apply()
	if err != nil {
		t.Fatal(err)
	}
	w.changes = append(w.changes, c)
	if c.Kind == stream.Purge || c.Kind == stream.Delete || c.Kind == stream.Remove {
		if res.Count != w.waited[0] {
			t.Fatalf("%+v took out %d; want %d", c, res.Count, w.waited[0])
		}
		w.waited = w.waited[1:]
	}
	if c.Kind != stream.Append { // as it would come from the journal
		if c, err = stream.ParseChange(stream.AppendChange(nil, c)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.replay.Replay(c, w.now); err != nil {
		t.Fatal(err)
	}
}

func (w *walk) applySome(t *rapid.T) {
	for range rapid.IntRange(0, w.s.Pending()).Draw(t, "changes") {
		w.applyOne(t)
	}
}

func (w *walk) applyAll(t *rapid.T) {
	for w.s.Pending() > 0 {
		w.applyOne(t)
	}
}

func (w *walk) purge(t *rapid.T) {
	filter := rapid.SampledFrom([]string{"", ">", "a.*", "b", "none"}).Draw(t, "filter")
	var seq, keep uint64
	if rapid.Bool().Draw(t, "by sequence") {
		seq = rapid.Uint64Range(0, w.n.last+3).Draw(t, "sequence")
	} else {
		keep = rapid.Uint64Range(0, 4).Draw(t, "keep")
	}
	w.s.Purge(filter, seq, keep)
	w.waited = append(w.waited, w.n.purge(filter, seq, keep))
}

func (w *walk) delete(t *rapid.T) {
	seq := rapid.Uint64Range(1, w.n.last+1).Draw(t, "sequence")
	w.s.Delete(seq)
	w.waited = append(w.waited, w.n.delete(seq))
}

// remove takes out some messages together, of which some are not there.
func (w *walk) remove(t *rapid.T) {
	var seqs []uint64
	var n uint64
	for seq := rapid.Uint64Range(1, w.n.last+1).Draw(t, "from"); len(seqs) < 5 && seq <= w.n.last+1; seq += rapid.Uint64Range(1, 3).Draw(t, "step") {
		seqs = append(seqs, seq)
		n += w.n.delete(seq)
	}
	w.s.Remove(seqs)
	w.waited = append(w.waited, n)
}

// interest has messages on other subjects not be stored from now on.
func (w *walk) interest(t *rapid.T) {
	w.n.wants = rapid.SampledFrom([]string{"", "a.*", "a.x", "none"}).Draw(t, "wanted")
	w.s.Wants(w.n.wanted)
}

func (w *walk) expire(t *rapid.T) {
	w.applyAll(t)
	w.now += int64(step) * rapid.Int64Range(0, 10).Draw(t, "later")
	w.s.Expire(w.now)
	w.n.expire(w.now)
}

func (w *walk) configure(t *rapid.T) {
	w.applyAll(t)
	cfg := drawConfig(t)
	cfg.Window = w.n.cfg.Window
	w.n.configure(cfg)
	for _, s := range []*stream.Stream{w.s, w.replay} {
		if err := s.Configure(cfg); err != nil {
			t.Fatal(err)
		}
	}
}

// reopen makes the machine anew from its log: what was pending never was.
func (w *walk) reopen(t *rapid.T) {
	w.applyAll(t)
	w.s = open(t, w.n.cfg, w.s.Log(), w.now)
	w.s.Wants(w.n.wanted)
	// Ids of messages that are gone are forgotten; the id of the last message is that of the last one there is.
	kept := map[string]naiveID{}
	w.n.lastID = ""
	for _, r := range w.n.list {
		if id := headerOf(r.Header, "Nats-Msg-Id"); id != "" && r.Time > w.now-int64(w.n.cfg.Window) && w.n.cfg.Window > 0 {
			kept[id] = naiveID{r.Seq, r.Time}
		}
		if r.Seq == w.n.last {
			w.n.lastID = headerOf(r.Header, "Nats-Msg-Id")
		}
	}
	w.n.ids = kept
}

func (w *walk) compare(t *rapid.T) {
	if w.s.Last() != w.n.last {
		t.Fatalf("last sequence %d; want %d", w.s.Last(), w.n.last)
	}
	if w.s.Pending() > 0 {
		return
	}
	for _, s := range []*stream.Stream{w.s, w.replay} {
		st := s.Log().State()
		want := stream.State{Msgs: uint64(len(w.n.list)), Bytes: w.n.bytes(), First: w.n.first, Last: w.n.last, LastTime: w.n.time}
		if len(w.n.list) > 0 {
			want.First, want.FirstTime = w.n.list[0].Seq, w.n.list[0].Time
		}
		want.Subjects = st.Subjects
		if st != want {
			t.Fatalf("state\n%+v; want\n%+v", st, want)
		}
		for _, r := range w.n.list {
			var got stream.Record
			if err := s.Log().Load(r.Seq, &got); err != nil || got.Time != r.Time || !reflect.DeepEqual(got.Subject, r.Subject) || string(got.Header) != string(r.Header) {
				t.Fatalf("message %d: %+v, %v", r.Seq, got, err)
			}
		}
	}
}

func TestSize(t *testing.T) {
	r := stream.Record{Subject: []byte("a"), Header: []byte("hh"), Payload: []byte("ppp")}
	if got, want := memlog.New().Size(1, 2, 3), size(&r); got != want {
		t.Errorf("%d; want %d", got, want)
	}
}
