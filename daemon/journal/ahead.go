package journal

// Ahead reserves sequences of one stream in a mode in which messages are acknowledged before they
// are on the disk. What was acknowledged and lost with the power has taken its sequences with
// it: nobody may get them again. So a frame of kind [Reserved] that is synced says in its First
// up to where sequences may have been given, before they are; and after an unclean end
// the stream goes on behind it.
//
// It is pure, and belongs to its stream. What it said last must be kept wherever the stream
// itself is, once the journal's file with the frame is released.
type Ahead struct {
	UpTo  uint64 // reserved, on the disk
	asked uint64
}

// aheadBy is how many sequences are reserved at once.
const aheadBy = 1 << 16

// May reports whether sequences up to last may be given.
func (a *Ahead) May(last uint64) bool { return last <= a.UpTo }

// Ask returns the reservation to write so that sequences up to last may be given and a good many
// behind them, when it is time for one: well before [Ahead.May] says no.
func (a *Ahead) Ask(stream, last uint64) (Frame, bool) {
	if last+aheadBy/2 <= max(a.asked, a.UpTo) {
		return Frame{}, false
	}
	a.asked = last + aheadBy
	return Frame{Kind: Reserved, Stream: stream, First: a.asked, Sync: true}, true
}

// Written notes that a reservation is on the disk, or was found there.
func (a *Ahead) Written(upTo uint64) { a.UpTo = max(a.UpTo, upTo) }

// Next returns the first sequence that may be given after a start, if last is the highest that was
// found. If it is not the one behind last, the stream writes the gap down, synced, before it
// closes the journal: the next start will find that it ended cleanly.
func (a *Ahead) Next(last uint64, clean bool) uint64 {
	if clean {
		return last + 1
	}
	return max(last, a.UpTo) + 1
}
