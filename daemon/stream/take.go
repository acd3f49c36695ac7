package stream

import "strings"

// Take decides about a message that another stream has stored, and that is taken over from there: what its headers ask for was
// decided there. If kept is set it keeps the sequence and the time that r has, as in a mirror, which knows of no duplicates;
// otherwise it gets its own. A sequence that is not above all that were given is refused as [WrongSequence]. now is the time, nanoseconds
// since 1970.
func (s *Stream) Take(r *Record, q Quota, now int64, kept bool) Verdict {
	s.transform(r)
	size := s.log.Size(len(r.Subject), len(r.Header), len(r.Payload))
	if v := s.fits(r, size); v != Accepted {
		return Verdict{Reason: v}
	}
	if kept && r.Seq <= s.last {
		return Verdict{Reason: WrongSequence, Seq: s.last}
	}
	var c conditions
	if len(r.Header) > 0 {
		c.read(r.Header)
	}
	if len(c.id) > 0 && !kept {
		s.forget(now)
		if seq, ok := s.known.find(s.key.hash(c.id)); ok {
			return Verdict{Reason: Duplicate, Seq: seq}
		}
	}
	if parseRollup(c.rollup) == badRollup {
		return Verdict{Reason: RollupInvalid, Text: strings.ToLower(string(c.rollup))}
	}
	if s.cfg.Counter {
		if v := s.countSource(&c, r, q); v != Accepted {
			return Verdict{Reason: v}
		}
		size = s.log.Size(len(r.Subject), len(r.Header), len(r.Payload))
	}
	wanted := s.wanted == nil || s.wanted(r.Subject)
	if v := s.room(&c, r, q, size, wanted); v != Accepted {
		return Verdict{Reason: v}
	}
	if s.log.Knows(r.Subject) != nil {
		return Verdict{Reason: Unread}
	}
	a := s.admit(&c, r)
	if !s.cfg.AllowRollup {
		a.rollup = noRollup // the header is kept as it is, and takes nothing out
	}
	if kept {
		s.put(r, &a, wanted)
	} else {
		s.take(r, &a, now, wanted)
	}
	return Verdict{Seq: r.Seq, Changed: true, Skipped: !wanted}
}

// Pass accepts that the stream goes on behind a sequence, which is above all that were given: what is between was never there, or is gone
// where the stream takes its messages from.
func (s *Stream) Pass(last uint64) Change {
	s.last = last
	return s.push(Change{Kind: Skip, Seq: last, Time: s.lastTime})
}
