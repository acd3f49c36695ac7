package consumer

// push is the one subject that a machine delivers to, as long as somebody listens there.
type push struct {
	m    *Machine
	beat int64 // when the next heartbeat is due
	gone int64 // since when nobody listens, 0 while somebody does

	window int    // bytes that may be under way; 0: no flow control
	sent   int    // bytes sent since the last answer
	asked  string // reply subject of the flow control message that is not answered
	upTo   int    // of sent, what that answer will cover
}

const (
	firstWindow   = 2 << 20
	largestWindow = 32 << 20
)

func newPush(m *Machine) *push {
	p := &push{m: m, beat: never}
	if m.cfg.FlowControl {
		p.window = firstWindow
	}
	if m.cfg.Heartbeat > 0 {
		p.beat = after(m.active, m.cfg.Heartbeat)
	}
	return p
}

func (p *push) heard() bool { return p.m.world.Bound(p.m.cfg.Subject, p.m.cfg.Group) }

func (p *push) ready(now int64) bool {
	if !p.look(now) {
		return false
	}
	return p.window == 0 || p.sent <= p.window
}

// look follows who listens.
func (p *push) look(now int64) bool {
	if p.heard() {
		p.gone = 0
		return true
	}
	if p.gone == 0 {
		p.gone = now
		p.m.active = now
	}
	return false
}

func (p *push) take(int, int64) (to, pin string, ok bool) { return p.m.cfg.Subject, "", true }

func (p *push) gave(size int, now int64) {
	if p.m.cfg.Heartbeat > 0 {
		p.beat = after(now, p.m.cfg.Heartbeat)
	}
	if p.window == 0 {
		return
	}
	p.sent += size
	full := p.m.cfg.Ack == AckFlow && p.m.full()
	switch {
	case p.asked == "" && (p.sent > p.window/2 || full):
		p.ask()
	case p.asked != "" && p.sent-p.upTo >= p.window:
		p.upTo += size
	}
}

// ask sends a flow control message.
func (p *push) ask() {
	p.asked, p.upTo = p.m.cfg.FlowPrefix+p.m.world.NewID(), p.sent
	p.m.say(Status{To: p.m.cfg.Subject, Reply: p.asked, Line: "100 FlowControl Request"})
}

// Answered takes the answer to a flow control message, which came on a subject. Of a
// consumer that acks by it, consumer and stream are what the answer says was received.
func (m *Machine) Answered(subject string, stream, consumer uint64, now int64) {
	p, ok := m.taker.(*push)
	if !ok || p.asked == "" || subject != p.asked {
		return
	}
	p.window = min(p.window*2, largestWindow)
	p.sent = max(p.sent-p.upTo, 0)
	p.asked, p.upTo = "", 0
	if m.cfg.Ack == AckFlow && stream > 0 {
		m.Ack(Told{Stream: stream, Consumer: consumer, Times: 1}, now)
	}
}

func (p *push) idle(now int64, _ bool) {
	if !p.look(now) || p.beat > now {
		if p.beat <= now {
			p.beat = after(now, p.m.cfg.Heartbeat)
		}
		return
	}
	s := p.m.heartbeat(p.m.cfg.Subject)
	s.Stalled = p.asked
	p.m.say(s)
	p.beat = after(now, p.m.cfg.Heartbeat)
	if p.m.cfg.Ack == AckFlow && p.m.pending.live > 0 && p.asked == "" {
		p.ask()
	}
}

func (p *push) busy() bool { return p.gone == 0 }

func (p *push) deadline() int64 { return p.beat }

// Bound reports whether somebody listens where a consumer pushes to.
func (m *Machine) Bound() bool {
	p, ok := m.taker.(*push)
	return ok && p.heard()
}
