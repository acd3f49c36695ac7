package broker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nats-broker/nats-broker/daemon/fields"
	"github.com/nats-broker/nats-broker/daemon/subject"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

// Restored says what has become of the connections of a handover.
type Restored struct {
	Moved int            // that go on
	Lost  map[string]int // that do not, by reason
}

// Why connections are lost, in logs.
const (
	lostDescriptor = "another descriptor than was stored"
	lostState      = "no state"
	lostSocket     = "socket error"
	lostSession    = "damaged encryption"
	lostFrames     = "damaged frames"
	lostDoor       = "there is no such listener any more"
)

// Adopt makes the broker known under the identity that clients know from before. It
// must be called before anybody is told of another.
func (b *Broker) Adopt(state []byte) error {
	var m moved
	if err := fields.Read(state, &m); err != nil {
		return err
	}
	if m.id == "" {
		return fields.ErrDamaged
	}
	o := *b.opts.Load()
	if o.ServerName == b.id {
		o.ServerName = m.id
	}
	b.opts.Store(&o)
	b.id, b.xkey = m.id, m.xkey
	b.refreshInfo()
	return nil
}

// Restore takes connections over that another process has parked: the state that it
// wrote, and the descriptors in their order. It must be called once, after the accounts
// were made and before there are listeners. The descriptors are the broker's from now
// on, also if it fails; state is not kept. Until Resume nothing is read from the
// connections or written to them, but they are in the books, with their subscriptions.
func (b *Broker) Restore(state []byte, fds []int) (Restored, error) {
	// Each peer waits. What is made now stays, so that collecting garbage in between
	// would find none.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	var m moved
	err := fields.Read(state, &m)
	records := m.clients
	if err == nil && len(records) != len(fds) {
		err = fmt.Errorf("state of %d connections for %d descriptors", len(records), len(fds))
	}
	n := min(len(records), len(fds))
	for _, fd := range fds[n:] {
		_ = unix.Close(fd)
	}
	report := Restored{Lost: make(map[string]int)}
	if extra := len(fds) - n; extra > 0 {
		report.Lost[lostState] = extra
	}
	all := make([]restored, n)
	inParallel(n, func(i int) { all[i] = b.restoreRecord(records[i], fds[i]) })
	for _, r := range all {
		switch {
		case r.c == nil:
			report.Lost[r.lost]++
			continue
		case r.refusal == nil:
			report.Moved++
		default:
			report.Lost[reasonOf(r.refusal).String()]++
		}
		b.restored = append(b.restored, r)
	}
	b.continueCounts(&m)
	return report, err
}

// inParallel calls f with each number below n, and returns when all are done.
func inParallel(n int, f func(i int)) {
	const chunk = 32 // that one worker takes at a time
	var next atomic.Int64
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) { // end with the numbers
		workers.Go(func() {
			for i := int(next.Add(chunk)) - chunk; i < n; i = int(next.Add(chunk)) - chunk {
				for k := i; k < min(i+chunk, n); k++ {
					f(k)
				}
			}
		})
	}
	workers.Wait()
}

func (b *Broker) restoreRecord(record []byte, fd int) restored {
	var m movedClient
	if err := fields.Read(record, &m); err != nil {
		_ = unix.Close(fd)
		return restored{lost: lostState}
	}
	return b.restoreClient(&m, fd)
}

// continueCounts goes on counting where the other process has stopped.
func (b *Broker) continueCounts(m *moved) {
	b.lastCID.Store(max(b.lastCID.Load(), m.lastCID))
	b.totalConn.Store(m.total)
	b.counts.slow.Store(m.slow)
	b.counts.stale.Store(m.stale)
	b.mu.Lock()
	b.gone = m.traffic
	b.mu.Unlock()
	b.toldBefore = bytes.Clone(m.told)
	for i := range m.accounts {
		ma := &m.accounts[i]
		a := b.Account(ma.name)
		if a == nil || ma.name == "" {
			continue
		}
		a.mu.Lock()
		a.total, a.slow, a.gone = ma.total, ma.slow, ma.traffic
		a.mu.Unlock()
		a.shares.replies.adopt(a, ma)
		a.shares.replies.adoptReplies(a, ma.replies)
	}
}

// restored is a connection that was taken over.
type restored struct {
	c       *Client
	lost    string // why there is none
	refusal error  // why it must not go on; nil: it does
	booked  bool
}

// restoreClient makes a client of its state; none if there is nothing to say to the
// peer. One that is refused is told so by Resume.
func (b *Broker) restoreClient(m *movedClient, fd int) restored {
	if id, err := transport.SocketID(fd); err != nil || id != m.socket || m.cid == 0 {
		_ = unix.Close(fd)
		return restored{lost: lostDescriptor}
	}
	by := b.passageOf(m)
	if by == nil {
		_ = unix.Close(fd)
		return restored{lost: lostDoor}
	}
	c := &Client{broker: b, by: by, cid: m.cid, start: time.Unix(0, m.start)}
	err := transport.Restore(&c.Conn, fd, m.addr(), m.unread, m.unsent, m.tls.transport(), m.frames.transport())
	switch {
	case errors.Is(err, transport.ErrFrames):
		return restored{lost: lostFrames}
	case errors.Is(err, transport.ErrSession):
		return restored{lost: lostSession}
	case err != nil:
		return restored{lost: lostSocket}
	}
	c.prepare(c.NetConn())
	c.nonce = m.nonce
	c.set(flagPonged, m.ponged)
	c.awaiting = !m.connected && b.requires(c.by.door).Auth
	r := restored{c: c}
	if err := b.register(c); err != nil {
		r.refusal = &closeError{MaxConnectionsExceeded, err}
	} else {
		r.booked = true
		r.refusal = c.recall(m)
	}
	c.last.Store(m.last)
	c.heard.Store(m.heard)
	c.inMsgs.Store(m.traffic.InMsgs)
	c.inBytes.Store(m.traffic.InBytes)
	c.Out.CountSent(uint64(m.traffic.OutMsgs), uint64(m.traffic.OutBytes))
	c.ping.out, c.ping.rtt = int(m.pings), time.Duration(m.rtt)
	if m.pinged != 0 {
		c.ping.sent = time.Unix(0, m.pinged)
	}
	return r
}

// recall gives the connection what it had, as far as it may have it still.
func (c *Client) recall(m *movedClient) error {
	if err := c.acc.join(c); err != nil {
		return &closeError{MaxAccountConnectionsExceeded, err}
	}
	if err := c.recallTLS(m.tls); err != nil {
		return err
	}
	if m.connected {
		if m.connect == nil {
			return &closeError{InternalClient, fields.ErrDamaged}
		}
		c.mu.Lock()
		c.connect = m.connect
		c.mu.Unlock()
		id, err := c.readmitMoved(m)
		if err != nil {
			reason, line := c.violation(err)
			return &closeError{reason, line}
		}
		if acc := c.broker.Account(id.Account); acc == nil || acc.name != m.account {
			return &closeError{ClientClosed, nil} // it comes back into its new account
		}
		if err := c.admit(id, m.connect); err != nil {
			return err
		}
	} else if c.awaiting && len(m.subs) > 0 {
		return &closeError{AuthenticationViolation, errors.New("authentication error")}
	}
	c.restoreAnswers(m.answers)
	for i := range m.subs {
		c.restoreSubscription(&m.subs[i])
	}
	if p := c.permissions(); p != nil {
		c.SetPermissions(p)
		c.restoreAnswers(m.answers)
	}
	return nil
}

// readmitTime bounds how long the verdict on one connection may take.
const readmitTime = 2 * time.Second

// readmitMoved asks who the connection is by what is configured now.
func (c *Client) readmitMoved(m *movedClient) (*Identity, error) {
	by := c.broker.opts.Load().Authenticator
	r := &AuthRequest{CID: c.cid, Connect: m.connect, Nonce: c.nonce, Remote: c.remote, TLS: c.TLS(),
		Connection: c.by.door.Connection, Type: c.by.door.Type, Note: c.by.note}
	if carrier, ok := by.(Carrier); ok {
		return carrier.Readmit(r, m.proof)
	}
	ctx, cancel := context.WithTimeout(context.Background(), readmitTime)
	defer cancel()
	return by.Authenticate(ctx, r)
}

// restoreAnswers allows the answers that were allowed.
func (c *Client) restoreAnswers(list []movedAnswer) {
	c.mu.Lock()
	a := c.answers
	c.mu.Unlock()
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, m := range list {
		a.open[m.reply] = &answer{asked: time.Unix(0, m.asked), n: m.n}
	}
}

// restoreSubscription subscribes as before. What is not allowed any more is taken away
// afterwards, by SetPermissions.
func (c *Client) restoreSubscription(m *movedSub) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.subs.get(m.sid) != nil || m.sid == "" || !subject.FitsLine(m.sid) {
		return
	}
	var queue *string
	if m.queue != "" {
		if c.queue == nil || *c.queue != m.queue {
			q := m.queue
			c.queue = &q
		}
		queue = c.queue
	}
	sub := newSubscription(c, asBytes(m.subject), asBytes(m.sid), queue)
	if m.max > 0 || c.answers != nil {
		x := &subExtra{max: m.max, answers: c.answers}
		x.got.Store(m.got)
		sub.more.Store(x)
	}
	n, err := c.acc.index.Insert(sub)
	if err != nil {
		return // damaged: it was valid once
	}
	sub.started(n)
	sub.count.Add(m.got)
	c.subs.add(sub)
	c.acc.castShadows(sub)
}

// Resume serves the connections that Restore took over.
func (b *Broker) Resume() {
	list := b.restored
	b.restored = nil
	for i, r := range list {
		atResume(i, len(list))
		r.c.Conn.Resume()
		if r.refusal != nil {
			r.refuse()
			continue
		}
		b.work.Go(func() {
			r.c.watchAgain()
			r.c.live(nil)
		})
	}
	if told := b.info(); b.toldBefore != nil && !bytes.Equal(told.frame(), b.toldBefore) {
		b.tellAll()
	}
	b.toldBefore = nil
}

// refuse closes a connection that must not go on.
func (r *restored) refuse() {
	switch why := reasonOf(r.refusal); why {
	case ClientClosed:
	case AuthenticationViolation:
		r.c.tellErr("Authorization Violation")
	default:
		r.c.tellErr(strings.ToLower(why.String()))
	}
	if !r.booked {
		r.c.broker.remember(r.c, MaxConnectionsExceeded)
		r.c.Conn.Close(true)
		return
	}
	r.c.teardown(r.refusal)
}

// watchAgain is watch for a connection that was restored: the PINGs of all that were
// together are spread, and it ends when its credentials do.
func (c *Client) watchAgain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := c.ping.interval
	if first > 1 {
		first = first/2 + time.Duration(rand.Int64N(int64(first)/2))
	}
	c.ping.begin(c, c.awaiting, first)
	if c.who != nil {
		c.ping.expire(c, c.who.Expires)
	}
}

// adopt goes on with another process's table: answers come back under its prefix. Its
// requests are found by their whole name, since the slots they had are not here, and
// wait for the whole of their threshold again.
func (t *replyTable) adopt(a *Account, m *movedAccount) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pattern == nil || m.prefix == "" || t.moved.Load() || !strings.HasPrefix(m.prefix, replyPrefix) {
		return // nothing is imported from the account any more
	}
	sub, err := t.subscribe(a, m.prefix)
	if err != nil {
		return
	}
	a.index.Remove(t.pattern)
	t.pattern = sub
	prefix := m.prefix
	t.prefix.Store(&prefix)
	t.moved.Store(true)
}

// adoptReplies is adopt for the requests that were open.
func (t *replyTable) adoptReplies(a *Account, list []movedReply) {
	if !t.moved.Load() {
		return
	}
	sh := &t.shards[0]
	for i := range list {
		m := &list[i]
		to := a.broker.Account(m.account)
		if to == nil || m.id == "" || !subject.FitsLine(m.subject) {
			continue
		}
		e := a.exportNamed(m.export)
		c := t.class(e.Threshold)
		sh.adopt(c, &replySlot{moved: m.id, to: to, subject: []byte(m.subject), export: e})
		if !c.running.Load() {
			c.start(t)
		}
	}
}

// adopt takes the request of another process in, unless there is no room.
func (sh *replyShard) adopt(c *replyClass, q *replySlot) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.adopted[q.moved] != nil || len(sh.room) == 0 && !sh.grow() {
		return
	}
	s, _ := sh.take(c, 0)
	s.moved, s.to, s.subject, s.export = q.moved, q.to, q.subject, q.export
	sh.join(s, c, 0)
	if sh.adopted == nil {
		sh.adopted = make(map[string]*replySlot)
	}
	sh.adopted[s.moved] = s
}

// exportNamed returns the export of a pattern.
func (a *Account) exportNamed(pattern string) *serviceExport {
	if sh := a.shares.now.Load(); sh != nil {
		for _, e := range sh.exports {
			if e.Subject == pattern {
				return e
			}
		}
	}
	return anyExport
}
