package stream

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// A message may say how long it lives; and what dies last on a subject may leave a mark there.

// Forms of a message's own age.
const (
	ttlNone = iota // nothing, or zero seconds
	ttlSet
	ttlBad
)

// forever is the age of a message that does not grow too old.
const forever = -1

// parseTTL reads how many seconds a message lives: [forever], or 0 where nothing is said.
func parseTTL(v []byte) (seconds int64, form int) {
	if len(v) == 0 {
		return 0, ttlNone
	}
	if strings.EqualFold(string(v), "never") {
		return forever, ttlSet
	}
	if d, err := time.ParseDuration(string(v)); err == nil {
		if d < time.Second {
			return 0, ttlBad
		}
		return int64(d / time.Second), ttlSet
	}
	n, ok := number(v)
	switch {
	case !ok || n > math.MaxInt64:
		return 0, ttlBad
	case n == 0:
		return 0, ttlNone
	}
	return int64(n), ttlSet
}

func validTTL(v []byte) int {
	_, form := parseTTL(v)
	return form
}

// expiry is when a message that was stored at a time and lives so many seconds is too old; 0: never by itself.
func expiry(at, seconds int64) int64 {
	if seconds <= 0 {
		return 0
	}
	if seconds > math.MaxInt64/int64(time.Second) {
		return math.MaxInt64
	}
	return after(at, time.Duration(seconds)*time.Second)
}

// lifetime returns how many seconds the message of a header lives, as parseTTL does.
func lifetime(header []byte) int64 {
	if len(header) == 0 {
		return 0
	}
	var c conditions
	c.read(header)
	seconds, form := parseTTL(c.ttl)
	if form == ttlBad {
		return 0
	}
	return seconds
}

// outlive has a message live as long as a marker, where there are such: otherwise the marker of the message before it could be the
// one that is left. It returns how long it lives, and whether the header has changed.
func (s *Stream) outlive(c *conditions, r *Record) (seconds int64, changed bool) {
	seconds, _ = parseTTL(c.ttl)
	least := int64(s.cfg.MarkerTTL / time.Second)
	if seconds <= 0 || seconds >= least || s.cfg.MaxMsgsPerSubject == 1 {
		return seconds, false
	}
	r.Header = WithLine(WithoutLine(r.Header, nameTTL), nameTTL, strconv.AppendInt(nil, least, 10))
	return least, true
}

// Names of lines in headers.
const (
	nameTTL    = "Nats-TTL"
	nameRollup = "Nats-Rollup"
	nameMarker = "Nats-Marker-Reason"
	nameKV     = "KV-Operation"
	nameID     = "Nats-Msg-Id"

	nameSchedule  = "Nats-Schedule"
	nameScheduler = "Nats-Scheduler"
	nameNext      = "Nats-Schedule-Next"
)

// markerHeader is what a marker says: that the last message of its subject was too old.
func (s *Stream) markerHeader() []byte {
	h := WithLine(nil, nameMarker, []byte("MaxAge"))
	h = WithLine(h, nameTTL, []byte(s.cfg.MarkerTTL.Truncate(time.Second).String()))
	return WithLine(h, nameRollup, []byte("sub"))
}

// isMarker reports whether a message marks that a subject has nothing any more: it leaves no mark itself.
func isMarker(header []byte) bool {
	reason, _ := lineOf(header, nameMarker)
	operation, _ := lineOf(header, nameKV)
	return len(reason) > 0 || string(operation) == "PURGE"
}
