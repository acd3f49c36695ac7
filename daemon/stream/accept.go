package stream

import (
	"errors"
	"strings"

	"github.com/nats-broker/nats-broker/daemon/subject"
	"github.com/nats-broker/nats-broker/daemon/subjects"
)

// Accept decides about a message. If it is accepted, r has its sequence, its time and the subject that it is stored under,
// and the change waits for [Stream.Apply]. now is the time, nanoseconds since 1970.
func (s *Stream) Accept(r *Record, q Quota, now int64) Verdict {
	a, v := s.judge(r, q, now)
	if v.Reason == Accepted {
		s.take(r, &a, now, !v.Skipped)
		v.Seq = r.Seq
	}
	return v
}

// Consider says what [Stream.Accept] would say, but for the sequence. Nothing is changed but r.
func (s *Stream) Consider(r *Record, q Quota, now int64) Verdict {
	_, v := s.judge(r, q, now)
	return v
}

// judge decides about a message.
func (s *Stream) judge(r *Record, q Quota, now int64) (a accepted, v Verdict) {
	changed := s.transform(r)
	size := s.log.Size(len(r.Subject), len(r.Header), len(r.Payload))
	if v := s.fits(r, size); v != Accepted {
		return a, Verdict{Reason: v}
	}
	c := conditions{now: now}
	conditional := len(r.Header) > 0 && c.read(r.Header)
	if conditional {
		s.forget(now)
		if v := s.conditions(&c, r); v.Reason != Accepted {
			return a, v
		}
	}
	if c.changed {
		changed, size = true, s.log.Size(len(r.Subject), len(r.Header), len(r.Payload))
		if v := s.fits(r, size); v != Accepted {
			return a, Verdict{Reason: v}
		}
	}
	var value string
	if s.cfg.Counter {
		var v Reason
		if value, v = s.count(&c, r, q, nil); v != Accepted {
			return a, Verdict{Reason: v}
		}
		changed, size = true, s.log.Size(len(r.Subject), len(r.Header), len(r.Payload))
	}
	wanted := s.wanted == nil || s.wanted(r.Subject)
	if v := s.room(&c, r, q, size, wanted); v != Accepted {
		return a, Verdict{Reason: v}
	}
	if s.log.Knows(r.Subject) != nil {
		return a, Verdict{Reason: Unread}
	}
	a = s.admit(&c, r)
	return a, Verdict{Text: value, Changed: changed || a.changed, Skipped: !wanted}
}

// accepted is what is needed of the headers of a message once it is accepted.
type accepted struct {
	id      []byte
	rollup  rollupKind
	life    int64 // how many seconds it lives, see parseTTL
	changed bool  // the header is another now
	of      *conditions
}

// admit reads it, and has the header be what is stored.
func (s *Stream) admit(c *conditions, r *Record) accepted {
	a := accepted{id: c.id, rollup: parseRollup(c.rollup), changed: c.changed}
	if len(c.schedule) > 0 || len(c.scheduleNext) > 0 {
		of := *c
		a.of = &of
	}
	if s.cfg.AllowTTL && len(c.ttl) > 0 {
		var raised bool
		a.life, raised = s.outlive(c, r)
		a.changed = a.changed || raised
	}
	return a
}

// take gives a message that is accepted its sequence, and has the change wait.
func (s *Stream) take(r *Record, a *accepted, now int64, wanted bool) {
	r.Seq, r.Time = s.last+1, s.Time(now)
	s.put(r, a, wanted)
}

// put has the change of a message wait that has its sequence.
func (s *Stream) put(r *Record, a *accepted, wanted bool) {
	s.last, s.lastTime, s.lastID = r.Seq, r.Time, string(a.id)
	if len(a.id) > 0 && s.cfg.Window > 0 {
		s.known.add(s.key.hash(a.id), r.Seq, r.Time)
	}
	change := Change{Kind: Append, rollup: a.rollup, due: expiry(r.Time, a.life)}
	if !wanted {
		change = skipped(r, a.rollup)
	}
	if a.of != nil {
		s.plans(&change, a.of, r.Time)
	}
	if !wanted {
		s.over.push(change, 0)
		return
	}
	change.Record = *r
	s.over.push(change, s.log.Size(len(r.Subject), len(r.Header), len(r.Payload)))
}

// transform gives a message the subject that it is stored under, and reports whether that is another.
func (s *Stream) transform(r *Record) bool {
	if s.cfg.Transform == nil {
		return false
	}
	mapped, ok := s.cfg.Transform.Match(string(r.Subject))
	if ok {
		r.Subject = []byte(mapped)
	}
	return ok
}

// Skipping returns the change of a message that takes a sequence and is not stored.
func (s *Stream) Skipping(r *Record) Change {
	var c conditions
	c.read(r.Header)
	change := skipped(r, parseRollup(c.rollup))
	s.plans(&change, &c, r.Time)
	return change
}

func skipped(r *Record, kind rollupKind) Change {
	c := Change{Kind: Skip, Seq: r.Seq, Time: r.Time, rollup: kind}
	if kind == rollupSubject {
		c.Filter = string(r.Subject)
	}
	return c
}

// fits checks what depends on the message alone.
func (s *Stream) fits(r *Record, size uint64) Reason {
	switch {
	case s.cfg.File && size > maxRecord:
		return RecordTooLarge
	case s.cfg.Sealed:
		return Sealed
	case s.cfg.MaxMsgSize > 0 && len(r.Header)+len(r.Payload) > s.cfg.MaxMsgSize:
		return MessageTooLarge
	case len(r.Header) > maxHeader:
		return HeaderTooLarge
	}
	return Accepted
}

// conditions checks what the headers ask, in the order that clients know.
func (s *Stream) conditions(c *conditions, r *Record) Verdict {
	switch {
	case c.counts(r, s.cfg.Counter) != Accepted:
		return Verdict{Reason: c.counts(r, s.cfg.Counter)}
	case len(c.stream) > 0 && string(c.stream) != s.cfg.Name:
		return Verdict{Reason: WrongStream}
	case !s.cfg.AllowTTL && validTTL(c.ttl) == ttlSet:
		return Verdict{Reason: TTLDisabled}
	}
	if v := s.sequences(c, r); v.Reason != Accepted {
		return v
	}
	if v := s.schedules(c, r, nil); v != Accepted {
		return Verdict{Reason: v}
	}
	if len(c.source) > 0 {
		return Verdict{Reason: SourceHeader}
	}
	if len(c.id) > 0 {
		if seq, ok := s.known.find(s.key.hash(c.id)); ok {
			return Verdict{Reason: Duplicate, Seq: seq}
		}
	}
	if len(c.lastID) > 0 && string(c.lastID) != s.lastID {
		return Verdict{Reason: WrongLastID, Text: s.lastID}
	}
	switch kind := parseRollup(c.rollup); {
	case kind == noRollup:
	case !s.cfg.AllowRollup:
		return Verdict{Reason: RollupDenied}
	case kind == badRollup:
		return Verdict{Reason: RollupInvalid, Text: strings.ToLower(string(c.rollup))}
	}
	return Verdict{}
}

// sequences checks the last sequence of the subject, then that of the stream.
func (s *Stream) sequences(c *conditions, r *Record) Verdict {
	if len(c.lastSubject) > 0 {
		of := c.lastSubjectOf
		if len(of) == 0 {
			of = r.Subject
		}
		actual, v := s.lastOf(of)
		if v != Accepted {
			return Verdict{Reason: v}
		}
		if want, ok := number(c.lastSubject); !ok || want != actual {
			return Verdict{Reason: WrongSequence, Seq: actual, Text: OfSubject}
		}
	} else if len(c.lastSubjectOf) > 0 {
		return Verdict{Reason: MissingSequence}
	}
	if len(c.last) > 0 {
		if want, ok := number(c.last); !ok || want != s.last {
			return Verdict{Reason: WrongSequence, Seq: s.last}
		}
	}
	return Verdict{}
}

// lastOf returns the sequence of the last message on a subject, which may have wildcards; 0: there is none. Wait says
// that it is not sure before what is pending is applied.
func (s *Stream) lastOf(subj []byte) (seq uint64, _ Reason) {
	literal := subject.IsLiteral(subj)
	if !s.over.empty() {
		if s.over.others > 0 || s.over.wipes > 0 || s.evicts() {
			return 0, Wait
		}
		known := false
		if !literal {
			seq, known = s.over.lastMatch(subj)
		} else if t, ok := s.over.of(subj); ok {
			seq, known = t.last, true
		}
		if known {
			return seq, Accepted
		}
	}
	if literal {
		t, err := s.log.Subject(subj)
		if err != nil {
			return 0, Unread
		}
		return t.Last, Accepted
	}
	seq, ok := s.log.Prev(s.log.State().Last, subjects.NewFilter(string(subj)))
	if ok && errors.Is(s.log.Load(seq, &s.batched), ErrNotNow) {
		return 0, Unread // nobody knows what it is
	}
	return seq, Accepted
}

// evicts reports whether messages that are pending push out others.
func (s *Stream) evicts() bool {
	if s.cfg.MaxMsgs == 0 && s.cfg.MaxBytes == 0 {
		return false
	}
	st := s.log.State()
	return s.cfg.MaxMsgs > 0 && st.Msgs+s.over.msgs > s.cfg.MaxMsgs || s.cfg.MaxBytes > 0 && st.Bytes+s.over.bytes > s.cfg.MaxBytes
}

// room checks what bounds the server, the account and the stream. What nobody wants takes none but the server's.
func (s *Stream) room(c *conditions, r *Record, q Quota, size uint64, wanted bool) Reason {
	if q != nil {
		if v := q.Server(); v != Accepted {
			return v
		}
	}
	if !wanted {
		return Accepted
	}
	if q != nil {
		if v := q.Account(size); v != Accepted {
			return v
		}
	}
	if validTTL(c.ttl) == ttlBad {
		return TTLInvalid
	}
	if s.cfg.DiscardNew {
		return s.refuses(c, r, size)
	}
	if s.cfg.MaxBytes > 0 && size > s.cfg.MaxBytes {
		return LargerThanStream
	}
	return Accepted
}

// refuses checks the limits of a stream that discards what is new.
func (s *Stream) refuses(c *conditions, r *Record, size uint64) Reason {
	cfg := &s.cfg
	if cfg.MaxMsgs == 0 && cfg.MaxBytes == 0 && (!cfg.DiscardNewPerSubject || cfg.MaxMsgsPerSubject == 0) {
		return Accepted
	}
	if s.over.removers > 0 {
		return Wait
	}
	var of Totals
	full := false // another message on the subject takes the place of one
	if cfg.MaxMsgsPerSubject > 0 {
		var err error
		if of, err = s.log.Subject(r.Subject); err != nil {
			return Unread
		}
		t, _ := s.over.of(r.Subject)
		full = of.Msgs+t.msgs >= cfg.MaxMsgsPerSubject
	}
	if full && cfg.DiscardNewPerSubject && len(c.rollup) == 0 {
		return TooManyOfSubject
	}
	st := s.log.State()
	if cfg.MaxMsgs > 0 && st.Msgs+s.over.msgs >= cfg.MaxMsgs && !full {
		return s.unless(TooManyMessages)
	}
	if cfg.MaxBytes > 0 && st.Bytes+s.over.bytes+size > cfg.MaxBytes {
		switch {
		case s.unless(TooManyBytes) == Wait: // which message it would take the place of is not known either
			return Wait
		case !full || s.sizeOf(of.First) < size:
			return TooManyBytes
		}
	}
	return Accepted
}

// unless returns the refusal if it is certain: what is pending may make room.
func (s *Stream) unless(r Reason) Reason {
	if !s.over.empty() && s.cfg.MaxMsgsPerSubject > 0 {
		return Wait
	}
	return r
}

// sizeOf is what a stored message counts for.
func (s *Stream) sizeOf(seq uint64) uint64 {
	if s.log.Load(seq, &s.batched) != nil {
		return 0
	}
	r := &s.batched
	return s.log.Size(len(r.Subject), len(r.Header), len(r.Payload))
}

func isInteger(v []byte) bool {
	if v[0] == '+' || v[0] == '-' {
		v = v[1:]
	}
	for _, d := range v {
		if d < '0' || d > '9' {
			return false
		}
	}
	return len(v) > 0
}
