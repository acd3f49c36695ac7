package consumer

// taker is who receives what a machine delivers: requests that wait, or one subject.
type taker interface {
	// ready reports whether somebody may take a message.
	ready(now int64) bool
	// take chooses who receives a message of a size.
	take(size int, now int64) (to, pin string, ok bool)
	// gave says that the one chosen was given it.
	gave(size int, now int64)
	// idle says that there is nothing to deliver; end, that nothing more matches.
	idle(now int64, end bool)
	// busy reports whether the consumer is in use, which keeps it from ending by itself.
	busy() bool
	deadline() int64
}

func newTaker(m *Machine) taker {
	if m.cfg.push() {
		_, last := m.world.Bounds()
		m.held.upTo = last
		return newPush(m)
	}
	return &pull{m: m}
}

// Deadline is when the machine must be asked again at the latest, if nothing happens before.
func (m *Machine) Deadline() int64 {
	d := min(m.due, m.taker.deadline())
	if m.held.until > 0 && m.held.seq != 0 {
		d = min(d, m.held.until)
	}
	if m.cfg.PausedUntil > 0 {
		d = min(d, m.cfg.PausedUntil)
	}
	if m.cfg.Inactive > 0 && !m.taker.busy() {
		d = min(d, after(m.active, m.cfg.Inactive))
	}
	return d
}

// Tick does what time asks for: waits that are over, heartbeats. It reports whether the
// consumer has not been used for so long that it ends.
func (m *Machine) Tick(now int64) (ended bool) {
	m.now = now
	if m.cfg.PausedUntil > 0 && m.cfg.PausedUntil <= now {
		m.cfg.PausedUntil = 0
	}
	m.truncated()
	m.expire(now)
	m.taker.idle(now, false)
	if m.cfg.Inactive == 0 || m.taker.busy() || now < after(m.active, m.cfg.Inactive) {
		return false
	}
	if m.cfg.Subject == "" && m.pending.live > m.pending.lined && m.due != never { // somebody is at work; where it is pushed to, nobody is
		m.active = min(m.due, now)
		return false
	}
	return true
}
