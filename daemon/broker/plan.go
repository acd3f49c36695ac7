package broker

import (
	"github.com/nats-broker/nats-broker/daemon/batch"
	"github.com/nats-broker/nats-broker/daemon/proto"
	"github.com/nats-broker/nats-broker/daemon/sublist"
)

// plan says what happens to messages that one sender publishes on one subject. It
// belongs to the sender and is good for as long as its stamp is current.
type plan struct {
	subject string // "" for the scratch plan of a sender that has not been used
	head    string // what a PUB of it begins with; "" for the scratch plan
	hash    uint64
	shard   sublist.Shard
	stamp   sublist.Stamp

	scratch bool // its subject may be overwritten, and it is for few messages
	denied  bool // publishing here is not allowed
	nobody  bool // it is allowed, and nobody receives
	mapped  bool // a mapping applies
	varies  bool // for another subject with the same receivers it may be otherwise

	as   string       // what a mapping makes of the subject; "" if none applies
	deps []dependency // in other accounts

	// The common case: one receiver, a client, with nothing special about it.
	one    *Subscription
	prefix string // "HMSG <subject> <sid> "

	// Everything else.
	plain  []*Subscription // receivers that are their pattern's only one
	fans   []*fanout       // patterns with several plain receivers
	fan    *fanout         // the only one, if there is nothing else and nothing special about it
	groups []queueGroup    // queue groups; one of each receives
	steps  []step          // what other parts of the broker add
	relays []*remoteStep   // the steps, if they are copies for peers and all there is

	renamed []renamed // receivers in other accounts

	nodes []*node // patterns matched, for their counters

	lane  *batch.Lane // of one, if epoch is the sender's
	epoch uint64
}

// newPlan makes a plan for a subject, to be filled in.
func newPlan(to string) *plan {
	b := asBytes(to)
	return &plan{subject: to, hash: sublist.Hash(b), shard: sublist.ShardOf(b)}
}

// step is a part of a plan that is not delivery to clients of the same account.
type step interface {
	// deliver reports whether the message was given to somebody.
	deliver(s *sender, subject []byte, f *proto.Frame) bool
}

// queueGroup is the members of a queue group, over all patterns that match.
type queueGroup struct {
	name string
	subs []*Subscription
	far  []*Subscription // leaf nodes, here or of other servers: if no other member takes the message
}

// current reports whether the plan is still what the index would give.
func (p *plan) current(x *index) bool {
	return x.Stamp(p.shard) == p.stamp && (len(p.deps) == 0 || p.depsCurrent())
}

// dependency is the state of another account's index that a plan was made from.
type dependency struct {
	index *index
	shard sublist.Shard
	stamp sublist.Stamp
}

// dependOn notes that p is good only as long as q, a plan of a.
func (p *plan) dependOn(a *Account, q *plan) {
	p.deps = append(append(p.deps, dependency{a.index, q.shard, q.stamp}), q.deps...)
}

func (p *plan) depsCurrent() bool {
	for i := range p.deps {
		if d := &p.deps[i]; d.index.Stamp(d.shard) != d.stamp {
			return false
		}
	}
	return true
}

// seen returns the subject as receivers see it.
func (p *plan) seen() string {
	if p.as != "" {
		return p.as
	}
	return p.subject
}

// reset makes the plan ready to be filled in again, keeping its memory.
func (p *plan) reset() {
	clear(p.plain)
	clear(p.fans)
	clear(p.groups)
	clear(p.steps)
	clear(p.relays)
	clear(p.renamed)
	clear(p.deps)
	p.as, p.renamed, p.deps = "", p.renamed[:0], p.deps[:0]
	p.denied, p.nobody, p.one, p.prefix = false, false, nil, ""
	p.mapped, p.varies = false, false
	p.plain, p.fans, p.groups, p.steps = p.plain[:0], p.fans[:0], p.groups[:0], p.steps[:0]
	p.fan, p.relays, p.lane, p.epoch = nil, p.relays[:0], nil, 0
}
