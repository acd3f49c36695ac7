package segment

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/stream/memlog"
	"github.com/nats-broker/nats-broker/daemon/subjects"
	"github.com/nats-broker/nats-broker/daemon/vfs/sim"
)

// change is one change of a log; commits are lists of them.
type change func(stream.Log) error

// history is what the journal would hold: every commit from the first one on.
type history struct {
	rng     *rand.Rand
	commits [][]change
	last    uint64
	first   uint64
	time    int64
	keys    int
}

// commit adds a commit to the history: messages, and what goes because of them.
func (h *history) commit() uint64 {
	var list []change
	add := func(c change) { list = append(list, c) }
	switch h.rng.IntN(10) {
	case 0:
		first := h.first + uint64(h.rng.IntN(int(h.last-h.first)+2))
		h.first = max(h.first, min(first, h.last+1))
		add(func(l stream.Log) error { return l.Truncate(first) })
	case 1, 2, 3:
		for range 1 + h.rng.IntN(40) {
			if h.last < h.first {
				break // nobody removes what was never given: a replay that comes twice would find it
			}
			seq := h.first + uint64(h.rng.IntN(int(h.last-h.first)+1))
			add(func(l stream.Log) error { _, err := l.Remove(seq); return err })
		}
	case 4:
		h.last += uint64(h.rng.IntN(300))
		last := h.last
		add(func(l stream.Log) error { return l.Skip(last) })
	default:
		for range 1 + h.rng.IntN(30) {
			h.last++
			h.time += int64(h.rng.IntN(3))
			r := stream.Record{Seq: h.last, Time: h.time, Subject: fmt.Appendf(nil, "s.%d.v", h.rng.IntN(h.keys))}
			if h.rng.IntN(3) == 0 {
				r.Header = []byte("NATS/1.0\r\nA: b\r\n\r\n")
			}
			r.Payload = make([]byte, h.rng.IntN(80))
			for i := range r.Payload {
				r.Payload[i] = byte(h.rng.Uint32())
			}
			add(func(l stream.Log) error { return l.Append(&r) })
		}
	}
	h.commits = append(h.commits, list)
	return uint64(len(h.commits))
}

// apply gives a log the commits from through upTo.
func (h *history) apply(l stream.Log, from, upTo uint64) error {
	for n := from; n <= upTo; n++ {
		l.Begin(n)
		for _, c := range h.commits[n-1] {
			if err := c(l); err != nil {
				return err
			}
		}
	}
	return nil
}

// TestPowerCuts cuts the power at every change of the disk there is, opens what is left, gives the log
// what it has not got, and compares with a log in memory. Then it goes on, and the power fails
// once more.
func TestPowerCuts(t *testing.T) {
	for seed := range uint64(4) { // all that they differ in, with each other
		for at := 1; ; at++ {
			if !cutAt(t, seed, at) || t.Failed() {
				break
			}
		}
	}
}

// cutAt plays a history until the at-th change of the disk; false: it was over before.
func cutAt(t *testing.T, seed uint64, at int) bool {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, uint64(at)))
	h := &history{rng: rand.New(rand.NewPCG(seed, 7)), first: 1, keys: []int{3, 40}[seed%2]}
	disk := sim.New(seed, sim.Options{JournaledNames: seed%3 == 0})
	name := fmt.Sprintf("seed %d, cut %d", seed, at)
	durable, over := uint64(0), false
	for life := range 2 {
		l, err := Open(disk, "/log", cutOptions(t, name))
		if err != nil {
			t.Fatalf("%s, life %d: %v", name, life, err)
		}
		if d := l.Durable(); d < durable {
			t.Fatalf("%s, life %d: durable through %d after the cut, %d before", name, life, d, durable)
		}
		upTo := uint64(len(h.commits))
		for range 1 + rng.IntN(2) { // a replay may come twice
			if err := h.apply(l, l.Durable()+1, upTo); err != nil {
				t.Fatalf("%s, life %d: replay: %v", name, life, err)
			}
		}
		compareLogs(t, fmt.Sprintf("%s, life %d", name, life), h, l, upTo)
		cutNow := at
		if life == 1 {
			cutNow = 1 + rng.IntN(40)
		}
		n := 0
		disk.Hook(func(o sim.Op) sim.Fault {
			if o.Call.Changes() {
				n++
			}
			return sim.Fault{Cut: n == cutNow && o.Call.Changes()}
		})
		durable, err = live(h, l)
		if err == nil {
			over = life == 0
			disk.Off()
		} else if !errors.Is(err, sim.ErrCut) {
			t.Fatalf("%s, life %d: %v", name, life, err)
		}
		_ = l.Close()
		disk = disk.Cut(rng.Uint64(), sim.Any)
	}
	l, err := Open(disk, "/log", cutOptions(t, name))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	upTo := uint64(len(h.commits))
	if err := h.apply(l, l.Durable()+1, upTo); err != nil {
		t.Fatalf("%s: replay: %v", name, err)
	}
	compareLogs(t, name, h, l, upTo)
	if err := l.Sync(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if err := l.Destroy(); err != nil {
		t.Fatal(err)
	}
	return !over
}

// TestDiskFails has one call fail, each in its turn: with an error of the disk, or for want of room.
// Either the log goes on as if nothing had been, or it says that it cannot, is opened again and
// given what it has not got.
func TestDiskFails(t *testing.T) {
	for seed := range uint64(2) { // of the two causes
		cause := []error{syscall.EIO, syscall.ENOSPC}[seed%2]
		for at, met := 1, true; met; at++ {
			met = false
			name := fmt.Sprintf("seed %d, call %d, %v", seed, at, cause)
			h := &history{rng: rand.New(rand.NewPCG(seed, 9)), first: 1, keys: 20}
			disk := sim.New(seed, sim.Options{})
			l, err := Open(disk, "/log", cutOptions(t, name))
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			disk.Hook(func(o sim.Op) sim.Fault {
				if !o.Call.Changes() {
					return sim.Fault{}
				}
				if n++; n != at {
					return sim.Fault{}
				}
				met = true
				return sim.Fault{Err: cause}
			})
			durable, err := live(h, l)
			if err == nil {
				err = l.Sync()
			}
			for err != nil {
				if !errors.Is(err, cause) {
					t.Fatalf("%s: %v", name, err)
				}
				_ = l.Close()
				if l, err = Open(disk, "/log", cutOptions(t, name)); err != nil {
					t.Fatalf("%s: again: %v", name, err)
				}
				if d := l.Durable(); d < durable {
					t.Fatalf("%s: durable through %d, %d before", name, d, durable)
				}
				err = errors.Join(h.apply(l, l.Durable()+1, uint64(len(h.commits))), l.Sync())
			}
			compareLogs(t, name, h, l, uint64(len(h.commits)))
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if t.Failed() {
				return
			}
		}
	}
}

// TestNoRoom fills the disk up: messages wait in memory, then are refused, and nothing is lost;
// with room again everything goes on.
func TestNoRoom(t *testing.T) {
	disk := sim.New(1, sim.Options{})
	l, err := Open(disk, "/log", Options{Tail: 4000, Segment: 20_000})
	if err != nil {
		t.Fatal(err)
	}
	room := true
	disk.Hook(func(o sim.Op) sim.Fault {
		if !room && (o.Call == sim.WriteTo || o.Call == sim.Create) {
			return sim.Fault{Err: syscall.ENOSPC}
		}
		return sim.Fault{}
	})
	seq := uint64(0)
	add := func() error {
		l.Begin(seq + 1)
		err := l.Append(&stream.Record{Seq: seq + 1, Time: 1, Subject: []byte("a.b"), Payload: make([]byte, 200)})
		if err == nil {
			seq++
		}
		return err
	}
	for range 50 {
		if err := add(); err != nil {
			t.Fatal(err)
		}
	}
	room = false
	for err = nil; err == nil && seq < 1000; {
		err = add()
	}
	if !errors.Is(err, syscall.ENOSPC) || seq < 60 {
		t.Fatalf("%d messages, then %v", seq, err)
	}
	if err := l.Sync(); !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	if n := l.Count(nil, 0, seq); n != seq || !errors.Is(l.Full(), syscall.ENOSPC) {
		t.Fatalf("%d messages of %d; full: %v", n, seq, l.Full())
	}
	room = true
	for range 50 {
		if err := add(); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	if l, err = Open(disk, "/log", Options{}); err != nil || l.State().Msgs != seq || l.Durable() != seq {
		t.Fatal(err, l.State(), seq)
	}
	var r stream.Record
	for n := uint64(1); n <= seq; n++ {
		if err := l.Load(n, &r); err != nil {
			t.Fatal(n, err)
		}
	}
}

func cutOptions(t *testing.T, name string) Options {
	return Options{
		Tail: 1500, Segment: 6000, Rewrite: 0.5,
		Random: func(b []byte) { copy(b, "0123456789abcdef") },
		Report: func(r Report) {
			if r.Lost.From != 0 && !errors.Is(r.Err, sim.ErrCut) {
				t.Errorf("%s: reported: %+v", name, r)
			}
		},
	}
}

// live makes commits and syncs until the disk fails. It returns the last commit that was
// promised to be durable.
func live(h *history, l *Log) (durable uint64, err error) {
	for i := range 60 {
		n := h.commit()
		durable = max(durable, l.Durable())
		if err := h.apply(l, n, n); err != nil {
			return durable, err
		}
		switch i % 14 {
		case 6:
			if err := l.Sync(); err != nil {
				return max(durable, l.Durable()), err
			}
		case 13: // the disk is slow, and commits go on meanwhile
			finish, err := l.Checkpoint()
			if err != nil {
				return max(durable, l.Durable()), err
			}
			n := h.commit()
			err = h.apply(l, n, n)
			if err := errors.Join(err, finish()); err != nil {
				return max(durable, l.Durable()), err
			}
		}
	}
	return max(durable, l.Durable()), nil
}

// compareLogs compares a log with one in memory that was given the same commits.
func compareLogs(t *testing.T, name string, h *history, got *Log, upTo uint64) {
	t.Helper()
	want := memlog.New()
	if err := h.apply(want, 1, upTo); err != nil {
		t.Fatal(err)
	}
	g, w := got.State(), want.State()
	w.Bytes = 0
	var a, b stream.Record
	for seq, ok := want.Next(0, nil); ok; seq, ok = want.Next(seq+1, nil) {
		if err := want.Load(seq, &a); err != nil {
			t.Fatal(err)
		}
		if err := got.Load(seq, &b); err != nil {
			t.Fatalf("%s: message %d: %v", name, seq, err)
		}
		if a.Time != b.Time || !bytes.Equal(a.Subject, b.Subject) || !bytes.Equal(a.Header, b.Header) || !bytes.Equal(a.Payload, b.Payload) {
			t.Fatalf("%s: message %d: %v, want %v", name, seq, b, a)
		}
		w.Bytes += got.Size(len(a.Subject), len(a.Header), len(a.Payload))
		if next, ok := got.Next(seq, nil); !ok || next != seq {
			t.Fatalf("%s: Next(%d) = %d, %v", name, seq, next, ok)
		}
	}
	if g != w {
		t.Fatalf("%s: state\n%+v, want\n%+v", name, g, w)
	}
	for _, f := range []*subjects.Filter{nil, subjects.NewFilter("s.*.v"), subjects.NewFilter("s.1.v", "s.2.>")} {
		if g, w := subjectsOf(got, f), subjectsOf(want, f); !slices.Equal(g, w) {
			t.Fatalf("%s: subjects %v:\n%v, want\n%v", name, f.Patterns(), g, w)
		}
		if g, w := got.Count(f, 0, h.last), want.Count(f, 0, h.last); g != w {
			t.Fatalf("%s: %d messages on %v, want %d", name, g, f.Patterns(), w)
		}
	}
}

func subjectsOf(l stream.Log, f *subjects.Filter) (list []string) {
	err := l.Subjects(f, func(s []byte, t stream.Totals) bool {
		list = append(list, fmt.Sprintf("%s %+v", s, t))
		if one, err := l.Subject(s); err != nil || one != t {
			list = append(list, fmt.Sprintf("%s asked for alone: %+v, %v", s, one, err))
		}
		return true
	})
	if err != nil {
		list = append(list, err.Error())
	}
	return list
}
