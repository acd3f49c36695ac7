package stream

// Kind is what a change does.
type Kind uint8

// The kinds. Their numbers are in files.
const (
	Append   Kind = 1
	Purge    Kind = 2
	Delete   Kind = 3
	Truncate Kind = 4 // what is too old
)

// Change is one change of a stream, accepted or to be applied again: what goes into the journal. A change of the configuration
// is none: it happens when nothing is pending, see [Stream.Configure].
type Change struct {
	Kind   Kind
	Record Record // of Append
	Seq    uint64 // of Purge, Delete and Truncate
	Keep   uint64 // of Purge
	Filter string // of Purge; empty: everything

	rollup rollupKind // of Append
}

// Result is what applying a change did.
type Result struct {
	Count uint64 // messages taken out, by Purge and Delete
}

// removes reports whether it takes messages out that the overlay does not know of.
func (c *Change) removes() bool { return c.Kind != Append || c.rollup != noRollup }
