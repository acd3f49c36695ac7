package segment

import (
	"errors"
	"slices"

	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/subjects"
)

// Truncate implements [stream.Log]. Whole files are put aside without being read, but for
// their subjects.
func (l *Log) Truncate(first uint64) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.usable(); err != nil {
		return err
	}
	l.changedAt = max(l.changedAt, l.commit)
	defer l.changed()
	if l.below != 0 { // it could not be carried out to its end
		if err := l.removeBelow(l.first); err != nil {
			return err
		}
	}
	if first > l.last {
		l.empty(first, first-1)
		return nil
	}
	if first <= l.first {
		return nil
	}
	next, ok := l.Next(first, nil)
	if !ok {
		l.empty(l.last+1, l.last)
		return nil
	}
	// Readers see nothing below first from here on, while the figures follow.
	l.mu.Lock()
	l.below = l.first
	l.first, l.firstTime = next, 0
	l.lost, l.withheld = trimLost(l.lost, next), trimLost(l.withheld, next)
	l.mu.Unlock()
	for len(l.runs) > 0 && l.runs[0].last < next {
		l.forgetRun(l.runs[0])
	}
	return l.removeBelow(next)
}

// removeBelow takes out what is left below next, message by message. After an error that is still to be done.
func (l *Log) removeBelow(next uint64) error {
	for len(l.runs) > 0 && l.runs[0].first < next {
		r := l.runs[0]
		if err := l.ready(r); errors.Is(err, errStale) {
			continue
		} else if err != nil {
			return l.unreadable(err)
		}
		end, err := l.numberAt(r, next)
		if errors.Is(err, errStale) {
			continue
		}
		if err != nil {
			return l.unreadable(err)
		}
		all := selection{all: true, n: r.n, msgs: r.n}
		begin, err := l.numberAt(r, l.below)
		if err != nil {
			begin = 0
		}
		for number, ok := all.next(begin, r.dead); ok && number < end; number, ok = all.next(number, r.dead) {
			seq, err := l.seqAt(r, number)
			if err != nil {
				return l.unreadable(err)
			}
			if _, err := l.removeStored(seq, next); err != nil && !errors.Is(err, errStale) {
				return err
			}
		}
		break
	}
	for i := 0; i < len(l.tail.recs) && l.tail.recs[i].seq < next; i++ {
		l.removeWaiting(i, next)
	}
	l.below = 0
	return nil
}

// empty takes everything out at once.
func (l *Log) empty(first, last uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.changes++
	l.away = append(l.away, l.files...)
	l.files, l.cur, l.below = nil, nil, 0
	l.setRuns(nil)
	l.tail.release()
	l.table.Release()
	l.complete = true
	l.first, l.last, l.firstTime, l.told = first, last, 0, true
	l.msgs, l.bytes, l.names, l.unsure = 0, 0, 0, false
	l.lost, l.withheld = nil, nil
}

// forgetRun takes a whole run out. Where it does not say which subjects it held the table is given up.
func (l *Log) forgetRun(r *run) {
	type gone struct {
		name []byte
		msgs int
	}
	var list []gone
	err := l.ready(r)
	for r.live > 0 && err == nil {
		list = list[:0]
		err = l.eachLive(r, func(name []byte, msgs int) {
			list = append(list, gone{slices.Clone(name), msgs})
		})
		if !errors.Is(err, errStale) {
			break
		}
		err = nil
	}
	l.mu.Lock()
	l.changes++
	l.msgs -= min(uint64(r.live), l.msgs)
	l.bytes -= min(r.bytes, l.bytes)
	l.dropRuns(func(o *run) bool { return o == r })
	l.mu.Unlock()
	for _, g := range list {
		if err == nil {
			err = l.forgetMany(g.name, uint64(g.msgs), r.last)
		}
	}
	if err != nil {
		l.mu.Lock()
		l.dropTable()
		l.unsure = true
		l.mu.Unlock()
	}
}

// recount counts the subjects, where that was not sure, if the files say now which there are.
func (l *Log) recount() {
	if !l.unsure {
		return
	}
	n := 0
	if l.Subjects(nil, func([]byte, stream.Totals) bool { n++; return true }) == nil {
		l.mu.Lock()
		l.names, l.unsure = n, false
		l.changes++
		l.mu.Unlock()
	}
}

// eachLive calls fn for the subjects of a run with the number of messages that are not dead.
func (l *Log) eachLive(r *run, fn func(name []byte, msgs int)) error {
	x, err := l.index(r)
	if err != nil {
		return err
	}
	var numbers []uint32
	it := x.names.Iter(nil)
	for it.Next() {
		n := it.Hit().Msgs
		if r.live < r.n {
			if numbers, err = x.names.Numbers(it.Hit(), r.n, numbers[:0]); err != nil {
				return l.badIndex(r, err)
			}
			n = 0
			for _, i := range numbers {
				if int(i) < r.n && !r.dead.has(i) {
					n++
				}
			}
		}
		if n > 0 {
			fn(it.Name(), n)
		}
	}
	if it.Err() != nil {
		return l.badIndex(r, it.Err())
	}
	return nil
}

// forgetMany takes messages of a subject out of its totals, all those through the sequence upTo.
func (l *Log) forgetMany(name []byte, msgs, upTo uint64) error {
	l.mu.RLock()
	_, ok := l.table.Find(name)
	l.mu.RUnlock()
	var left subjects.Totals
	if !ok && !l.complete {
		var err error
		if left, err = l.search(name); err != nil {
			return err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !ok {
		if l.complete {
			return nil
		}
		if left.Msgs == 0 {
			l.names--
			l.table.Delete(name)
			return nil
		}
		ref, _ := l.table.Insert(name)
		l.table.Set(ref, left)
		return nil
	}
	ref, ok := l.table.Find(name)
	if !ok {
		return nil
	}
	v := l.table.Totals(ref)
	if v.Msgs <= msgs {
		l.names--
		l.table.Delete(name)
		return nil
	}
	v.Msgs -= msgs
	if v.First&^bound <= upTo {
		v.First = bound | (upTo + 1)
	}
	if v.Msgs == 1 && v.Last&bound == 0 {
		v.First = v.Last
	}
	l.table.Set(ref, v)
	return nil
}

// trimLost forgets what was lost below first.
func trimLost(lost []stream.Range, first uint64) []stream.Range {
	var kept []stream.Range
	for _, r := range lost {
		if r.To >= first {
			kept = append(kept, stream.Range{From: max(r.From, first), To: r.To})
		}
	}
	return kept
}
