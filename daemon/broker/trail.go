package broker

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-broker/nats-broker/daemon/msgtrace"
	"github.com/nats-broker/nats-broker/daemon/proto"
	"github.com/nats-broker/nats-broker/daemon/subject"
)

// A message that asks which way it goes is delivered by a plan of its own, made for it alone, which names receivers one
// by one and also those that do not get it; each step adds to the trail what it does. Other messages pay nothing: those
// with a header are looked at for the fields that ask.

// trail is what a sender knows of the message at hand that is traced.
type trail struct {
	*msgtrace.Trail
	service *msgtrace.Service // by which the message goes; nil: it is where it was published
	reports []byte            // where other servers report to, in the account at hand
}

// Tracing says where reports of an account's messages go that are part of a trace which begins elsewhere.
type Tracing struct {
	Dest    string // a subject of the account; empty: there are none
	Percent int    // of those messages
}

// Way describes one end of the way that a message takes.
type Way struct {
	Kind   msgtrace.Kind
	ID     uint64 // of the connection
	Name   string
	Traces bool // it takes part in traces
}

// Waypoint is a [Remote] that reports can name. Its methods may be called from any goroutine.
type Waypoint interface {
	Way() Way
	// Accepts reports whether what comes over it may be published on a subject, and tells it if not.
	Accepts(subject string) bool
	// Why says why a message on a subject may not go there, as reports do.
	Why(subject string) string
}

// ReportTo has f called with each report of a message's way that is complete, on whatever goroutine completes it; nil:
// reports are made for nobody.
func (b *Broker) ReportTo(f func(a *Account, t *msgtrace.Trail)) {
	if f == nil {
		b.reports.Store(nil)
		return
	}
	b.reports.Store(&f)
}

func (b *Broker) report(a *Account, t *msgtrace.Trail) {
	if f := b.reports.Load(); f != nil {
		(*f)(a, t)
	}
}

// tracing returns what the account's options say of reports.
func (a *Account) tracing() Tracing {
	if sh := a.shares.now.Load(); sh != nil {
		return sh.options.Trace
	}
	return Tracing{}
}

// mayTrace reports whether a message with a header may ask for a report.
func (a *Account) mayTrace(f *proto.Frame) bool { return a.mayTraceBy(f.Body[:f.Hdr]) }

func (a *Account) mayTraceBy(header []byte) bool {
	switch msgtrace.Asks(header) {
	case msgtrace.Directly:
		return true
	case msgtrace.ByParent:
		return a.tracing().Dest != ""
	}
	return false
}

// silent returns how many of k messages that stand in the input one behind the other, each length bytes long, come before
// one that may ask for a report. f is the first, which does not.
func (s *sender) silent(f *proto.Frame, buf []byte, length, k int) int {
	if f.Hdr < msgtrace.Shortest {
		return k
	}
	for i, at := 1, 2*length-len(f.Body); i < k; i, at = i+1, at+length {
		if s.acc.mayTraceBy(buf[at : at+f.Hdr]) {
			return i
		}
	}
	return k
}

// trailOf finds out what a message asks for that has come in by a way; why is what it is refused for anyway, empty for
// nothing. t is nil if it is not traced, and drop says that it is not to be delivered. The frame may be rewritten: then
// it lies in memory of its own.
func (s *sender) trailOf(f *proto.Frame, w Way, accepts func(dest string) bool) (t *msgtrace.Trail, drop bool) {
	r := msgtrace.Read(f.Body[:f.Hdr])
	if r == nil {
		return nil, false
	}
	log := s.acc.broker.log
	if r.Origin != "" {
		log.Error(fmt.Sprintf("Message tracing disabled because of header %q with value=%q", "Nats-Trace-Origin-Account", r.Origin))
		if !r.Only {
			setField(f, msgtrace.DestField, msgtrace.Disabled)
		}
		return nil, r.Only
	}
	dest := r.Dest
	if r.Parent {
		o := s.acc.tracing()
		if dest = o.Dest; dest == "" {
			return nil, false
		}
		if s.from == FromClient && o.Percent > 0 && !s.acc.sampler.Take(o.Percent) {
			setField(f, msgtrace.DestField, msgtrace.Disabled) // nor on other servers
			return nil, false
		}
	}
	if !subject.ValidLiteral(dest) || !subject.FitsLine(dest) {
		log.Error(fmt.Sprintf("Destination %q is not valid, won't be able to trace events", dest))
		return nil, r.Only
	}
	if s.acc.ServersOnly(dest) || !accepts(dest) {
		return nil, true
	}
	if s.from == FromClient {
		r.Hop = ""
	}
	return msgtrace.NewTrail(r, dest, f.Size, msgtrace.Came(time.Now(), msgtrace.Ingress{
		Kind: w.Kind, ID: w.ID, Name: w.Name, Account: s.acc.name, Subject: string(f.Subject),
	})), false
}

// setField rewrites a frame so that a field of its header has one value. It then lies in memory of its own.
func setField(f *proto.Frame, name, value string) {
	hdr := max(f.Hdr, 0)
	header, payload := msgtrace.With(f.Body[:hdr], name, value), f.Body[hdr:]
	b := make([]byte, 0, len(f.Reply)+len(header)+len(payload)+2*20)
	if len(f.Reply) > 0 {
		b = append(append(b, f.Reply...), ' ')
	}
	hdrAt := len(b)
	b = append(strconv.AppendInt(b, int64(len(header)), 10), ' ')
	sizeAt := len(b)
	size := len(header) + len(payload) - len("\r\n")
	b = strconv.AppendInt(b, int64(size), 10)
	end := len(b)
	b = append(b, "\r\n"...)
	body := len(b)
	b = append(append(b, header...), payload...)

	f.Op, f.Hdr, f.Size = proto.HPub, len(header), size
	f.HdrText, f.SizeText, f.Body = b[hdrAt:sizeAt-1], b[sizeAt:end], b[body:]
	if f.Tail != nil {
		f.Tail = b
	}
}

// publishAsked is publish for a message that may ask for a report.
func (c *Client) publishAsked(f *proto.Frame) error {
	s := &c.sender
	was, foreign := *f, s.foreign
	t, drop := s.trailOf(f, c.way(), c.acceptsReport)
	if drop {
		return nil
	}
	var err error
	if t == nil {
		s.foreign = foreign || &f.Body[0] != &was.Body[0]
		err = c.publishBy(s.plan(f.Subject), f)
	} else {
		s.flush() // what is given to streams comes behind it
		s.trail = &trail{Trail: t, reports: []byte(t.Dest)}
		err = c.publishBy(s.explicit(f.Subject), f)
		s.endTrail(t)
		s.flush()
		c.broker.completed(s.acc, t)
	}
	*f, s.foreign = was, foreign
	return err
}

// explicit makes the plan of a message that is traced.
func (s *sender) explicit(to []byte) *plan {
	p := newPlan(string(to))
	s.settle()
	s.last = nil
	s.fill(p)
	s.last = p
	if p.as != "" {
		s.trail.Map(time.Now(), p.as)
	}
	return p
}

// endTrail ends with it. When all that it has led to is flushed, it is completed.
func (s *sender) endTrail(t *msgtrace.Trail) {
	if t.Only {
		s.uncounted = 0
	}
	s.settle()
	s.last, s.trail = nil, nil
}

// completed publishes the report of a message that is delivered, unless a stream will have something to say.
func (b *Broker) completed(a *Account, t *msgtrace.Trail) {
	if t.Done() {
		b.report(a, t)
	}
}

// dry reports whether the message at hand is to be delivered to nobody.
func (s *sender) dry() bool { return s.trail != nil && s.trail.Only }

// note adds a client's subscription to the trail that the message is given to, or why it is not.
func (s *sender) note(sub *Subscription, why string) {
	if s.trail == nil {
		return
	}
	w := sub.client.way()
	s.trail.Give(time.Now(), msgtrace.Egress{
		Kind: w.Kind, ID: w.ID, Name: w.Name, Account: sub.client.AccountName(),
		Subscription: sub.Subject(), Queue: sub.Queue(), Error: why,
	})
}

// way is what reports say of a client.
func (c *Client) way() Way {
	w := Way{Kind: msgtrace.Client, ID: c.cid, Traces: true}
	if o := c.Connect(); o != nil {
		w.Name = o.Name
	}
	return w
}

// acceptsReport reports whether the client may publish where it wants a report to go, and tells it if not.
func (c *Client) acceptsReport(dest string) bool {
	if c.canPublish(dest) {
		return true
	}
	c.deny(dest)
	return false
}

// refuseTraced reports a message that ends the connection, if it asks for that. at is where it stands, of which the
// beginning has come.
func (c *Client) refuseTraced(f *proto.Frame, at []byte, why string) {
	line := 1 + strings.IndexByte(asString(at), '\n')
	if f.Hdr <= 0 || line == 0 {
		return
	}
	m := proto.Frame{Subject: f.Subject, Hdr: min(f.Hdr, len(at)-line), Size: f.Size, Body: at[line:]}
	if m.Hdr == 0 || !c.has(flagHeaders) || !c.sender.acc.mayTrace(&m) {
		return
	}
	if t, _ := c.sender.trailOf(&m, c.way(), c.acceptsReport); t != nil {
		t.Refuse(why)
		c.sender.flush()
		c.broker.report(c.sender.acc, t)
	}
}
