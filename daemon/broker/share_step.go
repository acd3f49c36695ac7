package broker

import (
	"strconv"
	"strings"

	"github.com/nats-broker/nats-broker/daemon/batch"
	"github.com/nats-broker/nats-broker/daemon/proto"
	"github.com/nats-broker/nats-broker/daemon/subject"
)

// serviceStep sends requests on to the account of the service.
type serviceStep struct {
	im     *serviceImport
	export *serviceExport
	class  *replyClass
	before *serviceStep // by which the message came into the importing account; nil: it was published there
	plan   *plan
	oneWay *plan // of messages without a reply subject, if others receive those
	told   *told // nil: nothing
	guard  guard
}

func (st *serviceStep) deliver(s *sender, subject []byte, f *proto.Frame) bool {
	if s.depth >= maxChain || st.guard != guardNone && st.guard.stops(s, f) {
		return false
	}
	if s.trail == nil {
		return st.send(s, f, st.sampled(f))
	}
	var b tracedService
	var m *sample
	goes := st.trace(s, subject, f, &b)
	if !b.trail.Only {
		m = st.sampled(f)
	}
	delivered := goes && st.send(s, f, m)
	b.end(s, f)
	return delivered
}

// send sends a request on. m measures it, unless nil.
func (st *serviceStep) send(s *sender, f *proto.Frame, m *sample) bool {
	n := s.nest()
	var r openRequest
	switch {
	case len(f.Reply) > 0:
		if m != nil {
			m.awaits(s.acc, f.Reply)
		}
		n.name, r = st.im.to.shares.replies.add(n.name[:0], &request{s.acc, f.Reply, st.export, st.class, m, s.shard()})
		if m != nil {
			m.begins(r)
		}
	case m != nil:
		m.failed(badRequest)
	}
	e, p := s.asks(len(f.Reply) > 0), st.plan
	if e == AsMessage && st.oneWay != nil {
		p = st.oneWay
	}
	if st.short(p, f) {
		st.render(s, p, n, f)
		return true
	}
	delivered := st.pass(s, e, p, n, f)
	if (!delivered || s.dry()) && r.slot != nil {
		r.remove()
		if m != nil {
			m.failed(nobodyServes)
		}
	}
	return delivered
}

// short reports whether a request can be delivered by [serviceStep.render].
func (st *serviceStep) short(p *plan, f *proto.Frame) bool {
	one := p.one
	return one != nil && f.Hdr <= 0 && st.told != nil && f.Size < batch.ReferFrom && one.client.has(flagHeaders) &&
		!strings.HasSuffix(asString(f.Reply), fastBatch)
}

// render stages a request without a header for the only one who serves it.
func (st *serviceStep) render(s *sender, p *plan, n *nest, f *proto.Frame) {
	t := st.told
	for _, at := range p.nodes {
		at.Msgs.Add(1)
	}
	total := f.Size + len(t.header) - 2
	var room [20]byte
	size := strconv.AppendInt(room[:0], int64(total), 10)
	l := s.laneOfOne(p)
	length := len(p.prefix) + len(t.length) + len(size) + len(t.header) + len(f.Body)
	length-- // a sid and a length have one blank between them
	if len(f.Reply) > 0 {
		length += len(n.name) + 1
	}
	b := l.Reserve(length)
	at := copy(b, p.prefix)
	if len(f.Reply) > 0 {
		at += copy(b[at:], n.name)
		at += copy(b[at:], t.length)
	} else {
		at += copy(b[at:], t.length[1:])
	}
	at += copy(b[at:], size)
	at += copy(b[at:], t.header)
	copy(b[at:], f.Body)
	l.Msgs++
	l.Bytes += total
}

// pass delivers a request in whatever way its plan says.
func (st *serviceStep) pass(s *sender, e Entry, p *plan, n *nest, f *proto.Frame) bool {
	was, h := *f, s.toService(st, e)
	line := ""
	if st.told != nil {
		line = st.lineFor(f)
	}
	if len(f.Reply) > 0 {
		h.asksJetStream = h.asksJetStream || s.self == nil && subject.IsJetStream(f.Reply)
		f.Reply = n.name
	}
	f.Tail = nil
	if st.told != nil {
		n.prependInfo(line, f)
		h.foreign = true
	}
	delivered := s.within(h, p, f)
	*f = was
	return delivered
}

// replyStep sends answers back to who asked.
type replyStep struct{ of *Account }

func (st replyStep) deliver(s *sender, subject []byte, f *proto.Frame) bool {
	if s.depth >= maxChain {
		return false
	}
	if s.trail != nil {
		return st.traced(s, subject, f)
	}
	n := s.nest()
	if !st.of.shares.replies.take(subject, f.Size == 0, &n.back) {
		return false
	}
	to := n.back
	if to.sample != nil {
		to.sample.ends()
	}
	h := s.back(to.to)
	delivered := s.within(h, s.nestedPlan(h, n), f)
	if to.sample != nil {
		to.measured(s, subject, delivered)
	}
	return delivered
}

// measured ends the measurement of a request whose answer has been passed on, or could
// not be, and removes the request if that was its last.
func (w *wayBack) measured(s *sender, reply []byte, delivered bool) {
	if delivered && s.from == FromRoute && tracked(reply) {
		w.sample.answeredElsewhere(string(reply))
	}
	if w.last.slot != nil {
		w.last.remove()
	}
	if delivered {
		w.sample.answered(s)
	} else {
		w.sample.failed(nobodyWaits)
	}
}
