package memlog

import (
	"math"
	"sync"

	"github.com/nats-broker/nats-broker/daemon/stream"
)

// chunkSize is how many messages lie beside each other.
const chunkSize = 256

// Log keeps messages in chunks by sequence; those of one subject are chained. What is stored is copied.
type Log struct {
	size func(subject, header, payload int) uint64

	mu     sync.RWMutex
	commit uint64
	state  stream.State
	chunks []*chunk // a window of sequences: chunk i begins with base + i*chunkSize
	base   uint64
	bySubj map[string]*subject
}

// chunk is a piece of the log; without messages it is nil.
type chunk struct {
	slots [chunkSize]slot
	live  int
}

// slot is a message; body is nil where there is none.
type slot struct {
	body       []byte // header and payload; never nil for a message
	header     int
	time       int64
	subj       *subject
	prev, next uint64 // of the same subject; 0: none
}

// subject is a subject with messages.
type subject struct {
	name string
	stream.Totals
}

var _ stream.Log = (*Log)(nil)

// New returns an empty log, in which a message counts as in nats-server's memory streams.
func New() *Log { return NewSized(func(s, h, p int) uint64 { return uint64(s + h + p + 16) }) }

// NewSized is New with other sizes.
func NewSized(size func(subject, header, payload int) uint64) *Log {
	return &Log{size: size, bySubj: make(map[string]*subject)}
}

// Begin notes the number of the commit.
func (l *Log) Begin(n uint64) { l.commit = n }

// Durable is the largest number: there is nothing to be brought to a disk.
func (l *Log) Durable() uint64 { return math.MaxUint64 }

// Sync does nothing.
func (l *Log) Sync() error { return nil }

// Close does nothing.
func (l *Log) Close() error { return nil }

// Destroy forgets everything.
func (l *Log) Destroy() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.chunks, l.bySubj, l.state = nil, make(map[string]*subject), stream.State{}
	return nil
}

// Size is what a message counts for.
func (l *Log) Size(subject, header, payload int) uint64 { return l.size(subject, header, payload) }

// State returns what the log holds.
func (l *Log) State() stream.State {
	l.mu.RLock()
	defer l.mu.RUnlock()
	st := l.state
	st.Subjects = len(l.bySubj)
	return st
}

// Bounds returns the first and the last sequence of what State returns.
func (l *Log) Bounds() (first, last uint64) {
	l.mu.RLock()
	first, last = l.state.First, l.state.Last
	l.mu.RUnlock()
	return first, last
}

// Lost is empty.
func (l *Log) Lost() []stream.Range { return nil }

// at returns the slot of a sequence; nil: there is no message.
func (l *Log) at(seq uint64) *slot {
	if seq < l.base {
		return nil
	}
	i := (seq - l.base) / chunkSize
	if i >= uint64(len(l.chunks)) || l.chunks[i] == nil {
		return nil
	}
	s := &l.chunks[i].slots[(seq-l.base)%chunkSize]
	if s.body == nil {
		return nil
	}
	return s
}

// Refilled says what the log was when its messages were taken from another one and appended to this one: sequences that were given
// to messages which are there no more are not given again.
func (l *Log) Refilled(last uint64, lastTime int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	st := &l.state
	st.LastTime = lastTime
	if last > st.Last {
		st.Last = last
	}
	if st.Msgs == 0 && last > 0 {
		st.First = st.Last + 1
	}
}
