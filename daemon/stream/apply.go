package stream

import (
	"errors"

	"github.com/nats-broker/nats-broker/daemon/subjects"
)

// Purge accepts that messages go: those below seq, or all but the newest keep, of the subjects that match filter. 0 and
// an empty filter say nothing.
func (s *Stream) Purge(filter string, seq, keep uint64) Change {
	return s.push(Change{Kind: Purge, Filter: filter, Seq: seq, Keep: keep})
}

// Delete accepts that one message goes.
func (s *Stream) Delete(seq uint64) Change { return s.push(Change{Kind: Delete, Seq: seq}) }

// Remove accepts that messages go that nobody waits for any more. The slice, ascending, is the stream's until it is applied.
func (s *Stream) Remove(seqs []uint64) Change { return s.push(Change{Kind: Remove, Seqs: seqs}) }

func (s *Stream) push(c Change) Change {
	s.over.push(c, 0)
	if c.Kind == Purge && everything(c.Filter) && c.Seq > s.last+1 {
		s.last = c.Seq - 1 // the stream goes on there
	}
	return c
}

// Apply carries out the oldest change that is accepted. After an error that is [Passing] it is the oldest still, and may be
// carried out again; after any other one the log is in doubt.
func (s *Stream) Apply() (Change, Result, error) {
	p := s.over.pending()
	if len(p) == 0 {
		panic("stream: nothing is pending")
	}
	at := &p[0]
	res, err := s.apply(at)
	if Passing(err) {
		return Change{}, Result{}, err
	}
	c := *at
	s.over.pop(s.log.Size(len(c.Record.Subject), len(c.Record.Header), len(c.Record.Payload)))
	return c, res, err
}

// Replay applies a change that was accepted before, by another machine over the same log. Nothing may be pending.
func (s *Stream) Replay(c Change, now int64) error {
	if c.Kind == Append {
		if c.Record.Seq <= s.last {
			return nil // the log has it, or had it
		}
		s.derive(&c)
	}
	if _, err := s.apply(&c); err != nil {
		return err
	}
	st := s.log.State()
	s.last, s.lastTime = st.Last, st.LastTime
	if c.Kind == Append {
		s.lastID = string(messageID(c.Record.Header))
		if s.cfg.Window > 0 && c.Record.Time > now-int64(s.cfg.Window) {
			s.remember(&c.Record)
		}
	}
	return nil
}

func (s *Stream) apply(c *Change) (res Result, err error) {
	switch c.Kind {
	case Append:
		return res, s.append(c)
	case Purge:
		var n uint64
		n, err = s.purge(c.Filter, c.Seq, c.Keep)
		c.done += n
		res.Count = c.done
	case Delete:
		var was bool
		if was, err = s.log.Remove(c.Seq); was {
			res.Count = 1
		}
	case Truncate:
		err = s.log.Truncate(c.Seq)
	case Remove:
		var n uint64
		n, err = s.remove(c.Seqs)
		c.done += n
		res.Count = c.done
	case Skip:
		err = s.skip(c)
	}
	return res, err
}

// remove takes out messages; those that are gone already do not count.
func (s *Stream) remove(seqs []uint64) (n uint64, err error) {
	for _, seq := range seqs {
		was, err := s.log.Remove(seq)
		if err != nil {
			return n, err
		}
		if was {
			n++
		}
	}
	return n, nil
}

// skip gives a sequence to a message that is not stored. What it replaces goes.
func (s *Stream) skip(c *Change) error {
	if err := s.log.Pass(c.Seq, c.Time); err != nil {
		return err
	}
	s.scheduledBy(c)
	if c.next == over {
		if err := s.keepOf([]byte(c.scheduler), 0); err != nil {
			return err
		}
	}
	switch c.rollup {
	case rollupAll:
		return s.log.Truncate(c.Seq + 1)
	case rollupSubject:
		return s.keepOf([]byte(c.Filter), 0)
	}
	return nil
}

// append stores a message and takes out what it replaces and what is too much with it.
func (s *Stream) append(c *Change) error {
	r := &c.Record
	if err := s.log.Append(r); err != nil {
		return err
	}
	s.noteDue(r.Seq, c.due)
	s.scheduledBy(c)
	if c.next == over {
		if err := s.keepOf([]byte(c.scheduler), 0); err != nil {
			return err
		}
	}
	switch c.rollup {
	case rollupAll:
		if err := s.log.Truncate(r.Seq); err != nil {
			return err
		}
	case rollupSubject:
		if err := s.keepOf(r.Subject, 1); err != nil {
			return err
		}
	}
	if n := s.cfg.MaxMsgsPerSubject; n > 0 {
		if err := s.keepOf(r.Subject, n); err != nil {
			return err
		}
	}
	return s.trimTotals()
}

// keepOf takes out all but the newest n messages of a subject.
func (s *Stream) keepOf(subj []byte, n uint64) error {
	for {
		t, err := s.log.Subject(subj)
		if err != nil || t.Msgs <= n {
			return err
		}
		was, err := s.log.Remove(t.First)
		if err != nil {
			return err
		}
		if !was {
			return errors.New("stream: the first message of a subject is not there")
		}
	}
}

// trimTotals takes out the oldest while there are too many, or too many bytes.
func (s *Stream) trimTotals() error {
	for {
		st := s.log.State()
		over := s.cfg.MaxMsgs > 0 && st.Msgs > s.cfg.MaxMsgs || s.cfg.MaxBytes > 0 && st.Bytes > s.cfg.MaxBytes
		if !over || st.Msgs == 0 {
			return nil
		}
		if err := s.log.Truncate(st.First + 1); err != nil {
			return err
		}
	}
}

// trim brings the log within the limits.
func (s *Stream) trim() error {
	if n := s.cfg.MaxMsgsPerSubject; n > 0 {
		var full [][]byte
		err := s.log.Subjects(nil, func(subj []byte, t Totals) bool {
			if t.Msgs > n {
				full = append(full, append([]byte(nil), subj...))
			}
			return true
		})
		if err != nil {
			return err
		}
		for _, subj := range full {
			if err := s.keepOf(subj, n); err != nil {
				return err
			}
		}
	}
	return s.trimTotals()
}

func everything(filter string) bool { return filter == "" || filter == ">" }

// asked reports, as an error, that a message which [Log.Next] returned cannot be read: it may be there for that reason.
func (s *Stream) asked(seq uint64, f *subjects.Filter) error {
	if f.All() {
		return nil
	}
	return s.log.Load(seq, &s.batched)
}

// purge takes messages out and returns how many.
func (s *Stream) purge(filter string, seq, keep uint64) (uint64, error) {
	if seq == 1 {
		return 0, nil
	}
	before := s.log.State()
	if everything(filter) && (keep == 0 || seq > 1) {
		if seq == 0 {
			seq = before.Last + 1
		}
		if seq < before.First {
			return 0, nil
		}
		err := s.log.Truncate(seq)
		return before.Msgs - s.log.State().Msgs, err
	}
	f := subjects.NewFilter()
	if filter != "" {
		f = subjects.NewFilter(filter)
	}
	most := before.Msgs
	if keep > 0 {
		n := s.log.Count(f, before.First, before.Last)
		if keep >= n {
			return 0, nil
		}
		most = n - keep
	}
	end := before.Last
	if seq > 0 && seq <= end {
		end = seq - 1
	}
	var n uint64
	for at, ok := s.log.Next(before.First, f); ok && at <= end && n < most; at, ok = s.log.Next(at+1, f) {
		if err := s.asked(at, f); errors.Is(err, ErrNotNow) {
			return n, err
		} else if err != nil {
			continue // it stays, since nobody knows what it is
		}
		was, err := s.log.Remove(at)
		if err != nil {
			return n, err
		}
		if was {
			n++
		}
	}
	return n, nil
}
