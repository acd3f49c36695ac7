package broker

import (
	"strconv"

	"github.com/nats-broker/nats-broker/daemon/batch"
	"github.com/nats-broker/nats-broker/daemon/msgtrace"
	"github.com/nats-broker/nats-broker/daemon/proto"
)

// run is messages that stand in the input one behind the other, count of them, which
// have everything but the payload in common: each is length bytes long.
type run struct{ count, length int }

// runs reports whether messages like f can be delivered by [sender.publishRun].
func (s *sender) runs(p *plan, f *proto.Frame) bool {
	if f.Tail == nil || f.Size >= batch.ReferFrom {
		return false
	}
	if p.one != nil {
		return f.Hdr <= 0 || p.one.client.has(flagHeaders)
	}
	return p.fan != nil && (f.Hdr <= 0 || p.fan.headers) || s.relayable(p, f)
}

// publishRun delivers a run of messages, of which f is the first.
func (s *sender) publishRun(p *plan, f *proto.Frame, r run) {
	s.uncounted += uint64(r.count)
	switch {
	case p.one != nil:
	case p.fan != nil:
		s.stageRun(p.fan, f.Subject, f, r)
		return
	default:
		s.relay(p, f, r)
		return
	}
	l, prefix := s.laneOfOne(p), p.prefixFor(f)
	size := len(prefix) + len(f.Tail)
	for next := f.Tail[:len(f.Tail)+(r.count-1)*r.length]; r.count > 0; {
		b, n := l.ReserveRun(size, r.count)
		l.Msgs += n
		l.Bytes += n * f.Size
		r.count -= n
		for range n {
			copy(b[copy(b, prefix):], next[:len(f.Tail)])
			b = b[size:]
			next = next[min(r.length, len(next)):]
		}
	}
}

// laneOfOne returns the lane to the one receiver of a plan.
func (s *sender) laneOfOne(p *plan) *batch.Lane {
	if p.epoch != s.epoch {
		p.lane, p.epoch = s.in.Batch.Lane(&p.one.client.Out.Outlet), s.epoch
	}
	if s.open != nil {
		s.closeStage()
	}
	return p.lane
}

// prefixFor returns what goes in front of a message to the one receiver of a plan.
func (p *plan) prefixFor(f *proto.Frame) string {
	if f.Hdr <= 0 {
		return p.prefix[1:] // MSG
	}
	return p.prefix
}

// publish delivers a message by its plan and reports whether somebody got it.
func (s *sender) publish(p *plan, f *proto.Frame) bool {
	s.uncounted++
	return s.deliver(p, f)
}

// deliver is publish without counting.
func (s *sender) deliver(p *plan, f *proto.Frame) bool {
	if one := p.one; one != nil && f.Tail != nil && f.Shown == nil && (f.Hdr <= 0 || one.client.has(flagHeaders)) {
		l, prefix := s.laneOfOne(p), p.prefixFor(f)
		if !s.byReference(f.Size) {
			b := l.Reserve(len(prefix) + len(f.Tail))
			copy(b[copy(b, prefix):], f.Tail)
		} else {
			s.referTail(l, prefix, f)
		}
		l.Msgs++
		l.Bytes += f.Size
		return true
	}
	return s.publishAll(p, f)
}

// referTail stages the line, and the payload by reference.
func (s *sender) referTail(l *batch.Lane, prefix string, f *proto.Frame) {
	line := f.Tail[:len(f.Tail)-len(f.Body)]
	b := l.Reserve(len(prefix) + len(line))
	copy(b[copy(b, prefix):], line)
	s.in.Refer(l, f.Body)
}

// byReference reports whether a payload of a size is passed on without copying it.
func (s *sender) byReference(size int) bool { return size >= batch.ReferFrom && !s.foreign }

func (s *sender) publishAll(p *plan, f *proto.Frame) (delivered bool) {
	subject := f.Subject
	if p.as != "" {
		subject = asBytes(p.as)
	}
	shown := subject
	if f.Shown != nil {
		shown = f.Shown
	}
	if p.one != nil {
		return s.to(p.one, shown, f)
	}
	for i := range p.fans {
		delivered = s.toFan(p, p.fans[i], shown, f) || delivered
	}
	for _, sub := range p.plain {
		delivered = s.to(sub, shown, f) || delivered
	}
	for i := range p.renamed {
		r := &p.renamed[i]
		delivered = s.toShadow(r.sub, r.subject, f) || delivered
	}
	s.chosen = s.chosen[:s.base]
	for i := range p.groups {
		delivered = s.toGroup(&p.groups[i], subject, f) || delivered
	}
	for _, st := range p.steps {
		delivered = st.deliver(s, subject, f) || delivered
	}
	return delivered
}

// toGroup gives the message to one member of a queue group, by chance, and to the
// next if that one cannot take it. Those behind leaf node connections, here or of other servers, come last.
func (s *sender) toGroup(g *queueGroup, subject []byte, f *proto.Frame) bool {
	if !s.wants(g.name) {
		return false
	}
	n := len(g.subs)
	at := 0
	if n > 1 {
		at = int(s.draw(uint32(n)))
	}
	shown := subject
	if f.Shown != nil {
		shown = f.Shown
	}
	for range n {
		sub := g.subs[at]
		switch sub.kind {
		case kindPart, kindService:
			return internalStep{sub}.deliver(s, subject, f)
		case kindRoute:
			s.chosen = append(s.chosen, choice{sub.more.Load().remote, g.name})
			return true
		}
		switch {
		case sub.kind == kindShadow && !s.toShadow(sub, sub.shadow().im.in.Apply(string(subject)), f):
		case sub.kind == kindClient && !s.to(sub, shown, f):
		default:
			if !s.dry() {
				sub.count.Add(1)
			}
			return true
		}
		if at++; at == n {
			at = 0
		}
	}
	if n = len(g.far); n == 0 {
		return false
	}
	sub := g.far[s.draw(uint32(n))]
	s.chosen = append(s.chosen, choice{sub.more.Load().remote, g.name})
	return true
}

// draw returns a number below n.
func (s *sender) draw(n uint32) uint32 {
	s.random += 0x9E3779B97F4A7C15
	z := s.random
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return uint32(uint64(uint32(z>>32)) * uint64(n) >> 32)
}

// to gives the message to one subscription of a client, whatever is special about
// either.
func (s *sender) to(sub *Subscription, subject []byte, f *proto.Frame) bool {
	c := sub.client
	if c == s.self && !s.echo {
		s.note(sub, msgtrace.NoEcho)
		return false
	}
	if c.has(flagClosed) {
		s.note(sub, msgtrace.ClientClosed)
		return false
	}
	if x := sub.more.Load(); x != nil && !s.admit(sub, x, subject, f) {
		return false
	}
	if s.trail != nil {
		if s.note(sub, ""); s.trail.Only {
			return true
		}
	}
	s.frame(s.lane(c), c.has(flagHeaders), subject, sub.sidSpace(), f)
	if s.traced {
		s.traceDelivery(sub, subject, f)
	}
	return true
}

// admit decides on a message for a subscription with something special about it.
func (s *sender) admit(sub *Subscription, x *subExtra, subject []byte, f *proto.Frame) bool {
	if x.shadow != nil {
		of := x.shadow.of
		x = of.more.Load()
		return x == nil || s.admit(of, x, subject, f)
	}
	if x.filter != nil && !x.filter.CanReceive(string(subject), sub.Queue()) {
		s.note(sub, msgtrace.SubscribeDenied)
		return false
	}
	if s.dry() {
		return true
	}
	if x.answers != nil && len(f.Reply) > 0 {
		x.answers.ask(f.Reply)
	}
	return x.max == 0 || s.count(sub, x)
}

// count counts the message against the maximum of a subscription, which it ends
// with the last message.
func (s *sender) count(sub *Subscription, x *subExtra) bool {
	n := x.got.Add(1)
	if n == x.max {
		sub.client.debug("Auto-unsubscribe limit of %d reached for sid '%s'", x.max, sub.SID())
	}
	if n >= x.max {
		sub.client.removeSubscription(sub)
	}
	if n > x.max {
		s.note(sub, msgtrace.LimitExceeded)
	}
	return n <= x.max
}

// frame stages a message for a receiver that does or does not take headers.
func (s *sender) frame(l *batch.Lane, headers bool, subject []byte, sid string, f *proto.Frame) {
	verb, body := "MSG ", f.Body
	if f.Hdr > 0 && headers {
		verb = "HMSG "
	}
	if f.Hdr > 0 && !headers {
		body = body[f.Hdr:]
	}
	size := len(body) - 2
	if f.Tail != nil && (f.Hdr <= 0 || headers) {
		line := f.Tail[:len(f.Tail)-len(f.Body)]
		if !s.byReference(size) {
			line = f.Tail
		}
		b := l.Reserve(len(verb) + len(subject) + 1 + len(sid) + len(line))
		n := copy(b, verb)
		n += copy(b[n:], subject)
		b[n] = ' '
		n += 1 + copy(b[n+1:], sid)
		copy(b[n:], line)
	} else {
		s.spell(l, verb, subject, sid, f, size, body)
	}
	if s.byReference(size) {
		s.in.Refer(l, body)
	}
	l.Msgs++
	l.Bytes += size
}

// spell stages a line that cannot be copied from the input, and the payload unless
// it is large.
func (s *sender) spell(l *batch.Lane, verb string, subject []byte, sid string, f *proto.Frame, size int, body []byte) {
	var room [64]byte
	sizes := room[:0]
	switch {
	case f.Hdr > 0 && verb == "HMSG ":
		sizes = append(append(append(sizes, f.HdrText...), ' '), f.SizeText...)
	case f.Hdr > 0:
		sizes = strconv.AppendInt(sizes, int64(size), 10)
	default:
		sizes = append(sizes, f.SizeText...)
	}
	n := len(verb) + len(subject) + 1 + len(sid) + len(sizes) + 2
	if len(f.Reply) > 0 {
		n += len(f.Reply) + 1
	}
	if !s.byReference(size) {
		n += len(body)
	}
	b := append(l.Reserve(n)[:0], verb...)
	b = append(append(b, subject...), ' ')
	b = append(b, sid...)
	if len(f.Reply) > 0 {
		b = append(append(b, f.Reply...), ' ')
	}
	b = append(append(b, sizes...), '\r', '\n')
	if !s.byReference(size) {
		_ = append(b, body...)
	}
}
