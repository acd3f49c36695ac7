package stream

import (
	"bytes"
	"encoding/binary"
	"slices"
	"time"

	"github.com/nats-broker/nats-broker/daemon/schedule"
	"github.com/nats-broker/nats-broker/daemon/subject"
)

// A message may be a schedule: it stays on its own subject, and when it is due another one comes, on another subject. That says by
// its header which schedule has made it, and when that is next; or that the schedule is over, and goes with this change. So whoever
// reads the changes again knows when a schedule is next.

// run is a schedule that repeats.
type run struct {
	seq  uint64 // its message
	next int64  // when it is due
}

// runSize is about what one takes in memory.
const runSize = 160

// over, as the time at which a schedule is next, says that it goes.
const over = -1

// plan reads the schedule that a message is; nil: it is none.
func (c *conditions) plan() (*schedule.Schedule, error) {
	return schedule.Parse(string(c.schedule), schedule.Zone{Given: c.zoned, Name: string(c.zone)})
}

// schedules checks what a message says of schedules, and has it replace the schedule before. d is the batch that it belongs to, nil for
// none.
func (s *Stream) schedules(c *conditions, r *Record, d *draft) Reason {
	switch plan, err := c.plan(); {
	case err == nil && plan == nil:
	case !s.cfg.Schedules:
		return ScheduleDisabled
	case err == schedule.ErrZone:
		return ScheduleZone
	case err != nil:
		return SchedulePattern
	default:
		if _, ok := plan.Next(c.now, c.now); !ok {
			return SchedulePattern
		}
		if v := s.scheduled(c, r); v != Accepted {
			return v
		}
	}
	return s.scheduler(c, r, d)
}

// scheduled checks the rest of what a schedule says.
func (s *Stream) scheduled(c *conditions, r *Record) Reason {
	switch {
	case validTTL(c.scheduleTTL) == ttlBad:
		return ScheduleTTL
	case len(c.scheduleRollup) > 0 && string(c.scheduleRollup) != "sub":
		return ScheduleRollup
	case len(c.scheduleTTL) > 0 && !s.cfg.AllowTTL:
		return TTLDisabled
	case !publishable(c.target) || bytes.Equal(c.target, r.Subject) || subject.HasEffect(string(c.target)):
		return ScheduleTarget
	case len(c.origin) > 0 && (bytes.Equal(c.origin, c.target) || bytes.Equal(c.origin, r.Subject) || !publishable(c.origin)):
		return ScheduleSource
	case !s.captures(c.target):
		return ScheduleTarget
	case len(c.origin) > 0 && !s.captures(c.origin):
		return ScheduleSource
	}
	switch parseRollup(c.rollup) {
	case rollupSubject:
	case noRollup:
		c.rollup, c.changed = []byte("sub"), true
		r.Header = WithLine(r.Header, nameRollup, c.rollup)
	default:
		return ScheduleRollup
	}
	return Accepted
}

func publishable(subj []byte) bool {
	return len(subj) > 0 && subject.ValidStrict(string(subj), false) && subject.IsLiteral(subj)
}

// captures reports whether a subject is one of the stream's.
func (s *Stream) captures(subj []byte) bool {
	return slices.ContainsFunc(s.cfg.Subjects, func(p string) bool { return subject.Matches(p, subj) })
}

// scheduler checks a message that names the schedule which it ends. Others may not name one.
func (s *Stream) scheduler(c *conditions, r *Record, d *draft) Reason {
	switch {
	case len(c.scheduleNext) == 0 && len(c.scheduler) == 0:
		return Accepted
	case string(c.scheduleNext) != "purge" || !publishable(c.scheduler) || bytes.Equal(c.scheduler, r.Subject):
		return SchedulerInvalid
	case !s.cfg.Schedules:
		return ScheduleDisabled
	}
	last, found, v := s.latest(c.scheduler, d)
	if v != Accepted {
		return v
	}
	if pattern, _ := lineOf(last.Header, nameSchedule); found && len(pattern) == 0 {
		return SchedulerInvalid
	}
	return Accepted
}

// plans adds to a change what its message says of schedules.
func (s *Stream) plans(change *Change, c *conditions, at int64) {
	if !s.cfg.Schedules {
		return
	}
	if len(c.schedule) > 0 {
		if plan, err := c.plan(); err == nil && plan != nil {
			next, ok := plan.Next(at, at)
			switch {
			case !ok:
			case plan.Repeats():
				change.runs = schedule.Nanos(next)
			default:
				change.due = earlier(change.due, schedule.Nanos(next))
			}
		}
	}
	if next := nextOf(c); next != 0 {
		change.scheduler, change.next = string(c.scheduler), next
	}
}

// nextOf returns when the schedule that a message names is next, or [over]; 0: it names none.
func nextOf(c *conditions) int64 {
	if len(c.scheduler) == 0 || len(c.scheduleNext) == 0 {
		return 0
	}
	if string(c.scheduleNext) == "purge" {
		return over
	}
	t, err := time.Parse(time.RFC3339Nano, string(c.scheduleNext))
	if err != nil {
		return 0
	}
	return schedule.Nanos(t)
}

// earlier returns the earlier one of two times, of which 0 is none.
func earlier(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// Runs reports whether it changes when a schedule that repeats is next.
func (c *Change) Runs() bool { return c.runs != 0 || c.next > 0 }

// scheduledBy takes note of what a change that is carried out says of schedules that repeat.
func (s *Stream) scheduledBy(c *Change) {
	t := &s.timer
	if !s.cfg.Schedules {
		return
	}
	if c.Kind == Append {
		switch subj := c.Record.Subject; {
		case c.runs != 0:
			t.setRun(string(subj), run{c.Record.Seq, c.runs})
		case c.scheduler == "" && len(t.runs) > 0:
			t.dropRun(string(subj))
		}
	}
	if r, ok := t.runs[c.scheduler]; ok && c.next > 0 {
		t.setRun(c.scheduler, run{r.seq, c.next})
	}
}

func (t *timer) setRun(subj string, r run) {
	if t.runs == nil {
		t.runs = make(map[string]run)
	}
	if old, ok := t.runs[subj]; ok && old.next == t.nextRun {
		t.unsure = true
	}
	t.runs[subj] = r
	t.nextRun = earlier(t.nextRun, r.next)
}

func (t *timer) dropRun(subj string) {
	if old, ok := t.runs[subj]; ok {
		t.unsure = t.unsure || old.next == t.nextRun
		delete(t.runs, subj)
	}
}

// dueRun returns when the first schedule that repeats is due; 0: there is none. Of a sealed stream none is.
func (s *Stream) dueRun() int64 {
	t := &s.timer
	if s.cfg.Sealed {
		return 0
	}
	if t.unsure {
		t.unsure, t.nextRun = false, 0
		for _, r := range t.runs {
			t.nextRun = earlier(t.nextRun, r.next)
		}
	}
	return t.nextRun
}

// noteRun notes a schedule that repeats and was there before. When it is next it is told by what was kept, or by the last message
// that it has made.
func (s *Stream) noteRun(r *Record, c *conditions, plan *schedule.Schedule, now int64) {
	if old, ok := s.timer.runs[string(r.Subject)]; ok && old.seq == r.Seq {
		return
	}
	next := int64(0)
	if t, err := s.log.Subject(c.target); err == nil && t.Last > r.Seq {
		var made Record
		if s.log.Load(t.Last, &made) == nil {
			var k conditions
			k.read(made.Header)
			if bytes.Equal(k.scheduler, r.Subject) {
				next = nextOf(&k)
			}
		}
	}
	if next <= 0 {
		at, ok := plan.Next(r.Time, max(now, r.Time))
		if !ok {
			return
		}
		next = schedule.Nanos(at)
	}
	s.timer.setRun(string(r.Subject), run{r.Seq, next})
}

// Schedules returns when the schedules that repeat are next, for [Stream.ResumeSchedules]; nil: there are none.
func (s *Stream) Schedules() (b []byte) {
	for subj, r := range s.timer.runs {
		b = append(binary.AppendUvarint(b, uint64(len(subj))), subj...)
		b = binary.AppendVarint(binary.AppendUvarint(b, r.seq), r.next)
	}
	return b
}

// ResumeSchedules takes what [Stream.Schedules] has returned. Of what is damaged it takes the front: the rest is found in the messages.
func (s *Stream) ResumeSchedules(b []byte) {
	for len(b) > 0 {
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return
		}
		subj := string(b[n : n+int(size)])
		b = b[n+int(size):]
		seq, n := binary.Uvarint(b)
		if n <= 0 {
			return
		}
		next, m := binary.Varint(b[n:])
		if m <= 0 || next <= 0 {
			return
		}
		b = b[n+m:]
		s.timer.setRun(subj, run{seq, next})
	}
}

// Note takes note of a message that the log has, for when schedules are next, as a replay does of one that it has not.
func (s *Stream) Note(c Change) {
	s.derive(&c)
	s.scheduledBy(&c)
}

// derive adds to a change that was read what follows from its message.
func (s *Stream) derive(c *Change) {
	if c.Kind != Append {
		return
	}
	if !s.cfg.AllowRollup {
		return // of a message that was taken over the header is kept, also where it may do nothing
	}
	if !s.cfg.Schedules {
		c.rollup = rollupOf(c.Record.Header)
		return
	}
	var k conditions
	k.read(c.Record.Header)
	c.rollup = parseRollup(k.rollup)
	s.plans(c, &k, c.Record.Time)
}
