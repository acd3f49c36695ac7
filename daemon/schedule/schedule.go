package schedule

import (
	"errors"
	"math"
	"strings"
	"time"
)

// Errors of [Parse].
var (
	ErrPattern = errors.New("the pattern is no schedule")
	ErrZone    = errors.New("the time zone is not known")
)

// Schedule says when something is to be done.
type Schedule struct {
	once  time.Time
	every time.Duration
	cron  *cron
}

// Zone is the name of a time zone, as a message gives it.
type Zone struct {
	Given bool
	Name  string
}

// names are patterns with a name.
var names = map[string]string{
	"@yearly": "0 0 0 1 1 *", "@annually": "0 0 0 1 1 *", "@monthly": "0 0 0 1 * *", "@weekly": "0 0 0 * * 0",
	"@daily": "0 0 0 * * *", "@midnight": "0 0 0 * * *", "@hourly": "0 0 * * * *",
}

// Parse reads a pattern: "@at" and a time as in RFC 3339, "@every" and a duration of a second at least, six fields of cron, or the name
// of such. Only the latter two may have a zone; without one they are in UTC. An empty pattern is none: nil is returned then, as for
// the zero time. A zone is looked at in any case.
func Parse(pattern string, z Zone) (*Schedule, error) {
	in := time.UTC
	if z.Given {
		var err error
		if in, err = zone(z.Name); err != nil {
			return nil, err
		}
	}
	switch {
	case pattern == "":
		return nil, nil
	case strings.HasPrefix(pattern, "@at "):
		at, err := time.Parse(time.RFC3339, pattern[4:])
		if err != nil || z.Given {
			return nil, ErrPattern
		}
		if at.IsZero() {
			return nil, nil
		}
		return &Schedule{once: at}, nil
	case strings.HasPrefix(pattern, "@every "):
		d, err := time.ParseDuration(pattern[7:])
		if err != nil || z.Given || d < time.Second {
			return nil, ErrPattern
		}
		return &Schedule{every: d}, nil
	}
	if p, ok := names[pattern]; ok {
		pattern = p
	}
	c, err := parseCron(pattern, in)
	if err != nil {
		return nil, err
	}
	return &Schedule{cron: c}, nil
}

// Repeats reports whether it is done more than once.
func (s *Schedule) Repeats() bool { return s.once.IsZero() }

// Next returns when it is done next, if it was done, or begun, at from; both are nanoseconds since 1970. Of times that have passed it
// skips all: the next is behind now then. What is done once is so at its time, whatever from is. ok is false if there is no
// such time within years.
func (s *Schedule) Next(from, now int64) (at time.Time, ok bool) {
	switch {
	case !s.Repeats():
		return s.once, true
	case s.every != 0:
		at = second(from).Add(s.every)
		if at.Before(time.Unix(0, now)) {
			at = second(now).Add(s.every)
		}
		return at, true
	}
	at, ok = s.cron.next(time.Unix(0, from))
	if ok && at.Before(time.Unix(0, now)) {
		at, ok = s.cron.next(second(now))
	}
	return at, ok
}

// second is the nearest whole second.
func second(at int64) time.Time { return time.Unix(0, at).UTC().Round(time.Second) }

// Nanos is a time in nanoseconds since 1970, or what is nearest where that cannot be counted.
func Nanos(t time.Time) int64 {
	switch {
	case t.Before(time.Unix(0, 1)):
		return 1
	case t.After(time.Unix(0, math.MaxInt64)):
		return math.MaxInt64
	}
	return t.UnixNano()
}
