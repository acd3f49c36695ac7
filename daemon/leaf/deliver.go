package leaf

import (
	"github.com/nats-broker/nats-broker/daemon/batch"
	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/proto"
)

var _ broker.Link = (*Link)(nil)

// Takes reports whether a message may go to the peer: see [broker.Link]. What comes from a cluster of
// leaf nodes does not go back to it by another connection.
func (l *Link) Takes(subj, origin string) (ok, depends bool) {
	rules := l.rights.Load().send
	if origin != "" && origin == l.cluster && !l.toHub {
		return false, false
	}
	return rules.passes(subj), !rules.none()
}

// Head is what messages on a subject begin with: see [broker.Relay].
func (l *Link) Head(_ *broker.Account, _ broker.Entry, subject string) string {
	return "HMSG " + subject + " "
}

// Relay makes ready for messages: see [broker.Relay].
func (l *Link) Relay(headers bool) *batch.Outlet {
	if l.Aborted() != nil || headers && !l.headers {
		return nil
	}
	if l.dirty.Load() {
		l.flush() // what the publisher subscribed to comes first: answers must find it
	}
	return &l.Out.Outlet
}

// PeerName is the name of the server that the connection leads to.
func (l *Link) PeerName() string { return l.name }

// Deliver sends a message to the peer: see [broker.Remote].
func (l *Link) Deliver(d *broker.Delivery) bool {
	if l.Aborted() != nil {
		return false
	}
	if l.dirty.Load() {
		l.flush()
	}
	f := d.Frame
	hdr := f.Hdr
	if hdr == 0 {
		hdr = -1
	}
	body, size := f.Body, f.Size
	if hdr > 0 && !l.headers {
		body, size, hdr = body[hdr:], size-hdr, -1
	}
	var room [512]byte
	reply := f.Reply
	if f.Shown != nil && len(reply) > 0 { // how the subject that clients see crosses
		reply = proto.AppendShown(make([]byte, 0, 256), reply, f.Shown)
	}
	line := proto.AppendLeafMsg(room[:0], d.Subject, reply, d.Queues, hdr, size)
	out := d.Batch.Lane(&l.Out.Outlet)
	if d.Input != nil && size >= batch.ReferFrom {
		copy(out.Reserve(len(line)), line)
		d.Input.Refer(out, body)
	} else {
		b := out.Reserve(len(line) + len(body))
		copy(b[copy(b, line):], body)
	}
	out.Msgs++
	out.Bytes += size
	return true
}
