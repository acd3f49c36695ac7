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
	below := l.first
	l.first, l.firstTime = next, 0
	l.lost = trimLost(l.lost, next)
	l.mu.Unlock()
	for len(l.runs) > 0 && l.runs[0].last < next {
		l.forgetRun(l.runs[0])
	}
	return l.removeBelow(below, next)
}

// removeBelow takes out what is left below next, message by message.
func (l *Log) removeBelow(from, next uint64) error {
	for len(l.runs) > 0 && l.runs[0].first < next {
		r := l.runs[0]
		l.ready(r)
		end, err := l.numberAt(r, next)
		if errors.Is(err, errStale) {
			continue
		}
		if err != nil {
			return err
		}
		all := selection{all: true, n: r.n, msgs: r.n}
		begin, err := l.numberAt(r, from)
		if err != nil {
			begin = 0
		}
		for number, ok := all.next(begin, r.dead); ok && number < end; number, ok = all.next(number, r.dead) {
			seq, err := l.seqAt(r, number)
			if err != nil {
				return err
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
	return nil
}

// empty takes everything out at once.
func (l *Log) empty(first, last uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.changes++
	l.away = append(l.away, l.files...)
	l.files, l.cur = nil, nil
	l.setRuns(nil)
	l.tail.release()
	l.table.Release()
	l.complete = true
	l.first, l.last, l.firstTime, l.told = first, last, 0, true
	l.msgs, l.bytes, l.names = 0, 0, 0
	l.lost = nil
}

// forgetRun takes a whole run out.
func (l *Log) forgetRun(r *run) {
	l.ready(r)
	type gone struct {
		name []byte
		msgs int
	}
	var list []gone
	for r.live > 0 {
		list = list[:0]
		err := l.eachLive(r, func(name []byte, msgs int) {
			list = append(list, gone{slices.Clone(name), msgs})
		})
		if !errors.Is(err, errStale) {
			break
		}
	}
	l.mu.Lock()
	l.changes++
	l.msgs -= min(uint64(r.live), l.msgs)
	l.bytes -= min(r.bytes, l.bytes)
	l.dropRuns(func(o *run) bool { return o == r })
	l.mu.Unlock()
	for _, g := range list {
		l.forgetMany(g.name, uint64(g.msgs), r.last)
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
			if numbers, err = x.names.Numbers(it.Hit(), numbers[:0]); err != nil {
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
func (l *Log) forgetMany(name []byte, msgs, upTo uint64) {
	l.mu.RLock()
	_, ok := l.table.Find(name)
	l.mu.RUnlock()
	var left subjects.Totals
	if !ok && !l.complete {
		left, _ = l.search(name)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !ok {
		if l.complete {
			return
		}
		if left.Msgs == 0 {
			l.names--
			l.table.Delete(name)
			return
		}
		ref, _ := l.table.Insert(name)
		l.table.Set(ref, left)
		return
	}
	ref, ok := l.table.Find(name)
	if !ok {
		return
	}
	v := l.table.Totals(ref)
	if v.Msgs <= msgs {
		l.names--
		l.table.Delete(name)
		return
	}
	v.Msgs -= msgs
	if v.First&^bound <= upTo {
		v.First = bound | (upTo + 1)
	}
	if v.Msgs == 1 && v.Last&bound == 0 {
		v.First = v.Last
	}
	l.table.Set(ref, v)
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
