package broker

import (
	"github.com/nats-broker/nats-broker/daemon/msgtrace"
	"github.com/nats-broker/nats-broker/daemon/proto"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

// A PeerPublisher delivers what a peer sends, on any number of accounts, to the clients
// of this server, and to whom else it may go. It belongs to the goroutine that reads from the peer.
type PeerPublisher struct {
	lead    func(*Account, Entry) string
	senders map[*Account]*peerSenders
	origin  []byte // of the message at hand; see DeliverFrom
	used    []*sender
	last    *sender // of the message before, if it came in the same batch
	in      *transport.Input
	from    Origin
	link    *Source  // nil for a route
	way     Waypoint // nil: reports do not name it
	most    int      // bytes of a payload in Again; 0: any
}

// Bound sets the largest payload that [PeerPublisher.Again] passes on; 0: any. A larger one is left to who parses.
func (p *PeerPublisher) Bound(payload int) { p.most = payload }

// peerSide is what a sender has that delivers what a peer sends.
type peerSide struct {
	groups []string // that the peer has named; see hop.allGroups
	link   *Source  // nil for a route
	acc    *Account // on which it is sent
	origin string   // the cluster of leaf nodes that it comes from; empty for none
}

// peerSenders are those of one account: by how messages came into it, and, of leaf nodes of another server, by their
// cluster.
type peerSenders struct {
	plain   [entries]*sender
	origins map[string]*[entries]*sender
}

// maxOrigins bounds for how many clusters of leaf nodes the senders of an account are kept.
const maxOrigins = 256

// NewPeerPublisher makes a publisher for one connection to a peer. lead is what messages
// begin with there that came into an account in some way, through the blank in front of
// the subject; see [PeerPublisher.Again].
func NewPeerPublisher(lead func(*Account, Entry) string) *PeerPublisher {
	return &PeerPublisher{from: FromRoute, lead: lead, senders: make(map[*Account]*peerSenders)}
}

// Begin starts the work on one buffer of input.
func (p *PeerPublisher) Begin(in *transport.Input) { p.in = in }

// End finishes it. It must be called before the handler returns.
func (p *PeerPublisher) End() {
	for i, s := range p.used {
		s.end()
		p.used[i] = nil
	}
	p.used, p.in, p.last = p.used[:0], nil, nil
}

// Deliver gives a message to the account's own receivers: all plain ones, and one
// of each queue group that is named; if all is set, of every group. f is as for a
// message that a client published, without a Tail if it has a subject to be shown; e is how it came into the account on the other server,
// as far as that says so.
func (p *PeerPublisher) Deliver(a *Account, e Entry, f *proto.Frame, all bool, queues []string) bool {
	if e == Published && len(f.Reply) > len(replyPrefix) && string(f.Reply[:len(replyPrefix)]) == replyPrefix {
		e = AsRequest // no client may ask for an answer there
	}
	if f.Hdr > 0 && a.mayTrace(f) {
		return p.deliverAsked(a, e, f, all, queues)
	}
	return p.deliver(a, e, f, all, queues)
}

// DeliverFrom is Deliver for a message of a leaf node of another server. Leaf nodes here of the same cluster do not get
// it.
func (p *PeerPublisher) DeliverFrom(origin []byte, a *Account, f *proto.Frame, queues []string) bool {
	p.origin = origin
	delivered := p.Deliver(a, Published, f, false, queues)
	p.origin = nil
	return delivered
}

// deliver is Deliver for a message that asks for nothing.
func (p *PeerPublisher) deliver(a *Account, e Entry, f *proto.Frame, all bool, queues []string) bool {
	s := p.sender(a, e)
	return s.deliverFor(s.plan(f.Subject), f, all, queues)
}

// deliverFor delivers what a peer sends by a plan.
func (s *sender) deliverFor(pl *plan, f *proto.Frame, all bool, queues []string) bool {
	measured := tracked(f.Reply) && !s.dry() && s.acc.noteMeasured(f)
	s.allGroups, s.peer.groups = all || pl.mapped && len(queues) == 0, queues
	var delivered bool
	if f.Shown == nil {
		delivered = s.publish(pl, f)
	} else {
		s.uncounted++
		delivered = s.publishAll(pl, f)
	}
	if measured && !delivered {
		s.acc.shares.measured.take(string(f.Reply))
	}
	return delivered
}

// deliverAsked is Deliver for a message that may ask for a report.
func (p *PeerPublisher) deliverAsked(a *Account, e Entry, f *proto.Frame, all bool, queues []string) (delivered bool) {
	s := p.sender(a, e)
	w, accepts := Way{Kind: msgtrace.Route}, func(string) bool { return true }
	if p.way != nil {
		w, accepts = p.way.Way(), p.way.Accepts
	}
	was, foreign := *f, s.foreign
	t, drop := s.trailOf(f, w, accepts)
	if drop {
		return false
	}
	if t == nil {
		s.foreign = foreign || &f.Body[0] != &was.Body[0]
		delivered = p.deliver(a, e, f, all, queues)
	} else {
		p.flush() // what is given to streams comes behind it
		s.trail = &trail{Trail: t, reports: []byte(t.Dest)}
		delivered = s.deliverFor(s.explicit(f.Subject), f, all, queues)
		s.endTrail(t)
		p.flush()
		a.broker.completed(a, t)
	}
	*f, s.foreign = was, foreign
	return delivered
}

// flush hands everything staged to its destinations in the middle of a batch.
func (p *PeerPublisher) flush() {
	for _, s := range p.used {
		if s.open != nil {
			s.closeStage()
		}
	}
	p.in.Batch.Flush()
	for _, s := range p.used {
		s.epoch++ // lanes are not valid any more
	}
}

// Known has reports say by which way messages come.
func (p *PeerPublisher) Known(w Waypoint) { p.way = w }

// sender returns the sender for messages that came into an account in some way, ready for
// the next one.
func (p *PeerPublisher) sender(a *Account, e Entry) *sender {
	all := p.senders[a]
	if all == nil {
		all = new(peerSenders)
		p.senders[a] = all
	}
	by := &all.plain
	if len(p.origin) > 0 {
		by = all.of(p.origin)
	}
	s := by[e]
	if s == nil {
		s = p.newSender(a, e)
		by[e] = s
	}
	if s.in == nil {
		s.begin(p.in)
		p.used = append(p.used, s)
	}
	if p.last != s {
		for _, o := range all.plain {
			if o != nil && o.open != nil {
				o.closeStage() // receivers get what is on one account in its order
			}
		}
		if all.origins != nil {
			for _, o := range p.used {
				if o.peer.acc == a && o.open != nil {
					o.closeStage() // likewise
				}
			}
		}
		p.last = s
	}
	return s
}

// of returns the senders for a cluster of leaf nodes.
func (all *peerSenders) of(origin []byte) *[entries]*sender {
	by := all.origins[string(origin)]
	if by == nil {
		if all.origins == nil || len(all.origins) >= maxOrigins {
			all.origins = make(map[string]*[entries]*sender)
		}
		by = new([entries]*sender)
		all.origins[string(origin)] = by
	}
	return by
}

// newSender makes a sender for messages like the one at hand.
func (p *PeerPublisher) newSender(a *Account, e Entry) *sender {
	lead, side := "", &peerSide{link: p.link, acc: a, origin: string(p.origin)}
	if len(p.origin) == 0 {
		lead = p.lead(a, e)
	}
	if p.link != nil {
		side.origin = p.link.Origin
	}
	s := newSender(a, p.from, lead, a.seq.Add(1))
	s.entry, s.may, s.peer = e, receives[p.from][e], side
	return &s
}

// Again delivers the messages at the beginning of buf if they are on the subject of the
// one that was delivered before, and are for no queue group, and have no reply. n is
// their length, msgs their number, bytes the size of their payloads; n is 0 if the next
// frame is something else. f is for its use.
func (p *PeerPublisher) Again(buf []byte, f *proto.Frame) (n, msgs, bytes int) {
	s := p.last
	if s == nil {
		return 0, 0, 0
	}
	pl := s.last
	if pl == nil || pl.head == "" || s.lead == "" || !pl.current(s.acc.index) {
		return 0, 0, 0
	}
	if n = proto.RouteAgain(buf, pl.head, len(s.lead), p.most, f); n == 0 {
		return 0, 0, 0
	}
	if f.Hdr > 0 && s.acc.mayTrace(f) {
		return 0, 0, 0
	}
	s.allGroups, s.peer.groups = pl.mapped, nil
	k := s.publishAgain(pl, f, buf, n)
	return n * k, k, f.Size * k
}

// Forget drops what the publisher knows of an account that is removed.
func (p *PeerPublisher) Forget(a *Account) {
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
	for _, q := range s.peer.groups {
		if q == group {
			return true
		}
	}
	return false
}
