package transport

import "sync"

// Batch collects what one reader sends in response to one buffer of input, lane
// by lane, and is flushed at its end. It belongs to the goroutine that reads.
type Batch struct {
	lanes []*Lane // in use, in the order of their first use
	spare []*Lane
	slots []*Lane // open addressing by the destination's id
	self  *Outbound

	braked []*Outbound // destinations that are to be waited for

	// BeforeFlush, if set, is called before anything staged becomes visible to a
	// peer, also in the middle of a batch. It must not use the batch.
	BeforeFlush func()
}

// Lane is what a batch has for one destination so far.
//
// A frame must be appended by one call of Reserve, or by Reserve and Share
// together: between frames a lane may be flushed, and what others send to the
// same destination may come next.
type Lane struct {
	out   *Outbound
	batch *Batch
	slot  int

	cur     *Block // being filled: cur.buf[mark:n] is staged, what is before it is in segs
	mark, n int
	segs    []seg
	staged  int  // bytes in segs
	braked  bool // the destination is to be waited for

	Msgs  int // messages among what is staged; the caller counts them
	Bytes int // their size, as statistics count it
}

const (
	// batchMax bounds what a batch stages, shared out among its lanes: a fan-out to
	// many needs little memory and stays in the processor's cache, and one to few
	// is written in large pieces, of which each system call and wake-up is worth more.
	batchMax = 8 << 20
	laneMin  = smallBlock
	// laneMax is what a lane holds before it is flushed in any case: a burst of input
	// leaves in two pieces, without a small one behind them.
	laneMax = 144 << 10
	// shareMax is the same for what is shared, which takes no memory of its own: a
	// burst of input leaves in one piece, with one wake-up of each receiver.
	shareMax = burstBlock + readBlock
)

var batchPool = sync.Pool{New: func() any { return &Batch{slots: make([]*Lane, 16)} }}

func getBatch(self *Outbound) *Batch {
	b := batchPool.Get().(*Batch)
	b.self = self
	return b
}

// put gives the batch back to the pool. It must be flushed.
func (b *Batch) put() {
	b.self, b.BeforeFlush = nil, nil
	clear(b.braked)
	b.braked = b.braked[:0]
	if len(b.spare) > 4096 {
		b.spare = nil
	}
	batchPool.Put(b)
}

// Lane returns the lane to a destination. It stays valid until the next Flush.
func (b *Batch) Lane(o *Outbound) *Lane {
	mask := uint32(len(b.slots) - 1)
	for i := o.id & mask; ; i = (i + 1) & mask {
		l := b.slots[i]
		if l == nil {
			return b.open(o, int(i))
		}
		if l.out == o {
			return l
		}
	}
}

func (b *Batch) open(o *Outbound, slot int) *Lane {
	var l *Lane
	if n := len(b.spare); n > 0 {
		l = b.spare[n-1]
		b.spare = b.spare[:n-1]
	} else {
		l = &Lane{}
	}
	l.out, l.batch, l.slot = o, b, slot
	b.slots[slot] = l
	b.lanes = append(b.lanes, l)
	if len(b.lanes)*2 > len(b.slots) {
		b.rehash()
	}
	return l
}

func (b *Batch) rehash() {
	b.slots = make([]*Lane, len(b.slots)*2)
	mask := uint32(len(b.slots) - 1)
	for _, l := range b.lanes {
		i := l.out.id & mask
		for b.slots[i] != nil {
			i = (i + 1) & mask
		}
		b.slots[i], l.slot = l, int(i)
	}
}

// Flush hands every lane to its destination, the reader's own last: an answer
// that says that something was done must not overtake what was done.
func (b *Batch) Flush() {
	if len(b.lanes) == 0 {
		return
	}
	var own *Lane
	for _, l := range b.lanes {
		if l.out == b.self {
			own = l
			continue
		}
		b.finish(l)
	}
	if own != nil {
		b.finish(own)
	}
	clear(b.lanes)
	b.lanes = b.lanes[:0]
}

func (b *Batch) finish(l *Lane) {
	l.flush()
	b.slots[l.slot] = nil
	l.out = nil
	b.spare = append(b.spare, l)
}

// Out returns the destination.
func (l *Lane) Out() *Outbound { return l.out }

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
		if l.staged+l.n-l.mark+smallBlock > limit {
			l.flush()
		} else {
			l.cut()
			l.cur.release()
			l.cur = nil
			if limit < readBlock {
				n = max(n, middleBlock)
			} else {
				n = max(n, readBlock)
			}
		}
	}
	if l.cur == nil {
		l.cur = getBlock(max(n, smallBlock))
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
		l.cur.hold()
		l.segs = append(l.segs, seg{l.cur, l.mark, l.n})
		l.staged += l.n - l.mark
		l.mark = l.n
	}
}

// Share appends a piece of a block without copying it. The piece must not change
// as long as the block is shared.
func (l *Lane) Share(b *Block, from, to int) {
	if l.cur != nil {
		l.cut()
	}
	b.hold()
	l.segs = append(l.segs, seg{b, from, to})
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
		l.cur.release()
		l.cur = nil
	}
	if len(l.segs) > 0 {
		if l.batch != nil && l.batch.BeforeFlush != nil {
			l.batch.BeforeFlush()
		}
		l.out.put(l)
		if l.braked {
			l.braked = false
			if l.batch != nil {
				l.batch.braked = append(l.batch.braked, l.out)
			}
		}
		l.segs = l.segs[:0]
	}
	l.staged, l.Msgs, l.Bytes = 0, 0, 0
}
