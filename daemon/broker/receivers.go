package broker

import (
	"fmt"

	"github.com/nats-broker/nats-broker/daemon/proto"
)

// Who would receive a message is read off the plan that it would be delivered by: nothing is looked up in another way,
// so that what is told is what happens.

// ReceiverKind is what a receiver is.
type ReceiverKind string

// The kinds of receivers.
const (
	ClientReceives ReceiverKind = "client"
	PartReceives   ReceiverKind = "server" // a part of this server
	SinkReceives   ReceiverKind = "sink"   // what captures messages: see [Account.Capture]
	RouteReceives  ReceiverKind = "route"
	LeafReceives   ReceiverKind = "leaf"
	HubReceives    ReceiverKind = "hub"
	AskerReceives  ReceiverKind = "asker" // who sent the request that the message is an answer to
)

// Receiver is somebody who would be given a message.
type Receiver struct {
	Kind    ReceiverKind
	Account string // in which it is received
	Subject string // as it is seen there
	Pattern string // subscribed to
	Queue   string // queue group; empty for none
	// Share is how many of the members that a message of the queue group goes to one of it is. 0: it gets every message.
	Share int
	// Last marks a member that a message reaches only if the queue group has no other: one behind a leaf node.
	Last   bool
	Client *Client // of a client, nil otherwise
	SID    string
	Remote Remote // of another server, nil otherwise
	Sink   Sink   // of a capture, nil otherwise
	// Withheld is set where the client's permissions keep the message from it.
	Withheld bool
	// Via lists the mappings and imports that the message goes by, the first one first. It must not be changed.
	Via []string
}

// Receivers calls f for everybody who would receive a message published on a literal subject by a client of the account;
// as a request, if it has a reply subject. What the publisher may, and whether it hears itself, is left aside. Groups of a
// queue are told member by member.
func (a *Account) Receivers(subject string, request bool, f func(*Receiver)) {
	// A part's plans are a client's, but that nobody is asked whether it may publish.
	s := newSender(a, Own, proto.PubLead, 1)
	p := newPlan(subject)
	w := &receiverWalk{s: &s, request: request, f: f}
	if ways := a.waysFor(subject); ways != nil {
		p.stamp = a.index.Stamp(p.shard)
		s.fillMapped(p, ways)
		if p.as != "" {
			w.via = []string{mappedBy(subject, ways[0].to.Apply(subject), 100)}
		}
	} else {
		s.fillFrom(p)
	}
	w.plan(p, a, Published)
}

// receiverWalk goes through a plan and those that it leads to.
type receiverWalk struct {
	s       *sender
	request bool
	f       func(*Receiver)
	via     []string
}

// within has f called a step further on the way.
func (w *receiverWalk) within(step string, f func()) {
	was := w.via
	w.via = append(was[:len(was):len(was)], step)
	f()
	w.via = was
}

// plan tells the receivers of a plan of an account.
func (w *receiverWalk) plan(p *plan, a *Account, e Entry) {
	seen := p.seen()
	if p.one != nil && p.one.kind == kindShadow {
		w.shadow(p.one, seen, 0)
	} else if p.one != nil {
		w.client(p.one, a.name, seen, 0)
	}
	for _, sub := range p.plain {
		w.client(sub, a.name, seen, 0)
	}
	for _, fan := range p.fans {
		for _, g := range fan.groups {
			for _, sub := range g.subs {
				w.client(sub, a.name, seen, 0)
			}
		}
		for _, sub := range fan.special {
			w.client(sub, a.name, seen, 0)
		}
	}
	for _, r := range p.renamed {
		w.shadow(r.sub, r.subject, 0)
	}
	for i := range p.groups {
		w.group(&p.groups[i], a, seen)
	}
	for _, st := range p.steps {
		w.step(st, a, e, seen)
	}
}

// client tells of a client.
func (w *receiverWalk) client(sub *Subscription, account, seen string, share int) {
	if sub.client.has(flagClosed) {
		return
	}
	r := &Receiver{Kind: ClientReceives, Account: account, Subject: seen, Pattern: sub.Subject(), Queue: sub.Queue(), Share: share,
		Client: sub.client, SID: sub.SID(), Via: w.via}
	if x := sub.more.Load(); x != nil && x.filter != nil {
		r.Withheld = !x.filter.CanReceive(seen, sub.Queue())
	}
	w.f(r)
}

// shadow tells of a client of another account, which imports the stream.
func (w *receiverWalk) shadow(sub *Subscription, seen string, share int) {
	sh, into := sub.shadow(), sub.client.AccountName()
	w.within(streamBy(sh.im, into), func() { w.client(sh.of, into, seen, share) })
}

// group tells of the members of a queue group. Of those that a peer stands for it is told once.
func (w *receiverWalk) group(g *queueGroup, a *Account, seen string) {
	for _, m := range distinct(g.subs) {
		share := (len(g.subs) + m.times - 1) / m.times
		switch sub := m.sub; sub.kind {
		case kindShadow:
			w.shadow(sub, sub.shadow().im.in.Apply(seen), share)
		case kindClient:
			w.client(sub, a.name, seen, share)
		case kindRoute:
			w.remote(sub, a, seen, share, false)
		default:
			w.part(sub, a, seen, share)
		}
	}
	for _, m := range distinct(g.far) {
		w.remote(m.sub, a, seen, (len(g.far)+m.times-1)/m.times, len(g.subs) > 0)
	}
}

// member is a subscription and how many members of a queue group it stands for.
type member struct {
	sub   *Subscription
	times int
}

// distinct lists each member once, in order.
func distinct(subs []*Subscription) (list []member) {
	at := make(map[*Subscription]int)
	for _, sub := range subs {
		i, ok := at[sub]
		if !ok {
			i = len(list)
			at[sub] = i
			list = append(list, member{sub: sub})
		}
		list[i].times++
	}
	return list
}

func (w *receiverWalk) remote(sub *Subscription, a *Account, seen string, share int, last bool) {
	w.f(&Receiver{Kind: remoteKind(sub.kind), Account: a.name, Subject: seen, Pattern: sub.Subject(), Queue: sub.Queue(), Share: share, Last: last,
		Remote: sub.more.Load().remote, Via: w.via})
}

func remoteKind(kind uint8) ReceiverKind {
	switch kind {
	case kindLeaf:
		return LeafReceives
	case kindHub:
		return HubReceives
	}
	return RouteReceives
}

func (w *receiverWalk) part(sub *Subscription, a *Account, seen string, share int) {
	r := &Receiver{Kind: PartReceives, Account: a.name, Subject: seen, Pattern: sub.Subject(), Queue: sub.Queue(), Share: share, Via: w.via}
	if c := sub.more.Load().capture; c != nil {
		r.Kind, r.Sink = SinkReceives, c.sink
	}
	w.f(r)
}

// step tells of what a plan does besides giving to clients.
func (w *receiverWalk) step(st step, a *Account, e Entry, seen string) {
	switch st := st.(type) {
	case internalStep:
		w.part(st.sub, a, seen, 0)
	case *capture:
		w.f(&Receiver{Kind: SinkReceives, Account: a.name, Subject: seen, Sink: st.sink, Via: w.via})
	case *capturedShadow:
		w.within(streamBy(st.im, st.of.acc.name), func() {
			w.f(&Receiver{Kind: SinkReceives, Account: st.of.acc.name, Subject: st.subject, Sink: st.of.sink, Via: w.via})
		})
	case *remoteStep:
		if st.plain {
			w.f(&Receiver{Kind: remoteKind(st.kind), Account: a.name, Subject: seen, Remote: st.remote, Via: w.via})
		}
	case replyStep:
		w.f(&Receiver{Kind: AskerReceives, Account: a.name, Subject: seen, Via: w.via})
	case *serviceStep:
		into, p := AsMessage, st.plan
		if w.request || e == AsRequest || e == AsAnswer {
			into = AsRequest
		} else if st.oneWay != nil {
			p = st.oneWay
		}
		w.within(fmt.Sprintf("service import %q of account %s from %s", st.im.local, a.name, st.im.to.name), func() {
			if to := st.im.out.Apply(seen); to != p.subject {
				w.within(mappedBy(to, p.subject, 100), func() { w.plan(p, st.im.to, into) })
				return
			}
			w.plan(p, st.im.to, into)
		})
	case *mappedStep:
		w.mapped(st, a, e)
	}
}

func (w *receiverWalk) mapped(m *mappedStep, a *Account, e Entry) {
	before := uint32(0)
	for i, way := range m.ways {
		to := way.to.Apply(m.from)
		p := m.plans[i]
		if p == nil {
			p = w.s.planOf(to)
		}
		w.within(mappedBy(m.from, to, way.upto-before), func() { w.plan(p, a, e) })
		before = way.upto
	}
}

func mappedBy(from, to string, percent uint32) string {
	if percent == 100 {
		return fmt.Sprintf("mapping of %q to %q", from, to)
	}
	return fmt.Sprintf("mapping of %q to %q, %d%%", from, to, percent)
}

func streamBy(im *streamImport, into string) string {
	return fmt.Sprintf("stream import %q of account %s from %s", im.local, into, im.from.name)
}
