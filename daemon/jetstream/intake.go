package jetstream

import (
	"bytes"
	"sync/atomic"

	"github.com/nats-broker/nats-broker/daemon/batch"
	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
	"github.com/nats-broker/nats-broker/daemon/stream"
)

// intake is a lane that was given to the stream: records, and the memory that they are in.
type intake struct {
	*memory
	at   int             // where the next record begins, in the first segment of rest
	rest []batch.Segment // not looked at yet
	size int64           // of all segments
	from *follower       // the origin that it comes from; nil: it was published into the stream

	// refused are the reply subjects of messages of which too many were waiting: nothing else is kept of them.
	refused [][]byte
}

// memory is released when everything in it is stored and sent.
type memory struct {
	segs  []batch.Segment
	uses  atomic.Int32
	trail *broker.StreamTrail // of the only message in it; nil: it is not traced
}

// hold has the memory be there for one use more.
func (m *memory) hold() {
	if m != nil {
		m.uses.Add(1)
	}
}

func (m *memory) release() {
	if m == nil {
		return
	}
	if m.uses.Add(-1) == 0 {
		batch.ReleaseAll(m.segs)
		m.segs = nil
	}
}

// Put takes what a batch has for the stream.
func (s *Stream) Put(l *batch.Lane) bool {
	s.put(l, nil)
	return false
}

func (s *Stream) put(l *batch.Lane, trail *broker.StreamTrail) {
	m := &memory{segs: append([]batch.Segment(nil), l.Segments()...), trail: trail}
	m.uses.Store(1)
	in := intake{memory: m, rest: m.segs, size: int64(l.Staged())}
	if s.queued.Add(in.size) > s.acc.srv.options().MaxBufferedBy && in.size < s.queued.Load() {
		in.refuse()
		s.tellRefused(trail)
		s.queued.Add(-in.size)
	}
	s.inboxMu.Lock()
	s.inbox = append(s.inbox, in)
	s.inboxMu.Unlock()
	s.work()
}

// refuse keeps of a lane what is needed to say that it is refused.
func (in *intake) refuse() {
	for len(in.rest) > 0 {
		r, rest, at, err := next(in.rest, in.at)
		if err != nil {
			break // what was staged is ours
		}
		if len(r.reply) > 0 {
			in.refused = append(in.refused, bytes.Clone(r.reply))
		}
		in.rest, in.at = rest, at
	}
	in.memory.release()
	in.memory, in.rest = nil, nil
}

// work decides about what is in the inbox, unless somebody else is at it, who will.
func (s *Stream) work() {
	for s.hasMail() && s.mu.TryLock() {
		s.takeMail()
		s.mu.Unlock()
		s.send()
	}
}

func (s *Stream) hasMail() bool {
	s.inboxMu.Lock()
	defer s.inboxMu.Unlock()
	return len(s.inbox) > 0
}

// takeMail empties the inbox. mu is held.
func (s *Stream) takeMail() {
	for {
		s.inboxMu.Lock()
		mail := s.inbox
		s.inbox = nil
		s.inboxMu.Unlock()
		if len(mail) == 0 {
			return
		}
		for _, in := range mail {
			if in.memory != nil {
				s.waiting = append(s.waiting, in)
				continue
			}
			for _, reply := range in.refused {
				if n := (note{reply: reply, err: api.TooManyRequests.Error(), busy: true}); !s.config.Load().NoAck {
					s.out = append(s.out, outgoing{note: n})
				}
			}
		}
		s.decide()
	}
}

// decide offers what is waiting to the machine, as far as it can tell. mu is held.
func (s *Stream) decide() {
	defer s.undecided()
	for len(s.waiting) > 0 && !s.paused && !s.draining {
		in := &s.waiting[0]
		done := s.offer(in)
		if s.ledger == nil {
			s.committed = s.machine.Pending()
			s.apply()
			if !done && s.machine.Pending() == 0 {
				continue // what it waited for is applied
			}
		}
		if !done {
			return
		}
		in.release()
		s.queued.Add(-in.size)
		s.waiting[0] = intake{}
		s.waiting = s.waiting[1:]
	}
}

// undecided lets consumers go on, if no message waits for a decision. mu is held.
func (s *Stream) undecided() {
	if len(s.late) > 0 && len(s.waiting) == 0 && !s.paused && !s.draining {
		s.settleLate()
	}
}

// offer goes through the records of a lane, and hands those that were accepted to the ledger. It returns false if one has
// to wait.
func (s *Stream) offer(in *intake) (done bool) {
	if in.from != nil {
		return s.offerTaken(in)
	}
	var f frame
	now := s.now()
	for len(in.rest) > 0 {
		r, rest, at, err := next(in.rest, in.at)
		if err != nil {
			s.acc.srv.log.Error("Stream " + s.Name() + ": " + err.Error()) // what was staged is ours
			break
		}
		if is, done, d := s.offerBatch(&f, in, &r, now); is {
			if !done {
				s.hand(&f)
				return false
			}
			if d != nil {
				s.tellDecided(in.memory, *d)
			}
			in.rest, in.at = rest, at
			continue
		}
		v, rec := s.offerTraced(in.memory, &r, now)
		switch {
		case v.Reason == stream.Wait:
			s.hand(&f)
			return false
		case v.Reason == stream.Accepted && v.Skipped:
			s.skip(&f)
		case v.Reason == stream.Accepted:
			if f.skips > 0 {
				s.hand(&f)
			}
			f.add(&rec, &r, v.Changed)
		}
		in.rest, in.at = rest, at
	}
	s.hand(&f)
	return true
}

// offerOne decides about one record.
func (s *Stream) offerOne(m *memory, r *raw, now int64) (stream.Verdict, stream.Record) {
	rec := stream.Record{Subject: r.subject, Header: r.header, Payload: r.payload}
	n := note{reply: r.reply, memory: m}
	size := int64(len(r.subject) + len(r.header) + len(r.payload))
	if s.refuses(&n, size) {
		return stream.Verdict{Reason: stream.Sealed}, rec
	}
	v := s.machine.Accept(&rec, (*quota)(s), now)
	if v.Reason == stream.Wait {
		return v, rec
	}
	n.verdict = v
	if v.Reason != stream.Accepted {
		s.answer(n)
		return v, rec
	}
	s.buffered.Add(1)
	s.bufferedBy += size
	n.change, n.size = true, size
	m.uses.Add(1)
	s.notes.push(n)
	return v, rec
}

// refuses answers a message that nobody needs to look at, and reports whether it is one.
func (s *Stream) refuses(n *note, size int64) bool {
	if s.closed {
		return true
	}
	o := s.acc.srv.options()
	switch {
	case s.failed != nil:
		n.err = api.StoreFailed.Error(s.failed)
	case s.memory.greedy() || int(s.buffered.Load()) >= o.MaxBuffered || s.bufferedBy+size > o.MaxBufferedBy:
		n.err, n.busy = api.TooManyRequests.Error(), true
	default:
		return false
	}
	s.answer(*n)
	return true
}

// frame is what one lane adds to the ledger.
type frame struct {
	body  [][]byte
	first uint64
	count int
	time  int64

	kept bool // messages keep their sequences and times

	skip  stream.Change // the last of messages that are not stored, if there are any, and how many
	skips int
}

// add adds a record that was accepted as rec, changed or as it came. Pieces that lie behind each other are one.
func (f *frame) add(rec *stream.Record, r *raw, changed bool) {
	if f.count == 0 {
		f.first, f.time = rec.Seq, rec.Time
	}
	f.count++
	if changed {
		f.body = append(f.body, appendRecord(nil, rec))
		return
	}
	if n := len(f.body); n > 0 && follows(f.body[n-1], r.piece) {
		f.body[n-1] = f.body[n-1][:len(f.body[n-1])+len(r.piece)]
	} else {
		f.body = append(f.body, r.piece)
	}
	if r.apart != nil {
		f.body = append(f.body, r.apart)
	}
}

// make adds a record that nobody has published.
func (f *frame) make(rec *stream.Record) {
	if f.count == 0 {
		f.first, f.time = rec.Seq, rec.Time
	}
	f.count++
	f.body = append(f.body, appendRecord(nil, rec))
}

// follows reports whether b lies right behind a in memory.
func follows(a, b []byte) bool { return cap(a) > len(a) && &a[:len(a)+1][len(a)] == &b[0] }

// hand gives a frame to the ledger. It is empty afterwards.
func (s *Stream) hand(f *frame) {
	switch {
	case s.ledger == nil:
	case f.count > 0 && f.kept:
		s.ledger.mirrored(s, f.body, f.first, f.count)
	case f.count > 0:
		s.ledger.record(s, f.body, f.first, f.count, f.time)
	case f.skips > 0:
		s.ledger.change(s, f.skip, f.skips)
	}
	*f = frame{}
}

// skip adds the message that was accepted last and is not stored. Those that follow each other are one change, unless they take
// out others.
func (s *Stream) skip(f *frame) {
	c := s.machine.Newest()
	if f.count > 0 || f.skips > 0 && (f.skip.Rolls() || c.Rolls()) {
		s.hand(f)
	}
	f.skip, f.skips = *c, f.skips+1
}

// quota asks the account and the server for room.
type quota Stream

func (q *quota) Server() stream.Reason {
	k := q.config.Load().Storage
	if q.acc.srv.full(k) || k == api.File && (q.acc.srv.crowded() || q.kept != nil && q.kept.log.Full() != nil) {
		return stream.ServerFull
	}
	return stream.Accepted
}

func (q *quota) Payload() int { return q.acc.srv.broker.Options().MaxPayload }

func (q *quota) Account(size uint64) stream.Reason {
	if !q.acc.room(q.config.Load().Storage, size+uint64(q.bufferedBy)) {
		return stream.AccountFull
	}
	return stream.Accepted
}
