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
	Origin  string           // the cluster of leaf nodes that it comes from; empty for none
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
	return a.addRemote(kindRoute, r, "", subject, queue, of)
}

// AddRouted is AddRemote for interest that leaf nodes of another server have. origin is their cluster: its
// messages do not go there. Empty: clients of the other server have it.
func (a *Account) AddRouted(r Remote, origin string, subject []byte, queue string, of Members) (RemoteInterest, error) {
	return a.addRemote(kindRoute, r, origin, subject, queue, of)
}

func (a *Account) addRemote(kind uint8, r Remote, origin string, subject []byte, queue string, of Members) (RemoteInterest, error) {
	var one struct { // there may be a million
		sub   Subscription
		extra subExtra
	}
	m := &one
	m.sub.line, m.sub.subject, m.sub.kind = subscriptionLine(subject, nil), uint32(len(subject)), kind
	if queue != "" {
		m.sub.queue = &queue
	}
	m.extra.remote = r
	if origin != "" {
		o := origin
		m.extra.origin = &o
	}
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
	i.acc.index.Again(i.sub)
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

// behindLeaf reports whether the interest is that of leaf nodes of another server.
func (s *Subscription) behindLeaf() bool { return s.more.Load().origin != nil }

// returns reports whether a message at hand would go back to the leaf nodes that have the interest.
func (s *sender) returns(sub *Subscription) bool {
	o := sub.more.Load().origin
	return o != nil && *o == s.origin()
}

// Remove ends the interest.
func (i RemoteInterest) Remove() {
	i.acc.index.Remove(i.sub)
	i.acc.lost(i.sub.Subject())
}

// Change tells of interest of an account's own clients: see [Account.Watch].
type Change = sublist.Change

// Watch has f called whenever the number of the account's own subscriptions with
// some subject and queue group changes, in order. f must be quick and must not call
// into the account. Any number may watch; each is told of what is there already, and of
// changes until it calls stop. Answers to requests that went to the account's services are
// interest too.
func (a *Account) Watch(f func(Change)) (stop func()) { return a.index.Watch(f) }

// choice is a queue group of which a peer serves the member.
type choice struct {
	remote Remote
	queue  string
}
