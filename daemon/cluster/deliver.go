package cluster

import (
	"bytes"

	"github.com/nats-broker/nats-broker/daemon/batch"
	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/proto"
)

// Head is what messages on a subject begin with: see [broker.Relay].
func (r *Route) Head(a *broker.Account, e broker.Entry, subject string) string {
	return "H" + r.lead(a, e)[1:] + subject + " "
}

// entries are the words for how a message came into its account.
var entries = [...]proto.RouteEntry{broker.Published: proto.RoutePublished, broker.AsMessage: proto.RouteByImport,
	broker.AsRequest: proto.RouteRequest, broker.AsAnswer: proto.RouteAnswer}

// cameBy is what the words stand for.
var cameBy = [...]broker.Entry{proto.RoutePublished: broker.Published, proto.RouteByImport: broker.AsMessage,
	proto.RouteRequest: broker.AsRequest, proto.RouteAnswer: broker.AsAnswer}

// entry is the word for how a message came into its account, as far as the peer knows one.
func (r *Route) entry(e broker.Entry) proto.RouteEntry {
	if r.info.Entries {
		return entries[e]
	}
	return proto.RoutePublished
}

// came is how a message came into its account on the peer's server. A nats-server does not
// say it, but what came by an import of a service has a header of its own.
func (r *Route) came(f *proto.RouteFrame) broker.Entry {
	if f.Hdr > 0 && f.Reply == nil && !r.info.Entries && bytes.Contains(f.Body[:f.Hdr], requestInfo) {
		return broker.AsMessage
	}
	return cameBy[f.Entry]
}

var requestInfo = []byte("\r\nNats-Request-Info:")

// lead is what messages on an account begin with, in front of the subject.
func (r *Route) lead(a *broker.Account, e broker.Entry) string {
	verb := r.entry(e).Lead()
	if r.account != "" {
		return verb
	}
	return verb + a.Name() + " "
}

// Relay makes ready for messages: see [broker.Relay].
func (r *Route) Relay(headers bool) *batch.Outlet {
	if r.Aborted() != nil || r.guarded.Load() || headers && !r.info.Headers {
		return nil
	}
	if r.dirty.Load() {
		r.flush() // what the publisher subscribed to comes first: answers must find it
	}
	return &r.Out.Outlet
}

// PeerName is the name of the server that the route leads to.
func (r *Route) PeerName() string {
	r.hub.mu.Lock()
	defer r.hub.mu.Unlock()
	return r.peer.name
}

// Deliver sends a message to the peer: see [broker.Remote].
func (r *Route) Deliver(d *broker.Delivery) bool {
	if r.Aborted() != nil {
		return false
	}
	if r.guarded.Load() && !r.hub.opts.Load().Export.passes(d.Subject) {
		return false
	}
	if r.dirty.Load() {
		r.flush() // what the publisher subscribed to comes first: answers must find it
	}
	account := ""
	if r.account == "" {
		account = d.Account.Name()
	}
	f := d.Frame
	hdr := f.Hdr
	if hdr == 0 {
		hdr = -1
	}
	body, size := f.Body, f.Size
	if hdr > 0 && !r.info.Headers {
		body, size, hdr = body[hdr:], size-hdr, -1
	}
	var room [512]byte
	reply := f.Reply
	if f.Shown != nil && len(reply) > 0 { // how the subject that clients see crosses a route
		reply = proto.AppendShown(make([]byte, 0, 256), reply, f.Shown)
	}
	var line []byte
	if d.Origin != "" && r.info.Headers && r.parts() {
		line = proto.AppendRouteLeafMsg(room[:0], d.Origin, account, d.Subject, reply, d.Queues, hdr, size)
	} else {
		line = proto.AppendRouteMsg(room[:0], r.entry(d.Entry), account, d.Subject, reply, d.Queues, hdr, size)
	}
	l := d.Batch.Lane(&r.Out.Outlet)
	if d.Input != nil && size >= batch.ReferFrom {
		copy(l.Reserve(len(line)), line)
		d.Input.Refer(l, body)
	} else {
		b := l.Reserve(len(line) + len(body))
		copy(b[copy(b, line):], body)
	}
	l.Msgs++
	l.Bytes += size
	return true
}
