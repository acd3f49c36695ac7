package logtest

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/subjects"
)

// Subject is a log under test.
type Subject struct {
	// Open returns an empty log.
	Open func(t *rapid.T) stream.Log
	// Reopen, if there is one, ends the use of a log whose changes were all synced, and opens it again.
	Reopen func(t *rapid.T, l stream.Log) stream.Log
}

// Run compares a log with a list of messages through random changes.
func Run(t *testing.T, s Subject) {
	rapid.Check(t, func(t *rapid.T) {
		l := s.Open(t)
		w := &walk{s: s, log: l, model: model{size: l.Size}}
		t.Repeat(map[string]func(*rapid.T){
			"append": w.append, "many": w.many, "remove": w.remove, "truncate": w.truncate, "skip": w.skip, "sync": w.sync,
			"": w.compare,
		})
		if err := w.log.Destroy(); err != nil {
			t.Fatal(err)
		}
	})
}

// walk makes changes in both and compares.
type walk struct {
	s      Subject
	log    stream.Log
	model  model
	commit uint64
	time   int64
}

var names = []string{"a", "b", "a.b", "a.c", "a.b.c", "x.y.z", "x.q.z", "long.subject.with.some.tokens"}

func (w *walk) record(t *rapid.T, seq uint64) stream.Record {
	w.time += rapid.Int64Range(0, 3).Draw(t, "later")
	r := stream.Record{Seq: seq, Time: w.time, Subject: []byte(rapid.SampledFrom(names).Draw(t, "subject"))}
	if rapid.Bool().Draw(t, "headers") {
		r.Header = []byte("NATS/1.0\r\nA: " + rapid.StringOfN(rapid.RuneFrom([]rune("xyz")), 0, 20, -1).Draw(t, "header") + "\r\n\r\n")
	}
	r.Payload = bytes.Repeat([]byte{byte(seq)}, rapid.IntRange(0, 60).Draw(t, "size"))
	return r
}

func (w *walk) begin() {
	w.commit++
	w.log.Begin(w.commit)
}

func (w *walk) append(t *rapid.T) {
	w.begin()
	w.add(t, w.model.last+1+uint64(rapid.SampledFrom([]int{0, 0, 0, 0, 1, 7, 900}).Draw(t, "gap")))
}

func (w *walk) many(t *rapid.T) {
	w.begin()
	for range rapid.IntRange(1, 400).Draw(t, "messages") {
		w.add(t, w.model.last+1)
	}
}

func (w *walk) add(t *rapid.T, seq uint64) {
	r := w.record(t, seq)
	w.model.append(r)
	if err := w.log.Append(&r); err != nil {
		t.Fatal(err)
	}
	clear(r.Subject) // what was stored was copied
	clear(r.Payload)
}

func (w *walk) any(t *rapid.T) uint64 {
	st := w.model.state()
	low := uint64(1)
	if st.First > 3 {
		low = st.First - 2
	}
	return rapid.Uint64Range(low, max(low, st.Last)+3).Draw(t, "sequence")
}

func (w *walk) remove(t *rapid.T) {
	w.begin()
	for range rapid.IntRange(1, 20).Draw(t, "removals") {
		seq := w.any(t)
		was, err := w.log.Remove(seq)
		if want := w.model.remove(seq); err != nil || was != want {
			t.Fatalf("Remove(%d): %v, %v; want %v", seq, was, err, want)
		}
	}
}

func (w *walk) truncate(t *rapid.T) {
	w.begin()
	first := w.any(t)
	w.model.truncate(first)
	if err := w.log.Truncate(first); err != nil {
		t.Fatal(err)
	}
}

func (w *walk) skip(t *rapid.T) {
	w.begin()
	last := w.model.last + uint64(rapid.IntRange(0, 5).Draw(t, "skipped"))
	before := w.model.last
	w.model.skip(last)
	if rapid.Bool().Draw(t, "at a time") {
		w.time++
		if last > before {
			w.model.time = w.time
		}
		if err := w.log.Pass(last, w.time); err != nil {
			t.Fatal(err)
		}
		return
	}
	if err := w.log.Skip(last); err != nil {
		t.Fatal(err)
	}
}

func (w *walk) sync(t *rapid.T) {
	if err := w.log.Sync(); err != nil {
		t.Fatal(err)
	}
	if d := w.log.Durable(); d < w.commit {
		t.Fatalf("synced through commit %d; want %d", d, w.commit)
	}
	if w.s.Reopen != nil {
		w.log = w.s.Reopen(t, w.log)
	}
}

var filters = []*subjects.Filter{
	nil, subjects.NewFilter("a"), subjects.NewFilter("a.*"), subjects.NewFilter(">"), subjects.NewFilter("a.>"), subjects.NewFilter("*.*.z"),
	subjects.NewFilter("x.y.z", "b"), subjects.NewFilter("none"), subjects.NewFilter("a.b", "x.>"),
}

func (w *walk) compare(t *rapid.T) {
	if got, want := w.log.State(), w.model.state(); got != want {
		t.Fatalf("state\n%+v, want\n%+v", got, want)
	}
	w.load(t, w.any(t))
	f := rapid.SampledFrom(filters).Draw(t, "filter")
	at := fmt.Sprintf("filter %v", f.Patterns())
	from, upTo := w.any(t), w.any(t)
	same(t, at, "Next", pair(w.log.Next(from, f)), pair(w.model.next(from, f)))
	same(t, at, "Prev", pair(w.log.Prev(from, f)), pair(w.model.prev(from, f)))
	same(t, at, "Count", w.log.Count(f, from, upTo), w.model.count(f, from, upTo))
	same(t, at, "Count of all", w.log.Count(f, 0, w.model.last), w.model.count(f, 0, w.model.last))
	when := rapid.Int64Range(0, w.time+2).Draw(t, "time")
	same(t, fmt.Sprint("time ", when), "AtTime", pair(w.log.AtTime(when)), pair(w.model.atTime(when)))
	w.subjects(t, f)
	var holes []stream.Range
	w.log.Holes(func(r stream.Range) bool { holes = append(holes, r); return true })
	same(t, "", "Holes", holes, w.model.holes())
	same(t, "", "Lost", len(w.log.Lost()), 0)
}

func (w *walk) load(t *rapid.T, seq uint64) {
	var r stream.Record
	err, want := w.log.Load(seq, &r), w.model.load(seq)
	if want == nil {
		if err != stream.ErrNoMessage {
			t.Fatalf("Load(%d): %v; want %v", seq, err, stream.ErrNoMessage)
		}
		return
	}
	if err != nil || r.Seq != seq || r.Time != want.Time || !bytes.Equal(r.Subject, want.Subject) || !bytes.Equal(r.Header, want.Header) ||
		(r.Header == nil) != (want.Header == nil) || !bytes.Equal(r.Payload, want.Payload) {
		t.Fatalf("Load(%d): %+v, %v; want %+v", seq, r, err, *want)
	}
}

func (w *walk) subjects(t *rapid.T, f *subjects.Filter) {
	wantNames, totals := w.model.totals(f)
	var got []string
	err := w.log.Subjects(f, func(s []byte, tot stream.Totals) bool {
		got = append(got, string(s))
		same(t, string(s), "totals", tot, totals[string(s)])
		return true
	})
	same(t, "", "Subjects' error", err, nil)
	same(t, "", "Subjects", got, wantNames)
	s := rapid.SampledFrom(names).Draw(t, "name")
	_, all := w.model.totals(nil)
	if tot, err := w.log.Subject([]byte(s)); err != nil || tot != all[s] {
		t.Fatalf("Subject(%s): %+v, %v; want %+v", s, tot, err, all[s])
	}
}

func pair(seq uint64, ok bool) [2]any { return [2]any{seq, ok} }

func same(t *rapid.T, at, what string, got, want any) {
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%s %s: %v; want %v", at, what, got, want)
	}
}
