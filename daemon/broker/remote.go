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

// AddRemote notes that a peer wants messages on a pattern. In a queue group, it
// stands for weight members; without one, weight is ignored.
func (a *Account) AddRemote(r Remote, subject []byte, queue string, weight int) (RemoteInterest, error) {
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
	m.extra.weight.Store(int32(max(weight, 1)))
	m.sub.more.Store(&m.extra)
	if _, err := a.index.Insert(&m.sub); err != nil {
		return RemoteInterest{}, err
	}
	return RemoteInterest{a, &m.sub}, nil
}

// SetWeight changes for how many members of its queue group the interest stands.
func (i RemoteInterest) SetWeight(weight int) {
	i.sub.more.Load().weight.Store(int32(max(weight, 1)))
	i.acc.index.Touch(i.sub.Subject())
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
	lead    func(*Account) string
	senders map[*Account]*sender
	used    []*sender
	last    *sender // of the message before, if it came in the same batch
	in      *transport.Input
}

// NewPublisher makes a publisher for one connection to a peer. lead is what messages on
// an account begin with there, through the blank in front of the subject; see
// [Publisher.Again].
func NewPublisher(lead func(*Account) string) *Publisher {
	return &Publisher{lead: lead, senders: make(map[*Account]*sender)}
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
// message that a client published.
func (p *Publisher) Deliver(a *Account, f *proto.Frame, all bool, queues []string) bool {
	s := p.senders[a]
	if s == nil {
		made := newSender(a, FromRoute, p.lead(a), a.seq.Add(1))
		s = &made
		p.senders[a] = s
	}
	if s.in == nil {
		s.begin(p.in)
		p.used = append(p.used, s)
	}
	p.last = s
	s.allGroups, s.groups = all, queues
	measured := tracked(f.Reply) && a.noteMeasured(f)
	delivered := s.publish(s.plan(f.Subject), f)
	if measured && !delivered {
		a.shares.measured.take(string(f.Reply))
	}
	return delivered
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
	if s := p.senders[a]; s != nil && p.last == s {
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
