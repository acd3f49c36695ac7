package stream

import (
	"time"

	"github.com/nats-broker/nats-broker/daemon/subject"
)

// Config is what a stream decides by. 0 is no limit.
type Config struct {
	Name string // what Nats-Expected-Stream must say

	MaxMsgs           uint64
	MaxBytes          uint64 // by the log's sizes
	MaxMsgsPerSubject uint64
	MaxMsgSize        int // header and payload
	MaxAge            time.Duration

	DiscardNew           bool // a full stream refuses, instead of dropping the oldest
	DiscardNewPerSubject bool // so does a full subject

	AllowTTL  bool          // messages may say how long they live
	MarkerTTL time.Duration // how long what is left of a subject lives when its last message is too old; 0: nothing is

	Schedules bool     // messages may be schedules
	Subjects  []string // that the stream takes; for what schedules send

	Window time.Duration // how long message ids are remembered

	Sealed      bool // nothing goes in or out
	AllowRollup bool
	Counter     bool // every message adds to the number of its subject
	File        bool // kept in files, where a record has a largest size

	Transform *subject.Transform // of what is published; nil: none
}

// timed reports whether messages may be due by what they say themselves.
func (c *Config) timed() bool { return c.AllowTTL || c.Schedules }

// Largest parts of a message.
const (
	maxHeader = 64<<10 - 1
	maxRecord = 32 << 20 // in a file
)

// levelled is by how much a clock may step back without messages having times that do so too.
const levelled = time.Minute
