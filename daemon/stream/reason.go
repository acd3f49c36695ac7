package stream

// Reason says what became of a message that was offered.
type Reason uint8

// The reasons. Those from Sealed on are refusals.
const (
	Accepted  Reason = iota
	Duplicate        // its id is known
	Wait             // ask again when everything that was accepted is applied

	Sealed
	RecordTooLarge   // for a file
	MessageTooLarge  // by the stream's limit
	HeaderTooLarge   //
	CounterInvalid   // Nats-Incr is no number
	CounterDisabled  //
	CounterMissing   // a message of a counter without Nats-Incr
	CounterPayload   // one that has a payload
	CounterBroken    // what is stored is no number
	WrongStream      //
	TTLDisabled      //
	TTLInvalid       //
	WrongSequence    // of the stream, or OfSubject; the verdict has the actual one
	MissingSequence  // a subject to look at without a sequence
	ScheduleDisabled //
	SchedulerInvalid // Nats-Scheduler or Nats-Schedule-Next where they may not be
	SchedulePattern
	ScheduleZone
	ScheduleTarget
	ScheduleSource
	ScheduleTTL
	ScheduleRollup
	SourceHeader  // Nats-Stream-Source comes from streams only
	WrongLastID   // the verdict has the actual one
	RollupDenied  //
	RollupInvalid // the verdict has the value
	NotInBatch    // a sequence, of the stream or OfSubject, is expected that what the batch has before has changed
	KnownInBatch  // the id of a message is known, or twice in the batch; the verdict has the sequence
	HeaderInBatch // which may not be in one; the verdict has its name
	RollupInBatch // of what the batch has before; the verdict has the value
	ServerFull
	AccountFull
	TooManyMessages // the stream is full and refuses
	TooManyBytes
	TooManyOfSubject
	LargerThanStream // no room would ever be enough
	Unread           // what is stored decides, and cannot be read
)

// OfSubject is the text of a verdict about a sequence that is not that of the stream.
const OfSubject = "subject"

// Refused reports whether the message is not stored, and no other has its place.
func (r Reason) Refused() bool { return r >= Sealed }

// Verdict is the answer to a message that was offered.
type Verdict struct {
	Reason Reason
	// Seq is the sequence that the message has got, or that of the first one with its id, or
	// the actual one where another was expected.
	Seq  uint64
	Text string // see the reasons; of what is accepted the value of its counter
	// Changed says that subject, header or payload are stored otherwise than they came.
	Changed bool
	// Skipped says that the message was accepted and is not stored: nobody is interested in it.
	Skipped bool
}

// Quota says whether there is room outside of the stream: of the account, of the server. It returns
// Accepted, ServerFull or AccountFull. size is what the message counts for.
type Quota interface {
	Server() Reason
	Account(size uint64) Reason
	// Payload returns how large header and payload of a message may be together, by the server.
	Payload() int
}
