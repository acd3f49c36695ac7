package stream

import (
	"errors"
	"fmt"

	"github.com/nats-broker/nats-broker/daemon/subjects"
)

// Record is one stored message.
type Record struct {
	Seq     uint64
	Time    int64 // when it was accepted, nanoseconds since 1970
	Subject []byte
	Header  []byte // from "NATS/1.0" through the blank line; nil for none
	Payload []byte
}

// Errors of a [Log].
var (
	ErrNoMessage  = errors.New("no message found") // there is none: never stored, deleted, expired
	ErrUnreadable = errors.New("message unreadable")
	// ErrNotNow is an ErrUnreadable that is over when its cause is: a want of descriptors, a wrong mode.
	ErrNotNow = fmt.Errorf("%w for now", ErrUnreadable)
	// ErrFull says that what is appended has no room until what is before it can be written.
	ErrFull = errors.New("no room for messages")
)

// Passing reports whether a change that ended with an error has not been made in full, and can be when its cause is over.
func Passing(err error) bool { return errors.Is(err, ErrNotNow) || errors.Is(err, ErrFull) }

// State is what a log holds.
type State struct {
	Msgs  uint64
	Bytes uint64 // by the log's sizes, see [Log.Size]

	// First is the sequence of the first message, Last the highest that was ever given.
	// Without messages First is the sequence after Last; both are 0 in a log that never had one
	// and was not told where to begin.
	First, Last         uint64
	FirstTime, LastTime int64 // 0: none, or it cannot be read. LastTime stays when the message goes

	Subjects int // that have messages
}

// Totals is what a log knows of one subject.
type Totals struct {
	First, Last uint64 // sequences
	Msgs        uint64
}

// Range is From through To, both included.
type Range struct{ From, To uint64 }

// Log keeps the committed messages of one stream and finds them again. The methods that
// change it are called by one goroutine at a time; those that read may be called beside each
// other and beside one that changes.
//
// A change is in the log when the call returns, and on the disk some time later: after a
// crash, whoever uses a log brings it up to date from the journal. So every change belongs to a
// commit: [Log.Begin] says to which one those that follow belong, and an implementation that
// keeps files says by [Log.Durable] up to which commit they are true. Changes of a commit that
// is not behind Durable are not given again.
type Log interface {
	// Begin says that the changes that follow belong to commit n, at least as high as before.
	Begin(n uint64)
	// Durable returns the last commit whose changes all are on the disk. A log in memory
	// returns the largest number.
	Durable() uint64
	// Sync brings everything so far to the disk: when it returns nil, Durable has risen to the
	// number of the last Begin.
	Sync() error

	// Knows returns an error, as of Subject, if Append would fail for want of what is known of a subject.
	Knows(subject []byte) error
	// Append adds a message whose sequence is higher than any before; what is between is
	// deleted from the beginning. The record's slices are the caller's and copied (or kept by
	// reference by an agreement of the implementation). [ErrFull] is an error of it.
	Append(r *Record) error
	// Remove takes one message out and reports whether it was there.
	Remove(seq uint64) (bool, error)
	// Truncate takes out everything below first. If first is behind the last sequence, the log
	// is empty then and goes on at first.
	Truncate(first uint64) error
	// Skip makes last the highest sequence given, without a message.
	Skip(last uint64) error
	// Pass is Skip for a message that came at a time and is not stored.
	Pass(last uint64, at int64) error

	State() State
	// Bounds returns First and Last of State, for those who ask for each message.
	Bounds() (first, last uint64)
	// Size is what a message counts for in bytes.
	Size(subject, header, payload int) uint64

	// Load reads the message with a sequence into r, whose slices it may use again. The slices
	// belong to r afterwards. Its errors are [ErrNoMessage], [ErrUnreadable] and [ErrNotNow], the latter two around the cause.
	Load(seq uint64, r *Record) error
	// Next returns the first message at or behind from that the filter asks for. One of which nobody knows whether it
	// does, since it cannot be read, is taken for one: Load says so.
	Next(from uint64, f *subjects.Filter) (seq uint64, ok bool)
	// Prev returns the last message at or before from that the filter asks for. What cannot be read is as for Next.
	Prev(from uint64, f *subjects.Filter) (seq uint64, ok bool)
	// AtTime returns the first message that is not older than t; ok is false if there is none. A message
	// whose time cannot be read is not taken for older.
	AtTime(t int64) (seq uint64, ok bool)
	// Subject returns what is known of a literal subject; without messages Msgs is 0. An error, which is an
	// [ErrUnreadable], says that it is not known whether there are any.
	Subject(s []byte) (Totals, error)
	// Count returns how many messages the filter asks for from the sequence from through upTo. What cannot be read is not
	// counted.
	Count(f *subjects.Filter, from, upTo uint64) uint64
	// Subjects calls fn for each subject that the filter asks for and that has messages, sorted
	// bytewise, until it returns false. The name is valid during the call. After an error, as of Subject, not
	// all of them were named.
	Subjects(f *subjects.Filter, fn func(s []byte, t Totals) bool) error
	// Holes calls fn for the ranges without a message between the first one and State.Last, in
	// order, until it returns false. A log without messages has none.
	Holes(fn func(Range) bool)
	// Lost returns what had been stored and cannot be read any more; usually nothing.
	Lost() []Range

	// Close ends the use of the log; it does not sync. Destroy takes it away for good.
	Close() error
	Destroy() error
}
