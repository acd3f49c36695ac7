package broker

import (
	"strconv"
	"sync"

	"github.com/nats-broker/nats-broker/daemon/batch"
	"github.com/nats-broker/nats-broker/daemon/proto"
	"github.com/nats-broker/nats-broker/daemon/subject"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

// A Publisher publishes messages of a part of this server in one account. It is made once
// and lives on: what it has found out about subjects is kept, so that in the steady state
// a message costs no allocation, and all messages between Begin and End together no more
// than one flush of each receiver. Subjects that are all different, as those of inboxes
// are, share what is known of them.
//
// It belongs to one goroutine at a time, whichever that is.
type Publisher struct {
	s    sender
	home hop
	in   transport.Input // in.Batch is set between Begin and End
	f    proto.Frame
	blk  *batch.Block // messages are spelt out here
	used int          // of blk
	wait *batch.Batch // flushed, of which some destination wants to be waited for
}

// NewPublisher makes a publisher. from says what it publishes for, and so who may receive
// it: a part of the server, or a stream.
func (a *Account) NewPublisher(from Origin) *Publisher {
	p := &Publisher{s: newSender(a, from, proto.PubLead, a.seq.Add(1))}
	p.home = p.s.hop
	return p
}

// Account returns the account that is published in.
func (p *Publisher) Account() *Account { return p.s.acc }

// Begin begins a batch. What is sent may become visible at any time from then on, and has
// by the end of End.
func (p *Publisher) Begin() {
	p.drop()
	if p.in.Batch != nil { // a panic left the batch before in the middle
		p.abandon()
	}
	p.in.Batch = batch.New(nil)
	p.s.begin(&p.in)
}

// End ends the batch and hands everything to its receivers. It reports whether some
// receiver, another server as a rule, has so much waiting that more should not be sent
// before Await has returned.
func (p *Publisher) End() (full bool) {
	b := p.in.Batch
	p.s.end()
	b.Flush()
	p.in = transport.Input{}
	p.f = proto.Frame{}
	if p.blk != nil {
		p.blk.Release()
		p.blk, p.used = nil, 0
	}
	if b.Waits() {
		p.wait = b
		return true
	}
	b.Release()
	return false
}

// Await waits until those of whom End has reported that they have too much waiting have
// less, or until ended reports that there is no sense in it any more.
func (p *Publisher) Await(ended func() bool) {
	if p.wait != nil {
		p.wait.Await(ended)
		p.drop()
	}
}

func (p *Publisher) drop() {
	if p.wait != nil {
		p.wait.Release()
		p.wait = nil
	}
}

// abandon forgets a batch, with what is staged in it.
func (p *Publisher) abandon() {
	s := &p.s
	s.hop, s.in, s.open, s.stage, s.chosen, s.uncounted = p.home, nil, nil, batch.Stage{}, nil, 0
	p.in, p.blk, p.used = transport.Input{}, nil, 0
}

// Close lets go of everything that the publisher knows.
func (p *Publisher) Close() {
	p.drop()
	p.s.retire()
}

// Send publishes a message and reports whether somebody receives it. reply and header
// may be empty; header is "NATS/1.0…" through its blank line. Nothing is kept. The batch
// must have begun.
func (p *Publisher) Send(subject, reply, header, payload []byte) (delivered bool) {
	if !fitLine(subject, reply) {
		return false
	}
	f := p.spell(subject, reply, header, payload)
	p.trace(f)
	return p.s.publish(p.s.plan(f.Subject), f)
}

// SendAs is Send for a message that clients see under another subject than that by which
// it finds them, as they do what a consumer delivers.
func (p *Publisher) SendAs(subject, shown, reply, header, payload []byte) (delivered bool) {
	if !fitLine(subject, reply) || !fitLine(shown, nil) {
		return false
	}
	f := p.spell(subject, reply, header, payload)
	p.trace(f)
	f.Shown = shown
	s := &p.s
	pl := s.plan(f.Subject)
	s.uncounted++
	return s.publishAll(pl, f)
}

// fitLine reports whether a subject and a reply subject, which may be empty, can stand in a line: they may be made of what
// somebody else has named.
func fitLine(to, reply []byte) bool {
	return len(to) > 0 && subject.FitsLine(to) && subject.FitsLine(reply)
}

func (p *Publisher) trace(f *proto.Frame) {
	if b := p.s.acc.broker; p.s.traced && b.traceSystem() {
		b.traceOwn(f)
	}
}

// spell writes a message down as a client would.
func (p *Publisher) spell(subject, reply, header, payload []byte) *proto.Frame {
	size := len(header) + len(payload)
	p.room(len(subject) + len(reply) + size + len("   \r\n\r\n") + 2*20)
	f := &p.f
	*f = proto.Frame{Op: proto.Pub, Hdr: -1, Size: size}
	b := p.blk.Bytes()[p.used:p.used]
	b = append(append(b, subject...), ' ')
	tail := len(b)
	if len(reply) > 0 {
		b = append(append(b, reply...), ' ')
	}
	hdrAt := len(b)
	if len(header) > 0 {
		f.Op, f.Hdr = proto.HPub, len(header)
		b = append(strconv.AppendInt(b, int64(f.Hdr), 10), ' ')
	}
	sizeAt := len(b)
	b = strconv.AppendInt(b, int64(size), 10)
	line := len(b)
	b = append(b, "\r\n"...)
	body := len(b)
	b = append(append(append(b, header...), payload...), "\r\n"...)
	p.in.Load(p.blk, p.used, p.used+len(b))
	p.used += len(b)
	b = p.in.Data
	f.Subject, f.Tail, f.Body, f.SizeText = b[:len(subject)], b[tail:], b[body:], b[sizeAt:line]
	if len(reply) > 0 {
		f.Reply = b[tail : hdrAt-1]
	}
	if f.Hdr > 0 {
		f.HdrText = b[hdrAt : sizeAt-1]
	}
	return f
}

// room sees to it that there are n bytes in the block that nobody else uses.
func (p *Publisher) room(n int) {
	if p.blk != nil {
		switch {
		case !p.blk.Shared() && len(p.blk.Bytes()) >= n:
			p.used = 0
			return
		case len(p.blk.Bytes())-p.used >= n:
			return
		}
		p.blk.Release()
	}
	p.blk, p.used = batch.NewBlock(max(n, batch.Small)), 0
}

// publishers are those that [Account.Publish] lends out, by origin.
type publishers [OwnOutward + 1]sync.Pool

// Publish delivers a message of the broker's own and reports whether somebody
// received it. reply may be empty and header nil; header is "NATS/1.0…" through its
// blank line. Nothing is kept. For many messages in a row there is [Publisher].
func (a *Account) Publish(subject, reply string, header, payload []byte) (delivered bool) {
	return a.publish(subject, reply, header, payload, Own)
}

// PublishOut is Publish for what parts of this broker are not to receive themselves.
func (a *Account) PublishOut(subject, reply string, header, payload []byte) (delivered bool) {
	return a.publish(subject, reply, header, payload, OwnOutward)
}

func (a *Account) publish(subject, reply string, header, payload []byte, from Origin) (delivered bool) {
	p, _ := a.publishers[from].Get().(*Publisher)
	if p == nil {
		p = a.NewPublisher(from)
	}
	p.Begin()
	delivered = p.Send(asBytes(subject), asBytes(reply), header, payload)
	p.End()
	a.publishers[from].Put(p)
	return delivered
}
