package stream

// Kind is what a change does.
type Kind uint8

// The kinds. Their numbers are in files.
const (
	Append   Kind = 1
	Purge    Kind = 2
	Delete   Kind = 3
	Truncate Kind = 4 // what is too old
	Remove   Kind = 5 // messages that nobody waits for any more
	Skip     Kind = 6 // a message that nobody is interested in takes a sequence, and is not stored
)

// Change is one change of a stream, accepted or to be applied again: what goes into the journal. A change of the configuration
// is none: it happens when nothing is pending, see [Stream.Configure].
type Change struct {
	Kind   Kind
	Record Record   // of Append
	Seq    uint64   // of Purge, Delete, Truncate and Skip
	Keep   uint64   // of Purge
	Filter string   // of Purge; empty: everything. Of Skip: the subject, if the message takes out others
	Seqs   []uint64 // of Remove, ascending
	Time   int64    // of Skip

	rollup rollupKind // of Append and Skip
	due    int64      // of Append: when the message is too old, or to be sent once, by what it says, nanoseconds since 1970; 0: never
	runs   int64      // of Append: when the schedule that the message is, if it repeats, is next; 0: it is none

	// Of Append and Skip: the schedule that the message names, and when that is next, or over; 0: none.
	scheduler string
	next      int64
	done      uint64 // messages that were taken out by what could not be carried on for now
}

// Result is what applying a change did.
type Result struct {
	Count uint64 // messages taken out, by Purge, Delete and Remove
}

// removes reports whether it takes messages out that the overlay does not know of.
func (c *Change) removes() bool { return !c.arrives() || c.rollup != noRollup || c.next == over }

// Rolls reports whether a message takes out others, by its header.
func (c *Change) Rolls() bool { return c.rollup != noRollup || c.next != 0 }

// arrives reports whether it is of a message that has come.
func (c *Change) arrives() bool { return c.Kind == Append || c.Kind == Skip }
