package stream

import (
	"bytes"
	"strings"
)

// conditions are what the headers of a message say to the stream. Values are parts of the header; of several
// lines with one name the first counts. A line is as in the protocol: name, colon, spaces, value.
type conditions struct {
	id, lastID        []byte
	stream            []byte
	last, lastSubject []byte
	lastSubjectOf     []byte
	rollup            []byte
	ttl, incr         []byte
	source            []byte
	schedule          []byte
	scheduler         []byte
	scheduleNext      []byte
	zone              []byte // of the schedule
	target, origin    []byte // subjects: where it sends to, and of what it sends the last message
	scheduleTTL       []byte // of what it sends
	scheduleRollup    []byte

	zoned   bool  // there is a zone, if it has no name
	now     int64 // the time, for schedules
	changed bool  // the header has got more lines
}

var (
	crlf   = []byte("\r\n")
	prefix = []byte("Nats-")
)

// read finds them. It reports whether there are any.
func (c *conditions) read(header []byte) (any bool) {
	for {
		i := bytes.Index(header, prefix)
		if i < 0 {
			return any
		}
		begins := i >= 2 && header[i-2] == '\r' && header[i-1] == '\n'
		header = header[i+len(prefix):]
		end := bytes.Index(header, crlf)
		if end < 0 {
			return any
		}
		if begins {
			if name, value, ok := bytes.Cut(header[:end], colon); ok {
				any = c.set(name, value) || any
			}
			header = header[end:]
		}
	}
}

var colon = []byte(":")

func (c *conditions) set(name, value []byte) bool {
	var to *[]byte
	switch string(name) {
	case "Msg-Id":
		to = &c.id
	case "Expected-Last-Msg-Id":
		to = &c.lastID
	case "Expected-Stream":
		to = &c.stream
	case "Expected-Last-Sequence":
		to = &c.last
	case "Expected-Last-Subject-Sequence":
		to = &c.lastSubject
	case "Expected-Last-Subject-Sequence-Subject":
		to = &c.lastSubjectOf
	case "Rollup":
		to = &c.rollup
	case "TTL":
		to = &c.ttl
	case "Incr":
		to = &c.incr
	case "Stream-Source":
		to = &c.source
	case "Schedule":
		to = &c.schedule
	case "Scheduler":
		to = &c.scheduler
	case "Schedule-Next":
		to = &c.scheduleNext
	case "Schedule-Time-Zone":
		c.zoned = true
		to = &c.zone
	case "Schedule-Target":
		to = &c.target
	case "Schedule-Source":
		to = &c.origin
	case "Schedule-TTL":
		to = &c.scheduleTTL
	case "Schedule-Rollup":
		to = &c.scheduleRollup
	default:
		return false
	}
	if *to != nil {
		return false
	}
	*to = bytes.TrimLeft(value, " ")
	return true
}

// rollupKind is what a message replaces.
type rollupKind uint8

const (
	noRollup      rollupKind = iota
	rollupSubject            // everything of its subject
	rollupAll
	badRollup
)

func parseRollup(v []byte) rollupKind {
	switch {
	case len(v) == 0:
		return noRollup
	case strings.EqualFold(string(v), "sub"):
		return rollupSubject
	case strings.EqualFold(string(v), "all"):
		return rollupAll
	}
	return badRollup
}

// messageID returns the id in a header, nil if there is none.
func messageID(header []byte) []byte {
	var c conditions
	c.read(header)
	return c.id
}

// rollupOf returns what a stored message replaced.
func rollupOf(header []byte) rollupKind {
	var c conditions
	c.read(header)
	return parseRollup(c.rollup)
}

// number reads a sequence; ok is false for what is none.
func number(v []byte) (n uint64, ok bool) {
	if len(v) == 0 || len(v) > 19 {
		return 0, false
	}
	for _, d := range v {
		if d < '0' || d > '9' {
			return 0, false
		}
		n = n*10 + uint64(d-'0')
	}
	return n, true
}
