package follow

import "time"

// Times of the conversation with an origin.
const (
	Beat       = time.Second      // how often an origin without messages says that it is there
	Quiet      = 10 * time.Second // without a word for so long, it is asked again
	Throttle   = 2 * time.Second  // the shortest time from one request to the next
	backoff    = 10 * time.Second // more for each failure
	maxBackoff = 2 * time.Minute
	AnswerIn   = 30 * time.Second // how long an answer is waited for
	ResetIn    = 5 * time.Second  // the same, where the consumer is there already
	// stallBeats is how many beats in a row have to name the same question that nobody answers, until it is told of.
	stallBeats = 3
)

// State is what a follower does.
type State uint8

const (
	Resting   State = iota // until it is due
	Asking                 // a request is on its way
	Following              // messages come
)

// Follower is the machine of one origin.
type Follower struct {
	mirror bool
	reset  bool // the consumer is there, and is reset

	state State
	due   int64 // in Resting: when to ask; in Asking: when to give up; in Following: when to look whether something was heard
	asked int64 // the last request
	fails int

	at       uint64 // sequence of the origin up to which everything is taken
	identity string // of the origin; "": not known
	consumer string
	number   uint64 // of the last delivery that counts
	counted  uint64 // its sequence
	lag      uint64
	heard    int64

	stalledOn string // a question of flow control that the origin says it has no answer to
	stalls    int
}

// New returns a follower that has taken everything through a sequence of an origin. A mirror keeps the origin's sequences. reset
// says that the consumer is there and is only reset. It asks for the first time after jitter.
func New(mirror, reset bool, at uint64, identity string, now int64, jitter time.Duration) *Follower {
	return &Follower{mirror: mirror, reset: reset, at: at, identity: identity, due: now + int64(jitter)}
}

// State returns what the follower does.
func (f *Follower) State() State { return f.state }

// Due returns when [Follower.Tick] is to be called.
func (f *Follower) Due() int64 { return f.due }

// At returns the sequence of the origin through which everything is taken, and the origin's identity, if it is known.
func (f *Follower) At() (seq uint64, identity string) { return f.at, f.identity }

// Number returns the number of the last delivery that counts, for answers to flow control.
func (f *Follower) Number() uint64 { return f.number }

// Consumer returns the name of the origin's consumer; "": there is none.
func (f *Follower) Consumer() string { return f.consumer }

// Lag is how many messages the origin has that were not delivered, as it said last.
func (f *Follower) Lag() uint64 { return f.lag }

// Heard is when something was heard of the origin last; 0: never.
func (f *Follower) Heard() int64 { return f.heard }

// Act is what a tick asks for.
type Act uint8

const (
	Nothing Act = iota
	Ask         // send a request, and say so by [Follower.Asked]
	Late        // no answer has come: [Follower.Failed]
	Silent      // nothing was heard: [Follower.Again]
)

// Tick says what is to be done now.
func (f *Follower) Tick(now int64) Act {
	if now < f.due {
		return Nothing
	}
	switch f.state {
	case Resting:
		return Ask
	case Asking:
		return Late
	}
	if quiet := f.heard + int64(Quiet); now < quiet {
		f.due = quiet
		return Nothing
	}
	return Silent
}

// Asked notes that a request leaves. Everything that is stored is taken through at, where that is known better than here: in a mirror.
func (f *Follower) Asked(at uint64, now int64) {
	f.state, f.asked, f.consumer = Asking, now, ""
	f.at = max(f.at, at)
	f.due = now + int64(AnswerIn)
	if f.reset {
		f.due = now + int64(ResetIn)
	}
}

// AskedOtherwise notes that the request leaves once more in another form, since the origin does not know the first.
func (f *Follower) AskedOtherwise(now int64) {
	f.due = now + int64(AnswerIn)
}

// Differs reports whether an origin that says its identity is another one than before.
func (f *Follower) Differs(identity string) bool {
	return identity != "" && f.identity != "" && identity != f.identity
}

// Accepted notes that the origin has a consumer, which has passed everything through a sequence. If the origin is another one than
// before ([Follower.Differs]) everything begins anew.
func (f *Follower) Accepted(consumer string, passed uint64, identity string, now int64) {
	if f.Differs(identity) {
		f.at = 0
	}
	f.at = max(f.at, passed)
	f.identity = identity
	f.state, f.consumer, f.number, f.counted, f.fails = Following, consumer, 0, passed, 0
	f.stalledOn, f.stalls = "", 0
	f.heard = now
	f.due = now + int64(Quiet)
}

// Another notes that the origin is another one than before, as it said: everything begins anew, soon.
func (f *Follower) Another(now int64, jitter time.Duration) {
	f.at, f.identity = 0, ""
	f.rest(now, jitter)
}

// Failed notes that the request came to nothing. The next one leaves the later, the more have failed.
func (f *Follower) Failed(now int64, jitter time.Duration) {
	f.fails++
	f.rest(now, jitter)
}

// Unheard notes that nobody was there to hear the request: what will be there soon as a rule, after a start or while a connection
// is made.
func (f *Follower) Unheard(now int64, jitter time.Duration) { f.rest(now, jitter) }

// Again has the origin be asked again, soon: something is missing, or could not be stored, or nothing was heard. Failures from before
// count no more if forgiven.
func (f *Follower) Again(forgiven bool, now int64, jitter time.Duration) {
	if forgiven {
		f.fails = 0
	}
	f.rest(now, jitter)
}

func (f *Follower) rest(now int64, jitter time.Duration) {
	f.state, f.consumer = Resting, ""
	next := max(f.asked+int64(Throttle), now)
	if f.fails > 0 {
		next += int64(min(time.Duration(f.fails)*backoff, maxBackoff))
	}
	f.due = next + int64(jitter)
}
