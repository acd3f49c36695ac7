package stream

import "strings"

// draft is what is decided of a batch whose messages are stored together or not at all. A nil one has nothing.
type draft struct {
	msgs     uint64
	bytes    uint64
	ids      map[idHash]bool
	subjects map[string]*drafted
	expected map[string]uint64 // last sequences that were asked for
}

// drafted is what a batch has of one subject.
type drafted struct {
	msgs   uint64
	newest *Record
}

func (d *draft) of(subj []byte) (*drafted, bool) {
	if d == nil || len(d.subjects) == 0 {
		return nil, false
	}
	t, ok := d.subjects[string(subj)]
	return t, ok
}

// add takes in a message that was decided about. r must stay where it is.
func (d *draft) add(r *Record, size uint64) {
	d.msgs++
	d.bytes += size
	t, ok := d.of(r.Subject)
	if !ok {
		t = &drafted{}
		if d.subjects == nil {
			d.subjects = make(map[string]*drafted)
		}
		d.subjects[string(r.Subject)] = t
	}
	t.msgs++
	t.newest = r
}

// expects checks what sequence a message expects of a subject, which may have wildcards: what was there before the batch counts.
func (s *Stream) expects(d *draft, c *conditions, r *Record) Verdict {
	of := c.lastSubjectOf
	if len(of) == 0 {
		of = r.Subject
	}
	if _, ok := d.of(of); ok {
		return Verdict{Reason: NotInBatch, Text: OfSubject}
	}
	actual, known := d.expected[string(of)]
	if !known {
		var v Reason
		if actual, v = s.lastOf(of); v != Accepted {
			return Verdict{Reason: v}
		}
	}
	if want, ok := number(c.lastSubject); !ok || want != actual {
		return Verdict{Reason: WrongSequence, Seq: actual, Text: OfSubject}
	}
	if d.expected == nil {
		d.expected = make(map[string]uint64)
	}
	d.expected[string(of)] = actual
	return Verdict{}
}

// decide decides about one message of a batch, in the order of checks that clients know. The message becomes what is stored.
func (s *Stream) decide(d *draft, c *conditions, r *Record, q Quota) Verdict {
	if v := s.fits(r, s.log.Size(len(r.Subject), len(r.Header), len(r.Payload))); v != Accepted {
		return Verdict{Reason: v}
	}
	if v := c.counts(r, s.cfg.Counter); v != Accepted {
		return Verdict{Reason: v}
	}
	if len(c.stream) > 0 && string(c.stream) != s.cfg.Name {
		return Verdict{Reason: WrongStream}
	}
	switch form := validTTL(c.ttl); {
	case form != ttlNone && !s.cfg.AllowTTL:
		return Verdict{Reason: TTLDisabled}
	case form == ttlBad:
		return Verdict{Reason: TTLInvalid}
	}
	if v := s.unknown(d, c); v.Reason != Accepted {
		return v
	}
	if len(c.source) > 0 {
		return Verdict{Reason: SourceHeader}
	}
	var value string
	if s.cfg.Counter {
		var v Reason
		if value, v = s.count(c, r, q, d); v != Accepted {
			return Verdict{Reason: v}
		}
	}
	if len(c.last) > 0 {
		if want, ok := number(c.last); !ok || want != s.last+d.msgs {
			return Verdict{Reason: WrongSequence, Seq: s.last + d.msgs}
		}
		if d.msgs > 0 {
			return Verdict{Reason: NotInBatch}
		}
	}
	if len(c.lastSubject) > 0 {
		if v := s.expects(d, c, r); v.Reason != Accepted {
			return v
		}
	} else if len(c.lastSubjectOf) > 0 {
		return Verdict{Reason: MissingSequence}
	}
	if v := s.schedules(c, r, d); v != Accepted {
		return Verdict{Reason: v}
	}
	if v := s.rolls(d, c, r); v.Reason != Accepted {
		return v
	}
	size := s.log.Size(len(r.Subject), len(r.Header), len(r.Payload))
	if v := s.admits(d, c, r, size); v != Accepted {
		return Verdict{Reason: v}
	}
	d.add(r, size)
	return Verdict{Text: value}
}

// unknown checks that the id of a message is new.
func (s *Stream) unknown(d *draft, c *conditions) Verdict {
	if len(c.id) == 0 {
		return Verdict{}
	}
	h := s.key.hash(c.id)
	if seq, ok := s.known.find(h); ok {
		return Verdict{Reason: KnownInBatch, Seq: seq}
	}
	if d.ids[h] {
		return Verdict{Reason: KnownInBatch}
	}
	if d.ids == nil {
		d.ids = make(map[idHash]bool)
	}
	d.ids[h] = true
	return Verdict{}
}

// rolls checks what a message of a batch replaces: nothing that the batch has.
func (s *Stream) rolls(d *draft, c *conditions, r *Record) Verdict {
	kind := parseRollup(c.rollup)
	switch {
	case kind == noRollup:
	case !s.cfg.AllowRollup:
		return Verdict{Reason: RollupDenied}
	case kind == badRollup:
		return Verdict{Reason: RollupInvalid, Text: strings.ToLower(string(c.rollup))}
	case kind == rollupAll && d.msgs > 0:
		return Verdict{Reason: RollupInBatch, Text: "all"}
	case kind == rollupSubject:
		if _, ok := d.of(r.Subject); ok {
			return Verdict{Reason: RollupInBatch, Text: "sub"}
		}
	}
	return Verdict{}
}

// admits checks the limits of the stream: of one that discards what is new, with all that the batch has.
func (s *Stream) admits(d *draft, c *conditions, r *Record, size uint64) Reason {
	cfg := &s.cfg
	if cfg.MaxBytes > 0 && size > cfg.MaxBytes && !cfg.DiscardNew {
		return LargerThanStream
	}
	if !cfg.DiscardNew || cfg.MaxMsgs == 0 && cfg.MaxBytes == 0 && (!cfg.DiscardNewPerSubject || cfg.MaxMsgsPerSubject == 0) {
		return Accepted
	}
	if s.over.removers > 0 || !s.over.empty() && cfg.MaxMsgsPerSubject > 0 {
		return Wait
	}
	st := s.log.State()
	switch {
	case cfg.MaxMsgs > 0 && st.Msgs+s.over.msgs+d.msgs+1 > cfg.MaxMsgs:
		return TooManyMessages
	case cfg.MaxBytes > 0 && st.Bytes+s.over.bytes+d.bytes+size > cfg.MaxBytes:
		return TooManyBytes
	}
	if cfg.DiscardNewPerSubject && cfg.MaxMsgsPerSubject > 0 && len(c.rollup) == 0 {
		of, err := s.log.Subject(r.Subject)
		if err != nil {
			return Unread
		}
		n := of.Msgs + 1
		if t, ok := d.of(r.Subject); ok {
			n += t.msgs
		}
		if n > cfg.MaxMsgsPerSubject {
			return TooManyOfSubject
		}
	}
	return Accepted
}

// Arrives decides about a message of a batch when it comes, before anything is known of the batch.
func (s *Stream) Arrives(r *Record, q Quota) Reason {
	if s.cfg.Sealed {
		return Sealed
	}
	if v := q.Server(); v != Accepted {
		return v
	}
	if v := q.Account(s.log.Size(len(r.Subject), len(r.Header), len(r.Payload))); v != Accepted {
		return v
	}
	if s.cfg.MaxMsgSize > 0 && len(r.Header)+len(r.Payload) > s.cfg.MaxMsgSize {
		return MessageTooLarge
	}
	return Accepted
}

// AcceptBatch decides about messages that are stored together, one behind the other, or not at all. If they are accepted each has
// its sequence, its time and what is stored of it, and the changes wait for [Stream.Apply]; skipped is true where nobody is
// interested in one, which then takes a sequence and is not stored; nil: nowhere. The verdict is that of the first that is refused,
// which is the one at, or has the sequence of the last one.
func (s *Stream) AcceptBatch(list []Record, q Quota, now int64) (v Verdict, skipped []bool, at int) {
	s.forget(now)
	var d draft
	all := make([]accepted, len(list))
	var size uint64
	for i := range list {
		r := &list[i]
		s.transform(r)
		c := conditions{now: now}
		c.read(r.Header)
		if len(c.lastID) > 0 {
			return Verdict{Reason: HeaderInBatch, Text: "Nats-Expected-Last-Msg-Id"}, nil, i
		}
		if v := s.decide(&d, &c, r, q); v.Reason != Accepted {
			return v, nil, i
		}
		all[i] = s.admit(&c, r)
		if s.wanted != nil && !s.wanted(r.Subject) {
			if skipped == nil {
				skipped = make([]bool, len(list))
			}
			skipped[i] = true
			continue
		}
		if s.log.Knows(r.Subject) != nil {
			return Verdict{Reason: Unread}, nil, i
		}
		size += s.log.Size(len(r.Subject), len(r.Header), len(r.Payload))
	}
	if v := quota(q, size); v != Accepted {
		return Verdict{Reason: v}, nil, len(list) - 1
	}
	for i := range list {
		s.take(&list[i], &all[i], now, skipped == nil || !skipped[i])
	}
	return Verdict{Seq: s.last}, skipped, len(list) - 1
}

// AcceptFast decides about one message that is checked as those of batches are, and stored alone.
func (s *Stream) AcceptFast(r *Record, q Quota, now int64) Verdict {
	changed := s.transform(r)
	c := conditions{now: now}
	if len(r.Header) > 0 && c.read(r.Header) {
		s.forget(now)
	}
	var d draft
	v := s.decide(&d, &c, r, q)
	if v.Reason != Accepted {
		return v
	}
	if len(c.lastID) > 0 && string(c.lastID) != s.lastID {
		return Verdict{Reason: WrongLastID, Text: s.lastID}
	}
	wanted := s.wanted == nil || s.wanted(r.Subject)
	if wanted && s.log.Knows(r.Subject) != nil {
		return Verdict{Reason: Unread}
	}
	a := s.admit(&c, r)
	s.take(r, &a, now, wanted)
	return Verdict{Seq: r.Seq, Skipped: !wanted, Changed: changed || s.cfg.Counter || a.changed}
}

// quota asks for room for messages of a size.
func quota(q Quota, size uint64) Reason {
	if q == nil {
		return Accepted
	}
	if v := q.Server(); v != Accepted {
		return v
	}
	return q.Account(size)
}
