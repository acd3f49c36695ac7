package segment

import (
	"bytes"
	"slices"

	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/subjects"
)

// Subject implements [stream.Log]. What had to be looked for in the files is remembered, if all of it could be read.
func (l *Log) Subject(name []byte) (stream.Totals, error) {
	l.mu.RLock()
	ref, ok := l.table.Find(name)
	var v subjects.Totals
	if ok {
		v = l.table.Totals(ref)
	}
	complete, changes := l.complete, l.changes
	l.mu.RUnlock()
	switch {
	case ok && (v.First|v.Last)&bound == 0:
		return stream.Totals(v), nil
	case !ok && complete:
		return stream.Totals{}, nil
	}
	var err error
	if ok {
		v, err = l.bounded(name, v)
	} else {
		v, err = l.search(name)
	}
	if err != nil {
		return stream.Totals{}, l.unreadable(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if changes == l.changes && v.Msgs > 0 {
		ref, _ := l.table.Insert(name)
		l.table.Set(ref, v)
		l.tellUse()
	}
	return stream.Totals(v), nil
}

// Knows implements [stream.Log].
func (l *Log) Knows(name []byte) error {
	l.mu.RLock()
	_, known := l.table.Find(name)
	known = known || l.complete
	l.mu.RUnlock()
	if known {
		return nil // bounds are as good
	}
	_, err := l.Subject(name)
	return err
}

// bounded returns totals with the sequences that only a bound is known of.
func (l *Log) bounded(name []byte, v subjects.Totals) (subjects.Totals, error) {
	f := subjects.NewFilter(string(name))
	first, ok, err := v.First, true, error(nil)
	if first&bound != 0 {
		first, ok, err = l.findFirst(name, f, first&^bound)
	}
	last := v.Last
	if last&bound != 0 && ok && err == nil {
		last, ok, err = l.findLast(name, f, last&^bound)
	}
	if err == nil && !ok { // it is damaged; what can be found counts
		return l.search(name)
	}
	v.First, v.Last = first, last
	return v, err
}

// findFirst is Next for one subject, of which nothing is kept.
func (l *Log) findFirst(name []byte, f *subjects.Filter, from uint64) (seq uint64, ok bool, err error) {
	err = again(func() error {
		l.mu.RLock()
		runs, gen := l.runs, l.gen
		from := max(from, l.first)
		l.mu.RUnlock()
		for _, r := range runs[l.runFrom(runs, from):] {
			found, err := l.sequencesIn(r, name)
			if err != nil {
				return err
			}
			for _, seq = range found {
				if seq >= from {
					ok = true
					return nil
				}
			}
		}
		l.mu.RLock()
		defer l.mu.RUnlock()
		if gen != l.gen {
			return errStale
		}
		var i int
		if i, ok = l.tail.next(l.tail.at(from), f); ok {
			seq = l.tail.recs[i].seq
		}
		return nil
	})
	return seq, ok, err
}

// findLast is Prev for one subject, of which nothing is kept.
func (l *Log) findLast(name []byte, f *subjects.Filter, from uint64) (seq uint64, ok bool, err error) {
	err = again(func() error {
		l.mu.RLock()
		i := l.tail.at(from)
		if i == len(l.tail.recs) || l.tail.recs[i].seq > from {
			i--
		}
		runs := l.runs
		if i, ok = l.tail.prev(i, f); ok {
			seq = l.tail.recs[i].seq
		}
		l.mu.RUnlock()
		for i := min(l.runFrom(runs, from), len(runs)-1); i >= 0 && !ok; i-- {
			found, err := l.sequencesIn(runs[i], name)
			if err != nil {
				return err
			}
			for _, seq = range slices.Backward(found) {
				if seq <= from {
					ok = true
					return nil
				}
			}
		}
		return nil
	})
	return seq, ok, err
}

// search puts together what is known of a subject from the files and the tail. It fails if one of the files does not say
// what it holds.
func (l *Log) search(name []byte) (v subjects.Totals, err error) {
	err = again(func() error {
		l.mu.RLock()
		runs, tail := l.runs, l.tail.totals(name)
		l.mu.RUnlock()
		v = subjects.Totals{}
		hash := subjects.Hash(name)
		for _, r := range runs {
			w, err := l.totalsIn(r, name, hash)
			if err != nil {
				return err
			}
			v = join(v, w)
		}
		v = join(v, tail)
		return nil
	})
	return v, err
}

// join puts totals of a later part behind those of an earlier one.
func join(a, b subjects.Totals) subjects.Totals {
	switch {
	case a.Msgs == 0:
		return b
	case b.Msgs == 0:
		return a
	}
	return subjects.Totals{First: a.First, Last: b.Last, Msgs: a.Msgs + b.Msgs}
}

// totalsIn returns what a run holds of a subject.
func (l *Log) totalsIn(r *run, name []byte, hash uint64) (subjects.Totals, error) {
	x, err := l.index(r)
	if err != nil {
		return subjects.Totals{}, l.skipped(r, err)
	}
	if !x.names.May(hash) {
		return subjects.Totals{}, nil
	}
	h, ok, err := x.names.Find(name)
	if err != nil {
		return subjects.Totals{}, l.skipped(r, l.badIndex(r, err))
	}
	if !ok {
		return subjects.Totals{}, nil
	}
	return l.totalsOf(r, x, h)
}

// totalsOf returns the totals of what is not dead of a hit.
func (l *Log) totalsOf(r *run, x *index, h subjects.Hit) (subjects.Totals, error) {
	if int(h.Last) >= r.n {
		return subjects.Totals{}, l.skipped(r, l.badIndex(r, subjects.ErrDamaged))
	}
	if err := l.ready(r); err != nil {
		return subjects.Totals{}, err
	}
	l.mu.RLock()
	whole := r.dead == nil
	l.mu.RUnlock()
	if whole {
		return subjects.Totals{First: x.seq(h.First), Last: x.seq(h.Last), Msgs: uint64(h.Msgs)}, nil
	}
	numbers, err := x.names.Numbers(h, r.n, nil)
	if err != nil {
		return subjects.Totals{}, l.skipped(r, l.badIndex(r, err))
	}
	var v subjects.Totals
	first, last := uint32(0), uint32(0)
	l.mu.RLock()
	for _, i := range numbers {
		if !r.dead.has(i) {
			if v.Msgs == 0 {
				first = i
			}
			last = i
			v.Msgs++
		}
	}
	l.mu.RUnlock()
	if v.Msgs > 0 {
		v.First, v.Last = x.seq(first), x.seq(last)
	}
	return v, nil
}

// sequencesIn returns the messages on a subject in a run.
func (l *Log) sequencesIn(r *run, name []byte) ([]uint64, error) {
	x, err := l.index(r)
	if err != nil {
		return nil, l.skipped(r, err)
	}
	h, ok, err := x.names.Find(name)
	if err == nil && !ok {
		return nil, nil
	}
	var numbers []uint32
	if err == nil {
		numbers, err = x.names.Numbers(h, r.n, nil)
	}
	if err != nil {
		return nil, l.skipped(r, l.badIndex(r, err))
	}
	if err := l.ready(r); err != nil {
		return nil, err
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	found := make([]uint64, 0, len(numbers))
	for _, i := range numbers {
		if int(i) < r.n && !r.dead.has(i) {
			found = append(found, x.seq(i))
		}
	}
	return found, nil
}

// cursor goes through the sorted subjects of a run, or of the tail.
type cursor struct {
	r  *run
	x  *index
	it *subjects.Iter

	names  [][]byte // of the tail
	totals []subjects.Totals
	at     int
}

func (c *cursor) Next() bool {
	if c.it != nil {
		return c.it.Next()
	}
	c.at++
	return c.at < len(c.names)
}

func (c *cursor) Name() []byte {
	if c.it != nil {
		return c.it.Name()
	}
	return c.names[c.at]
}

func (c *cursor) Err() error {
	if c.it != nil {
		return c.it.Err()
	}
	return nil
}

// Subjects implements [stream.Log].
func (l *Log) Subjects(f *subjects.Filter, fn func(s []byte, t stream.Totals) bool) error {
	var done []byte
	any := false
	err := again(func() error {
		return l.subjects(f, func(name []byte) bool { return !any || string(name) > string(done) }, func(name []byte, v subjects.Totals) bool {
			done, any = append(done[:0], name...), true
			return fn(name, stream.Totals(v))
		})
	})
	if err != nil {
		return l.unreadable(err)
	}
	return nil
}

func (l *Log) subjects(f *subjects.Filter, wanted func([]byte) bool, fn func([]byte, subjects.Totals) bool) error {
	l.mu.RLock()
	runs := l.runs
	waiting := l.tail.sorted(f)
	l.mu.RUnlock()
	var cursors []*cursor
	for _, r := range runs {
		x, err := l.index(r)
		if err = l.skipped(r, err); err != nil {
			return err
		}
		if x == nil { // it is damaged, which is noted
			continue
		}
		cursors = append(cursors, &cursor{r: r, x: x, it: x.names.Iter(f)})
	}
	cursors = append(cursors, waiting)
	var failed error
	err := subjects.Merge(cursors, func(name []byte, at []int) bool {
		if !wanted(name) {
			return true
		}
		var v subjects.Totals
		for _, i := range at {
			c := cursors[i]
			if c.it == nil {
				v = join(v, c.totals[c.at])
				continue
			}
			w, err := l.totalsOf(c.r, c.x, c.it.Hit())
			if err != nil {
				failed = err
				return false
			}
			v = join(v, w)
		}
		return v.Msgs == 0 || fn(name, v)
	})
	if failed != nil {
		return failed
	}
	if err != nil {
		// Which one it was is found by asking all of them.
		for _, c := range cursors {
			if c.Err() != nil {
				if err := l.skipped(c.r, l.badIndex(c.r, c.Err())); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// sorted returns a cursor over the subjects that f asks for and that have messages here.
func (t *tail) sorted(f *subjects.Filter) *cursor {
	c := &cursor{at: -1}
	t.names.Range(func(_ subjects.Ref, name []byte) bool {
		if f.Match(name) {
			c.names = append(c.names, slices.Clone(name))
		}
		return true
	})
	slices.SortFunc(c.names, bytes.Compare)
	for _, name := range c.names {
		c.totals = append(c.totals, t.totals(name))
	}
	return c
}
