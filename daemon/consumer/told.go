package consumer

import "strconv"

// Status is a message without content to somebody who waits.
type Status struct {
	To    string
	Reply string
	Line  string // "408 Request Timeout"

	// Nats-Pending-Messages and -Bytes: what a request has left, if Left.
	Left        bool
	Msgs, Bytes int

	// Nats-Last-Consumer and -Stream of a heartbeat, if Last; Stalled is Nats-Consumer-Stalled.
	Last                     bool
	LastConsumer, LastStream uint64
	Stalled                  string
}

// NoticeKind says what is told of.
type NoticeKind uint8

const (
	NoticeNak        NoticeKind = iota
	NoticeTerminated            // by a client, or since the message went
	NoticeMaxDeliver
	NoticeAck // a sampled ack
	NoticePinned
	NoticeUnpinned
	NoticeUnreadable // stepped over
)

// Notice is something that advisories and metrics tell of.
type Notice struct {
	Kind             NoticeKind
	Stream, Consumer uint64
	Times            int
	Reason           string
	After            int64 // from delivery to ack
	Group, Pin       string
}

// Statuses returns what is to be sent, in order, and forgets it. The slice is valid until the
// machine is used again.
func (m *Machine) Statuses() []Status {
	s := m.statuses
	m.statuses = m.statuses[:0]
	return s
}

// Notices returns what is to be told, in order, and forgets it. The slice is valid until the
// machine is used again.
func (m *Machine) Notices() []Notice {
	n := m.notices
	m.notices = m.notices[:0]
	return n
}

func (m *Machine) say(s Status) { m.statuses = append(m.statuses, s) }

// reply makes the reply subject of a delivery.
func (m *Machine) reply(w Want, num uint64, stored int64, pending uint64) []byte {
	b := append(m.text[:0], m.cfg.AckPrefix...)
	b = append(strconv.AppendInt(b, int64(w.Times), 10), '.')
	b = append(append(b, m.numbers.seq.text(w.Seq)...), '.')
	b = append(append(b, m.numbers.num.text(num)...), '.')
	if stored >= 0 {
		b = append(b, m.numbers.stored.text(uint64(stored))...)
	} else {
		b = strconv.AppendInt(b, stored, 10)
	}
	b = append(append(b, '.'), m.numbers.pending.text(pending)...)
	m.text = b
	return b
}
