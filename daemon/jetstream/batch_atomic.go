package jetstream

import (
	"time"

	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
	"github.com/nats-broker/nats-broker/daemon/msgtrace"
	"github.com/nats-broker/nats-broker/daemon/stream"
)

// atomicBatch is a batch whose messages are stored together or not at all. Until its end is asked for they are in memory, and
// nothing else knows of them.
type atomicBatch struct {
	list  []staged
	size  int64         // bytes of memory
	heard time.Duration // since began, when the last message came
}

// staged is a message that waits for the rest of its batch: record is how it stands in the ledger, and its parts are parts of that.
type staged struct {
	stream.Record
	record []byte
}

// stageOne copies a message.
func stageOne(r *stream.Record) staged {
	x := staged{record: appendRecord(make([]byte, 0, recordHead+len(r.Subject)+len(r.Header)+len(r.Payload)), r)}
	at := recordHead
	take := func(n int) []byte {
		at += n
		return x.record[at-n : at : at]
	}
	x.Subject = take(len(r.Subject))
	if len(r.Header) > 0 {
		x.Header = take(len(r.Header))
	}
	x.Payload = take(len(r.Payload))
	return x
}

// asStored returns the record of a message that was accepted as r.
func (x *staged) asStored(r *stream.Record) []byte {
	if same(x.Subject, r.Subject) && same(x.Header, r.Header) && same(x.Payload, r.Payload) {
		return x.record
	}
	return appendRecord(nil, r)
}

// same reports whether two slices are one.
func same(a, b []byte) bool { return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0]) }

// part is what the headers of a message say of its batch.
type part struct {
	id     []byte
	seq    uint64
	commit bool
	empty  bool // the commit is asked for by a message that is not stored
	bad    bool // the commit is nothing that is known
}

// endAtomic forgets a batch. mu is held.
func (s *Stream) endAtomic(id string) {
	b := s.batches.atomic[id]
	if b == nil {
		return
	}
	delete(s.batches.atomic, id)
	s.acc.srv.atomicBatches.Add(-1)
	s.hold(-b.size)
}

// abandon forgets a batch and tells so. mu is held.
func (s *Stream) abandon(id, reason string) {
	s.endAtomic(id)
	s.adviseAbandoned(id, reason)
}

// offerAtomic takes a message of a batch that is stored whole. It returns false if it has to wait until what is pending is applied:
// nothing has changed then. d is what a report is told; nil: there is none.
func (s *Stream) offerAtomic(f *frame, m *memory, r *raw, id []byte, now int64, d *msgtrace.Decision) (done bool) {
	n := note{reply: r.reply, memory: m}
	rec := stream.Record{Subject: r.subject, Header: r.header, Payload: r.payload}
	if size := int64(len(r.piece)+len(r.apart)) + s.batches.staged; s.refuses(&n, size) {
		s.abandonFor(id)
		if d != nil {
			d.Error = s.unable(size)
		}
		return true
	}
	p := part{id: id}
	b, err := s.batchOf(&p, &rec)
	if err == nil {
		err = s.admit(&p, b, &rec)
	}
	if err != nil {
		n.err = err
		s.answer(n)
		s.await()
		if d != nil {
			d.Error = s.unfit(err)
		}
		return true
	}
	if p.commit {
		s.hand(f) // what has come before
		done = s.commitBatch(n, &p, b, &rec, now, d)
		s.await()
		return done
	}
	b.heard = time.Since(began)
	x := stageOne(&rec)
	b.list = append(b.list, x)
	size := int64(len(x.record) + stagedSlot)
	b.size += size
	s.hold(size)
	s.await()
	n.extra = &extra{empty: true}
	s.answerNow(n)
	return true
}

// abandonFor forgets a batch of which a message was refused for want of room. mu is held.
func (s *Stream) abandonFor(id []byte) {
	if s.batches.atomic[string(id)] != nil && !s.closed {
		s.abandon(string(id), "incomplete")
	}
}

// batchOf finds the batch that a message belongs to, or begins one.
func (s *Stream) batchOf(p *part, r *stream.Record) (*atomicBatch, *api.Error) {
	if v := s.machine.Arrives(r, (*quota)(s)); v != stream.Accepted {
		return nil, refusal(&stream.Verdict{Reason: v})
	}
	if !s.config.Load().AllowAtomic {
		return nil, api.AtomicDisabled.Error()
	}
	if len(p.id) > batchIDMost {
		return nil, api.AtomicInvalidID.Error()
	}
	text, _ := api.Header(r.Header, "Nats-Batch-Sequence")
	var ok bool
	if p.seq, ok = stream.Number(text); !ok {
		return nil, api.AtomicMissingSequence.Error()
	}
	if text, p.commit = api.Header(r.Header, "Nats-Batch-Commit"); p.commit {
		p.empty = string(text) == "eob"
		p.bad = !p.empty && string(text) != "1"
	}
	if b := s.batches.atomic[string(p.id)]; b != nil {
		return b, nil
	}
	l := s.acc.srv.options().Batches
	switch {
	case p.seq != 1 && p.size() > uint64(l.msgs()):
		return nil, api.AtomicTooLarge.Error(l.msgs())
	case p.seq != 1:
		return nil, api.AtomicIncomplete.Error()
	case len(s.batches.atomic) >= orElse(l.PerStream, atomicPerStream):
		return nil, api.AtomicTooMany.Error()
	case s.acc.srv.atomicBatches.Add(1) > int64(orElse(l.Total, atomicTotal)):
		s.acc.srv.atomicBatches.Add(-1)
		return nil, api.AtomicTooMany.Error()
	}
	b := &atomicBatch{heard: time.Since(began)}
	if s.batches.atomic == nil {
		s.batches.atomic = map[string]*atomicBatch{}
	}
	s.batches.atomic[string(p.id)] = b
	return b, nil
}

// size is how many messages a batch has with this one.
func (p *part) size() uint64 {
	if p.empty {
		return p.seq - 1
	}
	return p.seq
}

// admit checks that a message is the next one of its batch. Otherwise the batch is given up. What asks for an API level is
// taken out of the header.
func (s *Stream) admit(p *part, b *atomicBatch, r *stream.Record) *api.Error {
	if p.bad {
		s.endAtomic(string(p.id))
		return api.AtomicCommit.Error()
	}
	if api.LevelRefused(r.Header) {
		s.abandon(string(p.id), "unsupported")
		return api.RequiredLevel.Error()
	}
	r.Header = stream.WithoutLine(r.Header, "Nats-Required-Api-Level")
	if p.seq != uint64(len(b.list))+1 || p.seq == 1 && p.empty {
		s.abandon(string(p.id), "incomplete")
		return api.AtomicIncomplete.Error()
	}
	if most := s.acc.srv.options().Batches.msgs(); p.size() > uint64(most) {
		s.abandon(string(p.id), "large")
		return api.AtomicTooLarge.Error(most)
	}
	return nil
}

// commitBatch decides about a batch whose end is asked for, and has it stored. It returns false, as offerAtomic does.
func (s *Stream) commitBatch(n note, p *part, b *atomicBatch, r *stream.Record, now int64, d *msgtrace.Decision) (done bool) {
	list := b.list
	if !p.empty {
		list = append(list[:len(list):len(list)], stageOne(r))
	}
	records := make([]stream.Record, len(list))
	for i := range list {
		records[i] = list[i].Record
	}
	if last := &records[len(records)-1]; p.empty {
		last.Header = stream.WithLine(last.Header, "Nats-Batch-Commit", []byte("1"))
	}
	v, skipped, at := s.machine.AcceptBatch(records, (*quota)(s), now)
	if v.Reason == stream.Wait {
		b.heard = time.Since(began) // it is our turn
		return false
	}
	s.endAtomic(string(p.id))
	n.verdict = v
	if v.Reason != stream.Accepted {
		s.answer(n)
		if d != nil {
			d.Error = s.refusedInBatch(&v, records[at].Header)
		}
		return true
	}
	if d != nil {
		d.Subject, d.NoInterest = string(records[at].Subject), skipped != nil && skipped[at]
	}
	own := &memory{} // what is stored is in the batch's own memory
	own.uses.Store(int32(len(list)))
	body := make([][]byte, len(list))
	for i := range list {
		body[i] = list[i].asStored(&records[i])
		x := note{change: true, size: int64(len(list[i].record) - recordHead), memory: own}
		if i == len(list)-1 {
			n.change, n.size = true, x.size
			n.extra = &extra{batch: string(p.id), count: uint64(len(list))}
			n.memory.hold()
			x = n
		}
		s.buffered.Add(1)
		s.bufferedBy += x.size
		s.notes.push(x)
	}
	if s.ledger != nil {
		s.ledger.batch(s, body, skipped, records[0].Seq, records[0].Time)
	}
	return true
}
