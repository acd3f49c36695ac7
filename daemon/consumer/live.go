package consumer

// Live is what a machine knows of this moment, beside its state and the requests that wait ([Machine.Waiting]): for a process
// that goes on right where this one ends. Times are as everywhere in this package.
type Live struct {
	Active                   int64  // when the consumer was used last
	DeliveredTime, FloorTime int64  // Position.Time of both
	Passed                   uint64 // through it was looked for what matches

	// Of the client that a pull consumer is pinned to.
	Pin, PinGroup   string
	Pinned, PinEnds int64

	// Of flow control.
	Window, Sent, Covered int
	Asked                 string // the reply subject of the message that is not answered

	// Of a consumer with a rate, or that replays at the pace of storing.
	Rate HeldBack
}

// HeldBack is what keeps messages back until their time has come.
type HeldBack struct {
	Seq          uint64
	Until        int64
	Room, Filled int64
	Last         int64
	UpTo         uint64
}

// Live returns it.
func (m *Machine) Live() Live {
	h := &m.held
	l := Live{Active: m.active, DeliveredTime: m.delivered.Time, FloorTime: m.floor.Time, Passed: m.looked,
		Rate: HeldBack{h.seq, h.until, int64(h.room), h.filled, h.last, h.upTo}}
	switch p := m.taker.(type) {
	case *pull:
		l.Pin, l.PinGroup, l.Pinned, l.PinEnds = p.pin, p.group, p.pinned, p.pinEnds
	case *push:
		l.Window, l.Sent, l.Covered, l.Asked = p.window, p.sent, p.upTo, p.asked
	}
	return l
}

// Relive has a machine that was made from its state go on as the one before it. Numbers that cannot be are levelled.
func (m *Machine) Relive(l Live, now int64) {
	m.active = min(l.Active, now)
	m.delivered.Time, m.floor.Time = l.DeliveredTime, l.FloorTime
	_, last := m.world.Bounds()
	m.looked = min(l.Passed, last)
	r := &l.Rate
	m.held = hold{r.Seq, r.Until, float64(r.Room), min(r.Filled, now), r.Last, r.UpTo}
	switch p := m.taker.(type) {
	case *pull:
		if m.cfg.Priority == PolicyPinned {
			p.pin, p.group, p.pinned, p.pinEnds = l.Pin, l.PinGroup, l.Pinned, min(l.PinEnds, after(now, m.cfg.PinnedTime))
		}
	case *push:
		if p.window > 0 && l.Window > 0 {
			p.window = min(l.Window, largestWindow)
			p.sent, p.asked, p.upTo = max(l.Sent, 0), l.Asked, max(l.Covered, 0)
		}
	}
}
