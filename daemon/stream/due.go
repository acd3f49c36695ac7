package stream

import (
	"errors"
	"math"
	"slices"

	"github.com/nats-broker/nats-broker/daemon/schedule"
)

// A stream in which messages may say when they are due looks at each of them when the time has come, not only at how old the oldest is:
// some outlive it, and of others a mark is left. What is due is found in what is applied, when nothing is pending.

// timer is what a stream knows of when its messages are due.
type timer struct {
	on    bool // it is asked
	table timetable

	// Messages that were there before it was asked are looked at by and by, from at through to; 0: all are known.
	at, to uint64

	// What lies below aged was looked at for its age. The first message that is not there has oldest, and came at oldestTime.
	aged       uint64
	oldest     uint64
	oldestTime int64

	// The schedules that repeat by their subjects, and when the first one is due; 0: there is none. If unsure it may be later.
	runs    map[string]run
	nextRun int64
	unsure  bool
}

// mostDue is about how many messages are taken out at one time.
const mostDue = 8192

// Track has the stream note from now on when its messages are due. Those that it has are looked at by [Stream.Look].
func (s *Stream) Track() {
	s.timer = timer{on: true, runs: s.timer.runs, unsure: true}
	if st := s.log.State(); s.cfg.timed() && st.Msgs > 0 {
		s.timer.at, s.timer.to = st.First, st.Last
	}
}

// Behind reports whether there are messages that were not looked at, see [Stream.Look].
func (s *Stream) Behind() bool { return s.timer.at != 0 }

// Look looks at some messages more that the stream had when [Stream.Track] was called. What cannot be read is looked for again later.
func (s *Stream) Look(most int, now int64) {
	t := &s.timer
	for range most {
		if t.at == 0 {
			return
		}
		seq, ok := s.log.Next(t.at, nil)
		if !ok || seq > t.to {
			t.at = 0
			return
		}
		if err := s.log.Load(seq, &s.batched); errors.Is(err, ErrNotNow) {
			s.later = now + int64(unreadableFor)
			return
		} else if err == nil {
			s.noteStored(&s.batched, now)
		}
		t.at = seq + 1
	}
}

// noteStored notes when a message that was there before is due.
func (s *Stream) noteStored(r *Record, now int64) {
	if len(r.Header) == 0 {
		return
	}
	var c conditions
	c.read(r.Header)
	old, once, plan := s.dues(r, &c)
	s.noteDue(r.Seq, earlier(old, once))
	if plan != nil && plan.Repeats() {
		s.noteRun(r, &c, plan, now)
	}
}

// dues returns when a message is too old by what it says, and when it is to be sent if it is a schedule that does not repeat; 0: never.
func (s *Stream) dues(r *Record, c *conditions) (old, once int64, plan *schedule.Schedule) {
	if s.cfg.AllowTTL {
		if seconds, form := parseTTL(c.ttl); form == ttlSet {
			old = expiry(r.Time, seconds)
		}
	}
	if s.cfg.Schedules && len(c.schedule) > 0 {
		if plan, _ = c.plan(); plan != nil && !plan.Repeats() {
			at, _ := plan.Next(0, 0)
			once = schedule.Nanos(at)
		}
	}
	return old, once, plan
}

// noteDue notes when a stored message is due; 0: it is not.
func (s *Stream) noteDue(seq uint64, due int64) {
	t := &s.timer
	if due == 0 || !t.on {
		return
	}
	t.table.add(seq, due)
	if t.table.crowded() {
		t.table.prune(s.log)
	}
}

// dueByAge returns when the first message that was not looked at is too old; 0: there is none.
func (s *Stream) dueByAge() int64 {
	t, st := &s.timer, s.log.State()
	if s.cfg.MaxAge == 0 || st.Msgs == 0 {
		return 0
	}
	if t.aged <= st.First {
		return after(st.FirstTime, s.cfg.MaxAge)
	}
	if t.oldest < t.aged {
		seq, ok := s.log.Next(t.aged, nil)
		if !ok {
			return 0
		}
		t.oldest, t.oldestTime = seq, st.LastTime
		if s.log.Load(seq, &s.batched) == nil {
			t.oldestTime = s.batched.Time
		}
	}
	return after(t.oldestTime, s.cfg.MaxAge)
}

// dueAtAll returns when the first message that is known is due; 0: never.
func (s *Stream) dueAtAll() int64 {
	due := int64(math.MaxInt64)
	for _, d := range []int64{s.dueByAge(), s.timer.table.next, s.dueRun()} {
		if d != 0 {
			due = min(due, d)
		}
	}
	if due == math.MaxInt64 {
		return 0
	}
	return max(due, s.later)
}

// Timed reports whether messages may be due by what they say: [Stream.Fire] is to be asked then, instead of [Stream.Expire].
func (s *Stream) Timed() bool { return s.cfg.timed() }

// Fire accepts the changes that are due: messages go that are too old, and marks come. Nothing may be pending; what is pending
// afterwards, see [Stream.Changes], are these. age is the time by which messages grow old, now that which new ones get.
func (s *Stream) Fire(q Quota, age, now int64) {
	if !s.over.empty() {
		panic("stream: it is asked what is due while changes are pending")
	}
	s.forget(age)
	if s.later > age {
		return
	}
	f := firing{s: s, q: q, age: age, now: now}
	f.byAge()
	s.timer.table.pass(age, mostDue, f.byTable)
	f.bySchedule()
	f.finish()
}

// Changes returns what is accepted and not applied. It is valid until the stream is changed.
func (s *Stream) Changes() []Change { return s.over.pending() }

// firing is one look for what is due.
type firing struct {
	s        *Stream
	q        Quota
	age, now int64

	gone  []uint64
	seen  map[uint64]bool   // what goes, or is replaced
	taken map[string]uint64 // how many of a subject do, where it may have a mark
	marks []mark
	sends []sending
	rec   Record
}

// mark is the last message of a subject, which is too old.
type mark struct {
	seq     uint64
	subject string
	size    uint64
}

// byAge looks at messages that are older than any may be.
func (f *firing) byAge() {
	s, t := f.s, &f.s.timer
	if due := s.dueByAge(); due == 0 || due > f.age {
		return
	}
	end, ok := s.log.AtTime(f.age - int64(s.cfg.MaxAge) + 1)
	if !ok {
		end = s.log.State().Last + 1
	}
	for seq, ok := s.log.Next(t.aged, nil); ok && seq < end; seq, ok = s.log.Next(seq+1, nil) {
		if f.count() >= mostDue {
			return
		}
		err := s.log.Load(seq, &f.rec)
		switch {
		case errors.Is(err, ErrNotNow):
			f.retry()
			return
		case err != nil:
			f.drop(seq) // nobody can read what it says
		case !s.cfg.AllowTTL || lifetime(f.rec.Header) != forever:
			f.expire(&f.rec)
		}
		t.aged = seq + 1
	}
	if t.aged < end {
		t.aged = end
	}
}

// byTable looks at the messages of a block.
func (f *firing) byTable(b block) (found int, due int64) {
	s, before := f.s, f.count()
	next := int64(math.MaxInt64)
	for seq, ok := s.log.Next(b.from, nil); ok && seq <= b.to; seq, ok = s.log.Next(seq+1, nil) {
		if err := s.log.Load(seq, &f.rec); errors.Is(err, ErrNotNow) {
			next = min(next, f.age+int64(unreadableFor))
			continue
		} else if err != nil {
			continue
		}
		var c conditions
		c.read(f.rec.Header)
		old, once, _ := s.dues(&f.rec, &c)
		if old != 0 && old <= f.age {
			f.expire(&f.rec)
			continue
		}
		if once != 0 && once <= f.age {
			if f.mind(seq) && !s.cfg.Sealed {
				f.sends = append(f.sends, sending{seq, once})
			}
			once = 0
		}
		if at := earlier(old, once); at != 0 {
			next = min(next, at)
		}
	}
	if next == math.MaxInt64 {
		next = 0
	}
	return f.count() - before, next
}

func (f *firing) count() int { return len(f.gone) + len(f.marks) + len(f.sends) }

// retry has it looked again in a while.
func (f *firing) retry() { f.s.later = f.age + int64(unreadableFor) }

// drop has one message go.
func (f *firing) drop(seq uint64) {
	if f.mind(seq) {
		f.gone = append(f.gone, seq)
	}
}

// mind reports whether nothing was decided about a message.
func (f *firing) mind(seq uint64) bool {
	if f.seen == nil {
		f.seen = map[uint64]bool{}
	}
	if f.seen[seq] {
		return false
	}
	f.seen[seq] = true
	return true
}

// expire has a message go that is too old, or be replaced by a mark if it is the last of its subject.
func (f *firing) expire(r *Record) {
	if !f.mind(r.Seq) {
		return
	}
	if f.s.cfg.MarkerTTL > 0 && f.last(r.Subject) && !isMarker(r.Header) {
		f.marks = append(f.marks, mark{r.Seq, string(r.Subject), f.s.log.Size(len(r.Subject), len(r.Header), len(r.Payload))})
		return
	}
	f.gone = append(f.gone, r.Seq)
}

// last reports whether a message is the only one of its subject that does not go.
func (f *firing) last(subj []byte) bool {
	if f.taken == nil {
		f.taken = map[string]uint64{}
	}
	f.taken[string(subj)]++
	t, err := f.s.log.Subject(subj)
	return err == nil && t.Msgs == f.taken[string(subj)]
}

// finish accepts what was decided.
func (f *firing) finish() {
	s := f.s
	if len(f.gone) > 0 {
		slices.Sort(f.gone)
		s.over.push(f.removal(), 0)
	}
	var bare []uint64
	for _, m := range f.marks {
		r := Record{Subject: []byte(m.subject), Header: s.markerHeader()}
		switch f.produce(&r, m.size) {
		case Accepted:
		case ServerFull, AccountFull, Unread: // it does not go without a mark that it may have later
			s.timer.table.add(m.seq, f.age+int64(unreadableFor))
			s.timer.aged = 0
			f.retry()
		default:
			bare = append(bare, m.seq)
		}
	}
	if len(bare) > 0 {
		s.over.push(Change{Kind: Remove, Seqs: bare}, 0)
	}
	f.sendAll()
}

// removal is the change that takes out what goes.
func (f *firing) removal() Change {
	s, last := f.s, f.gone[len(f.gone)-1]
	first := s.log.State().First
	if f.gone[0] == first && s.log.Count(nil, first, last) == uint64(len(f.gone)) {
		return Change{Kind: Truncate, Seq: last + 1}
	}
	return Change{Kind: Remove, Seqs: f.gone}
}

// produce accepts a message that the stream makes itself, in the place of one of a size.
func (f *firing) produce(r *Record, replaced uint64) Reason {
	s := f.s
	size := s.log.Size(len(r.Subject), len(r.Header), len(r.Payload))
	if v := s.fits(r, size); v != Accepted {
		return v
	}
	if most := s.cfg.MaxBytes; most > 0 {
		if s.cfg.DiscardNew && s.log.State().Bytes+s.over.bytes+size > most+replaced {
			return TooManyBytes
		}
		if size > most {
			return LargerThanStream
		}
	}
	wanted := s.wanted == nil || s.wanted(r.Subject)
	if f.q != nil {
		if v := f.q.Server(); v != Accepted {
			return v
		}
		if v := f.q.Account(size); v != Accepted && wanted {
			return v
		}
	}
	if s.log.Knows(r.Subject) != nil {
		return Unread
	}
	c := conditions{now: f.now}
	c.read(r.Header)
	a := s.admit(&c, r)
	s.take(r, &a, f.now, wanted)
	return Accepted
}
