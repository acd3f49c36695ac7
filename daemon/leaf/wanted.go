package leaf

import (
	"fmt"
	"maps"
	"strings"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/proto"
	"github.com/nats-broker/nats-broker/daemon/subject"
)

// wish is what somebody is subscribed to.
type wish struct{ subject, queue string }

// want is one entry of what a peer wants.
type want struct {
	weight int
	in     broker.RemoteInterest
}

// maxWeight bounds what a peer may say; the broker bounds it further.
const maxWeight = 1 << 20

// subscribe handles LS+.
func (l *Link) subscribe(f *proto.RouteFrame) error {
	w := wish{string(f.Subject), string(f.Queue)}
	weight := min(max(f.Weight, 1), maxWeight)
	if strings.HasPrefix(w.subject, loopPrefix) && w.subject == l.srv.loopSubject(l.acc) {
		return circle(l.acc.Name())
	}
	l.mu.Lock()
	e, n := l.wanted[w], len(l.wanted)
	l.mu.Unlock()
	if e != nil {
		if e.weight != weight {
			e.weight = weight
			e.in.SetMembers(broker.Members{All: weight, Own: weight})
		}
		return nil
	}
	if !l.toHub && subject.IsLiteral(w.subject) && !l.rights.Load().down.passes(w.subject) {
		return violated("Subscription", f.Subject)
	}
	if l.maxSubs > 0 && n >= l.maxSubs {
		return &refusal{reason: "Maximum Subscriptions Exceeded", tell: "maximum subscriptions exceeded", log: "maximum subscriptions exceeded"}
	}
	e = &want{weight: weight}
	var err error
	if l.toHub {
		e.in, err = l.acc.AddHub(l, f.Subject, w.queue, weight)
	} else {
		e.in, err = l.acc.AddLeaf(l, l.cluster, f.Subject, w.queue, weight)
	}
	if err != nil {
		l.srv.log.Error(fmt.Sprintf("%s - Could not insert subscription: %v", l.label, err))
		return &refusal{reason: "Protocol Violation", tell: "Invalid Subscription"}
	}
	w.subject = e.in.Pattern()
	l.mu.Lock()
	l.wanted[w] = e
	l.mu.Unlock()
	return nil
}

// unsubscribe handles LS-.
func (l *Link) unsubscribe(f *proto.RouteFrame) {
	w := wish{string(f.Subject), string(f.Queue)}
	l.mu.Lock()
	e := l.wanted[w]
	delete(l.wanted, w)
	l.mu.Unlock()
	if e != nil {
		e.in.Remove()
	}
}

// forget ends all that the peer wants.
func (l *Link) forget() {
	l.mu.Lock()
	all := maps.Clone(l.wanted)
	clear(l.wanted)
	l.mu.Unlock()
	for _, e := range all {
		e.in.Remove()
	}
}
