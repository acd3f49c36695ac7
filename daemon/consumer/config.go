package consumer

import (
	"slices"

	"github.com/nats-broker/nats-broker/daemon/subjects"
)

// AckPolicy says which messages are waited for.
type AckPolicy uint8

const (
	AckNone     AckPolicy = iota
	AckAll                // an ack counts for everything delivered before
	AckExplicit           // each by itself
	AckFlow               // the answer to a flow control message acks everything delivered before
)

// Start says where a consumer begins.
type Start uint8

const (
	StartAll Start = iota
	StartLast
	StartNew
	StartSequence
	StartTime
	StartLastPerSubject
)

// Policy says how waiting requests are chosen.
type Policy uint8

const (
	PolicyNone Policy = iota
	PolicyOverflow
	PolicyPinned
	PolicyPrioritized
)

// Config is what a consumer is asked to do: checked, with defaults filled in. Durations are
// nanoseconds, 0 for none; limits are 0 for none.
type Config struct {
	Filters []string // none: everything

	Start     Start
	StartSeq  uint64 // of StartSequence
	StartTime int64  // of StartTime

	Ack           AckPolicy
	AckWait       int64
	Backoff       []int64
	MaxDeliver    int
	MaxAckPending int
	Sample        int // per cent of acks that are told of

	Inactive    int64 // ends by itself after so long without use
	PausedUntil int64

	// Of consumers that are asked for messages.
	MaxWaiting      int
	MaxRequestBatch int
	MaxRequestBytes int
	MaxRequestTime  int64
	Priority        Policy
	Groups          []string
	PinnedTime      int64

	// Of consumers that push. Subject "" is one that is asked.
	Subject     string
	Group       string
	Heartbeat   int64
	FlowControl bool
	RateLimit   uint64 // bits per second
	Burst       int    // bytes that the rate may be ahead
	Original    bool   // replay at the pace of storing

	// AckPrefix is what the reply subject of a delivery begins with, through the dot before its
	// first number; FlowPrefix likewise the one of flow control messages.
	AckPrefix, FlowPrefix string
}

func (c *Config) push() bool { return c.Subject != "" }

// wait is how long an ack is waited for after the n-th delivery. Who answers to flow control says what is missing by a reset.
func (c *Config) wait(n int) int64 {
	if c.Ack == AckFlow {
		return never
	}
	if len(c.Backoff) > 0 {
		return c.Backoff[min(max(n-1, 0), len(c.Backoff)-1)]
	}
	return c.AckWait
}

// longest is the longest wait for an ack.
func (c *Config) longest() int64 {
	if c.Ack == AckFlow {
		return 0
	}
	if len(c.Backoff) > 0 {
		return slices.Max(c.Backoff)
	}
	return c.AckWait
}

func (c *Config) filter() *subjects.Filter {
	if len(c.Filters) == 0 {
		return nil
	}
	return subjects.NewFilter(c.Filters...)
}

// World is what a machine asks about the stream and about who listens. Only committed
// messages count. A World is asked during calls of the machine only, and must answer at once.
type World interface {
	// Bounds returns the sequence of the first message and the highest committed one.
	Bounds() (first, last uint64)
	Next(from uint64, f *subjects.Filter) (seq uint64, ok bool)
	Prev(from uint64, f *subjects.Filter) (seq uint64, ok bool)
	Count(f *subjects.Filter, from, upTo uint64) uint64
	AtTime(t int64) (seq uint64, ok bool)
	// Removals is how many messages were taken out one by one so far, of whatever subject.
	Removals() uint64
	// LastPerSubject returns the last message of each subject asked for, ascending. An error says that they are not known,
	// since what is stored cannot be read.
	LastPerSubject(f *subjects.Filter) ([]uint64, error)
	// Interested reports whether somebody would receive what is sent to a subject.
	Interested(subject string) bool
	// Bound reports whether somebody has subscribed to a subject itself, and not to it among others by a wildcard: as a member
	// of a queue group, or of none if that is empty.
	Bound(subject, group string) bool
	// NewID returns a name that nobody can guess: pins, reply subjects of flow control.
	NewID() string
}
