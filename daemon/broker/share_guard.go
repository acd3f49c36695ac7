package broker

import (
	"github.com/nats-broker/nats-broker/daemon/proto"
	"github.com/nats-broker/nats-broker/daemon/subject"
)

// Who asks for an answer names the subject that the answer goes to, and who answers, this server among them, has rights
// of its own there. A client cannot name a subject of JetStream (see [Client.checked]), but an import may have one under
// another name: then the answer would be a request to JetStream that nobody with the right to make it has made. Such an
// answer ends before the import, as with nats-server 2.15.3.

// guard is what a service import looks at where it leads to a subject that has an effect, and not by that name.
type guard uint8

const (
	guardNone    guard = iota
	guardOwn           // what this server publishes itself: it asks in its own name only with a reply subject
	guardAnswers       // what may be published as an answer only
)

// guardOf returns the guard of an import that leads from p to st. granted says that p is of a subject where the client
// may answer only.
func (s *sender) guardOf(p *plan, granted bool, st *serviceStep) guard {
	g := guardNone
	switch {
	case s.from == Own, s.from == OwnOutward, s.from == FromStream:
		g = guardOwn
	case granted, s.from == FromRoute: // a route does not say who has answered; only answers go on from one
		g = guardAnswers
	}
	if g == guardNone || subject.HasEffect(p.seen()) || !st.plan.hasEffect() {
		return guardNone
	}
	return g
}

// hasEffect reports whether messages of the plan may go to a subject that has an effect.
func (p *plan) hasEffect() bool {
	if subject.HasEffect(p.seen()) {
		return true
	}
	for _, st := range p.steps {
		if m, ok := st.(*mappedStep); ok {
			for _, w := range m.ways {
				if subject.HasEffect(w.to.Apply(m.from)) {
					return true
				}
			}
		}
	}
	return false
}

// stops reports whether a message may not pass.
func (g guard) stops(s *sender, f *proto.Frame) bool {
	switch g {
	case guardOwn:
		return len(f.Reply) == 0 || s.asksJetStream || subject.IsJetStream(f.Reply)
	case guardAnswers:
		return true
	}
	return false
}
