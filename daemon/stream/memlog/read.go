package memlog

import (
	"math"
	"slices"
	"strings"

	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/subjects"
)

// Load copies a message into r.
func (l *Log) Load(seq uint64, r *stream.Record) error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	s := l.at(seq)
	if s == nil {
		return stream.ErrNoMessage
	}
	r.Seq, r.Time = seq, s.time
	r.Subject = append(r.Subject[:0], s.subj.name...)
	r.Header, r.Payload = append(r.Header[:0], s.body[:s.header]...), append(r.Payload[:0], s.body[s.header:]...)
	if s.header == 0 {
		r.Header = nil
	}
	return nil
}

// next returns the first message at or behind from. A lock is held.
func (l *Log) next(from uint64) (uint64, bool) {
	from = max(from, l.base)
	for i := (from - l.base) / chunkSize; i < uint64(len(l.chunks)); i++ {
		if c := l.chunks[i]; c != nil {
			for j := max(from, l.base+i*chunkSize) - l.base - i*chunkSize; j < chunkSize; j++ {
				if c.slots[j].body != nil {
					return l.base + i*chunkSize + j, true
				}
			}
		}
	}
	return 0, false
}

// prev returns the last message at or before from.
func (l *Log) prev(from uint64) (uint64, bool) {
	if l.state.Msgs == 0 || from < l.base {
		return 0, false
	}
	from = min(from, l.state.Last)
	for i := int64(min((from-l.base)/chunkSize, uint64(len(l.chunks)-1))); i >= 0; i-- {
		if c := l.chunks[i]; c != nil {
			begin := l.base + uint64(i)*chunkSize
			for j := int64(min(from-begin, chunkSize-1)); j >= 0; j-- {
				if c.slots[j].body != nil {
					return begin + uint64(j), true
				}
			}
		}
	}
	return 0, false
}

// Next returns the first message at or behind from that f asks for.
func (l *Log) Next(from uint64, f *subjects.Filter) (uint64, bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if from = max(from, l.lowest(f)); from == math.MaxUint64 {
		return 0, false
	}
	for seq, ok := l.next(from); ok; seq, ok = l.next(seq + 1) {
		if f.All() || l.match(seq, f) {
			return seq, true
		}
	}
	return 0, false
}

// Prev returns the last message at or before from that f asks for.
func (l *Log) Prev(from uint64, f *subjects.Filter) (uint64, bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	low := l.lowest(f)
	for seq, ok := l.prev(min(from, l.highest(f))); ok && seq >= low; seq, ok = l.prev(seq - 1) {
		if f.All() || l.match(seq, f) {
			return seq, true
		}
	}
	return 0, false
}

func (l *Log) match(seq uint64, f *subjects.Filter) bool { return f.Match([]byte(l.at(seq).subj.name)) }

// lowest is a bound below which no message matches; the largest number if none does.
func (l *Log) lowest(f *subjects.Filter) uint64 {
	if !f.Literal() {
		return 0
	}
	low := uint64(math.MaxUint64)
	for _, p := range f.Patterns() {
		if s := l.bySubj[p]; s != nil {
			low = min(low, s.First)
		}
	}
	return low
}

// highest is a bound above which no message matches.
func (l *Log) highest(f *subjects.Filter) (high uint64) {
	if !f.Literal() {
		return math.MaxUint64
	}
	for _, p := range f.Patterns() {
		if s := l.bySubj[p]; s != nil {
			high = max(high, s.Last)
		}
	}
	return high
}

// AtTime returns the first message that is not older than t.
func (l *Log) AtTime(t int64) (uint64, bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.state.Msgs == 0 {
		return 0, false
	}
	low, high := l.state.First, l.state.Last+1 // every message below low is older; none from high on is
	for low < high {
		mid := low + (high-low)/2
		seq, ok := l.next(mid)
		if ok && l.at(seq).time < t {
			low = seq + 1
		} else {
			high = mid
		}
	}
	return l.next(low)
}

// Subject returns what is known of a subject.
func (l *Log) Subject(s []byte) (stream.Totals, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if subj := l.bySubj[string(s)]; subj != nil {
		return subj.Totals, nil
	}
	return stream.Totals{}, nil
}

// Knows has nothing to read.
func (l *Log) Knows([]byte) error { return nil }

// Count counts messages.
func (l *Log) Count(f *subjects.Filter, from, upTo uint64) (n uint64) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if from <= l.state.First && upTo >= l.state.Last {
		if f.All() {
			return l.state.Msgs
		}
		for _, s := range l.bySubj {
			if f.Match([]byte(s.name)) {
				n += s.Msgs
			}
		}
		return n
	}
	for seq, ok := l.next(from); ok && seq <= upTo; seq, ok = l.next(seq + 1) {
		if f.All() || l.match(seq, f) {
			n++
		}
	}
	return n
}

// Subjects calls fn for subjects, sorted.
func (l *Log) Subjects(f *subjects.Filter, fn func(s []byte, t stream.Totals) bool) error {
	l.mu.RLock()
	found := make([]subject, 0, 16)
	for _, s := range l.bySubj {
		if f.Match([]byte(s.name)) {
			found = append(found, *s)
		}
	}
	l.mu.RUnlock()
	slices.SortFunc(found, func(a, b subject) int { return strings.Compare(a.name, b.name) })
	for _, s := range found {
		if !fn([]byte(s.name), s.Totals) {
			break
		}
	}
	return nil
}

// Holes calls fn for the gaps between the first and the last message.
func (l *Log) Holes(fn func(stream.Range) bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.state.Msgs == 0 {
		return
	}
	last, ok := l.state.First, true
	for {
		seq := uint64(0)
		if seq, ok = l.next(last + 1); !ok {
			break
		}
		if seq > last+1 && !fn(stream.Range{From: last + 1, To: seq - 1}) {
			return
		}
		last = seq
	}
	if last < l.state.Last {
		fn(stream.Range{From: last + 1, To: l.state.Last})
	}
}
