package consumer

// Want is a message to be delivered.
type Want struct {
	Seq   uint64
	Times int // how often it will have been delivered then: 1 for the first time
}

// Delivery is how a message is sent.
type Delivery struct {
	To      string // subject
	Reply   []byte // reply subject; valid until the next call of Deliver
	Pin     string // header Nats-Pin-Id, if not empty
	Num     uint64 // consumer sequence
	Pending uint64 // messages that match and come after it
}

// Outcome is what [Machine.Deliver] decided.
type Outcome uint8

const (
	Sent    Outcome = iota // to be sent now
	Nobody                 // nobody takes it now; not before something happens
	Delayed                // not before [Machine.Deadline]
)

// Next returns the message to be delivered next, if there is one and somebody to take it.
func (m *Machine) Next(now int64) (Want, bool) {
	m.now = now
	last := m.truncated()
	m.expire(now)
	m.stalled = false
	if m.paused(now) || !m.taker.ready(now) || m.held.until > now {
		return Want{}, m.idle(now)
	}
	if w, ok := m.nextAgain(); ok {
		return w, true
	}
	if m.full() {
		m.stalled = true
		return Want{}, m.idle(now)
	}
	if seq, ok := m.nextNew(last); ok {
		return Want{seq, 1}, true
	}
	return Want{}, m.idle(now)
}

// idle lets those who wait know that nothing comes; it returns false.
func (m *Machine) idle(now int64) bool {
	if m.held.until <= now {
		m.taker.idle(now, !m.stalled)
	}
	return false
}

func (m *Machine) paused(now int64) bool { return m.cfg.PausedUntil > now }

// full reports whether max_ack_pending keeps new messages back.
func (m *Machine) full() bool {
	return m.cfg.MaxAckPending > 0 && m.cfg.Ack != AckNone && m.pending.live >= m.cfg.MaxAckPending
}

// nextAgain returns what is in line for delivery again.
func (m *Machine) nextAgain() (Want, bool) {
	for {
		seq, ok := m.line.peek()
		if !ok {
			return Want{}, false
		}
		at, ok := m.pending.find(seq)
		if !ok {
			m.line.pop()
			continue
		}
		d := m.pending.get(at)
		if !d.inLine {
			m.line.pop()
			continue
		}
		if m.cfg.MaxDeliver > 0 && d.times >= m.cfg.MaxDeliver {
			m.line.pop()
			m.spend(d)
			continue
		}
		return Want{seq, d.times + 1}, true
	}
}

// nextNew returns the next message that was not delivered yet, of those through last.
func (m *Machine) nextNew(last uint64) (uint64, bool) {
	if len(m.listed) > 0 {
		return m.listed[0], true
	}
	for m.next <= last {
		seq, ok := m.world.Next(m.next, m.filter)
		if !ok || seq > last {
			m.skipTo(last + 1)
			m.looked = last
			return 0, false
		}
		if _, acked := m.ahead[seq]; !acked {
			return seq, true
		}
		delete(m.ahead, seq)
		m.matches.taken(seq)
		m.skipTo(seq + 1)
	}
	return 0, false
}

// Deliver gives a message to somebody. size is what it counts for a request's bytes: subject,
// headers and payload; stored is when it was. With [Sent] the caller sends it, and then what
// [Machine.Statuses] returns.
func (m *Machine) Deliver(w Want, size int, stored, now int64) (Delivery, Outcome) {
	pending := m.NumPending()
	if w.Times == 1 && pending > 0 {
		pending--
	}
	d := Delivery{Num: m.num + 1, Pending: pending}
	d.Reply = m.reply(w, d.Num, stored, pending)
	size += len(d.Reply)
	if m.held.delay(m, w, size, stored, now) {
		return d, Delayed
	}
	to, pin, ok := m.taker.take(size, now)
	if !ok {
		m.taker.idle(now, true)
		return d, Nobody
	}
	d.To, d.Pin = to, pin
	m.given(w, now)
	m.taker.gave(size, now)
	return d, Sent
}

// given notes a delivery.
func (m *Machine) given(w Want, now int64) {
	m.num++
	m.reserve()
	m.active = now
	m.delivered.Consumer, m.delivered.Time = m.num, now
	if w.Times == 1 {
		m.delivered.Stream = w.Seq
		m.passed(w.Seq)
	}
	m.record(change{op: opDeliver, seq: w.Seq, num: m.num, times: w.Times, at: now})
	if m.cfg.Ack == AckNone {
		m.floor.Consumer, m.floor.Stream = m.num, w.Seq
		m.report(w.Seq)
		return
	}
	due := after(now, m.cfg.wait(w.Times))
	m.due = min(m.due, due)
	if at, ok := m.pending.find(w.Seq); ok {
		d := m.pending.get(at)
		d.at, d.times, d.inLine = now, w.Times, false
		m.pending.set(at, d, due)
		return
	}
	m.pending.add(delivery{seq: w.Seq, num: m.num, at: now, times: w.Times}, due)
}

// passed moves behind a message that was looked at for the first time.
func (m *Machine) passed(seq uint64) {
	if len(m.listed) > 0 {
		m.listed = m.listed[1:]
		if len(m.listed) == 0 {
			m.listed = nil
		}
		return
	}
	m.matches.taken(seq)
	m.skipTo(seq + 1)
}

// Missing says that the message wanted is not there any more.
func (m *Machine) Missing(w Want) {
	if at, ok := m.pending.find(w.Seq); ok {
		m.terminate(m.pending.get(at), deletedReason)
		return
	}
	m.matches.forget()
	if w.Times == 1 {
		m.passed(w.Seq)
		m.record(change{op: opSkip, seq: w.Seq})
	}
}

// Unreadable says that the message wanted is there and cannot be read. It is stepped over.
func (m *Machine) Unreadable(w Want) {
	m.notices = append(m.notices, Notice{Kind: NoticeUnreadable, Stream: w.Seq, Times: w.Times})
	if at, ok := m.pending.find(w.Seq); ok {
		m.spend(m.pending.get(at))
		return
	}
	m.passed(w.Seq)
	m.record(change{op: opSkip, seq: w.Seq})
}
