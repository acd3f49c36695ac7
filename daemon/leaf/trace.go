package leaf

import (
	"fmt"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/msgtrace"
)

var _ broker.Waypoint = (*Link)(nil)

// Way is what reports of messages' ways say of the peer.
func (l *Link) Way() broker.Way {
	return broker.Way{Kind: msgtrace.Leaf, ID: l.id, Name: l.name, Traces: l.proto >= protoTraces && l.headers}
}

// Accepts reports whether the peer may have reports of its messages go to a subject. It is not told if not: to a nats-server an
// error would be the end of the connection.
func (l *Link) Accepts(subj string) bool {
	r := l.rights.Load()
	rules := r.take
	if !l.toHub {
		rules = r.checked
	}
	if rules.passes(subj) {
		return true
	}
	l.srv.log.Error(fmt.Sprintf("%s - Publish Violation - Subject %q", l.label, subj))
	return false
}

// Why says why a message may not go to the peer, as nats-server 2.15.3 does: a leaf node does not subscribe to what its user
// is denied.
func (l *Link) Why(subj string) string {
	rules := l.rights.Load().send
	if !l.toHub && rules != nil && !(&Rules{Deny: rules.Deny}).passes(subj) {
		return msgtrace.SubscribeDenied
	}
	return msgtrace.PublishDenied
}
