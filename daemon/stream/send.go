package stream

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"github.com/nats-broker/nats-broker/daemon/schedule"
)

// sending is a schedule that is due.
type sending struct {
	seq uint64
	at  int64 // when it was to be
}

// bySchedule looks for schedules that repeat and are due.
func (f *firing) bySchedule() {
	if due := f.s.dueRun(); due == 0 || due > f.age {
		return
	}
	for _, r := range f.s.timer.runs {
		if r.next <= f.age && f.mind(r.seq) {
			f.sends = append(f.sends, sending{r.seq, r.next})
		}
	}
}

// sendAll has the messages come whose schedules are due, in the order of these.
func (f *firing) sendAll() {
	slices.SortFunc(f.sends, func(a, b sending) int {
		if a.seq < b.seq {
			return -1
		}
		return 1
	})
	size := 0
	for i, x := range f.sends {
		if size > mostSent || i >= mostDue {
			f.again(x.seq)
			continue
		}
		size += f.send(x)
	}
}

// mostSent is about how many bytes of messages come at one time.
const mostSent = 8 << 20

// again has a schedule that is due looked at the next time. One that repeats is anyway.
func (f *firing) again(seq uint64) { f.s.timer.table.add(seq, f.age) }

// send has the message of one schedule come, and returns its size.
func (f *firing) send(x sending) int {
	s := f.s
	if err := s.log.Load(x.seq, &f.rec); errors.Is(err, ErrNotNow) {
		f.postpone(x.seq)
		return 0
	} else if err != nil {
		s.timer.dropSeq(x.seq)
		return 0
	}
	var c conditions
	c.read(f.rec.Header)
	plan, err := c.plan()
	if err != nil || plan == nil || !f.newest(&f.rec) {
		s.timer.dropRun(string(f.rec.Subject))
		return 0
	}
	next, ok := plan.Next(x.at, f.age)
	r, known := f.message(&c, plan, next)
	if !known {
		f.postpone(x.seq)
		return 0
	}
	switch v := f.produce(&r, 0); v {
	case Accepted:
		if !ok {
			s.timer.dropRun(string(f.rec.Subject))
		}
		return len(r.Header) + len(r.Payload)
	case ServerFull, AccountFull, Unread:
		f.postpone(x.seq)
	default: // it never can: the next time it may
		if plan.Repeats() && ok {
			s.timer.setRun(string(f.rec.Subject), run{x.seq, schedule.Nanos(next)})
		} else {
			s.timer.dropRun(string(f.rec.Subject))
		}
	}
	return 0
}

// postpone has a schedule looked at in a while.
func (f *firing) postpone(seq uint64) {
	f.again(seq)
	f.retry()
}

// dropSeq forgets the schedule that repeats of a message that is gone.
func (t *timer) dropSeq(seq uint64) {
	for subj, r := range t.runs {
		if r.seq == seq {
			t.dropRun(subj)
			return
		}
	}
}

// newest reports whether a schedule is the last of its subject: what came behind it ends it, unless another schedule has made that.
func (f *firing) newest(r *Record) bool {
	t, err := f.s.log.Subject(r.Subject)
	if err != nil || t.Last == r.Seq {
		return true
	}
	var last Record
	if f.s.log.Load(t.Last, &last) != nil {
		return true
	}
	by, _ := lineOf(last.Header, nameScheduler)
	return len(by) > 0
}

// message makes what a schedule sends; ok is false if what it sends cannot be read for now.
func (f *firing) message(c *conditions, plan *schedule.Schedule, next time.Time) (r Record, ok bool) {
	header, payload := f.rec.Header, f.rec.Payload
	if len(c.origin) > 0 {
		t, err := f.s.log.Subject(c.origin)
		if err != nil {
			return r, false
		}
		if t.Msgs > 0 {
			var of Record
			switch err := f.s.log.Load(t.Last, &of); {
			case errors.Is(err, ErrNotNow):
				return r, false
			case err == nil:
				header, payload = of.Header, of.Payload
			}
		}
	}
	h := withoutLines(header, "Nats-Schedule", "Nats-Expected-", nameID+":", nameTTL+":", nameRollup+":")
	h = WithLine(h, nameScheduler, f.rec.Subject)
	if plan.Repeats() {
		h = WithLine(h, nameNext, []byte(next.Format(time.RFC3339Nano)))
	} else {
		h = WithLine(h, nameNext, []byte("purge"))
	}
	if len(c.scheduleTTL) > 0 {
		h = WithLine(h, nameTTL, c.scheduleTTL)
	}
	if len(c.scheduleRollup) > 0 {
		h = WithLine(h, nameRollup, c.scheduleRollup)
	}
	r = Record{Subject: bytes.Clone(c.target), Header: h, Payload: bytes.Clone(payload)}
	f.s.transform(&r)
	return r, true
}
