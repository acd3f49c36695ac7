package consumer

import (
	"slices"

	"github.com/nats-broker/nats-broker/daemon/subjects"
)

// Position is a message by both of its numbers.
type Position struct {
	Consumer uint64 // counts deliveries of this consumer, from 1
	Stream   uint64 // sequence in the stream
	Time     int64  // when it got there, 0 for never since the machine was made
}

// Machine is one consumer.
type Machine struct {
	cfg    Config
	filter *subjects.Filter
	world  World
	taker  taker

	next uint64 // no new message before this sequence is delivered
	num  uint64 // the number of the last delivery that was given, or reserved by a process before
	kept uint64 // numbers up to it are reserved in the log

	delivered, floor Position

	pending pending
	line    line
	dropped bool // something that was pending has gone with the stream's first messages
	spent   spent
	ahead   map[uint64]struct{} // acknowledged, their delivery was forgotten: sequences at or after next

	listed []uint64 // what is delivered one by one before messages from next on; last per subject
	relist uint64   // while the log is read: a list was made of what is below it

	matches counter
	due     int64 // when an ack wait is over next
	held    hold

	looked  uint64 // through this sequence nothing more matched when it was looked last
	now     int64  // when it was looked at last
	active  int64  // when it was used last
	stalled bool   // the last look found max_ack_pending reached

	reports bool
	acked   []uint64 // since it was asked last

	trouble error // of the world, while the list was made

	statuses []Status
	notices  []Notice
	changes  []byte
	text     []byte // of reply subjects
	numbers  struct{ seq, num, stored, pending decimal }
}

// New returns a machine that begins where its configuration says. Like all changes, where it
// begins is among [Machine.Changes]. See [Machine.Trouble].
func New(cfg Config, w World, now int64) *Machine {
	m := empty(cfg, w, now)
	m.begin()
	m.reserve()
	return m
}

// Reopen returns a machine without a state, for [Machine.Restore] and [Machine.Apply].
func Reopen(cfg Config, w World, now int64) *Machine { return empty(cfg, w, now) }

func empty(cfg Config, w World, now int64) *Machine {
	m := &Machine{cfg: cfg, filter: cfg.filter(), world: w, due: never, now: now, active: now, next: 1}
	m.pending.scale(now, cfg.longest())
	m.taker = newTaker(m)
	return m
}

// Bytes returns about how much memory the machine's window takes.
func (m *Machine) Bytes() int64 {
	return m.pending.bytes() + int64(len(m.spent.times)+len(m.ahead))*mapped + int64(cap(m.spent.heap)+cap(m.listed))*8
}

// Trouble returns what kept the machine from learning where to begin. One that has an error is not used.
func (m *Machine) Trouble() error { return m.trouble }

// Config returns what the machine works by. It must not be changed.
func (m *Machine) Config() *Config { return &m.cfg }

// begin chooses where to start.
func (m *Machine) begin() {
	first, last := m.world.Bounds()
	m.listed = nil
	switch m.cfg.Start {
	case StartAll:
		m.next = first
	case StartLast:
		m.next = last + 1
		if seq, ok := m.world.Prev(last, m.filter); ok {
			m.next = seq
		} else {
			m.next = first
		}
	case StartNew:
		m.next = last + 1
	case StartSequence:
		m.next = m.cfg.StartSeq
	case StartTime:
		m.next = last + 1
		if seq, ok := m.world.AtTime(m.cfg.StartTime); ok {
			m.next = seq
		}
	case StartLastPerSubject:
		if m.trouble = m.list(0); m.trouble == nil && len(m.listed) == 0 {
			m.next = last
		}
	}
	if m.cfg.Start != StartSequence {
		m.next = min(m.next, last+1)
	}
	m.next = max(m.next, first, 1)
	m.began(opBegin)
}

// began notes where the machine begins.
func (m *Machine) began(op byte) {
	m.delivered = Position{Stream: m.start() - 1}
	m.floor = m.delivered
	m.matches.forget()
	if m.cfg.Start == StartLastPerSubject {
		m.record(change{op: opList, seq: m.next, num: m.delivered.Stream})
		return
	}
	m.record(change{op: op, seq: m.next})
}

// list takes down the last messages of the subjects, those from a sequence on. After an error nothing has changed.
func (m *Machine) list(from uint64) error {
	_, last := m.world.Bounds()
	all, err := m.world.LastPerSubject(m.filter)
	if err != nil {
		return err
	}
	m.listed = m.listed[:0]
	for _, seq := range all {
		if seq >= from {
			m.listed = append(m.listed, seq)
		}
	}
	m.next = last + 1
	if len(m.listed) == 0 {
		m.listed = nil
	}
	return nil
}

// start is the sequence that is looked at next.
func (m *Machine) start() uint64 {
	if len(m.listed) > 0 {
		return m.listed[0]
	}
	return max(m.next, 1)
}

// reserve asks for numbers of deliveries ahead: none is ever given twice, also if what was
// delivered is forgotten.
func (m *Machine) reserve() {
	const ahead = 4096
	if m.kept < m.num+ahead/2 {
		m.kept = m.num + ahead
		m.record(change{op: opReserve, num: m.kept})
	}
}

// truncated follows the stream's first sequence: what went with it is not pending any more. It returns the last one.
func (m *Machine) truncated() (last uint64) {
	first, last := m.world.Bounds()
	if first <= 1 {
		return last
	}
	if d, ok := m.pending.first(); ok && d.seq < first {
		m.dropBelow(first)
	}
	m.spent.dropBelow(first)
	if m.next < first {
		m.next = first
		m.matches.forget()
	}
	for len(m.listed) > 0 && m.listed[0] < first {
		m.listed = m.listed[1:]
	}
	return last
}

// NumPending is how many messages match and were not delivered yet.
func (m *Machine) NumPending() uint64 {
	last := m.truncated()
	n := m.matches.count(m, last) + uint64(len(m.listed))
	return n - min(n, uint64(len(m.ahead)))
}

// counter knows how many messages match from the machine's next sequence through upTo, so
// that only what is new has to be counted.
type counter struct {
	known bool
	n     uint64
	upTo  uint64
	spans []span
}

// span says of sequences, those behind the span before, how many removals they were counted
// after: word of a removal comes later, and must not be counted again.
type span struct{ upTo, removals uint64 }

const mostSpans = 64

func (c *counter) forget() { c.known = false }

// counted notes that everything up to upTo is counted by now.
func (c *counter) counted(upTo uint64, m *Machine) {
	c.upTo = upTo
	at := m.world.Removals()
	if n := len(c.spans); n > 0 && c.spans[n-1].removals == at {
		c.spans[n-1].upTo = upTo
		return
	}
	gone := 0
	for gone < len(c.spans) && c.spans[gone].upTo < m.next {
		gone++
	}
	c.spans = append(slices.Delete(c.spans, 0, gone), span{upTo, at})
}

// removed takes in word of the n-th removal, of a message that matched. It comes in order.
func (c *counter) removed(seq, n uint64) {
	for _, s := range c.spans {
		if seq <= s.upTo {
			if s.removals < n && c.n > 0 {
				c.n--
			}
			break
		}
	}
	old := 0
	for old+1 < len(c.spans) && c.spans[old+1].removals <= n {
		old++
	}
	c.spans = slices.Delete(c.spans, 0, old)
}

func (c *counter) count(m *Machine, last uint64) uint64 {
	switch {
	case !c.known || last > c.upTo && len(c.spans) >= mostSpans:
		c.n, c.spans = 0, c.spans[:0]
		if m.next <= last {
			c.n = m.world.Count(m.filter, m.next, last)
		}
		c.known = true
		c.counted(max(last, m.next-1), m)
	case last > c.upTo:
		c.n += m.world.Count(m.filter, c.upTo+1, last)
		c.counted(last, m)
	}
	return c.n
}

// taken says that the message with a sequence, the first that matched, was delivered.
func (c *counter) taken(seq uint64) {
	if c.known && seq <= c.upTo && c.n > 0 {
		c.n--
	}
}

// skipTo moves to a sequence before which nothing matches.
func (m *Machine) skipTo(next uint64) {
	m.next = next
	m.matches.upTo = max(m.matches.upTo, next-1)
}
