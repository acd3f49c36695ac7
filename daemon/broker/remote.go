package broker

import (
	"github.com/nats-broker/nats-broker/daemon/batch"
	"github.com/nats-broker/nats-broker/daemon/proto"
	"github.com/nats-broker/nats-broker/daemon/sublist"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

// Remote is a peer that has interest in messages of an account: another server of
// the cluster. It is compared by identity, so that a peer gets a message once
// whatever the number of its subscriptions that match.
type Remote interface {
	// Deliver stages the message for the peer and reports whether it did. It runs
	// on the publisher's reader, within its batch, and must be quick.
	Deliver(d *Delivery) bool
}

// Delivery is a message on its way to a peer. It is valid during the call only.
type Delivery struct {
	Account *Account
	Entry   Entry // of the message into the account
	Subject []byte
	Frame   *proto.Frame     // the message as published; its Subject may differ
	Queues  []string         // groups of which the peer is to serve one member each
	Input   *transport.Input // nil if Frame's memory is not to be kept beyond the call
	Batch   *batch.Batch     // of the publisher's reader: what is sent goes there
}

// RemoteInterest is the interest of a peer in one pattern. The zero value is none.
type RemoteInterest struct {
	acc *Account
	sub *Subscription
}

// None reports whether it is the zero value.
func (i RemoteInterest) None() bool { return i.sub == nil }

// Pattern returns the subject. It shares the memory of the entry in the index.
func (i RemoteInterest) Pattern() string { return i.sub.Subject() }

// Members are the subscriptions of a peer's clients with one subject and queue group.
type Members struct {
	All int // at least one; counted for queue groups only
	Own int // those of the account; the others are imports of its streams
}

// AddRemote notes that a peer wants messages on a pattern. In a queue group it stands for
// that many members.
func (a *Account) AddRemote(r Remote, subject []byte, queue string, of Members) (RemoteInterest, error) {
	var one struct { // there may be a million
		sub   Subscription
		extra subExtra
	}
	m := &one
	m.sub.line, m.sub.subject, m.sub.kind = subscriptionLine(subject, nil), uint32(len(subject)), kindRoute
	if queue != "" {
		m.sub.queue = &queue
	}
	m.extra.remote = r
	m.extra.members(of)
	m.sub.more.Store(&m.extra)
	if _, err := a.index.Insert(&m.sub); err != nil {
		return RemoteInterest{}, err
	}
	return RemoteInterest{a, &m.sub}, nil
}

// SetMembers changes for whom the interest stands.
func (i RemoteInterest) SetMembers(of Members) {
	i.sub.more.Load().members(of)
	i.acc.index.Touch(i.sub.Subject())
}

func (x *subExtra) members(of Members) {
	x.weight.Store(int32(max(of.All, 1)))
	x.own.Store(int32(max(of.Own, 0)))
}

// stands says for how many members an interest stands, as far as they receive what is at
// hand.
func (s *sender) stands(sub *Subscription) int {
	x := sub.more.Load()
	all, own := x.weight.Load(), x.own.Load()
	if own >= all || s.may.has(kindShadow) {
		return int(all)
	}
	s.hidden = true
	return int(own)
}

// Remove ends the interest.
func (i RemoteInterest) Remove() { i.acc.index.Remove(i.sub) }

// Change tells of interest of an account's own clients: see [Account.Watch].
type Change = sublist.Change

// Watch has f called whenever the number of the account's own subscriptions with
// some subject and queue group changes, in order. f must be quick and must not call
// into the account. There can be one watcher; it is told of what is there already.
// Answers to requests that went to the account's services are interest too.
func (a *Account) Watch(f func(Change)) {
	a.index.Watch(f)
	a.shares.replies.watched(f)
}

// choice is a queue group of which a peer serves the member.
type choice struct {
	remote Remote
	queue  string
}

// A Publisher delivers what a peer sends, on any number of accounts, to the clients
// of this server. It belongs to the goroutine that reads from the peer.
type Publisher struct {
	lead    func(*Account, Entry) string
	senders map[*Account]*[entries]*sender
	used    []*sender
	last    *sender // of the message before, if it came in the same batch
	in      *transport.Input
}

// NewPublisher makes a publisher for one connection to a peer. lead is what messages
// begin with there that came into an account in some way, through the blank in front of
// the subject; see [Publisher.Again].
func NewPublisher(lead func(*Account, Entry) string) *Publisher {
	return &Publisher{lead: lead, senders: make(map[*Account]*[entries]*sender)}
}

// Begin starts the work on one buffer of input.
func (p *Publisher) Begin(in *transport.Input) { p.in = in }

// End finishes it. It must be called before the handler returns.
func (p *Publisher) End() {
	for i, s := range p.used {
		s.end()
		p.used[i] = nil
	}
	p.used, p.in, p.last = p.used[:0], nil, nil
}

// Deliver gives a message to the account's own receivers: all plain ones, and one
// of each queue group that is named; if all is set, of every group. f is as for a
// message that a client published; e is how it came into the account on the other server,
// as far as that says so.
func (p *Publisher) Deliver(a *Account, e Entry, f *proto.Frame, all bool, queues []string) bool {
	if e == Published && len(f.Reply) > len(replyPrefix) && string(f.Reply[:len(replyPrefix)]) == replyPrefix {
		e = AsRequest // no client may ask for an answer there
	}
	s := p.sender(a, e)
	s.allGroups, s.groups = all, queues
	measured := tracked(f.Reply) && a.noteMeasured(f)
	delivered := s.publish(s.plan(f.Subject), f)
	if measured && !delivered {
		a.shares.measured.take(string(f.Reply))
	}
	return delivered
}

// sender returns the sender for messages that came into an account in some way, ready for
// the next one.
func (p *Publisher) sender(a *Account, e Entry) *sender {
	by := p.senders[a]
	if by == nil {
		by = new([entries]*sender)
		p.senders[a] = by
	}
	s := by[e]
	if s == nil {
		made := newSender(a, FromRoute, p.lead(a, e), a.seq.Add(1))
		s = &made
		s.entry, s.may = e, receives[FromRoute][e]
		by[e] = s
	}
	if s.in == nil {
		s.begin(p.in)
		p.used = append(p.used, s)
	}
	if p.last != s {
		for _, o := range by {
			if o != nil && o.open != nil {
				o.closeStage() // receivers get what is on one account in its order
			}
		}
		p.last = s
	}
	return s
}

// Again delivers the messages at the beginning of buf if they are on the subject of the
// one that was delivered before, and are for no queue group, and have no reply. n is
// their length, msgs their number, bytes the size of their payloads; n is 0 if the next
// frame is something else. f is for its use.
func (p *Publisher) Again(buf []byte, f *proto.Frame) (n, msgs, bytes int) {
	s := p.last
	if s == nil {
		return 0, 0, 0
	}
	pl := s.last
	if pl == nil || pl.head == "" || !pl.current(s.acc.index) {
		return 0, 0, 0
	}
	if n = proto.RouteAgain(buf, pl.head, len(s.lead), f); n == 0 {
		return 0, 0, 0
	}
	s.allGroups, s.groups = false, nil
	k := s.publishAgain(pl, f, buf, n)
	return n * k, k, f.Size * k
}

// Forget drops what the publisher knows of an account that is removed.
func (p *Publisher) Forget(a *Account) {
	if p.last != nil && p.last.acc == a {
		p.last = nil
	}
	delete(p.senders, a)
}

// wants reports whether a queue group is to be served.
func (s *sender) wants(group string) bool {
	if s.allGroups {
		return true
	}
	for _, q := range s.groups {
		if q == group {
			return true
		}
	}
	return false
}
