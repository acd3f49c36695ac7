package cluster

import (
	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/msgtrace"
)

var _ broker.Waypoint = (*Route)(nil)

// Way is what reports of messages' ways say of the peer.
func (r *Route) Way() broker.Way {
	return broker.Way{Kind: msgtrace.Route, ID: r.rid, Name: r.info.ServerName, Traces: r.info.Proto >= protoTraces && r.info.Headers}
}

// Accepts reports whether reports may go to a subject: the server that the message came in by has looked.
func (r *Route) Accepts(string) bool { return true }

// Why says why a message may not go to the peer: only its subject can be the reason.
func (r *Route) Why(string) string { return msgtrace.PublishDenied }
