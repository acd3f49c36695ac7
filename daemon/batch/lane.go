package batch

// Lane is what a batch has for one destination so far.
//
// A frame must be appended by one call of Reserve, or by Reserve and Share
// together: between frames a lane may be flushed, and what others send to the
// same destination may come next.
type Lane struct {
	out   *Outlet
	batch *Batch
	slot  int

	cur     *Block // being filled: cur.buf[mark:n] is staged, what is before it is in segs
	mark, n int
	segs    []Segment
	staged  int // bytes in segs

	Msgs  int // messages among what is staged; the caller counts them
	Bytes int // their size, as statistics count it
	Note  any // what those who stage for the destination tell it of; nil at first
}

const (
	// batchMax bounds what a batch stages, shared out among its lanes: a fan-out to
	// many needs little memory and stays in the processor's cache, and one to few
	// is written in large pieces, of which each system call and wake-up is worth more.
	batchMax = 8 << 20
	laneMin  = Small
	// laneMax is what a lane holds before it is flushed in any case: a burst of input
	// leaves in two pieces, without a small one behind them.
	laneMax = 144 << 10
	// shareMax is the same for what is shared, which takes no memory of its own: a
	// burst of input leaves in one piece, with one wake-up of each receiver.
	shareMax = Burst + Read
)

// Segments returns what is staged, for the destination that is given the lane.
func (l *Lane) Segments() []Segment { return l.segs }

// Staged returns how many bytes the segments have.
func (l *Lane) Staged() int { return l.staged }

// Reserve returns n bytes at the end of the lane, for the caller to fill in
// before anything else is done with the lane.
func (l *Lane) Reserve(n int) []byte {
	if l.cur == nil || len(l.cur.buf)-l.n < n {
		l.room(n)
	}
	p := l.cur.buf[l.n : l.n+n]
	l.n += n
	return p
}

// ReserveRun returns room for up to count frames of size bytes each, one behind the
// other, for the caller to fill in before anything else is done with the lane, and for
// how many there is room: at least one.
func (l *Lane) ReserveRun(size, count int) (p []byte, frames int) {
	if l.cur == nil || len(l.cur.buf)-l.n < size {
		l.room(max(size, min(size*count, l.limit()/2)))
	}
	frames = min(count, (len(l.cur.buf)-l.n)/size)
	p = l.cur.buf[l.n : l.n+frames*size]
	l.n += frames * size
	return p, frames
}

// room makes room for n bytes: it flushes the lane or takes a larger block.
func (l *Lane) room(n int) {
	if l.cur != nil {
		limit := l.limit()
		if l.staged+l.n-l.mark+Small > limit {
			l.flush()
		} else {
			l.cut()
			l.cur.Release()
			l.cur = nil
			if limit < Read {
				n = max(n, Middle)
			} else {
				n = max(n, Read)
			}
		}
	}
	if l.cur == nil {
		l.cur = NewBlock(max(n, Small))
		l.mark, l.n = 0, 0
	}
}

// limit is what the lane may hold before it is flushed.
func (l *Lane) limit() int {
	return min(max(batchMax/max(len(l.batch.lanes), 1), laneMin), laneMax)
}

// cut ends the piece that is being filled.
func (l *Lane) cut() {
	if l.n > l.mark {
		l.cur.Hold()
		l.segs = append(l.segs, Segment{l.cur, l.mark, l.n})
		l.staged += l.n - l.mark
		l.mark = l.n
	}
}

// ReferFrom is the size from which a piece is worth to be shared: to count references
// costs more than to copy a smaller one. KeepFrom is that for pieces that are kept for a
// longer time than a socket takes, and all of their blocks with them.
const (
	ReferFrom = 8 << 10
	KeepFrom  = 16 << 10
)

// Share appends a piece of a block without copying it. The piece must not change
// as long as the block is shared.
func (l *Lane) Share(b *Block, from, to int) {
	if l.cur != nil {
		l.cut()
	}
	b.Hold()
	l.segs = append(l.segs, Segment{b, from, to})
	l.staged += to - from
}

// Full reports whether the lane holds so much that it should be flushed before
// more is shared to it.
func (l *Lane) Full() bool { return l.staged >= shareMax }

// Flush hands what is staged to the destination now. The lane stays usable.
func (l *Lane) Flush() { l.flush() }

func (l *Lane) flush() {
	if l.cur != nil {
		l.cut()
		l.cur.Release()
		l.cur = nil
	}
	if len(l.segs) > 0 {
		for _, w := range l.batch.witness {
			w.BeforeFlush()
		}
		if l.out.to.Put(l) {
			l.batch.slow = append(l.batch.slow, l.out)
		}
		clear(l.segs)
		l.segs = l.segs[:0]
	}
	l.staged, l.Msgs, l.Bytes, l.Note = 0, 0, 0, nil
}
