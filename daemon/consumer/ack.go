package consumer

// Reasons of notices of the machine's own.
const deletedReason = "Unacknowledged message was deleted"

// Told is what the reply subject of a delivery says, as it comes back with an ack.
type Told struct {
	Stream, Consumer uint64
	Times            int
}

// Ack takes an ack and reports whether whoever sent it may be answered: the answer leaves when
// the changes are committed. Acks of what was acked before, or never was pending, change
// nothing and are answered; those of what was never delivered are not.
func (m *Machine) Ack(t Told, now int64) (answer bool) {
	m.truncated()
	if m.cfg.Ack == AckNone || t.Stream == 0 {
		return false
	}
	if t.Stream >= m.start() && !m.known(t) {
		return m.ackForgotten(t)
	}
	if m.cfg.Ack != AckExplicit {
		m.ackThrough(t, now)
		return true
	}
	if at, ok := m.pending.find(t.Stream); ok {
		d := m.pending.get(at)
		m.sample(d, t, now)
		m.settle(d)
		m.report(d.seq)
		m.record(change{op: opAck, seq: d.seq, num: d.num})
	} else if m.spent.has(t.Stream) {
		m.unspend(t.Stream)
		m.report(t.Stream)
	}
	m.floor.Time = now
	return true
}

// known reports whether an ack is for a delivery that is pending though its sequence is not
// behind us: one from a list.
func (m *Machine) known(t Told) bool {
	_, ok := m.pending.find(t.Stream)
	return ok
}

// ackForgotten takes the ack of a delivery that was made and not written before the process
// ended: its number was reserved then. The message will not be delivered again.
func (m *Machine) ackForgotten(t Told) bool {
	_, last := m.world.Bounds()
	if m.cfg.Ack != AckExplicit || t.Stream > last || t.Consumer <= m.delivered.Consumer || t.Consumer > m.num ||
		len(m.listed) > 0 {
		return false
	}
	if m.ahead == nil {
		m.ahead = map[uint64]struct{}{}
	}
	m.ahead[t.Stream] = struct{}{}
	m.report(t.Stream)
	m.record(change{op: opAhead, seq: t.Stream})
	return true
}

// settle takes a delivery out of the table and moves the floor.
func (m *Machine) settle(d delivery) {
	first, _ := m.pending.first()
	at, ok := m.pending.find(d.seq)
	if !ok {
		return
	}
	m.pending.remove(at)
	m.moveFloor(first.seq == d.seq)
}

// moveFloor moves the floor of acks up to what is pending, if what went was at it.
func (m *Machine) moveFloor(wasFirst bool) {
	first, ok := m.pending.first()
	switch {
	case !ok:
		m.floor.Consumer, m.floor.Stream = m.delivered.Consumer, m.delivered.Stream
	case wasFirst:
		m.floor.Consumer, m.floor.Stream = first.num-1, first.seq-1
	}
}

// ackThrough takes an ack that counts for everything delivered up to it.
func (m *Machine) ackThrough(t Told, now int64) {
	if t.Consumer <= m.floor.Consumer || t.Stream <= m.floor.Stream {
		return
	}
	num := min(t.Consumer, m.num)
	if at, ok := m.pending.find(t.Stream); ok {
		d := m.pending.get(at)
		m.sample(d, t, now)
		num = d.num // of its first delivery, which those after it have not reached
	}
	m.throughFloor(t.Stream, num)
	m.floor.Time = now
	m.record(change{op: opAckAll, seq: t.Stream, num: num})
}

func (m *Machine) throughFloor(seq, num uint64) {
	m.pending.removeThrough(seq, func(d delivery) { m.report(d.seq) })
	for s, ok := m.spent.lowest(); ok && s <= seq; s, ok = m.spent.lowest() {
		m.spent.remove(s)
		m.report(s)
	}
	m.floor.Consumer, m.floor.Stream = num, seq
	if m.pending.live == 0 {
		m.floor.Consumer, m.floor.Stream = m.delivered.Consumer, m.delivered.Stream
	}
}

// Nak asks for delivery again, at once or after a delay.
func (m *Machine) Nak(t Told, delay int64, delayed bool, now int64) {
	m.truncated()
	at, ok := m.pending.find(t.Stream)
	if !ok || t.Consumer <= m.floor.Consumer || t.Consumer > m.num+1 {
		return
	}
	d := m.pending.get(at)
	m.notices = append(m.notices, Notice{Kind: NoticeNak, Stream: t.Stream, Consumer: t.Consumer, Times: t.Times})
	if !delayed {
		m.again(d)
		m.record(change{op: opLine, seq: d.seq})
		return
	}
	// It is as if it had been delivered so long ago that its wait ends after the delay.
	due := after(now, delay)
	d.at, d.inLine = due-m.cfg.wait(d.times), false
	m.pending.set(at, d, due)
	m.due = min(m.due, due)
	m.record(change{op: opMove, seq: d.seq, at: d.at})
}

// again puts a delivery in line.
func (m *Machine) again(d delivery) {
	if d.inLine {
		return
	}
	at, _ := m.pending.find(d.seq)
	d.inLine = true
	m.pending.set(at, d, never)
	m.line.push(d.seq)
}

// Progress lets the wait for an ack begin again.
func (m *Machine) Progress(t Told, now int64) {
	at, ok := m.pending.find(t.Stream)
	if !ok {
		return
	}
	d := m.pending.get(at)
	d.at = now
	m.pending.set(at, d, after(now, m.cfg.wait(d.times)))
	m.record(change{op: opMove, seq: d.seq, at: now})
}

// Term takes a message out as an ack does, and tells of it. It reports what Ack reports.
func (m *Machine) Term(t Told, reason string, now int64) (answer bool) {
	quiet := m.cfg.Sample
	m.cfg.Sample = 0
	answer = m.Ack(t, now)
	m.cfg.Sample = quiet
	m.notices = append(m.notices, Notice{Kind: NoticeTerminated, Stream: t.Stream, Consumer: t.Consumer, Times: t.Times, Reason: reason})
	return answer
}

// terminate takes out what is pending and has gone from the stream.
func (m *Machine) terminate(d delivery, reason string) {
	m.settle(d)
	m.floor.Time = m.now
	m.record(change{op: opAck, seq: d.seq, num: d.num})
	m.notices = append(m.notices, Notice{Kind: NoticeTerminated, Stream: d.seq, Consumer: d.num, Times: d.times, Reason: reason})
}

// spend ends a message that was delivered as often as allowed: it stays in the stream.
func (m *Machine) spend(d delivery) {
	m.settle(d)
	m.spent.add(d.seq, d.times)
	m.record(change{op: opSpend, seq: d.seq, num: d.num, times: d.times})
	m.notices = append(m.notices, Notice{Kind: NoticeMaxDeliver, Stream: d.seq, Consumer: d.num, Times: d.times})
}

// expire puts what was waited for long enough in line, or ends it.
func (m *Machine) expire(now int64) {
	if m.due > now || m.cfg.Ack == AckNone {
		return
	}
	m.pending.rebase(now)
	m.due = m.pending.dueAt(now, m.cfg.wait, func(d delivery) {
		if m.cfg.MaxDeliver > 0 && d.times >= m.cfg.MaxDeliver {
			m.spend(d)
			return
		}
		m.again(d)
	})
}

// sample tells of an ack, if it is one of those that are told of.
func (m *Machine) sample(d delivery, t Told, now int64) {
	if m.cfg.Sample <= 0 || m.cfg.Sample < 100 && int(t.Consumer*0x9E3779B97F4A7C15>>33%100) >= m.cfg.Sample {
		return
	}
	m.notices = append(m.notices, Notice{Kind: NoticeAck, Stream: d.seq, Consumer: t.Consumer, Times: t.Times, After: max(now-d.at, 1)})
}
