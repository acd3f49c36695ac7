package broker

import (
	"github.com/nats-broker/nats-broker/daemon/batch"
	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/sublist"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

// sender delivers what one connection publishes. It belongs to the goroutine that
// reads from the connection.
type sender struct {
	hop
	self   *Client // the publisher; nil for all but FromClient
	from   Origin
	echo   bool // what self publishes comes back to it
	traced bool // see [sender.retrace]
	hidden bool // while a plan is made: imports of streams were left out of it

	in    *transport.Input // during one call of Receive
	epoch uint64           // counts those calls
	cache planCache
	last  *plan // of the message before
	once  *plan // for subjects that have no place in the cache
	reply *plan // of answers to requests of other accounts, see answers
	alike *alikePlans
	text  []byte
	found []*node

	lead string    // what lines begin with, in front of the subject
	peer *peerSide // nil for all but FromRoute, FromLeaf and FromHub

	chosen []choice // peers that serve a queue group, of the message at hand
	queues []string // those of one peer
	loan   *loan

	uncounted uint64 // messages of last that its nodes have not been told of

	nests []*nest // for delivery to other accounts, by depth
	told  *told   // what services are told last

	open   *fanout // whose bytes are in stage
	stage  batch.Stage
	random uint64
}

// begin starts the work on one buffer of input.
func (s *sender) begin(in *transport.Input) {
	s.in = in
	s.epoch++
	in.Batch.Attach(s)
	if on := s.acc.broker.log.Enabled(logging.Trace); on != s.traced {
		s.retrace(on)
	}
}

// end finishes it: everything staged is in the batch's lanes.
func (s *sender) end() {
	if s.open != nil {
		s.closeStage()
	}
	s.stage.Release()
	s.settle()
	for _, n := range s.nests {
		n.rest()
	}
	s.in.Batch.Detach(s)
	s.in = nil
}

// BeforeFlush has what is counted when it can be seen: see [batch.Witness].
func (s *sender) BeforeFlush() { s.settle() }

// flush hands everything staged to its destinations in the middle of a batch, the
// client's own last as always: a PONG must not overtake what was published before it.
func (s *sender) flush() {
	if s.open != nil {
		s.closeStage()
	}
	s.in.Batch.Flush()
	s.epoch++ // lanes are not valid any more
}

// forget drops all plans, since the account or what is allowed has changed.
func (s *sender) forget() {
	s.settle()
	s.last = nil
	s.cache.clear()
	s.once, s.reply, s.alike, s.nests = nil, nil, nil, nil
}

// retire lets go of everything at the end of the connection. Plans name receivers: were
// they kept, a connection that has ended would keep those alive that ended before it, and
// so on, for as long as an old plan of another sender names it.
func (s *sender) retire() {
	s.forget()
	s.found, s.chosen, s.peer, s.stage = nil, nil, nil, batch.Stage{}
}

// settle adds the messages not counted yet to the counters of their patterns.
func (s *sender) settle() {
	if s.uncounted == 0 {
		return
	}
	for _, n := range s.last.nodes {
		n.Msgs.Add(s.uncounted)
	}
	s.uncounted = 0
}

// lane returns the lane to a client, for a frame that must come behind everything
// staged before.
func (s *sender) lane(c *Client) *batch.Lane {
	if s.open != nil {
		s.closeStage()
	}
	return s.in.Batch.Lane(&c.Out.Outlet)
}

// plan returns the plan for a subject.
func (s *sender) plan(subject []byte) *plan {
	if p := s.last; p != nil && p.subject == string(subject) && p.current(s.acc.index) {
		return p
	}
	hash := sublist.Hash(subject)
	if p := s.answers(subject, hash); p != nil {
		return p
	}
	s.settle()
	p := s.cache.get(subject, hash)
	worthy := p == nil && s.cache.worthy(hash)
	if p == nil && (!worthy || s.from.own()) {
		if p := s.planForAlike(subject, hash); p != nil {
			return p
		}
	}
	switch {
	case worthy:
		p = &plan{head: s.lead + string(subject) + " ", hash: hash, shard: sublist.ShardOf(subject)}
		p.subject = p.head[len(s.lead) : len(p.head)-1]
		if s.traced {
			p.head = ""
		}
		s.fill(p)
		s.cache.put(p)
	case p == nil:
		if s.once == nil {
			s.once = &plan{scratch: true}
		}
		p = s.once
		s.text = append(s.text[:0], subject...)
		p.subject, p.hash, p.shard = asString(s.text), hash, sublist.ShardOf(subject)
		s.fill(p)
	case !p.current(s.acc.index):
		s.fill(p)
	}
	s.last = p
	return p
}

// fill makes the plan for p.subject.
func (s *sender) fill(p *plan) {
	s.acc.misses.Add(1)
	p.reset()
	if s.from == FromClient || s.from.linked() {
		if ways := s.acc.waysFor(p.subject); ways != nil {
			p.shard = sublist.ShardOf(asBytes(p.subject))
			p.stamp = s.acc.index.Stamp(p.shard)
			p.nodes = p.nodes[:0]
			s.fillMapped(p, ways)
			p.mapped = true
			return
		}
	}
	s.fillFrom(p)
}

// fillFrom fills the plan in from the account's index.
func (s *sender) fillFrom(p *plan) {
	x, to := s.acc.index, asBytes(p.seen())
	hash := p.hash
	if p.as != "" {
		hash = sublist.Hash(to)
	}
	p.shard = sublist.ShardOf(to)
	p.stamp = x.Stamp(p.shard)
	p.nodes = x.Match(to, hash, p.nodes[:0])
	if s.from == FromClient && s.entry == Published && !s.self.canPublish(p.seen()) {
		p.denied = true
		if !s.self.answering() {
			return
		}
	}
	may := s.may
	s.may = may.about(p.seen())
	for _, n := range p.nodes {
		s.add(p, n)
	}
	s.may = may
	if s.from == FromClient && s.entry == Published {
		s.addMeasured(p)
	}
	if len(p.fans) == 1 && len(p.plain)+len(p.groups)+len(p.steps)+len(p.renamed) == 0 && p.as == "" && !p.denied &&
		p.fans[0].alike() {
		p.fan = p.fans[0]
	}
	p.findRelays()
	if len(p.fans) != 0 || len(p.groups) != 0 || len(p.steps) != 0 {
		return
	}
	p.nobody = !p.denied && len(p.plain)+len(p.renamed) == 0
	switch {
	case s.traced || s.trail != nil:
	case len(p.plain) == 1 && len(p.renamed) == 0:
		s.single(p)
	case len(p.plain) == 0 && len(p.renamed) == 1 && !p.denied && s.entry == Published:
		s.singleRenamed(p)
	}
}

// singleRenamed turns a plan with one receiver in another account into the short
// form, if it can.
func (s *sender) singleRenamed(p *plan) {
	r := p.renamed[0]
	if !r.sub.shadow().of.simple() || p.scratch {
		return
	}
	p.one, p.as = r.sub, r.subject
	p.prefix = "HMSG " + r.subject + " " + r.sub.sidSpace()
	p.renamed = p.renamed[:0]
}

// single turns a plan with one plain receiver into the short form, if it can.
func (s *sender) single(p *plan) {
	sub := p.plain[0]
	if !sub.simple() {
		return
	}
	p.one = sub
	if sub.Subject() == p.seen() {
		p.prefix = sub.line
	} else if !p.scratch {
		p.prefix = "HMSG " + p.seen() + " " + sub.sidSpace()
	} else {
		p.one = nil // not worth making a prefix for
		return
	}
	p.plain = p.plain[:0]
}

// add adds the receivers of one matching pattern.
func (s *sender) add(p *plan, n *node) {
	one, l := n.Members()
	if one != nil {
		s.addPlain(p, one)
		return
	}
	if l == nil {
		return
	}
	if len(l.Plain) == 1 {
		s.addPlain(p, l.Plain[0])
	} else if s.traced || s.trail != nil {
		for _, sub := range l.Plain {
			s.addPlain(p, sub)
		}
	} else if len(l.Plain) > 1 {
		f := fanoutOf(l)
		p.fans = append(p.fans, f)
		for _, sub := range f.others {
			s.addPlain(p, sub)
		}
	}
	for i := range l.Queues {
		g := &l.Queues[i]
		s.joinGroup(p, g)
	}
}

// addPlain adds a receiver that is in no queue group.
func (s *sender) addPlain(p *plan, sub *Subscription) {
	if !s.may.has(sub.kind) {
		s.hidden = s.hidden || sub.kind == kindShadow
		return
	}
	switch sub.kind {
	case kindClient:
		if sub.client != s.self || s.echo || s.trail != nil {
			p.plain = append(p.plain, sub)
		}
	case kindShadow:
		s.addShadow(p, sub)
	case kindRoute:
		if !s.returns(sub) && s.stands(sub) > 0 {
			s.addRemote(p, sub)
		}
	case kindLeaf, kindHub:
		s.addLink(p, sub)
	case kindImport, kindWide:
		s.addService(p, sub.more.Load().service)
	case kindReplies:
		p.steps = append(p.steps, replyStep{s.acc})
	case kindWatch:
		p.steps = append(p.steps, watchStep{sub})
	default:
		p.addPart(sub)
	}
}

// maxWeight is how many members of a queue group a peer can stand for.
const maxWeight = 1024

// joinGroup adds the members of a queue group. Among them peers stand for as many
// members as they have.
func (s *sender) joinGroup(p *plan, of *sublist.Group[Subscription]) {
	name, subs := of.Name, of.Subs
	var far []*Subscription
	if s.may&toTold != toTold || of.Own < len(subs) {
		subs = make([]*Subscription, 0, len(of.Subs))
		for _, sub := range of.Subs {
			if !s.may.has(sub.kind) {
				s.hidden = s.hidden || sub.kind == kindShadow
				continue
			}
			switch sub.kind {
			case kindRoute:
			case kindLeaf, kindHub:
				if s.mayLink(p, sub) {
					s.addRemote(p, sub)
					for range min(s.stands(sub), maxWeight) {
						far = append(far, sub)
					}
				}
				continue
			default:
				subs = append(subs, sub)
				continue
			}
			n := s.stands(sub)
			if n == 0 || s.returns(sub) {
				continue
			}
			s.addRemote(p, sub)
			for range min(n, maxWeight) {
				if sub.behindLeaf() {
					far = append(far, sub)
				} else {
					subs = append(subs, sub)
				}
			}
		}
	}
	if len(subs)+len(far) == 0 {
		return
	}
	for i := range p.groups {
		if g := &p.groups[i]; g.name == name {
			g.subs = append(append(make([]*Subscription, 0, len(g.subs)+len(subs)), g.subs...), subs...)
			g.far = append(g.far, far...)
			return
		}
	}
	p.groups = append(p.groups, queueGroup{name, subs, far})
}

// loan is what is lent out while one receiver is given a message.
type loan struct {
	delivery Delivery
	message  Message
}

func (s *sender) lent() *loan {
	if s.loan == nil {
		s.loan = new(loan)
	}
	return s.loan
}

// lookup returns the patterns that match a subject, valid until the next call.
func (s *sender) lookup(subject []byte) []*node {
	s.found = s.acc.index.Match(subject, sublist.Hash(subject), s.found[:0])
	return s.found
}
