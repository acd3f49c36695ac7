package batch

import "sync"

// Batch collects what is sent in response to one buffer of input, lane by lane, and is
// flushed at its end. It belongs to one goroutine.
type Batch struct {
	lanes []*Lane // in use, in the order of their first use
	spare []*Lane
	slots []*Lane // open addressing by the destination's id
	self  *Outlet

	slow    []*Outlet // destinations that are to be waited for
	witness []Witness
}

// Witness is told before what is staged becomes visible to anybody.
type Witness interface {
	// BeforeFlush is called before a lane is given to its destination, also in the middle
	// of a batch. It must not use the batch.
	BeforeFlush()
}

var batchPool = sync.Pool{New: func() any { return &Batch{slots: make([]*Lane, 16)} }}

// New returns a batch from a pool. self is the destination that is flushed last, since
// an answer that says that something was done must not overtake what was done; nil if
// there is none.
func New(self *Outlet) *Batch {
	b := batchPool.Get().(*Batch)
	b.self = self
	return b
}

// Release gives the batch back to the pool. It must be flushed.
func (b *Batch) Release() {
	b.self = nil
	clear(b.slow)
	b.slow = b.slow[:0]
	clear(b.witness)
	b.witness = b.witness[:0]
	if len(b.spare) > 4096 {
		b.spare = nil
	}
	batchPool.Put(b)
}

// Attach has w told from now on, until it is detached.
func (b *Batch) Attach(w Witness) { b.witness = append(b.witness, w) }

// Detach ends Attach.
func (b *Batch) Detach(w Witness) {
	for i, at := range b.witness {
		if at == w {
			last := len(b.witness) - 1
			copy(b.witness[i:], b.witness[i+1:])
			b.witness[last] = nil
			b.witness = b.witness[:last]
			return
		}
	}
}

// Lane returns the lane to a destination. It stays valid until the next Flush.
func (b *Batch) Lane(o *Outlet) *Lane {
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

func (b *Batch) open(o *Outlet, slot int) *Lane {
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

// Flush hands every lane to its destination, the batch's own last.
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

// Await waits for the destinations that have asked for it, but the batch's own. ended
// reports that there is no sense in it any more. The batch must be flushed.
func (b *Batch) Await(ended func() bool) {
	for i, o := range b.slow {
		b.slow[i] = nil
		if o != b.self {
			o.to.AwaitRoom(ended)
		}
	}
	b.slow = b.slow[:0]
}

// Waits reports whether Await has anything to wait for.
func (b *Batch) Waits() bool { return len(b.slow) > 0 }
