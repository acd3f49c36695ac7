package cluster

import (
	"github.com/nats-broker/nats-broker/daemon/batch"
	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/proto"
)

// shareFrom is the size of a payload from which it is passed on by reference.
const shareFrom = 16 << 10

// Head is what messages on a subject begin with: see [broker.Relay].
func (r *Route) Head(a *broker.Account, subject string) string {
	return "H" + r.lead(a)[1:] + subject + " "
}

// lead is what messages on an account begin with, in front of the subject.
func (r *Route) lead(a *broker.Account) string {
	if r.account != "" {
		return "RMSG "
	}
	return "RMSG " + a.Name() + " "
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
	line := proto.AppendRouteMsg(room[:0], account, d.Subject, f.Reply, d.Queues, hdr, size)
	l := d.Batch.Lane(&r.Out.Outlet)
	if d.Input != nil && size >= shareFrom {
		copy(l.Reserve(len(line)), line)
		from := cap(d.Input.Data) - cap(body)
		d.Input.Share(l, from, from+len(body))
	} else {
		b := l.Reserve(len(line) + len(body))
		copy(b[copy(b, line):], body)
	}
	l.Msgs++
	l.Bytes += size
	return true
}
