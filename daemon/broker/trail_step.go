package broker

import (
	"time"

	"github.com/nats-broker/nats-broker/daemon/msgtrace"
	"github.com/nats-broker/nats-broker/daemon/proto"
)

// TracedSink is a [Sink] that reports name.
type TracedSink interface {
	Sink
	// StageTraced is Stage for a message of which a report is made; m's header says to others that it is not to be traced any more.
	// What is decided is to be told t, once. The message comes behind what has been staged.
	StageTraced(m *Message, t *StreamTrail) (taken bool)
	// TracedName is what reports call it.
	TracedName() string
}

// ServiceSink is a [Sink] that reports show as an import of a service.
type ServiceSink interface {
	Sink
	// ImportedFrom is the account that they name.
	ImportedFrom() string
}

// StreamTrail is a stream's part of a report.
type StreamTrail struct {
	of    *Account // where the report goes
	trail *msgtrace.Trail
	event *msgtrace.Stream
}

// Only says that the message is not to be stored.
func (t *StreamTrail) Only() bool { return t.trail.Only }

// Decided notes what was decided about the message, and publishes the report if that was all there was to wait for. It
// must not be called with a lock held.
func (t *StreamTrail) Decided(d msgtrace.Decision) {
	if t.trail.Stored(t.event, d) {
		t.of.broker.report(t.of, t.trail)
	}
}

// traced is deliver for a message that is traced.
func (c *capture) traced(s *sender, subject []byte, f *proto.Frame) bool {
	if by, ok := c.sink.(ServiceSink); ok {
		s.trail.Service(time.Now(), by.ImportedFrom(), string(subject), string(subject))
		if s.dry() {
			return false
		}
	}
	to, ok := c.sink.(TracedSink)
	switch {
	case !ok && s.dry():
		return true
	case !ok:
		return c.sink.Stage(s.in.Batch.Lane(c.outlet), s.message(c.acc, subject, f))
	}
	was, foreign := *f, s.foreign
	if !s.dry() {
		setField(f, msgtrace.DestField, msgtrace.Disabled) // for those who read it out of the stream
		s.foreign = true
	}
	t := &StreamTrail{s.origins(), s.trail.Trail, s.trail.Store(time.Now(), to.TracedName())}
	taken := to.StageTraced(s.message(c.acc, subject, f), t)
	*f, s.foreign = was, foreign
	return taken
}

// origins is the account that the message at hand came in on.
func (s *sender) origins() *Account {
	if a := s.acc.broker.Account(s.trail.Account()); a != nil {
		return a
	}
	return s.acc
}

// traced is deliver for a message that is traced: a client of another account is told of by way of the capture.
func (c *capturedShadow) traced(s *sender, deliver func() bool) bool {
	t := s.trail
	t.Listen(time.Now(), c.of.acc.name, c.subject)
	if c.im.AllowTrace {
		return deliver()
	}
	if t.Only {
		return true
	}
	s.trail = nil
	taken := deliver()
	s.trail = t
	return taken
}

// listen adds to the trail that an import of a stream leads on. It reports whether the message is delivered there.
func (s *sender) listen(sub *Subscription, as string) (delivers bool) {
	s.trail.Listen(time.Now(), sub.client.AccountName(), as)
	return sub.shadow().im.AllowTrace || !s.trail.Only
}

// traced is deliver for a message that is traced. Its header says how the peer's report belongs to this one.
func (r *remoteStep) traced(s *sender, subject []byte, f *proto.Frame, queues []string) bool {
	t := s.trail
	way, why := Way{}, msgtrace.PublishDenied
	if w, ok := r.remote.(Waypoint); ok {
		way, why = w.Way(), w.Why(string(subject))
	}
	e := msgtrace.Egress{Kind: way.Kind, ID: way.ID, Name: way.Name, Hop: t.NextHop()}
	if way.Kind == msgtrace.Leaf {
		e.Account = s.acc.name
	}
	delivered := false
	switch {
	case r.denied:
		e.Error = why
	case !way.Traces && t.Only:
		e.Error = msgtrace.NotSupportedOnly
	default:
		if !way.Traces {
			e.Error = msgtrace.NotSupported
		}
		m := *f
		setField(&m, msgtrace.HopField, e.Hop)
		d := &s.lent().delivery
		*d = Delivery{Account: s.acc, Entry: s.entry, Subject: subject, Frame: &m, Origin: s.origin(), Queues: queues, Batch: s.in.Batch}
		if delivered = r.remote.Deliver(d); !delivered {
			e.Error = why
		}
	}
	t.Give(time.Now(), e)
	return delivered
}

// tracedService is the part of a request's way that is traced: it goes on with, without, or not at all.
type tracedService struct {
	was     proto.Frame
	foreign bool
	hops    int
	trail   *trail
	before  trail
	reply   openRequest // by which reports of other servers come back
}

// trace adds an import of a service to the trail, and makes the frame ready for it. It reports whether the request goes
// on.
func (st *serviceStep) trace(s *sender, subject []byte, f *proto.Frame, b *tracedService) (goes bool) {
	t := s.trail
	*b = tracedService{was: *f, foreign: s.foreign, hops: t.Hops(), trail: t, before: *t}
	t.service = t.Service(time.Now(), st.im.to.name, string(subject), st.plan.seen())
	switch {
	case st.export.AllowTrace:
		replies := &st.im.to.shares.replies
		t.reports, b.reply = replies.add(nil, &request{from: s.acc, reply: t.reports, export: anyReport,
			class: replies.class(anyReport.Threshold), shard: s.shard()})
		setField(f, msgtrace.DestField, string(t.reports))
	case t.Only:
		return false
	default:
		setField(f, msgtrace.DestField, msgtrace.Disabled)
		s.trail = nil
	}
	s.foreign = true
	return true
}

// traced takes back what trace has changed.
func (b *tracedService) end(s *sender, f *proto.Frame) {
	*b.trail = b.before
	*f, s.foreign, s.trail = b.was, b.foreign, b.trail
	if b.reply.slot != nil && b.trail.Hops() == b.hops {
		b.reply.remove() // no other server will report
	}
}

// anyReport is how reports come back from the account of a service: any number, for a while.
var anyReport = &serviceExport{ServiceExport{Streamed: true, Threshold: defaultThreshold}}

// traced is deliver for an answer that is traced. An answer is traced no further than to who asked.
func (st replyStep) traced(s *sender, subject []byte, f *proto.Frame) bool {
	t := s.trail
	to, reply, ok := st.of.shares.replies.peek(subject)
	if !ok {
		return false
	}
	t.Service(time.Now(), to.name, string(subject), string(reply))
	if t.Only {
		return false
	}
	was, foreign := *f, s.foreign
	setField(f, msgtrace.DestField, msgtrace.Disabled)
	s.trail, s.foreign = nil, true
	delivered := st.deliver(s, subject, f)
	*f, s.trail, s.foreign = was, t, foreign
	return delivered
}

// mapTraced adds to the trail which way a mapping has led.
func (s *sender) mapTraced(to string) {
	switch {
	case s.trail == nil:
	case s.trail.service != nil:
		s.trail.service.To = to
	case s.depth == 0:
		s.trail.Map(time.Now(), to)
	}
}
