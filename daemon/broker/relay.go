package broker

import (
	"github.com/nats-broker/nats-broker/daemon/batch"
	"github.com/nats-broker/nats-broker/daemon/proto"
)

// Relay is a Remote that is sent lines which end as PUB's do: behind the subject stands
// what the publisher has written, so that it can be copied.
type Relay interface {
	Remote
	// Head is what a message with headers begins with that came into an account in some
	// way, through the blank behind the subject; one without headers begins with "R"
	// (of a Link, "L") instead of "H".
	Head(a *Account, e Entry, subject string) string
	// Relay makes ready for messages, and returns where they go; nil if they have to go
	// by Deliver.
	Relay(headers bool) *batch.Outlet
}

// remoteStep gives a peer one copy of a message. It belongs to a plan.
type remoteStep struct {
	remote Remote
	plain  bool // it has plain interest
	kind   uint8
	denied bool // messages may not go there; only in plans of messages that are traced

	relay Relay
	head  string // of messages by relay; "" if there are none
	verb  byte   // in place of its first letter, for messages without a header

	lane  *batch.Lane // to the peer, if epoch is the sender's
	epoch uint64
}

func (r *remoteStep) deliver(s *sender, subject []byte, f *proto.Frame) bool {
	queues := s.queuesOf(r.remote)
	if !r.plain && len(queues) == 0 {
		return false
	}
	if s.trail != nil {
		return r.traced(s, subject, f, queues)
	}
	if r.denied {
		return false
	}
	if (len(queues) == 0 || len(f.Reply) == 0) && f.Shown == nil {
		if l := r.laneFor(s, f); l != nil {
			r.pass(s, l, f, queues)
			return true
		}
	}
	d := &s.lent().delivery
	*d = Delivery{Account: s.acc, Entry: s.entry, Subject: subject, Frame: f, Origin: s.origin(), Queues: queues, Input: s.in, Batch: s.in.Batch}
	if s.foreign {
		d.Input = nil
	}
	return r.remote.Deliver(d)
}

// queuesOf lists the queue groups of which a peer serves the message at hand.
func (s *sender) queuesOf(r Remote) []string {
	s.queues = s.queues[:0]
	for _, c := range s.chosen[s.base:] {
		if c.remote == r {
			s.queues = append(s.queues, c.queue)
		}
	}
	return s.queues
}

// laneFor returns where a message is to be copied to; nil if it cannot be.
func (r *remoteStep) laneFor(s *sender, f *proto.Frame) *batch.Lane {
	if r.head == "" || f.Tail == nil {
		return nil
	}
	out := r.relay.Relay(f.Hdr > 0)
	if out == nil {
		return nil
	}
	if r.epoch != s.epoch {
		r.lane, r.epoch = s.in.Batch.Lane(out), s.epoch
	}
	return r.lane
}

// pass copies one message. With queue groups, it has no reply.
func (r *remoteStep) pass(s *sender, l *batch.Lane, f *proto.Frame, queues []string) {
	size := len(r.head)
	if len(queues) > 0 {
		size += len("| ")
		for _, q := range queues {
			size += len(q) + 1
		}
	}
	rest := f.Tail
	shared := s.byReference(f.Size)
	if shared {
		rest = f.Tail[:len(f.Tail)-len(f.Body)]
	}
	b := l.Reserve(size + len(rest))
	n := copy(b, r.head)
	if f.Hdr <= 0 {
		b[0] = r.verb
	}
	if len(queues) > 0 {
		n += copy(b[n:], "| ")
		for _, q := range queues {
			n += copy(b[n:], q)
			b[n] = ' '
			n++
		}
	}
	copy(b[n:], rest)
	if shared {
		s.in.Refer(l, f.Body)
	}
	l.Msgs++
	l.Bytes += f.Size
}

// passRun copies a run of messages, of which f is the first.
func (r *remoteStep) passRun(l *batch.Lane, f *proto.Frame, of run) {
	size := len(r.head) + len(f.Tail)
	for next := f.Tail[:len(f.Tail)+(of.count-1)*of.length]; of.count > 0; {
		b, n := l.ReserveRun(size, of.count)
		l.Msgs += n
		l.Bytes += n * f.Size
		of.count -= n
		for range n {
			copy(b[copy(b, r.head):], next[:len(f.Tail)])
			if f.Hdr <= 0 {
				b[0] = r.verb
			}
			b = b[size:]
			next = next[min(of.length, len(next)):]
		}
	}
}

// findRelays lists the steps of a plan that is nothing but copies for peers.
func (p *plan) findRelays() {
	p.relays = p.relays[:0]
	if len(p.plain)+len(p.fans)+len(p.groups)+len(p.renamed) > 0 || p.as != "" || p.denied {
		return
	}
	for _, st := range p.steps {
		r, ok := st.(*remoteStep)
		if !ok || !r.plain || r.head == "" {
			p.relays = p.relays[:0]
			return
		}
		p.relays = append(p.relays, r)
	}
}

// relayable reports whether messages like f can be delivered by [sender.relay], for
// which it makes ready.
func (s *sender) relayable(p *plan, f *proto.Frame) bool {
	for _, st := range p.relays {
		if st.laneFor(s, f) == nil {
			return false
		}
	}
	return len(p.relays) > 0
}

// relay delivers a run of messages, of which f is the first, to peers only.
func (s *sender) relay(p *plan, f *proto.Frame, r run) {
	for _, st := range p.relays {
		st.passRun(st.lane, f, r)
	}
}

// addRemote adds a peer to a plan, once.
func (s *sender) addRemote(p *plan, sub *Subscription) {
	r := sub.more.Load().remote
	for _, st := range p.steps {
		if have, ok := st.(*remoteStep); ok && have.remote == r {
			have.plain = have.plain || sub.queue == nil
			return
		}
	}
	st := &remoteStep{remote: r, plain: sub.queue == nil, kind: sub.kind, verb: 'R'}
	if sub.kind != kindRoute {
		st.verb = 'L'
	}
	if relay, ok := r.(Relay); ok && p.head != "" && (sub.kind != kindRoute || s.origin() == "") {
		st.relay, st.head = relay, relay.Head(s.acc, s.entry, p.seen())
	}
	p.steps = append(p.steps, st)
}

// deny adds a peer to the plan of a message that is traced, once, which may not get it.
func (p *plan) deny(r Remote) {
	for _, st := range p.steps {
		if have, ok := st.(*remoteStep); ok && have.remote == r {
			return
		}
	}
	p.steps = append(p.steps, &remoteStep{remote: r, plain: true, denied: true})
}
