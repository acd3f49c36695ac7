package consumer

import (
	"fmt"
	"slices"
	"time"
)

// Info is what is told of a consumer.
type Info struct {
	Delivered, Floor Position
	AckPending       int
	Redelivered      int
	Waiting          int
	Pending          uint64
	Passed           uint64 // through this sequence it was looked for what matches
	Bound            bool
	PausedUntil      int64 // 0: not paused
	Idle             Idle
}

// Info returns what is told of the consumer at a time.
func (m *Machine) Info(now int64) Info {
	m.now = now
	m.truncated()
	m.expire(now)
	i := Info{
		Delivered: m.delivered, Floor: m.floor,
		AckPending: m.pending.live, Redelivered: m.pending.again + len(m.spent.times),
		Pending: m.NumPending(), Passed: m.looked, Bound: m.Bound(),
	}
	if m.cfg.MaxDeliver == 1 {
		i.Redelivered = 0
	}
	if m.paused(now) {
		i.PausedUntil = m.cfg.PausedUntil
	}
	if p, ok := m.taker.(*pull); ok {
		p.sweep(now, false)
		i.Waiting = len(p.waiting)
	}
	i.Idle = m.Why(now)
	return i
}

// Oldest returns the oldest delivery that is not acknowledged, and when it was delivered last; ok is false if there is none.
func (m *Machine) Oldest() (seq uint64, at int64, ok bool) {
	d, ok := m.pending.first()
	return d.seq, d.at, ok
}

// Reason is why a consumer delivers nothing.
type Reason string

const (
	NotIdle       Reason = ""
	IdlePaused    Reason = "paused"
	IdleNoOne     Reason = "no interest"
	IdleNoRequest Reason = "no waiting pull"
	IdleFlow      Reason = "waiting for flow control"
	IdleHeld      Reason = "held back by its rate"
	IdleFull      Reason = "max_ack_pending reached"
	IdleNothing   Reason = "no match"
	IdleOthers    Reason = "no waiting pull may take it"
)

// Idle is why a consumer delivers nothing, with the figure that belongs to it.
type Idle struct {
	Reason Reason
	After  uint64 // of IdleNothing: no message matches behind this sequence; of IdleOthers: the last that was looked at
	Oldest uint64 // of IdleFull: the message that is pending longest
	Until  int64  // of IdlePaused and IdleHeld
}

func (i Idle) String() string {
	switch i.Reason {
	case IdleNothing:
		return fmt.Sprintf("no match after sequence %d", i.After)
	case IdleFull:
		return fmt.Sprintf("max_ack_pending reached, the oldest pending is sequence %d", i.Oldest)
	case IdlePaused, IdleHeld:
		return string(i.Reason) + " until " + time.Unix(0, i.Until).UTC().Format(time.RFC3339Nano)
	}
	return string(i.Reason)
}

// Why returns why nothing is delivered at a time; NotIdle if something can be.
func (m *Machine) Why(now int64) Idle {
	switch p := m.taker.(type) {
	case *push:
		if !m.paused(now) && !p.heard() {
			return Idle{Reason: IdleNoOne}
		}
		if p.window > 0 && p.sent > p.window {
			return Idle{Reason: IdleFlow}
		}
	case *pull:
		if !m.paused(now) && len(p.waiting) == 0 {
			return Idle{Reason: IdleNoRequest}
		}
	}
	switch {
	case m.paused(now):
		return Idle{Reason: IdlePaused, Until: m.cfg.PausedUntil}
	case m.held.seq != 0 && m.held.until > now:
		return Idle{Reason: IdleHeld, Until: m.held.until}
	case m.pending.lined > 0:
		return m.whyOthers()
	case m.full():
		d, _ := m.pending.first()
		return Idle{Reason: IdleFull, Oldest: d.seq}
	case m.NumPending() == 0:
		_, last := m.world.Bounds()
		return Idle{Reason: IdleNothing, After: max(last, m.next-1)}
	}
	return m.whyOthers()
}

// whyOthers looks whether the policy lets nobody who waits take what there is.
func (m *Machine) whyOthers() Idle {
	p, ok := m.taker.(*pull)
	if !ok || slices.ContainsFunc(p.waiting, func(w *waiter) bool { mine, _ := p.mayTake(w); return mine }) {
		return Idle{}
	}
	_, last := m.world.Bounds()
	return Idle{Reason: IdleOthers, After: last}
}

// Pends reports whether a message is still waited for, or will be: it may not be taken out of
// a stream that keeps what somebody is interested in. matches says whether the consumer asks
// for its subject.
func (m *Machine) Pends(seq uint64, matches bool) bool {
	if !matches {
		return false
	}
	if m.spent.has(seq) {
		return true
	}
	if m.cfg.Ack != AckExplicit {
		return seq > m.floor.Stream
	}
	if _, ok := m.ahead[seq]; ok {
		return false
	}
	if seq >= m.start() {
		return true
	}
	_, ok := m.pending.find(seq)
	return ok
}
