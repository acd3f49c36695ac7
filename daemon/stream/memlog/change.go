package memlog

import (
	"fmt"

	"github.com/nats-broker/nats-broker/daemon/stream"
)

// Append adds a copy of a message.
func (l *Log) Append(r *stream.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	st := &l.state
	if r.Seq <= st.Last {
		return fmt.Errorf("memlog: sequence %d is not above %d", r.Seq, st.Last)
	}
	if st.Msgs == 0 {
		l.chunks, l.base = nil, r.Seq
		st.First, st.FirstTime = r.Seq, r.Time
	}
	s := l.slot(r.Seq)
	s.body = append(append(make([]byte, 0, max(1, len(r.Header)+len(r.Payload))), r.Header...), r.Payload...)
	s.header, s.time = len(r.Header), r.Time
	l.link(s, r)
	st.Msgs++
	st.Bytes += l.size(len(r.Subject), len(r.Header), len(r.Payload))
	st.Last, st.LastTime = r.Seq, r.Time
	return nil
}

// slot makes room for a sequence.
func (l *Log) slot(seq uint64) *slot {
	i := int((seq - l.base) / chunkSize)
	for len(l.chunks) <= i {
		l.chunks = append(l.chunks, nil)
	}
	if l.chunks[i] == nil {
		l.chunks[i] = new(chunk)
	}
	l.chunks[i].live++
	return &l.chunks[i].slots[(seq-l.base)%chunkSize]
}

// link puts a message at the end of its subject's.
func (l *Log) link(s *slot, r *stream.Record) {
	subj := l.bySubj[string(r.Subject)]
	if subj == nil {
		subj = &subject{name: string(r.Subject), Totals: stream.Totals{First: r.Seq}}
		l.bySubj[subj.name] = subj
	} else {
		s.prev = subj.Last
		l.at(subj.Last).next = r.Seq
	}
	subj.Last, subj.Msgs = r.Seq, subj.Msgs+1
	s.subj = subj
}

// Remove takes one message out.
func (l *Log) Remove(seq uint64) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.remove(seq) {
		return false, nil
	}
	l.advance(seq)
	return true, nil
}

// remove takes a message out; the first sequence is not looked at.
func (l *Log) remove(seq uint64) bool {
	s := l.at(seq)
	if s == nil {
		return false
	}
	subj := s.subj
	if s.prev != 0 {
		l.at(s.prev).next = s.next
	} else {
		subj.First = s.next
	}
	if s.next != 0 {
		l.at(s.next).prev = s.prev
	} else {
		subj.Last = s.prev
	}
	if subj.Msgs--; subj.Msgs == 0 {
		delete(l.bySubj, subj.name)
	}
	l.state.Msgs--
	l.state.Bytes -= l.size(len(subj.name), s.header, len(s.body)-s.header)
	*s = slot{}
	i := (seq - l.base) / chunkSize
	if l.chunks[i].live--; l.chunks[i].live == 0 {
		l.chunks[i] = nil
	}
	return true
}

// advance finds the first message again after one at seq is gone.
func (l *Log) advance(seq uint64) {
	st := &l.state
	if st.Msgs == 0 {
		st.First, st.FirstTime = st.Last+1, 0
		l.chunks = nil
		return
	}
	if seq != st.First {
		return
	}
	st.First, _ = l.next(seq + 1)
	st.FirstTime = l.at(st.First).time
	l.release()
}

// release lets go of chunks below the first message.
func (l *Log) release() {
	if n := (l.state.First - l.base) / chunkSize; n > 0 {
		rest := l.chunks[n:]
		if len(rest) < len(l.chunks)/2 {
			rest = append([]*chunk(nil), rest...)
		}
		l.chunks, l.base = rest, l.base+n*chunkSize
	}
}

// Truncate takes out everything below first.
func (l *Log) Truncate(first uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	st := &l.state
	if first > st.Last {
		l.chunks, l.bySubj = nil, make(map[string]*subject)
		st.Msgs, st.Bytes, st.FirstTime = 0, 0, 0
		st.First, st.Last = first, first-1
		return nil
	}
	if st.Msgs == 0 || first <= st.First {
		return nil
	}
	for seq := st.First; seq < first; seq, _ = l.next(seq + 1) {
		l.remove(seq)
		if st.Msgs == 0 {
			break
		}
	}
	if st.Msgs == 0 {
		st.First, st.FirstTime, l.chunks = st.Last+1, 0, nil
		return nil
	}
	st.First, _ = l.next(first)
	st.FirstTime = l.at(st.First).time
	l.release()
	return nil
}

// Skip gives sequences away.
func (l *Log) Skip(last uint64) error { return l.Pass(last, 0) }

// Pass gives sequences away to messages that are not stored.
func (l *Log) Pass(last uint64, at int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if last <= l.state.Last {
		return nil
	}
	l.state.Last = last
	if at != 0 {
		l.state.LastTime = at
	}
	if l.state.Msgs == 0 {
		l.state.First = last + 1
	}
	return nil
}
