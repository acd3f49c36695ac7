package jetstream

import (
	"bytes"
	"encoding/binary"

	"github.com/nats-broker/nats-broker/daemon/batch"
	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/follow"
	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
	"github.com/nats-broker/nats-broker/daemon/journal"
	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/subject"
)

// frameMirrored is the kind of a frame with messages that keep the sequences and times that they came with: before each record
// stand both, of eight bytes, little endian. First is the sequence of the first.
const frameMirrored journal.Kind = 20

const mirroredHead = 16

// Outlet leads to the follower.
func (fw *follower) Outlet() *batch.Outlet { return &fw.outlet }

// Stage writes a delivered message down, under the subject that it has in its origin.
func (fw *follower) Stage(l *batch.Lane, m *broker.Message) bool {
	subj := m.Subject
	if m.Shown != nil {
		subj = m.Shown
	}
	stage(l, m, subj)
	return true
}

// AwaitRoom does nothing: the origin waits for answers to its flow control.
func (fw *follower) AwaitRoom(func() bool) {}

// Put takes what a batch has of the origin. If too much waits it is dropped: it is found missing later.
func (fw *follower) Put(l *batch.Lane) bool {
	s := fw.s
	size := int64(l.Staged())
	if s.queued.Add(size) > s.acc.srv.options().MaxBufferedBy && size < s.queued.Load() {
		s.queued.Add(-size)
		return false
	}
	m := &memory{segs: append([]batch.Segment(nil), l.Segments()...)}
	m.uses.Store(1)
	s.inboxMu.Lock()
	s.inbox = append(s.inbox, intake{memory: m, rest: m.segs, size: size, from: fw})
	s.inboxMu.Unlock()
	s.work()
	return false
}

// offerTaken is offer for what comes from an origin. mu is held.
func (s *Stream) offerTaken(in *intake) (done bool) {
	f := frame{kept: in.from.mirror}
	now, steady := s.now(), s.steady()
	for len(in.rest) > 0 {
		r, rest, at, err := next(in.rest, in.at)
		if err != nil {
			s.acc.srv.log.Error("Stream " + s.Name() + ": " + err.Error()) // what was staged is ours
			break
		}
		if !in.from.gone && !s.closed && s.failed == nil && !in.from.offerOne(&f, in.memory, &r, now, steady) {
			s.hand(&f)
			return false
		}
		in.rest, in.at = rest, at
	}
	s.hand(&f)
	return true
}

var controlLine = []byte("NATS/1.0 100 ")

// offerOne takes one message of the origin; false: it has to wait. Messages are stored by the clock, now, and the origin is heard by the
// steady one. mu is held.
func (fw *follower) offerOne(f *frame, m *memory, r *raw, now, steady int64) bool {
	s := fw.s
	if len(r.payload) == 0 && bytes.HasPrefix(r.header, controlLine) {
		s.hand(f)
		f.kept = fw.mirror
		fw.control(r, steady)
		return true
	}
	d, ok := follow.ParseDelivery(r.reply)
	if !ok || d.Seq > api.MaxSequence {
		return true
	}
	switch fw.m.Look(&d, steady) {
	case follow.Ignore:
		return true
	case follow.Missed:
		fw.again(true)
		return true
	}
	rec := fw.record(r, &d)
	size := int64(len(rec.Subject) + len(rec.Header) + len(rec.Payload))
	if o := s.acc.srv.options(); s.memory.greedy() || int(s.buffered.Load()) >= o.MaxBuffered || s.bufferedBy+size > o.MaxBufferedBy {
		fw.again(true)
		return true
	}
	v := s.machine.Take(&rec, (*quota)(s), now, fw.mirror)
	switch {
	case v.Reason == stream.Wait:
		return false
	case v.Reason == stream.Duplicate:
		fw.took(&d)
		return true
	case v.Reason != stream.Accepted:
		fw.refused(v)
		return true
	}
	fw.took(&d)
	s.buffered.Add(1)
	s.bufferedBy += size
	m.uses.Add(1)
	s.notes.push(note{memory: m, verdict: v, change: true, size: size})
	if v.Skipped {
		s.skip(f)
		f.kept = fw.mirror
		return true
	}
	if f.skips > 0 {
		s.hand(f)
		f.kept = fw.mirror
	}
	f.addTaken(&rec)
	return true
}

func (fw *follower) took(d *follow.Delivery) {
	fw.m.Took(d)
	fw.unblock()
	fw.answersFor(d.Pending)
}

// refused notes that a message cannot be stored now: it is asked for again. mu is held.
func (fw *follower) refused(v stream.Verdict) {
	switch v.Reason {
	case stream.TooManyMessages, stream.TooManyBytes, stream.TooManyOfSubject, stream.WrongSequence: // as ever, where a stream is full
	default:
		fw.warn("a message cannot be stored: " + refusal(&v).Error())
	}
	fw.again(false)
}

// record is the message as it is to be stored.
func (fw *follower) record(r *raw, d *follow.Delivery) stream.Record {
	rec := stream.Record{Subject: r.subject, Header: withoutConditions(r.header), Payload: r.payload}
	if fw.mirror {
		rec.Seq, rec.Time = d.Seq, d.Time
	} else {
		_, ident := fw.m.At()
		value := follow.AppendSource(nil, fw.name, follow.Position{Seq: d.Seq, Identity: ident}, r.subject)
		rec.Header = stream.WithLine(stream.WithoutLine(rec.Header, follow.SourceHeader), follow.SourceHeader, value)
	}
	for _, t := range fw.maps {
		if t == nil {
			continue
		}
		if to, ok := t.Match(string(r.subject)); ok {
			rec.Subject = []byte(to)
			break
		}
	}
	return rec
}

// control takes a sign of life, or a question of flow control. mu is held.
func (fw *follower) control(r *raw, steady int64) {
	if len(r.reply) > 0 {
		if fw.m.State() == follow.Following {
			at, _ := fw.m.At()
			h := line(line([]byte("NATS/1.0\r\n"), "Nats-Last-Consumer", int64(fw.m.Number())), "Nats-Last-Stream", int64(at))
			fw.answerFlow(bytes.Clone(r.reply), append(h, "\r\n"...))
		}
		return
	}
	var last uint64
	if v, ok := api.Header(r.header, "Nats-Last-Consumer"); ok {
		last, _ = decimal(v)
	}
	if fw.m.Idle(last, steady) {
		fw.again(true)
		return
	}
	stalled, ok := api.Header(r.header, "Nats-Consumer-Stalled")
	switch {
	case !ok || len(stalled) == 0:
		fw.unblock()
		fw.m.Moving()
	case flowSubject(stalled) && fw.m.State() == follow.Following:
		if fw.m.Stalled(string(stalled)) {
			fw.err = api.SourceStalled.Error()
			fw.warn("the origin waits for answers to its flow control, which do not reach it")
		}
		fw.answerFlow(bytes.Clone(stalled), []byte{})
	}
}

// unblock takes back that the origin waits for answers. mu is held.
func (fw *follower) unblock() {
	if fw.err != nil && fw.err.Code == api.SourceStalled {
		fw.err = nil
	}
}

// flowSubject reports whether an answer to flow control may go there: anybody may send something where an origin delivers to.
func flowSubject(to []byte) bool {
	return bytes.HasPrefix(to, []byte("$JS.FC.")) && subject.ValidStrict(string(to), false) && subject.IsLiteral(to)
}

// answerFlow answers flow control when everything that came before is stored for good. mu is held.
func (fw *follower) answerFlow(to, h []byte) {
	if !flowSubject(to) {
		return
	}
	n := note{reply: to, flow: h}
	if s := fw.s; s.notes.len() == 0 {
		s.out = append(s.out, outgoing{note: n})
	} else {
		s.notes.push(n)
	}
}

// addTaken adds a message that was taken from an origin.
func (f *frame) addTaken(r *stream.Record) {
	if f.count == 0 {
		f.first, f.time = r.Seq, r.Time
		f.body = [][]byte{nil}
	}
	f.count++
	b := f.body[0]
	if f.kept {
		b = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(b, r.Seq), uint64(r.Time))
	}
	f.body[0] = appendRecord(b, r)
}

// eachMirrored calls fn with messages that keep their sequences and times. Their memory is the journal's.
func eachMirrored(fr *journal.Frame, fn func(*stream.Record) error) error {
	body := join(fr.Body)
	for range fr.Count {
		if len(body) < mirroredHead {
			return errRecord
		}
		seq, at := binary.LittleEndian.Uint64(body), int64(binary.LittleEndian.Uint64(body[8:]))
		r, rest, err := parseRecord(body[mirroredHead:])
		if err != nil {
			return err
		}
		body = rest
		if err := fn(&stream.Record{Seq: seq, Time: at, Subject: r.subject, Header: r.header, Payload: r.payload}); err != nil {
			return err
		}
	}
	return nil
}

// replayMirrored applies them.
func (k *kept) replayMirrored(fr *journal.Frame, now int64) error {
	return eachMirrored(fr, func(r *stream.Record) error {
		return k.machine.Replay(stream.Change{Kind: stream.Append, Record: *r}, now)
	})
}

// withoutConditions returns a header without what was asked of the stream that a message was published to.
func withoutConditions(h []byte) []byte { return without(without(h, "Nats-Expected-"), "Nats-Batch-") }

// without returns a header without the lines that begin with a prefix; nil if there is nothing else.
func without(h []byte, prefix string) []byte {
	begin := []byte("\r\n" + prefix)
	for {
		i := bytes.Index(h, begin)
		if i < 0 {
			return h
		}
		end := bytes.Index(h[i+2:], []byte("\r\n"))
		if end < 0 {
			return h
		}
		rest := h[i+2+end:]
		if i == len("NATS/1.0") && len(rest) == len("\r\n\r\n") {
			return nil
		}
		h = append(append(make([]byte, 0, i+len(rest)), h[:i]...), rest...)
	}
}
