package segment

import (
	"errors"
	"slices"
	"sort"

	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/subjects"
)

// runFrom returns the first run whose last sequence is at or behind seq.
func (l *Log) runFrom(runs []*run, seq uint64) int {
	return sort.Search(len(runs), func(i int) bool { return runs[i].last >= seq })
}

// runAt returns the run in which a sequence would be.
func (l *Log) runAt(runs []*run, seq uint64) *run {
	if i := l.runFrom(runs, seq); i < len(runs) && runs[i].first <= seq {
		return runs[i]
	}
	return nil
}

// again calls fn until it does not say that it met a run that was replaced meanwhile.
func again(fn func() error) error {
	for {
		if err := fn(); !errors.Is(err, errStale) {
			return err
		}
	}
}

// Load implements [stream.Log].
func (l *Log) Load(seq uint64, r *stream.Record) error {
	return again(func() error { return l.load(seq, r) })
}

func (l *Log) load(seq uint64, to *stream.Record) error {
	l.mu.RLock()
	if seq < l.first || seq > l.last {
		l.mu.RUnlock()
		return stream.ErrNoMessage
	}
	if i := l.tail.at(seq); i < len(l.tail.recs) && l.tail.recs[i].seq == seq {
		defer l.mu.RUnlock()
		t := &l.tail.recs[i]
		if t.dead {
			return stream.ErrNoMessage
		}
		fill(to, t.seq, t.time, l.tail.record(i), int(t.subject), int(t.header))
		return nil
	}
	if c := l.recent(seq); c != nil {
		dead := c.dead(seq)
		l.mu.RUnlock()
		if dead {
			return stream.ErrNoMessage
		}
		// What goes wrong goes wrong once more on the long way, which says so.
		if pg := c.page.Value(); pg != nil && pg.load(int(seq-c.first), to) == nil {
			l.recents.last.Store(seq)
			return nil
		}
		l.mu.RLock()
	}
	r, gen := l.runAt(l.runs, seq), l.gen
	l.mu.RUnlock()
	if r == nil {
		return stream.ErrNoMessage
	}
	if err := l.ready(r); errors.Is(err, errStale) {
		return err
	} else if err != nil {
		return l.unreadable(err)
	}
	number, there, err := l.living(r, seq)
	switch {
	case errors.Is(err, errStale):
		return err
	case err != nil:
		l.lose(r, seq, seq, err)
		return l.unreadable(err)
	case !there:
		return stream.ErrNoMessage
	}
	pg, i, err := l.pageOf(r, number)
	switch {
	case errors.Is(err, errStale):
		return err
	case err != nil:
		return l.unreadable(err)
	}
	if err := pg.load(i, to); err != nil {
		l.lose(r, seq, seq, err)
		return l.unreadable(err)
	}
	l.remember(gen, r, number, pg, i)
	return nil
}

// living returns the number of the record with a sequence, and whether there is one that is
// not dead.
func (l *Log) living(r *run, seq uint64) (number uint32, there bool, err error) {
	if err := l.ready(r); err != nil {
		return 0, false, err
	}
	number, err = l.numberAt(r, seq)
	if err != nil || int(number) >= r.n {
		return 0, false, err
	}
	at, err := l.seqAt(r, number)
	if err != nil || at != seq {
		return 0, false, err
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	return number, !r.dead.has(number), nil
}

// Next implements [stream.Log]. Runs in which nothing matches are not read, but for their index.
func (l *Log) Next(from uint64, f *subjects.Filter) (seq uint64, ok bool) {
	_ = again(func() (err error) {
		seq, ok, err = l.next(from, f)
		return err
	})
	return seq, ok
}

func (l *Log) next(from uint64, f *subjects.Filter) (uint64, bool, error) {
	l.mu.RLock()
	runs, gen := l.runs, l.gen
	from = max(from, l.first)
	if f.All() {
		if c := l.recent(from); c != nil && !c.dead(from) {
			l.mu.RUnlock()
			return from, true, nil
		}
	}
	l.mu.RUnlock()
	for _, r := range runs[l.runFrom(runs, from):] {
		seq, ok, err := l.nextIn(r, from, f)
		if ok || errors.Is(err, errStale) {
			return seq, ok, err
		}
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	if gen != l.gen {
		return 0, false, errStale // the tail has become a run
	}
	if i, ok := l.tail.next(l.tail.at(from), f); ok {
		return l.tail.recs[i].seq, true, nil
	}
	return 0, false, nil
}

func (l *Log) nextIn(r *run, from uint64, f *subjects.Filter) (uint64, bool, error) {
	s, err := l.selectOf(r, f)
	if err != nil {
		return l.nextBlind(r, from, f, err)
	}
	if s.msgs == 0 {
		return 0, false, nil
	}
	if err := l.ready(r); err != nil {
		return l.nextBlind(r, from, f, err)
	}
	number, err := l.numberAt(r, from)
	if err != nil {
		return l.nextBlind(r, from, f, err)
	}
	l.mu.RLock()
	number, ok := s.next(number, r.dead)
	l.mu.RUnlock()
	if !ok {
		return 0, false, nil
	}
	seq, err := l.seqAt(r, number)
	if err != nil {
		return l.nextBlind(r, from, f, err)
	}
	return seq, true, nil
}

// nextBlind is nextIn for a run whose index can neither be read nor made: one message after the
// other is read. The first one that cannot be read is taken for one that is asked for, so that whoever
// asks learns that something is missing, and does not pass over it.
func (l *Log) nextBlind(r *run, from uint64, f *subjects.Filter, cause error) (uint64, bool, error) {
	if errors.Is(cause, errStale) {
		return 0, false, cause
	}
	var rec stream.Record
	for seq := max(from, r.first); seq <= r.last; seq++ {
		err := l.load(seq, &rec)
		switch {
		case errors.Is(err, errStale):
			return 0, false, err
		case errors.Is(err, stream.ErrNoMessage), err == nil && !f.Match(rec.Subject):
		default:
			return seq, true, nil
		}
	}
	return 0, false, nil
}

// skipped is called with the error for which a run takes no part in a search. If it is damaged everything in
// it is lost, and said to be; any other error is returned: what the run holds is not known.
func (l *Log) skipped(r *run, err error) error {
	if err == nil || errors.Is(err, errStale) {
		return err
	}
	l.lose(r, r.first, r.last, err)
	if damaged(err) {
		return nil
	}
	return err
}

// Prev implements [stream.Log].
func (l *Log) Prev(from uint64, f *subjects.Filter) (seq uint64, ok bool) {
	_ = again(func() (err error) {
		seq, ok, err = l.prev(from, f)
		return err
	})
	return seq, ok
}

func (l *Log) prev(from uint64, f *subjects.Filter) (uint64, bool, error) {
	l.mu.RLock()
	i := l.tail.at(from)
	if i == len(l.tail.recs) || l.tail.recs[i].seq > from {
		i--
	}
	if i, ok := l.tail.prev(i, f); ok && l.tail.recs[i].seq >= l.first {
		defer l.mu.RUnlock()
		return l.tail.recs[i].seq, true, nil
	}
	runs, first := l.runs, l.first
	l.mu.RUnlock()
	for i := min(l.runFrom(runs, from), len(runs)-1); i >= 0 && runs[i].last >= first; i-- {
		seq, ok, err := l.prevIn(runs[i], from, f)
		if errors.Is(err, errStale) {
			return 0, false, err
		}
		if ok {
			return seq, seq >= first, nil
		}
	}
	return 0, false, nil
}

func (l *Log) prevIn(r *run, from uint64, f *subjects.Filter) (uint64, bool, error) {
	if from < r.first {
		return 0, false, nil
	}
	s, err := l.selectOf(r, f)
	if err != nil {
		return l.prevBlind(r, from, f, err)
	}
	if s.msgs == 0 {
		return 0, false, nil
	}
	if err := l.ready(r); err != nil {
		return l.prevBlind(r, from, f, err)
	}
	number, err := l.numberBefore(r, from)
	if err != nil {
		return l.prevBlind(r, from, f, err)
	}
	l.mu.RLock()
	number, ok := s.prev(number, r.dead)
	l.mu.RUnlock()
	if !ok {
		return 0, false, nil
	}
	seq, err := l.seqAt(r, number)
	if err != nil {
		return l.prevBlind(r, from, f, err)
	}
	return seq, true, nil
}

// prevBlind is nextBlind the other way.
func (l *Log) prevBlind(r *run, from uint64, f *subjects.Filter, cause error) (uint64, bool, error) {
	if errors.Is(cause, errStale) {
		return 0, false, cause
	}
	var rec stream.Record
	for seq := min(from, r.last); seq >= r.first; seq-- {
		err := l.load(seq, &rec)
		switch {
		case errors.Is(err, errStale):
			return 0, false, err
		case errors.Is(err, stream.ErrNoMessage), err == nil && !f.Match(rec.Subject):
		default:
			return seq, true, nil
		}
	}
	return 0, false, nil
}

// numberBefore returns the number of the last record at or before seq, which is not before
// the first one.
func (l *Log) numberBefore(r *run, seq uint64) (uint32, error) {
	if seq >= r.last {
		return uint32(r.n - 1), nil
	}
	number, err := l.numberAt(r, seq+1)
	return number - 1, err
}

// AtTime implements [stream.Log].
func (l *Log) AtTime(t int64) (seq uint64, ok bool) {
	_ = again(func() (err error) {
		seq, ok, err = l.atTime(t)
		return err
	})
	return seq, ok
}

func (l *Log) atTime(t int64) (uint64, bool, error) {
	l.mu.RLock()
	runs, gen, first := l.runs, l.gen, l.first
	l.mu.RUnlock()
	for _, r := range runs {
		if r.maxTime < t || r.last < first {
			continue
		}
		seq, ok, err := l.atTimeIn(r, t, first)
		if ok || errors.Is(err, errStale) {
			return seq, ok, err
		}
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	if gen != l.gen {
		return 0, false, errStale
	}
	for i := range l.tail.recs {
		if r := &l.tail.recs[i]; !r.dead && r.time >= t && r.seq >= first {
			return r.seq, true, nil
		}
	}
	return 0, false, nil
}

// atTimeIn looks for the time in one run. What cannot be read may be what is asked for: the first message of
// it is the answer, so that nobody takes for too old what nobody knows the age of.
func (l *Log) atTimeIn(r *run, t int64, first uint64) (uint64, bool, error) {
	x, err := l.index(r)
	if err != nil {
		return l.nextBlind(r, first, nil, err)
	}
	if err := l.ready(r); err != nil {
		return l.nextBlind(r, first, nil, err)
	}
	for i := range x.pages {
		p := &x.pages[i]
		if p.maxTime < t || p.last < first {
			continue
		}
		pg, err := l.readPage(r, p)
		if errors.Is(err, errStale) {
			return 0, false, err
		}
		if err != nil {
			l.losePage(r, p, err)
		}
		l.mu.RLock()
		for j := range p.n {
			seq := p.seq(j)
			if seq >= first && !r.dead.has(p.number+j) && (err != nil || pg.entries[j].time >= t) {
				l.mu.RUnlock()
				return seq, true, nil
			}
		}
		l.mu.RUnlock()
	}
	return 0, false, nil
}

// Count implements [stream.Log].
func (l *Log) Count(f *subjects.Filter, from, upTo uint64) (n uint64) {
	_ = again(func() (err error) {
		n, err = l.count(f, from, upTo)
		return err
	})
	return n
}

func (l *Log) count(f *subjects.Filter, from, upTo uint64) (n uint64, err error) {
	l.mu.RLock()
	runs := l.runs
	from = max(from, l.first)
	for i := l.tail.at(from); i < len(l.tail.recs) && l.tail.recs[i].seq <= upTo; i++ {
		if !l.tail.recs[i].dead && f.Match(l.tail.subject(i)) {
			n++
		}
	}
	l.mu.RUnlock()
	for _, r := range runs[l.runFrom(runs, from):] {
		if r.first > upTo {
			break
		}
		m, err := l.countIn(r, f, from, upTo)
		if errors.Is(err, errStale) {
			return 0, err
		}
		n += m
	}
	return n, nil
}

func (l *Log) countIn(r *run, f *subjects.Filter, from, upTo uint64) (uint64, error) {
	if f.All() && from <= r.first && upTo >= r.last {
		l.mu.RLock()
		defer l.mu.RUnlock()
		return uint64(r.live), nil
	}
	s, err := l.selectOf(r, f)
	if err != nil || s.msgs == 0 {
		return 0, l.skipped(r, err)
	}
	if err := l.ready(r); err != nil {
		return 0, err
	}
	lo, err := l.numberAt(r, from)
	if err != nil {
		return 0, l.skipped(r, err)
	}
	hi := uint32(r.n)
	if upTo < r.last {
		if hi, err = l.numberAt(r, upTo+1); err != nil {
			return 0, l.skipped(r, err)
		}
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	return uint64(s.count(lo, hi, r.dead)), nil
}

// Holes implements [stream.Log].
func (l *Log) Holes(fn func(stream.Range) bool) {
	l.mu.RLock()
	runs, at, last, msgs := l.runs, l.first, l.last, l.msgs
	waiting := make([]uint64, 0, l.tail.live)
	for i := range l.tail.recs {
		if r := &l.tail.recs[i]; !r.dead {
			waiting = append(waiting, r.seq)
		}
	}
	l.mu.RUnlock()
	if msgs == 0 {
		return
	}
	// next says that there is a message at seq; false: no more is wanted.
	next := func(seq uint64) bool {
		if seq < at {
			return true
		}
		if seq > at && !fn(stream.Range{From: at, To: seq - 1}) {
			return false
		}
		at = seq + 1
		return true
	}
	for _, r := range runs[l.runFrom(runs, at):] {
		if l.ready(r) != nil { // what it holds may be there
			if !next(max(at, r.first)) {
				return
			}
			at = r.last + 1
			continue
		}
		l.mu.RLock()
		dead := slices.Clone(r.dead)
		l.mu.RUnlock()
		if dead == nil && r.dense() {
			if !next(max(at, r.first)) {
				return
			}
			at = r.last + 1
			continue
		}
		all := selection{all: true, n: r.n, msgs: r.n}
		for number, ok := all.next(0, dead); ok; number, ok = all.next(number+1, dead) {
			seq, err := l.seqAt(r, number)
			if err != nil {
				at = r.last + 1 // the same
				break
			}
			if !next(seq) {
				return
			}
		}
	}
	for _, seq := range waiting {
		if !next(seq) {
			return
		}
	}
	if at <= last {
		fn(stream.Range{From: at, To: last})
	}
}

// State implements [stream.Log].
func (l *Log) State() stream.State {
	l.mu.RLock()
	s := stream.State{Msgs: l.msgs, Bytes: l.bytes, Last: l.last, LastTime: l.lastTime, Subjects: l.names}
	if l.told {
		s.First = l.first
	}
	if l.msgs > 0 {
		s.FirstTime = l.firstTime
	}
	l.mu.RUnlock()
	if s.Msgs > 0 && s.FirstTime == 0 {
		s.FirstTime = l.timeOf(s.First)
		l.mu.Lock()
		if l.first == s.First {
			l.firstTime = s.FirstTime
		}
		l.mu.Unlock()
	}
	return s
}

// Bounds implements [stream.Log].
func (l *Log) Bounds() (first, last uint64) {
	l.mu.RLock()
	if l.told {
		first = l.first
	}
	last = l.last
	l.mu.RUnlock()
	return first, last
}

// timeOf returns the time of a message that is there; 0 if it cannot be read.
func (l *Log) timeOf(seq uint64) (t int64) {
	_ = again(func() error {
		l.mu.RLock()
		if i := l.tail.at(seq); i < len(l.tail.recs) && l.tail.recs[i].seq == seq {
			t = l.tail.recs[i].time
			l.mu.RUnlock()
			return nil
		}
		r := l.runAt(l.runs, seq)
		l.mu.RUnlock()
		if r == nil {
			return nil
		}
		number, err := l.numberAt(r, seq)
		if err != nil || int(number) >= r.n {
			return err
		}
		pg, i, err := l.pageOf(r, number)
		if err == nil {
			t = pg.entries[i].time
		}
		return err
	})
	return t
}
