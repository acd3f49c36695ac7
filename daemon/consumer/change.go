package consumer

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// A change is what a step of a machine alters in what must outlive the process. In the log it
// is one byte, which says what it is and never means anything else, and numbers as varints.
type change struct {
	op       byte
	seq, num uint64
	times    int
	at       int64
}

const (
	opBegin   = 1  // seq: where it looks next; nothing is delivered
	opReserve = 2  // num: numbers through it may be given
	opDeliver = 3  // seq num times at
	opAck     = 4  // seq
	opAckAll  = 5  // seq num
	opMove    = 6  // seq at: the wait begins at another time
	opSpend   = 7  // seq times: delivered as often as allowed
	opSkip    = 8  // seq: not to be delivered
	opAhead   = 9  // seq: acknowledged, its delivery is forgotten
	opPurge   = 10 // seq: nothing before it is of interest
	opReset   = 11 // seq: everything begins again there
	opPause   = 12 // at: until then; 0 goes on
	opList    = 13 // seq num: it looks at seq next, after the last messages of subjects between num and seq
	opLine    = 14 // seq: it is to be delivered again as soon as may be
	opEnd     = 15 // seq: the stream ends there, and what was known of messages behind it is of others
)

// ErrChange is wrapped by the errors of [Machine.Apply] and [Machine.Restore].
var ErrChange = errors.New("consumer state unreadable")

func (m *Machine) record(c change) {
	b := append(m.changes, c.op)
	switch c.op {
	case opBegin, opAck, opSkip, opAhead, opPurge, opReset, opLine, opEnd:
		b = binary.AppendUvarint(b, c.seq)
	case opReserve:
		b = binary.AppendUvarint(b, c.num)
	case opDeliver:
		b = binary.AppendUvarint(b, c.seq)
		b = binary.AppendUvarint(b, c.num)
		b = binary.AppendUvarint(b, uint64(c.times))
		b = binary.AppendVarint(b, c.at)
	case opAckAll, opList:
		b = binary.AppendUvarint(binary.AppendUvarint(b, c.seq), c.num)
	case opMove:
		b = binary.AppendVarint(binary.AppendUvarint(b, c.seq), c.at)
	case opSpend:
		b = binary.AppendUvarint(binary.AppendUvarint(b, c.seq), uint64(c.times))
	case opPause:
		b = binary.AppendVarint(b, c.at)
	}
	m.changes = b
}

// Changes returns what has changed since it was asked last, for the stream's log, and forgets
// it. The slice is valid until the machine is used again. Everything that is said or delivered
// afterwards but numbers of deliveries, which are reserved ahead, may leave before it is written;
// answers to acks may not.
func (m *Machine) Changes() []byte {
	b := m.changes
	m.changes = m.changes[:0]
	return b
}

// largest is more than any number that a consumer counts to.
const largest = 1 << 62

// reader takes numbers from the front of a text.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || v > largest {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) int() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) change() change {
	c := change{op: r.b[0]}
	r.b = r.b[1:]
	switch c.op {
	case opBegin, opAck, opSkip, opAhead, opPurge, opReset, opLine, opEnd:
		c.seq = r.uint()
	case opReserve:
		c.num = r.uint()
	case opDeliver:
		c.seq, c.num, c.times, c.at = r.uint(), r.uint(), int(r.uint()&0xffff), r.int()
	case opAckAll, opList:
		c.seq, c.num = r.uint(), r.uint()
	case opMove:
		c.seq, c.at = r.uint(), r.int()
	case opSpend:
		c.seq, c.times = r.uint(), int(r.uint()&0xffff)
	case opPause:
		c.at = r.int()
	default:
		r.bad = true
	}
	if c.op == opDeliver && (c.seq == 0 || c.num == 0) {
		r.bad = true
	}
	return c
}

// Apply brings a machine that is read again up to date with changes from the log.
func (m *Machine) Apply(changes []byte) error {
	r := reader{b: changes}
	for len(r.b) > 0 {
		at := len(changes) - len(r.b)
		c := r.change()
		if r.bad {
			return fmt.Errorf("%w: change at byte %d", ErrChange, at)
		}
		m.apply(c)
	}
	m.changes, m.acked = m.changes[:0], m.acked[:0]
	m.matches.forget()
	return nil
}

func (m *Machine) apply(c change) {
	switch c.op {
	case opBegin, opReset:
		m.restart(c.seq)
	case opList:
		m.restart(c.seq)
		m.relist, m.delivered.Stream, m.floor.Stream = c.seq, c.num, c.num
	case opReserve:
		m.kept = max(m.kept, c.num)
	case opDeliver:
		m.applyDeliver(c)
	case opAck:
		m.spent.remove(c.seq)
		if at, ok := m.pending.find(c.seq); ok {
			m.settle(m.pending.get(at))
		}
	case opAckAll:
		m.throughFloor(c.seq, c.num)
	case opMove:
		if at, ok := m.pending.find(c.seq); ok {
			d := m.pending.get(at)
			d.at, d.inLine = c.at, false
			due := after(d.at, m.cfg.wait(d.times))
			m.pending.set(at, d, due)
			m.due = min(m.due, due)
		}
	case opLine:
		if at, ok := m.pending.find(c.seq); ok {
			m.again(m.pending.get(at))
		}
	case opSpend:
		if at, ok := m.pending.find(c.seq); ok {
			m.settle(m.pending.get(at))
		}
		m.spent.add(c.seq, c.times)
	case opSkip:
		m.skipped(c.seq)
	case opAhead:
		if m.ahead == nil {
			m.ahead = map[uint64]struct{}{}
		}
		m.ahead[c.seq] = struct{}{}
	case opPurge:
		m.dropBelow(c.seq)
	case opPause:
		m.cfg.PausedUntil = c.at
	case opEnd:
		m.dropBehind(c.seq)
	}
}

func (m *Machine) applyDeliver(c change) {
	m.num = max(m.num, c.num)
	m.delivered.Consumer = max(m.delivered.Consumer, c.num)
	delete(m.ahead, c.seq)
	if c.times <= 1 {
		m.delivered.Stream = max(m.delivered.Stream, c.seq)
		m.skipped(c.seq)
	}
	if m.cfg.Ack == AckNone {
		m.floor.Consumer, m.floor.Stream = m.num, m.delivered.Stream
		return
	}
	due := after(c.at, m.cfg.wait(c.times))
	m.due = min(m.due, due)
	if at, ok := m.pending.find(c.seq); ok {
		d := m.pending.get(at)
		d.at, d.times, d.inLine = c.at, c.times, false
		m.pending.set(at, d, due)
		return
	}
	if d, ok := m.pending.last(); ok && (d.seq >= c.seq || d.num >= c.num) {
		return // of a file that is damaged: the order is what the table stands on
	}
	m.pending.add(delivery{seq: c.seq, num: c.num, at: c.at, times: max(c.times, 1)}, due)
	m.delivered.Stream = max(m.delivered.Stream, c.seq)
	m.skipped(c.seq)
}

// skipped moves behind a sequence that a process before dealt with.
func (m *Machine) skipped(seq uint64) {
	for len(m.listed) > 0 && m.listed[0] <= seq {
		m.listed = m.listed[1:]
	}
	if len(m.listed) == 0 {
		m.listed = nil
		m.next = max(m.next, seq+1)
	}
}
