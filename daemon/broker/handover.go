package broker

import (
	"cmp"
	"io"
	"slices"
	"time"

	"github.com/nats-broker/nats-broker/daemon/fields"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

// A broker hands its connections over in steps, between which the owner of the process
// ends what else sends messages to clients:
//
//	SendAway   connections that cannot move are told and closed, while all others go on
//	Freeze     nobody is accepted, nothing is read any more; what was read is delivered
//	Park       nothing is written any more; what is left is a [Handover]
//
// The other side is [Broker.Restore], before it has listeners, and [Broker.Resume].

// Carrier is an [Authenticator] that can tell its successor in another process what a
// connection has proved, so that nobody is asked again. Without it the credentials of
// CONNECT are looked at once more.
type Carrier interface {
	// Carry returns the proof, in a form that is kept over the restart of the process
	// and read by other versions of it.
	Carry(id *Identity) []byte
	// Readmit decides on a connection that had proved so much, by the credentials that
	// are configured now.
	Readmit(r *AuthRequest, proof []byte) (*Identity, error)
}

// Handover is connections at rest, on their way to another process. It belongs to one
// goroutine.
type Handover struct {
	broker  *Broker
	clients []*Client
	parked  []*transport.Parked
	left    map[string]int
}

// Why connections stay behind, in logs.
const (
	leftEncrypted = "encrypted" // by TLS 1.2
	leftBusy      = "busy"      // was being let in, or its frame took too long
	leftBroken    = "broken"
)

// movable reports whether another process could and may go on with the connection.
func (c *Client) movable() bool {
	c.mu.Lock()
	by, encrypted, t := c.by, c.tls != nil, c.carriedTLS()
	c.mu.Unlock()
	switch {
	case !by.door.standard && (by.door.Name == "" || !c.Framed()):
		return false // nobody knows the door there
	case by.note != nil && !c.has(flagConnected):
		return false // nor what CONNECT is completed by
	case encrypted && (t == nil || !t.Options().Carry):
		return false
	}
	return c.Conn.Movable()
}

// Secured returns how many connections cannot be handed over.
func (b *Broker) Secured() (n int) {
	b.EachClient(func(c *Client) bool {
		if !c.movable() {
			n++
		}
		return true
	})
	return n
}

// SendAway asks the clients whose connections cannot be handed over to go elsewhere,
// and closes them in random order within the time. It returns how many there were. New
// ones may come meanwhile.
func (b *Broker) SendAway(within time.Duration) int {
	var list []*Client
	for _, c := range b.snapshot() {
		if !c.movable() {
			list = append(list, c)
		}
	}
	if len(list) > 0 {
		b.tellLameDuck(list)
		closeSpread(list, within, b.pause)
	}
	return len(list)
}

// Freeze closes the listeners and stops reading, and waits until what has been read is
// delivered, at most for the limit. It does nothing once the broker is stopped or in
// lame duck mode, and reports whether it did.
func (b *Broker) Freeze(limit time.Duration) bool {
	b.mu.RLock()
	runs := b.state == running
	listeners := make([]*Listener, 0, len(b.listeners))
	for l := range b.listeners {
		listeners = append(listeners, l)
	}
	b.mu.RUnlock()
	if !runs {
		return false
	}
	for _, l := range listeners {
		l.Close()
	}
	b.entering.Wait()
	b.mu.Lock()
	if runs = b.state == running; runs {
		b.state = freezing
	}
	b.mu.Unlock()
	if !runs {
		return false
	}
	for _, c := range b.snapshot() {
		c.Conn.Freeze()
	}
	quiet := make(chan struct{})
	go func() { // ends with the last connection: late ones are closed by Stop
		b.work.Wait()
		close(quiet)
	}()
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	select {
	case <-quiet:
	case <-timeout.C:
	}
	return true
}

// rest leaves a connection whose reader has stopped to Park. It reports false if it is
// too late.
func (c *Client) rest() bool {
	b := c.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state != freezing {
		return false
	}
	b.frozen = append(b.frozen, c)
	return true
}

// Park takes the connections that have come to rest out of the broker. All others are
// closed by [Broker.Stop].
func (b *Broker) Park() *Handover {
	b.mu.Lock()
	b.state = parked
	frozen := b.frozen
	b.frozen = nil
	b.mu.Unlock()
	h := &Handover{broker: b, left: make(map[string]int)}
	slices.SortFunc(frozen, func(x, y *Client) int { return cmp.Compare(x.cid, y.cid) })
	for _, c := range frozen {
		c.mu.Lock()
		c.ping.stop()
		c.mu.Unlock()
		if c.movable() {
			c.Conn.Hold()
		}
	}
	all, errs := make([]*transport.Parked, len(frozen)), make([]error, len(frozen))
	inParallel(len(frozen), func(i int) {
		errs[i] = transport.ErrNotMovable
		if frozen[i].movable() {
			all[i], errs[i] = frozen[i].Conn.Park()
		}
	})
	for i, c := range frozen {
		err := errs[i]
		if err == nil {
			h.clients, h.parked = append(h.clients, c), append(h.parked, all[i])
			continue
		}
		c.teardown(&closeError{ServerShutdown, nil})
		if err == transport.ErrNotMovable {
			h.left[leftEncrypted]++
			continue
		}
		h.left[leftBroken]++
		c.Conn.Release()
	}
	if n := b.NumClients() - len(h.clients); n > 0 {
		h.left[leftBusy] += n
	}
	return h
}

// FDs returns the descriptors, in the order in which Restore wants them. They stay the
// broker's.
func (h *Handover) FDs() []int {
	list := make([]int, len(h.parked))
	for i, p := range h.parked {
		list[i] = p.FD
	}
	return list
}

// Left returns how many connections stay behind, by reason.
func (h *Handover) Left() map[string]int { return h.left }

// Keep leaves behind all connections but the first n, for a reason. They are closed.
func (h *Handover) Keep(n int, why string) {
	for _, c := range h.clients[n:] {
		c.teardown(&closeError{ServerShutdown, nil})
		c.Conn.Release()
		h.left[why]++
	}
	h.clients, h.parked = h.clients[:n], h.parked[:n]
}

// WriteTo writes the state that belongs to the descriptors.
func (h *Handover) WriteTo(to io.Writer) (int64, error) {
	out := &counted{w: to}
	state := fields.Append(nil, h.broker.describe(h.clients))
	out.write(state)
	clear(state) // there are secrets in it
	type record struct {
		b   []byte // but for what is unsent, which can be much
		gap int    // and belongs there
	}
	records := make([]record, len(h.clients))
	inParallel(len(records), func(i int) {
		r := &records[i]
		r.b, r.gap, _ = fields.AppendGap(make([]byte, 0, 512), h.clients[i].describeMoved(h.parked[i]))
	})
	var head []byte
	for i, p := range h.parked {
		r := &records[i]
		head = fields.Announce(head[:0], tagClient, len(r.b)+p.Len())
		out.write(head)
		out.write(r.b[:r.gap])
		for _, piece := range p.Unsent {
			out.write(piece)
		}
		out.write(r.b[r.gap:])
		clear(r.b)
	}
	return out.n, out.err
}

// counted counts what is written, up to the first error.
type counted struct {
	w   io.Writer
	n   int64
	err error
}

func (c *counted) write(p []byte) {
	if c.err == nil {
		var n int
		n, c.err = c.w.Write(p)
		c.n += int64(n)
	}
}

// Release gives up the broker's own descriptors. The peers notice nothing as long as
// there are copies.
func (h *Handover) Release() {
	for i, c := range h.clients {
		c.set(flagClosed, true)
		c.dropAll()
		c.acc.leave(c)
		h.broker.unregister(c)
		if s := h.parked[i].Session; s != nil {
			s.Wipe()
		}
		c.Conn.Release()
	}
	h.clients, h.parked = nil, nil
}

// Identify is the beginning of a state: what [Broker.Adopt] of a successor wants to know.
func (b *Broker) Identify() []byte {
	return fields.Append(nil, &moved{id: b.id, xkey: b.xkey})
}

// describe is the state of the broker but for the connections that move.
func (b *Broker) describe(moving []*Client) *moved {
	moves := make(map[*Client]bool, len(moving))
	for _, c := range moving {
		moves[c] = true
	}
	told := b.info()
	m := &moved{id: b.id, xkey: b.xkey, lastCID: b.lastCID.Load(), total: b.totalConn.Load(), told: told.frame()}
	m.slow, m.stale = b.counts.slow.Load(), b.counts.stale.Load()
	b.mu.RLock()
	m.traffic = b.gone
	for _, c := range b.clients {
		if !moves[c] {
			m.traffic.add(c.traffic())
		}
	}
	accounts := b.accountList()
	b.mu.RUnlock()
	for _, a := range accounts {
		m.accounts = append(m.accounts, a.describe(moves))
	}
	return m
}

func (a *Account) describe(moves map[*Client]bool) movedAccount {
	a.mu.Lock()
	m := movedAccount{name: a.name, total: a.total, slow: a.slow, traffic: a.gone}
	for _, c := range a.clients {
		if !moves[c] {
			m.traffic.add(c.traffic())
		}
	}
	a.mu.Unlock()
	a.shares.replies.describe(&m)
	return m
}

// describeMoved is the state of one connection but for what is unsent.
func (c *Client) describeMoved(p *transport.Parked) *movedClient {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := &movedClient{
		cid: c.cid, socket: p.ID, network: c.remote.Network(), remote: c.remote.String(),
		start: c.start.UnixNano(), last: c.last.Load(), heard: c.heard.Load(),
		nonce: c.nonce, connected: c.has(flagConnected), ponged: c.has(flagPonged),
		account: c.acc.name, traffic: c.traffic(),
		pings: uint64(c.ping.out), rtt: int64(c.ping.rtt), unread: p.Unread, toSend: p.Len(),
	}
	m.tls = c.describeTLS(p)
	if p.Frames != nil {
		m.frames, m.door, m.via = &movedFrames{*p.Frames}, c.by.door.Name, c.by.via
	}
	if !c.ping.sent.IsZero() {
		m.pinged = c.ping.sent.UnixNano()
	}
	if m.connected {
		m.connect = c.connect
	}
	if by, ok := c.broker.opts.Load().Authenticator.(Carrier); ok && c.who != nil {
		m.proof = by.Carry(c.who)
	}
	m.subs = make([]movedSub, 0, c.subs.n)
	c.subs.all(func(s *Subscription) bool {
		m.subs = append(m.subs, movedSub{s.Subject(), s.SID(), s.Queue(), s.delivered(c.acc.index), s.max()})
		return true
	})
	if a := c.answers; a != nil {
		a.mu.Lock()
		for reply, v := range a.open {
			m.answers = append(m.answers, movedAnswer{reply, v.asked.UnixNano(), v.n})
		}
		a.mu.Unlock()
	}
	return m
}

// describe writes down the requests that may still be answered.
func (t *replyTable) describe(m *movedAccount) {
	prefix := t.prefix.Load()
	if prefix == nil {
		return
	}
	m.prefix = *prefix
	t.mu.Lock()
	for _, c := range t.classes {
		m.classes = append(m.classes, movedClass{int64(c.threshold), int(c.now.Load())})
	}
	t.mu.Unlock()
	for i := range t.shards {
		t.shards[i].describe(m)
	}
}

func (sh *replyShard) describe(m *movedAccount) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for _, k := range sh.chunks {
		if k == nil {
			continue
		}
		for i := range k.slots {
			if s := &k.slots[i]; s.list != nil && !s.done {
				m.replies = append(m.replies, movedReply{s.moved + string(s.id), s.to.name, string(s.subject), s.export.Subject})
			}
		}
	}
}
