package consumer

import (
	"fmt"
	"slices"
	"time"
)

// Request is what somebody asks a consumer for.
type Request struct {
	Batch     int
	MaxBytes  int
	Expires   int64 // from now on; 0 for never
	NoWait    bool
	Heartbeat int64

	Group         string
	MinPending    int64
	MinAckPending int64
	Priority      int
	ID            string
	Plain         bool // it names no group, and need not

	Delivered int // so far: of one that is carried into another process
}

// pull is the requests that wait for messages.
type pull struct {
	m       *Machine
	waiting []*waiter // the next to be served first
	chosen  *waiter
	pin     string
	group   string // in which it is pinned
	pinned  int64  // since
	pinEnds int64
}

type waiter struct {
	Request
	to      string
	expires int64 // never: never
	beat    int64 // when the next heartbeat is due
}

// Request takes a request for messages, whose reply subject is to.
func (m *Machine) Request(to string, r Request, now int64) {
	p, ok := m.taker.(*pull)
	if !ok {
		m.say(Status{To: to, Line: "409 Consumer is push based"})
		return
	}
	m.truncated()
	m.expire(now)
	if line := p.refuse(&r, now); line != "" {
		m.say(Status{To: to, Line: line})
		return
	}
	if r.NoWait && !p.noWait(to, &r, now) {
		return
	}
	w := &waiter{Request: r, to: to, expires: never, beat: never}
	if r.Expires != 0 { // one below 0 is over at once
		w.expires = after(now, r.Expires)
	}
	if r.Heartbeat > 0 {
		w.beat = after(now, r.Heartbeat)
	}
	if m.cfg.MaxWaiting > 0 && len(p.waiting) >= m.cfg.MaxWaiting {
		p.sweep(now, false)
	}
	if m.cfg.MaxWaiting > 0 && len(p.waiting) >= m.cfg.MaxWaiting {
		if r.Heartbeat == 0 { // one that expects heartbeats finds out by itself
			m.say(Status{To: to, Line: "409 Exceeded MaxWaiting"})
		}
		return
	}
	m.active = now
	p.add(w)
}

// add puts a waiter behind those of its priority.
func (p *pull) add(w *waiter) {
	if p.m.cfg.Priority != PolicyPrioritized {
		p.waiting = append(p.waiting, w)
		return
	}
	i := len(p.waiting)
	for i > 0 && p.waiting[i-1].Priority > w.Priority {
		i--
	}
	p.waiting = slices.Insert(p.waiting, i, w)
}

// refuse returns the status of a request that is not taken.
func (p *pull) refuse(r *Request, now int64) string {
	c := &p.m.cfg
	switch {
	case c.MaxRequestBatch > 0 && r.Batch > c.MaxRequestBatch:
		return fmt.Sprintf("409 Exceeded MaxRequestBatch of %d", c.MaxRequestBatch)
	case c.MaxRequestTime > 0 && r.Expires > c.MaxRequestTime:
		return fmt.Sprintf("409 Exceeded MaxRequestExpires of %v", time.Duration(c.MaxRequestTime))
	case c.MaxRequestBytes > 0 && r.MaxBytes > c.MaxRequestBytes:
		return fmt.Sprintf("409 Exceeded MaxRequestMaxBytes of %v", c.MaxRequestBytes)
	case (r.MinPending != 0 || r.MinAckPending != 0) && c.Priority != PolicyOverflow:
		return "400 Bad Request - Not a Overflow Priority consumer"
	case r.ID != "" && c.Priority != PolicyPinned:
		return "400 Bad Request - Not a Pinned Client Priority consumer"
	case r.Priority < 0 || r.Priority > 9:
		return "400 Bad Request - Priority must be between 0 and 9"
	case c.Priority == PolicyNone, r.Plain:
		return ""
	case r.Group == "":
		return "400 Bad Request - Priority Group missing"
	case !slices.Contains(c.Groups, r.Group):
		return "400 Bad Request - Invalid Priority Group"
	case p.pin == "":
		return ""
	case r.ID == p.pin:
		p.pinEnds = after(now, c.PinnedTime)
	case r.ID != "":
		return "423 Nats-Pin-Id mismatch"
	}
	return ""
}

// noWait reports whether a request that does not want to wait may be kept for a look.
func (p *pull) noWait(to string, r *Request, now int64) bool {
	m := p.m
	there := m.NumPending() + uint64(m.pending.lined)
	if there == 0 {
		if r.Expires == 0 {
			m.active = now
			m.say(Status{To: to, Line: "404 No Messages"})
			return false
		}
		return true
	}
	p.sweep(now, false)
	asked := 0
	for _, w := range p.waiting {
		asked += w.Batch
	}
	if there < uint64(asked) {
		m.active = now
		m.say(Status{To: to, Line: "408 Requests Pending"})
		return false
	}
	return true
}

func (p *pull) ready(now int64) bool {
	p.unpin(now)
	return len(p.waiting) > 0
}

func (p *pull) drop(i int) { p.waiting = slices.Delete(p.waiting, i, i+1) }

func (p *pull) end(i int, line string) {
	w := p.waiting[i]
	p.m.say(Status{To: w.to, Line: line, Left: true, Msgs: w.Batch, Bytes: w.MaxBytes})
	p.drop(i)
}

// take serves the one whose turn it is; those that cannot be served any more are told.
func (p *pull) take(size int, now int64) (to, pin string, ok bool) {
	p.chosen = nil
	for i := 0; i < len(p.waiting); {
		w := p.waiting[i]
		if w.expires <= now {
			p.m.active = max(p.m.active, w.expires)
			p.end(i, "408 Request Timeout")
			continue
		}
		if !p.m.world.Interested(w.to) {
			p.drop(i)
			continue
		}
		mine, wrong := p.mayTake(w)
		if wrong {
			p.end(i, "423 Nats-Wrong-Pin-Id")
			continue
		}
		if !mine {
			i++
			continue
		}
		if w.MaxBytes > 0 {
			if size > w.MaxBytes {
				p.end(i, "409 Message Size Exceeds MaxBytes")
				continue
			}
			if w.MaxBytes -= size; w.MaxBytes == 0 {
				w.Batch = 1
			}
		}
		p.claim(w, now)
		p.turn(i, w)
		p.chosen = w
		return w.to, p.pin, true
	}
	return "", "", false
}

// mayTake reports whether the policy lets a request take the message at hand; wrong, that it
// names a pin that is not the one.
func (p *pull) mayTake(w *waiter) (mine, wrong bool) {
	switch p.m.cfg.Priority {
	case PolicyOverflow:
		if w.MinPending <= 0 && w.MinAckPending <= 0 {
			return true, false
		}
		return w.MinPending > 0 && uint64(w.MinPending) <= p.m.NumPending() ||
			w.MinAckPending > 0 && w.MinAckPending <= int64(p.m.pending.live), false
	case PolicyPinned:
		if w.ID == p.pin { // both empty: it becomes the one
			return true, false
		}
		return false, w.ID != ""
	}
	return true, false
}

// claim makes a request the pinned one, if there is none.
func (p *pull) claim(w *waiter, now int64) {
	if p.m.cfg.Priority != PolicyPinned || p.pin != "" {
		return
	}
	p.pin, p.group, p.pinned, p.pinEnds = p.m.world.NewID(), p.groupOf(w), now, after(now, p.m.cfg.PinnedTime)
	w.ID = p.pin
	p.m.notices = append(p.m.notices, Notice{Kind: NoticePinned, Group: p.group, Pin: p.pin})
}

// groupOf returns the group that a request counts for.
func (p *pull) groupOf(w *waiter) string {
	if w.Group == "" && len(p.m.cfg.Groups) > 0 {
		return p.m.cfg.Groups[0]
	}
	return w.Group
}

// unpin lets go of a pin whose time is over.
func (p *pull) unpin(now int64) {
	if p.pin != "" && now >= p.pinEnds {
		p.letGo("timeout")
	}
}

func (p *pull) letGo(reason string) {
	p.m.notices = append(p.m.notices, Notice{Kind: NoticeUnpinned, Group: p.group, Reason: reason})
	p.pin, p.group, p.pinned = "", "", 0
}

// updated lets go of a pin that the configuration does not know any more.
func (p *pull) updated() {
	if c := &p.m.cfg; p.pin != "" && (c.Priority != PolicyPinned || !slices.Contains(c.Groups, p.group)) {
		p.letGo("admin")
	}
}

// Unpin lets go of the pinned client of a consumer that has one.
func (m *Machine) Unpin() {
	if p, ok := m.taker.(*pull); ok && p.pin != "" {
		p.letGo("admin")
	}
}

// Pin returns the pin of the client at work and since when it has it; empty if there is none.
func (m *Machine) Pin() (id string, since int64) {
	if p, ok := m.taker.(*pull); ok {
		return p.pin, p.pinned
	}
	return "", 0
}

// turn counts the message, and puts the request behind the others.
func (p *pull) turn(i int, w *waiter) {
	w.Batch--
	w.Delivered++
	switch {
	case w.Batch <= 0:
		p.drop(i)
	case p.m.cfg.Priority != PolicyPrioritized:
		copy(p.waiting[i:], p.waiting[i+1:])
		p.waiting[len(p.waiting)-1] = w
	}
}

func (p *pull) gave(_ int, now int64) {
	w := p.chosen
	if w.Heartbeat > 0 {
		w.beat = after(now, w.Heartbeat)
	}
	if w.Batch <= 0 && w.MaxBytes > 0 {
		p.m.say(Status{To: w.to, Line: "409 Batch Completed", Left: true, Msgs: w.Batch, Bytes: w.MaxBytes})
	}
}

func (p *pull) idle(now int64, end bool) {
	p.unpin(now)
	p.sweep(now, end || p.due(now))
}

// due reports whether a request is over or gets a heartbeat now. That wakes nats-server, which then
// ends those that do not want to wait even where max_ack_pending keeps messages back.
func (p *pull) due(now int64) bool {
	return slices.ContainsFunc(p.waiting, func(w *waiter) bool { return min(w.expires, w.beat) <= now })
}

// sweep ends requests that are over, and sends heartbeats. end says that nothing matches, so
// that those that do not want to wait are over too.
func (p *pull) sweep(now int64, end bool) {
	for i := 0; i < len(p.waiting); {
		w := p.waiting[i]
		switch {
		case w.expires <= now:
			p.m.active = max(p.m.active, w.expires)
			p.end(i, "408 Request Timeout")
		case end && w.NoWait && (w.expires == never || w.Delivered > 0):
			p.m.active = max(p.m.active, now)
			p.m.say(Status{To: w.to, Line: "404 No Messages"})
			p.drop(i)
		case !p.m.world.Interested(w.to):
			p.drop(i)
		default:
			if w.beat <= now {
				p.m.say(p.m.heartbeat(w.to))
				w.beat = after(now, w.Heartbeat)
			}
			i++
		}
	}
}

func (m *Machine) heartbeat(to string) Status {
	return Status{To: to, Line: "100 Idle Heartbeat", Last: true, LastConsumer: m.num, LastStream: m.start() - 1}
}

func (p *pull) busy() bool { return len(p.waiting) > 0 }

func (p *pull) deadline() int64 {
	d := int64(never)
	if p.pin != "" {
		d = p.pinEnds
	}
	for _, w := range p.waiting {
		d = min(d, w.expires, w.beat)
	}
	return d
}

// Waiting calls fn for each request that waits, with what is left of it at now, in their order.
func (m *Machine) Waiting(now int64, fn func(to string, r Request)) {
	p, ok := m.taker.(*pull)
	if !ok {
		return
	}
	for _, w := range p.waiting {
		r := w.Request
		if w.expires != never {
			r.Expires = max(w.expires-now, 1)
		}
		fn(w.to, r)
	}
}

// Restored puts a request that another process had taken among those that wait.
func (m *Machine) Restored(to string, r Request, now int64) {
	if p, ok := m.taker.(*pull); ok {
		w := &waiter{Request: r, to: to, expires: never, beat: never}
		if r.Expires > 0 {
			w.expires = after(now, r.Expires)
		}
		if r.Heartbeat > 0 {
			w.beat = after(now, r.Heartbeat)
		}
		p.waiting = append(p.waiting, w)
	}
}

// Dismiss tells all who wait that they wait in vain, with a status line and, if left is set, what is left
// of each request; and forgets them.
func (m *Machine) Dismiss(line string, left bool) {
	if p, ok := m.taker.(*pull); ok {
		for _, w := range p.waiting {
			m.say(Status{To: w.to, Line: line, Left: left, Msgs: w.Batch, Bytes: w.MaxBytes})
		}
		p.waiting = nil
	}
}
