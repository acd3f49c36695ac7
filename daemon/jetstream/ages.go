package jetstream

import (
	"sync"
	"time"
)

// ages is the clock by which what is stored grows old. A wall clock that is set to another time, by hand or since it was
// wrong, would have messages be too old at once, for good. So a jump against the clock that nobody sets is not followed
// for a while, in which somebody may notice and set it back.
type ages struct {
	read func() (wall, steady int64) // nanoseconds since 1970, and since some moment
	told func(jump time.Duration, followed bool)

	mu      sync.Mutex // a leaf; told is called without it
	begun   bool
	between int64 // wall less steady, as it is followed
	jumped  int64 // the same, as it was when it jumped
	until   int64 // of the steady clock: when the jump is followed; 0: there is none
}

const (
	smallJump = time.Minute     // that is followed at once: clocks are adjusted
	jumpAfter = 5 * time.Minute // is how long another one is not
)

// newAges returns the machine's clocks.
func newAges(told func(time.Duration, bool)) *ages {
	start := time.Now()
	return &ages{told: told, read: func() (int64, int64) {
		now := time.Now()
		return now.UnixNano(), int64(now.Sub(start))
	}}
}

// now returns the time by which things are old. While a jump is not followed it is the earlier one of what the clock would be
// without the jump, and what it is.
func (a *ages) now() int64 {
	wall, steady := a.read()
	a.mu.Lock()
	now, jump, tell := a.at(wall, steady)
	followed := a.until == 0
	a.mu.Unlock()
	if tell {
		a.told(jump, followed)
	}
	return now
}

// at is now. tell says that a jump has begun, or is followed.
func (a *ages) at(wall, steady int64) (now int64, jump time.Duration, tell bool) {
	between := wall - steady
	if !a.begun {
		a.begun, a.between = true, between
	}
	jump = time.Duration(between - a.between)
	switch {
	case jump.Abs() <= smallJump:
		tell = a.until != 0 // it was set back
		a.between, a.until = between, 0
		return wall, jump, tell
	case a.until == 0 || time.Duration(between-a.jumped).Abs() > smallJump:
		a.jumped, a.until, tell = between, steady+int64(jumpAfter), true
	case steady >= a.until:
		a.between, a.until = between, 0
		return wall, jump, true
	}
	return min(wall, steady+a.between), jump, tell
}
