package stream

import (
	"errors"
	"math"
	"time"
)

// Stream is the machine of one stream. Its methods are called by one goroutine at a time.
//
// The slices of a record that is accepted are kept until it is applied; they belong to the stream until then and
// are not changed.
type Stream struct {
	cfg Config
	log Log
	key Key

	last     uint64 // highest sequence given
	lastTime int64
	lastID   string // of the last message
	known    ids
	over     overlay
	batched  Record // scratch of reads
	wanted   func(subject []byte) bool
	ages     func() int64 // nil: what is given
	later    int64        // when it is looked again for what is too old, after it could not be read
	timer    timer
}

// Open returns the machine over a log. now is the time, for the message ids that are still remembered: they are found
// in the messages that the log holds, and those that its owner kept are added by [Stream.Remember] before.
func Open(cfg Config, log Log, key Key, now int64) (*Stream, error) {
	s := &Stream{cfg: cfg, log: log, key: key}
	return s, s.reload(now)
}

// reload takes everything from the log.
func (s *Stream) reload(now int64) error {
	st := s.log.State()
	s.over.reset()
	s.last, s.lastTime, s.lastID = st.Last, st.LastTime, ""
	s.known = ids{}
	if s.timer.on {
		s.Track()
	}
	if st.Msgs == 0 {
		return nil
	}
	if err := s.log.Load(st.Last, &s.batched); err == nil {
		s.lastID = string(messageID(s.batched.Header))
	} else if lasts(err) {
		return err
	}
	return s.recall(now)
}

// Recall looks for message ids in what is stored, after none were remembered.
func (s *Stream) Recall(now int64) error {
	s.known = ids{}
	return s.recall(now)
}

func (s *Stream) recall(now int64) error {
	last := s.log.State().Last
	if s.cfg.Window == 0 {
		return nil
	}
	seq, ok := s.log.AtTime(now - int64(s.cfg.Window) + 1)
	for ok && seq <= last {
		switch err := s.log.Load(seq, &s.batched); {
		case err == nil:
			s.remember(&s.batched)
		case lasts(err):
			return err
		}
		seq, ok = s.log.Next(seq+1, nil)
	}
	return nil
}

// lasts reports whether an error keeps a message from being known that will be there again. One that is gone or lost has
// taken its id with it.
func lasts(err error) bool {
	return errors.Is(err, ErrNotNow) || !errors.Is(err, ErrNoMessage) && !errors.Is(err, ErrUnreadable)
}

// remember notes the id of a stored message.
func (s *Stream) remember(r *Record) {
	if id := messageID(r.Header); len(id) > 0 {
		s.known.add(s.key.hash(id), r.Seq, r.Time)
	}
}

// Config returns the configuration.
func (s *Stream) Config() Config { return s.cfg }

// Wants has the stream store messages only on subjects for which f is true; nil: on all. f is asked while a message is accepted.
func (s *Stream) Wants(f func(subject []byte) bool) { s.wanted = f }

// Log returns the log, for reading.
func (s *Stream) Log() Log { return s.log }

// Last returns the highest sequence that was given.
func (s *Stream) Last() uint64 { return s.last }

// Pending returns how many changes are accepted and not applied.
func (s *Stream) Pending() int { return len(s.over.pending()) }

// IDs returns how many message ids are remembered.
func (s *Stream) IDs() int { return s.known.len() }

// IDBytes returns what they take in memory, and what is known of when messages are due.
func (s *Stream) IDBytes() int64 {
	return s.known.bytes() + s.timer.table.bytes() + int64(len(s.timer.runs))*runSize
}

// Next returns the change that [Stream.Apply] will apply. Something must be pending.
func (s *Stream) Next() *Change { return &s.over.pending()[0] }

// Newest returns the change that was accepted last. Something must be pending.
func (s *Stream) Newest() *Change {
	p := s.over.pending()
	return &p[len(p)-1]
}

// Removing returns the messages that are accepted to go by [Stream.Remove] and are still there.
func (s *Stream) Removing() (seqs []uint64) {
	for i := range s.over.pending() {
		seqs = append(seqs, s.over.pending()[i].Seqs...)
	}
	return seqs
}

// Abandon forgets what is accepted and not applied: it will not be stored. Answers that said otherwise must not have left.
func (s *Stream) Abandon(now int64) error {
	s.over.reset()
	return s.reload(now)
}

// Configure changes the configuration and takes out what is too much by the new one. Nothing may be pending.
func (s *Stream) Configure(cfg Config) error {
	if !s.over.empty() {
		panic("stream: the configuration changes while messages are pending")
	}
	again := s.timer.on && (cfg.AllowTTL != s.cfg.AllowTTL || cfg.Schedules != s.cfg.Schedules)
	s.cfg = cfg
	s.timer.aged, s.timer.oldest = 0, 0
	if again {
		s.Track()
	}
	return s.trim()
}

// Time returns the time of a message that arrives now. Small steps back of the clock are not seen.
func (s *Stream) Time(now int64) int64 {
	if now < s.lastTime && s.lastTime-now <= int64(levelled) {
		return s.lastTime
	}
	return now
}

// Due returns when messages will be too old, nanoseconds since 1970; 0: never.
func (s *Stream) Due() int64 {
	if s.cfg.timed() {
		return s.dueAtAll()
	}
	st := s.log.State()
	if s.cfg.MaxAge == 0 || st.Msgs == 0 {
		return 0
	}
	return max(after(st.FirstTime, s.cfg.MaxAge), s.later)
}

// after returns the time d after t, nanoseconds since 1970; as far as can be counted if it is further.
func after(t int64, d time.Duration) int64 {
	if t > math.MaxInt64-int64(d) {
		return math.MaxInt64
	}
	return t + int64(d)
}

// unreadableFor is how long it takes until it is looked again for what is too old, where the log could not say how
// old its first message is.
const unreadableFor = 5 * time.Second

// Expire accepts the change that takes out what is too old, if something is. Ids whose window is over are forgotten.
func (s *Stream) Expire(now int64) (Change, bool) {
	s.forget(now)
	st := s.log.State()
	if due := s.Due(); due == 0 || due > now {
		return Change{}, false
	}
	first, ok := s.log.AtTime(now - int64(s.cfg.MaxAge) + 1)
	if !ok {
		first = st.Last + 1
	}
	if first <= st.First {
		s.later = now + int64(unreadableFor)
		return Change{}, false
	}
	c := Change{Kind: Truncate, Seq: first}
	s.over.push(c, 0)
	return c, true
}

// AgeBy sets what returns the time by which what is stored grows old, where that is another than the one that is given:
// after a jump of the clock.
func (s *Stream) AgeBy(ages func() int64) { s.ages = ages }

func (s *Stream) forget(now int64) {
	if s.ages != nil {
		now = min(now, s.ages())
	}
	s.known.forget(now - int64(s.cfg.Window))
}

// NextForget returns when the oldest id need not be known any more; 0: none is known.
func (s *Stream) NextForget() int64 {
	if s.known.n == 0 {
		return 0
	}
	return after(s.known.ring[s.known.head].at, max(s.cfg.Window, time.Millisecond))
}

// Expiring reports whether a change that takes out what is too old is accepted and not applied.
func (s *Stream) Expiring() bool {
	for i := range s.over.pending() {
		if s.over.pending()[i].Kind == Truncate {
			return true
		}
	}
	return false
}
