package jetstream

import (
	"encoding/json"
	"time"

	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
	"github.com/nats-broker/nats-broker/daemon/msgtrace"
	"github.com/nats-broker/nats-broker/daemon/stream"
)

// fastBatch is a batch whose messages are stored as they come. Its publisher is told now and then how far it is.
type fastBatch struct {
	id    string
	flow  *stream.Flow
	heard time.Duration // since began, when the last message came
}

// endFast forgets a batch. mu is held.
func (s *Stream) endFast(id string) {
	if s.batches.fast[id] != nil {
		delete(s.batches.fast, id)
		s.acc.srv.fastBatches.Add(-1)
	}
}

// offerFast takes a message of a fast batch. It returns false if it has to wait until what is pending is applied: nothing has
// changed then.
// d is what a report is told; nil: there is none.
func (s *Stream) offerFast(f *frame, in *intake, r *raw, c *stream.Control, valid bool, now int64, d *msgtrace.Decision) (done bool) {
	n := note{reply: r.reply, memory: in.memory}
	size := int64(len(r.subject) + len(r.header) + len(r.payload))
	if s.refuses(&n, size) {
		if d != nil {
			d.Error = s.unable(size)
		}
		return true
	}
	rec := stream.Record{Subject: r.subject, Header: r.header, Payload: r.payload}
	b, made, err := s.fastOf(c, valid, &rec)
	if err != nil {
		n.err = err
		s.answer(n)
		if d != nil {
			d.Error = s.unfit(err)
		}
		return true
	}
	before := *b.flow
	o := &fastOffer{s: s, f: f, r: r, c: c, n: n, b: b, size: size, told: d}
	if c.Op == stream.Ping {
		o.ping()
	} else if !o.take(&rec, now) {
		*b.flow = before
		if made {
			s.endFast(b.id)
		}
		return false
	}
	b.heard = time.Since(began)
	if b.flow.Closing() && !before.Closing() {
		n.extra = &extra{fast: b, closes: true, loud: true}
		o.says = append(o.says, n)
	}
	for _, n := range o.says {
		s.answer(n)
	}
	if o.ended || b.flow.Ending() { // what it has is stored all the same
		s.endFast(b.id)
	}
	s.await()
	return true
}

// fastOf finds the batch that a message belongs to, or begins one. What asks for an API level is taken out of the header.
func (s *Stream) fastOf(c *stream.Control, valid bool, r *stream.Record) (b *fastBatch, made bool, _ *api.Error) {
	if v := s.machine.Arrives(r, (*quota)(s)); v != stream.Accepted {
		return nil, false, refusal(&stream.Verdict{Reason: v})
	}
	switch {
	case !s.config.Load().AllowBatched:
		return nil, false, api.BatchDisabled.Error()
	case !valid:
		return nil, false, api.BatchPattern.Error()
	case len(c.ID) > batchIDMost:
		return nil, false, api.BatchInvalidID.Error()
	}
	b = s.batches.fast[string(c.ID)]
	if b == nil {
		l := s.acc.srv.options().Batches
		switch {
		case c.Seq != 1 || c.Op == stream.Ping:
			return nil, false, api.BatchUnknown.Error()
		case len(s.batches.fast) >= orElse(l.PerStream, fastPerStream):
			return nil, false, api.BatchTooMany.Error()
		case s.acc.srv.fastBatches.Add(1) > int64(orElse(l.Total, fastTotal)):
			s.acc.srv.fastBatches.Add(-1)
			return nil, false, api.BatchTooMany.Error()
		}
		made = true
		b = &fastBatch{id: string(c.ID), flow: stream.NewFlow(c, len(s.batches.fast)+1)}
		if s.batches.fast == nil {
			s.batches.fast = map[string]*fastBatch{}
		}
		s.batches.fast[b.id] = b
	}
	if len(r.Header) > 0 {
		if api.LevelRefused(r.Header) {
			s.endFast(b.id)
			return nil, false, api.RequiredLevel.Error()
		}
		r.Header = stream.WithoutLine(r.Header, "Nats-Required-Api-Level")
	}
	return b, made, nil
}

// fastOffer is one message of a fast batch that is being decided about.
type fastOffer struct {
	s    *Stream
	f    *frame
	r    *raw
	c    *stream.Control
	n    note
	b    *fastBatch
	size int64

	told  *msgtrace.Decision // nil: nobody reports
	says  []note             // answers, in order
	ended bool
}

// say notes what the publisher is told once this is decided.
func (o *fastOffer) say(x stream.Say) {
	o.says = append(o.says, o.s.saying(o.b, o.n, x))
}

// ping answers a message that asks how far the batch is.
func (o *fastOffer) ping() {
	ended, ask := o.b.flow.Ping(o.c.Seq, len(o.s.batches.fast), o.say)
	if ask {
		n := o.n
		n.extra = &extra{fast: o.b, ask: true, loud: true}
		o.says = append(o.says, n)
	}
	o.ended = ended
}

// take decides about a message. It returns false if it has to wait.
func (o *fastOffer) take(rec *stream.Record, now int64) (done bool) {
	s, flow, open := o.s, o.b.flow, len(o.s.batches.fast)
	store, ended := flow.Arrive(o.c, !s.config.Load().NoAck, o.say)
	o.ended = ended
	if !store {
		o.tell(o.c.Op != stream.CommitEnd, notOfBatch)
		return true
	}
	header := rec.Header
	v := s.machine.AcceptFast(rec, (*quota)(s), now)
	if o.told != nil {
		o.told.Subject, o.told.NoInterest = string(rec.Subject), v.Skipped
	}
	switch v.Reason {
	case stream.Wait:
		return false
	case stream.Accepted:
		flow.Accept()
		o.accepted(rec, &v, !same(header, o.r.header))
	case stream.KnownInBatch:
		o.tell(true, s.refusedInBatch(&v, header))
		o.known(&v, open)
	default:
		o.tell(true, s.refusedInBatch(&v, header))
		o.refused(&v)
	}
	return true
}

// accepted has a message stored.
func (o *fastOffer) accepted(rec *stream.Record, v *stream.Verdict, changed bool) {
	s, n := o.s, o.n
	s.buffered.Add(1)
	s.bufferedBy += o.size
	n.change, n.size, n.verdict = true, o.size, *v
	n.extra = &extra{fast: o.b, seq: o.c.Seq}
	n.memory.hold()
	for _, x := range o.says { // the first ack is told before
		s.answer(x)
	}
	o.says = nil
	s.notes.push(n)
	if v.Skipped {
		s.skip(o.f)
		return
	}
	if o.f.skips > 0 {
		s.hand(o.f)
	}
	o.f.add(rec, o.r, changed || v.Changed)
}

// notOfBatch is why a message is not stored that came behind one that is missing, or behind the end. nats-server reports nothing then.
const notOfBatch = "not stored: the batch has a gap, or has ended"

// tell tells a report why a message is not stored, if it is one that would be.
func (o *fastOffer) tell(would bool, why string) {
	if o.told != nil && would {
		o.told.Error = why
	}
}

// known passes over a message whose id is known.
func (o *fastOffer) known(v *stream.Verdict, open int) {
	if o.c.Op == stream.Commit && o.c.Seq == 1 && !o.c.GapsOK && v.Seq > 0 {
		n := o.n
		n.extra = &extra{body: o.s.acks.Batch(v.Seq, true, o.b.id, 1), loud: true}
		o.says, o.ended = append(o.says, n), true
		return
	}
	o.ended = o.b.flow.Skip(o.c, open, o.say)
}

// refused tells why a message is not stored.
func (o *fastOffer) refused(v *stream.Verdict) {
	n := o.n
	if o.c.Seq == 1 && !o.c.GapsOK {
		n.verdict, n.extra = *v, &extra{loud: true}
		o.says, o.ended = append(o.says, n), true
		return
	}
	b, err := json.Marshal(struct {
		Type  string     `json:"type"`
		Seq   uint64     `json:"seq"`
		Error *api.Error `json:"error"`
	}{"err", o.c.Seq, refusal(v)})
	if err != nil {
		panic("jetstream: an error cannot be encoded: " + err.Error()) // texts and numbers only
	}
	n.extra = &extra{body: b, loud: true}
	o.says = append(o.says, n)
	o.ended = o.b.flow.Refuse(o.c, o.say)
}

// saying is the note by which a publisher is told something of its batch; n is that of the message that has led to it.
func (s *Stream) saying(b *fastBatch, n note, x stream.Say) note {
	e := &extra{loud: true}
	switch x.Kind {
	case stream.SayAck:
		e.body = api.FlowAck(x.A, x.B)
	case stream.SayGap:
		e.body = api.FlowGap(x.A, x.B)
	default:
		e.body = s.acks.Batch(x.A, false, b.id, x.B)
	}
	return note{reply: n.reply, memory: n.memory, extra: e}
}

// fastStored tells the publisher of a fast batch, if it is time to, that a message of it is stored. mu is held.
func (s *Stream) fastStored(n *note) {
	b := n.extra.fast
	b.flow.Stored(n.extra.seq, n.verdict.Seq, len(s.batches.fast), func(x stream.Say) {
		to := s.saying(b, *n, x)
		to.memory.hold()
		s.out = append(s.out, outgoing{note: to})
	})
}
