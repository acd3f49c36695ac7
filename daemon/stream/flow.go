package stream

// Flow is one fast batch: which messages are missing, and when its publisher is told how far it is. Several messages of it may be
// accepted and not stored. Its methods are called by one goroutine at a time.
type Flow struct {
	gapsOK bool
	last   uint64 // the highest of the batch that came, or was passed over
	stored uint64 // the highest that is stored, with all that need not be; never above last
	told   uint64 // up to which the publisher was told; never above stored
	seq    uint64 // of the stream, of the last one that is stored

	pending int
	every   uint16 // how many messages there are between two acks
	most    uint16 // the same, at most
	ending  bool   // nothing more is taken
	closing bool   // the end is told by [Flow.Close]
}

// Say is what the publisher of a fast batch is told.
type Say struct {
	Kind SayKind
	// A and B are, of an ack, up to where messages of the batch are stored and after how many there is the next ack; of a gap,
	// which sequence was expected and which came; of an end, the last sequence of the stream and how many messages the batch has.
	A, B uint64
}

// SayKind is what is said.
type SayKind uint8

// The kinds.
const (
	SayAck SayKind = iota
	SayGap
	SayEnd
)

// mostFlow is how many messages there are between two acks at most, of all batches together.
const mostFlow = 500

// NewFlow begins a batch by its first message; open is how many the stream has with it.
func NewFlow(c *Control, open int) *Flow {
	f := &Flow{gapsOK: c.GapsOK, most: c.Flow, every: min(mostFlow, c.Flow)}
	if open > 1 {
		f.every = 1 // it grows with what is stored
	}
	return f
}

// Ending reports whether the batch takes nothing more: what it has is being stored.
func (f *Flow) Ending() bool { return f.ending }

// Told returns the ack that says how far the publisher was told.
func (f *Flow) Told() Say { return Say{SayAck, f.told, uint64(f.every)} }

// Ping takes a message that asks how far the batch is. ask says that the answer is [Flow.Told], when what is pending is stored.
func (f *Flow) Ping(seq uint64, open int, say func(Say)) (ended, ask bool) {
	if seq <= f.last {
		return false, true
	}
	say(Say{SayGap, f.last + 1, seq + 1})
	if !f.gapsOK {
		return f.end(say), false
	}
	f.last = seq
	f.pass()
	return false, !f.ack(open, say)
}

// pass has what came count as stored, where nothing is pending.
func (f *Flow) pass() {
	if f.pending == 0 {
		f.stored = f.last
	}
}

// Arrive takes a message of the batch. store says that it is to be offered to the stream: [Flow.Accept], [Flow.Skip] or
// [Flow.Refuse] follow.
func (f *Flow) Arrive(c *Control, acks bool, say func(Say)) (store, ended bool) {
	if f.ending {
		return false, false
	}
	if c.Seq != f.last+1 {
		say(Say{SayGap, f.last + 1, c.Seq})
		if !f.gapsOK || c.Seq <= f.last {
			return false, f.end(say)
		}
	}
	f.last = c.Seq
	switch c.Op {
	case CommitEnd:
		f.last--
		f.pass()
		return false, f.end(say)
	case Commit:
		f.ending = true
	case Start:
		if acks {
			say(Say{SayAck, 0, uint64(f.every)})
		}
	}
	return true, false
}

// end has nothing more be taken. What the batch has is told now, or by Close when all of it is stored.
func (f *Flow) end(say func(Say)) (ended bool) {
	f.ending = true
	if f.closing = f.pending > 0; f.closing {
		return false
	}
	say(f.Close())
	return true
}

// Closing reports whether [Flow.Close] is to be asked when what is pending now is stored.
func (f *Flow) Closing() bool { return f.closing }

// Close returns the end of the batch, which is over then.
func (f *Flow) Close() Say { return Say{SayEnd, f.seq, f.last} }

// Accept notes that the message that arrived last will be stored.
func (f *Flow) Accept() { f.pending++ }

// Skip notes that the message that arrived last is stored already.
func (f *Flow) Skip(c *Control, open int, say func(Say)) (ended bool) {
	if f.pending == 0 {
		f.stored = c.Seq
		f.ack(open, say)
	}
	if c.Op != Commit {
		return false
	}
	return f.end(say)
}

// Refuse notes that the message that arrived last is not stored. It ends the batch unless messages may be missing.
func (f *Flow) Refuse(c *Control, say func(Say)) (ended bool) {
	if f.gapsOK && c.Op != Commit {
		return false
	}
	f.last--
	f.pass()
	return f.end(say)
}

// Stored notes that a message that was accepted is stored, as seq of the stream. What came after it and was refused counts as
// stored then, but is no occasion for an ack: there would be none had this message been stored before they came.
func (f *Flow) Stored(of, seq uint64, open int, say func(Say)) {
	f.pending--
	f.seq = seq
	f.stored = of
	if f.ending && !f.closing && (f.pending == 0 || of == f.last) {
		f.pass()
		say(f.Close())
		return
	}
	f.ack(open, say)
	f.pass()
}

// ack tells how far the batch is, if it is time to, and lets more or fewer messages pass up to the next time: all batches of the
// stream share what may be under way.
func (f *Flow) ack(open int, say func(Say)) bool {
	every := uint64(f.every)
	if f.stored < f.told+every {
		return false
	}
	f.told += (f.stored - f.told) / every * every
	most := min(uint16(max(mostFlow/max(open, 1), 1)), f.most)
	switch {
	case f.every < most:
		f.every = uint16(min(2*uint32(f.every), uint32(most)))
	case f.every > most:
		f.every = max(f.every/2, most)
	}
	say(f.Told())
	return true
}
