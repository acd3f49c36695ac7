package consumer

// Removed says that a message behind the first one was taken out of the stream, as the n-th of
// [World.Removals]; it is told in order. subject may be nil if it is not known.
func (m *Machine) Removed(seq, n uint64, subject []byte) {
	if at, ok := m.pending.find(seq); ok {
		m.terminate(m.pending.get(at), deletedReason)
	}
	m.unspend(seq)
	delete(m.ahead, seq)
	switch {
	case len(m.listed) > 0 && seq < m.next:
		for i, s := range m.listed {
			if s == seq {
				m.listed = append(m.listed[:i:i], m.listed[i+1:]...)
				break
			}
		}
	case seq < m.next || !m.matches.known || seq > m.matches.upTo:
	case m.filter.All():
		m.matches.removed(seq, n)
	case subject == nil:
		m.matches.forget()
	case m.filter.Match(subject):
		m.matches.removed(seq, n)
	}
}

// unspend forgets that a message was delivered as often as allowed.
func (m *Machine) unspend(seq uint64) {
	if m.spent.remove(seq) {
		m.record(change{op: opAck, seq: seq})
	}
}

// Purged says that messages were taken out by a purge: all below a sequence if it was of all
// subjects, otherwise some that match what this consumer asks for.
func (m *Machine) Purged(below uint64, all bool) {
	m.matches.forget()
	if all {
		m.purgeBelow(below)
	} else {
		m.purgeSome()
	}
	if m.dropped { // what was pending counts as acknowledged
		m.floor.Time, m.dropped = m.now, false
	}
}

// purgeSome forgets what is there no more.
func (m *Machine) purgeSome() {
	m.purgePending()
	for seq := range m.spent.times {
		if !m.there(seq) {
			m.unspend(seq)
		}
	}
	listed := m.listed[:0:0]
	for _, seq := range m.listed {
		if m.there(seq) {
			listed = append(listed, seq)
		}
	}
	m.listed = listed
}

func (m *Machine) there(seq uint64) bool {
	s, ok := m.world.Next(seq, nil)
	return ok && s == seq
}

// purgePending takes out of what is pending the messages that are there no more.
func (m *Machine) purgePending() {
	var gone []delivery
	m.pending.each(func(d delivery) bool {
		if !m.there(d.seq) {
			gone = append(gone, d)
		}
		return true
	})
	for _, d := range gone {
		m.dropped = true
		m.settle(d)
		m.record(change{op: opAck, seq: d.seq, num: d.num})
	}
}

func (m *Machine) purgeBelow(seq uint64) {
	if seq == 0 {
		return
	}
	m.dropBelow(seq)
	m.record(change{op: opPurge, seq: seq})
}

// dropBelow forgets everything below a sequence: it is not pending, not to be delivered, and
// the floor is not below it.
func (m *Machine) dropBelow(seq uint64) {
	if seq == 0 {
		return
	}
	var num uint64
	m.pending.removeThrough(seq-1, func(d delivery) { num, m.dropped = max(num, d.num), true })
	m.spent.dropBelow(seq)
	for s := range m.ahead {
		if s < seq {
			delete(m.ahead, s)
		}
	}
	for len(m.listed) > 0 && m.listed[0] < seq {
		m.listed = m.listed[1:]
	}
	if m.next < seq {
		m.next = seq
		m.matches.forget()
	}
	if m.next == seq { // also if the stream's first sequence had brought it here before
		m.delivered.Stream = max(m.delivered.Stream, seq-1)
	}
	if m.floor.Stream < seq-1 {
		m.floor.Stream = seq - 1
		m.floor.Consumer = max(m.floor.Consumer, num)
	}
	if m.pending.live == 0 {
		m.floor.Consumer = m.delivered.Consumer
		m.floor.Stream = max(m.floor.Stream, m.delivered.Stream)
	}
}

// restart begins anew at a sequence, with nothing delivered.
func (m *Machine) restart(seq uint64) {
	m.pending.clear()
	m.line.clear()
	m.spent, m.ahead, m.due = spent{}, nil, never
	m.listed, m.relist, m.kept, m.looked = nil, 0, 0, 0
	m.next, m.num = max(seq, 1), 0
	m.delivered = Position{Stream: m.next - 1}
	m.floor = m.delivered
	m.matches.forget()
	m.held = hold{upTo: m.held.upTo}
	m.stalled = false
}

// ResetError says why a consumer does not go back to a sequence.
type ResetError string

func (e ResetError) Error() string { return string(e) }

// Reset begins again at a sequence, or behind the floor of acks if seq is 0, and returns
// where.
func (m *Machine) Reset(seq uint64) (uint64, error) {
	switch {
	case seq == 0:
		seq = m.floor.Stream + 1
	case m.cfg.Start == StartAll:
	case m.cfg.Start == StartSequence:
		if seq < m.cfg.StartSeq {
			return 0, ResetError("below start seq")
		}
	case m.cfg.Start == StartTime:
		first, ok := m.world.AtTime(m.cfg.StartTime)
		if !ok { // it begins with what is stored from now on
			_, last := m.world.Bounds()
			first = last + 1
		}
		if seq < first {
			return 0, ResetError("below start time")
		}
	default:
		return 0, ResetError("not allowed")
	}
	listing := m.cfg.Start == StartLastPerSubject
	if listing { // before anything changes
		if _, err := m.world.LastPerSubject(m.filter); err != nil {
			return 0, err
		}
	}
	m.restart(seq)
	if listing {
		m.trouble = m.list(seq)
	}
	m.began(opReset)
	m.reserve()
	return seq, nil
}

// Update changes what the machine works by: everything that may be changed in a consumer that
// exists. Where it begins does not.
func (m *Machine) Update(cfg Config, now int64) {
	old := m.cfg
	cfg.PausedUntil = max(cfg.PausedUntil, 0)
	if cfg.PausedUntil != old.PausedUntil {
		m.record(change{op: opPause, at: cfg.PausedUntil})
	}
	m.cfg = cfg
	m.filter = cfg.filter()
	m.matches.forget()
	m.pending.later()
	if m.pending.live > m.pending.lined {
		m.due = 0
	}
	if p, ok := m.taker.(*pull); ok {
		p.updated()
	}
	if p, ok := m.taker.(*push); ok && cfg.push() {
		p.beat = never
		if cfg.Heartbeat > 0 {
			p.beat = after(now, cfg.Heartbeat)
		}
		p.gone = 0
	}
}

// Pause stops deliveries until a time; 0, or one that has passed, goes on with them.
func (m *Machine) Pause(until, now int64) {
	if until <= now {
		until = 0
	}
	m.cfg.PausedUntil = until
	m.record(change{op: opPause, at: until})
}
