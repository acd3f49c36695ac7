package consumer

import (
	"fmt"
	"slices"

	"github.com/nats-broker/nats-broker/daemon/subjects"
)

const ms = int64(1e6)

// world is a stream in a slice, and who listens.
type world struct {
	msgs   []msg
	last   uint64
	deaf   map[string]bool // who does not listen; the others do
	ids    int
	asked  int // calls of Next
	gone   uint64
	unread error // of what is stored
}

type msg struct {
	seq     uint64
	subject string
	at      int64
}

func (w *world) put(subject string, at int64) uint64 {
	w.last++
	w.msgs = append(w.msgs, msg{w.last, subject, at})
	return w.last
}

func (w *world) at(seq uint64) int {
	i, ok := slices.BinarySearchFunc(w.msgs, seq, func(m msg, s uint64) int { return int(m.seq) - int(s) })
	if !ok {
		return -1
	}
	return i
}

func (w *world) remove(seq uint64) (string, bool) {
	i := w.at(seq)
	if i < 0 {
		return "", false
	}
	s := w.msgs[i].subject
	w.msgs = slices.Delete(w.msgs, i, i+1)
	w.gone++
	return s, true
}

func (w *world) Removals() uint64 { return w.gone }

func (w *world) Bounds() (uint64, uint64) {
	if len(w.msgs) == 0 {
		return w.last + 1, w.last
	}
	return w.msgs[0].seq, w.last
}

func (w *world) Next(from uint64, f *subjects.Filter) (uint64, bool) {
	w.asked++
	for _, m := range w.msgs {
		if m.seq >= from && f.Match([]byte(m.subject)) {
			return m.seq, true
		}
	}
	return 0, false
}

func (w *world) Prev(from uint64, f *subjects.Filter) (uint64, bool) {
	for _, m := range slices.Backward(w.msgs) {
		if m.seq <= from && f.Match([]byte(m.subject)) {
			return m.seq, true
		}
	}
	return 0, false
}

func (w *world) Count(f *subjects.Filter, from, upTo uint64) (n uint64) {
	for _, m := range w.msgs {
		if m.seq >= from && m.seq <= upTo && f.Match([]byte(m.subject)) {
			n++
		}
	}
	return n
}

func (w *world) AtTime(t int64) (uint64, bool) {
	for _, m := range w.msgs {
		if m.at >= t {
			return m.seq, true
		}
	}
	return 0, false
}

func (w *world) LastPerSubject(f *subjects.Filter) (seqs []uint64, err error) {
	if w.unread != nil {
		return nil, w.unread
	}
	last := map[string]uint64{}
	for _, m := range w.msgs {
		if f.Match([]byte(m.subject)) {
			last[m.subject] = m.seq
		}
	}
	for _, s := range last {
		seqs = append(seqs, s)
	}
	slices.Sort(seqs)
	return seqs, nil
}

func (w *world) Interested(subject string) bool { return !w.deaf[subject] }

func (w *world) Bound(subject, _ string) bool { return !w.deaf[subject] }

func (w *world) NewID() string {
	w.ids++
	return fmt.Sprintf("id%d", w.ids)
}

// talk drives a machine as its owner does, and writes down what is sent: "to<-seq/times #num".
type talk struct {
	*Machine
	w    *world
	now  int64
	sent []string
	log  []byte // changes since base
	base []byte
}

func newTalk(cfg Config, w *world) *talk {
	t := &talk{w: w, now: 1_800_000_000_000 * ms}
	cfg.AckPrefix = "$JS.ACK.S.C."
	if cfg.AckWait == 0 {
		cfg.AckWait = 30_000 * ms
	}
	t.Machine = New(cfg, w, t.now)
	return t
}

func (t *talk) say() {
	for _, s := range t.Statuses() {
		text := s.To + "<-" + s.Line
		if s.Left {
			text += fmt.Sprintf(" (%d, %d)", s.Msgs, s.Bytes)
		}
		if s.Last {
			text += fmt.Sprintf(" (last %d, %d)", s.LastConsumer, s.LastStream)
		}
		t.sent = append(t.sent, text)
	}
}

// run delivers what can be delivered, and returns what was sent since it was called last.
func (t *talk) run() []string {
	rounds := 0
	for w, ok := t.Next(t.now); ok; w, ok = t.Next(t.now) {
		if rounds++; rounds > 100_000 {
			panic("no end of deliveries")
		}
		t.say()
		i := t.w.at(w.Seq)
		if i < 0 {
			t.Missing(w)
			continue
		}
		d, what := t.Deliver(w, 100, t.w.msgs[i].at, t.now)
		if what == Sent {
			t.sent = append(t.sent, fmt.Sprintf("%s<-%d/%d #%d left %d", d.To, w.Seq, w.Times, d.Num, d.Pending))
		}
		t.say()
		if what != Sent {
			break
		}
	}
	t.say()
	t.log = append(t.log, t.Changes()...)
	sent := t.sent
	t.sent = nil
	return sent
}

// pass lets time go by, as its owner would: every deadline on the way is kept.
func (t *talk) pass(d int64) (sent []string) {
	end := t.now + d
	for {
		next := t.Deadline()
		if next > end {
			break
		}
		t.now = max(next, t.now+1)
		t.Tick(t.now)
		sent = append(sent, t.run()...)
	}
	t.now = end
	t.Tick(t.now)
	return append(sent, t.run()...)
}

func (t *talk) told(seq, num uint64) Told { return Told{Stream: seq, Consumer: num, Times: 1} }

// again reads the changes so far into a new machine.
func (t *talk) again(from []byte, changes []byte) (*Machine, error) {
	m := Reopen(t.cfg, t.w, t.now)
	m.cfg.PausedUntil = 0
	if from != nil {
		if err := m.Restore(from); err != nil {
			return nil, err
		}
	}
	if err := m.Apply(changes); err != nil {
		return nil, err
	}
	m.Resumed(true)
	m.Changes()
	return m, nil
}
