package batch

import (
	"sync"
	"sync/atomic"
)

// Block is a buffer with a count of those who use it. When the last one releases
// it, it goes back to the pool it came from. Only its maker writes into it, and
// only behind what others were given.
type Block struct {
	buf  []byte
	refs atomic.Int32
	pool *sync.Pool // nil: left to the garbage collector
}

// Sizes of pooled blocks, in bytes.
const (
	Small  = 4 << 10
	Middle = 16 << 10
	Read   = 64 << 10       // what a connection reads into
	Burst  = 256 << 10      // the same, if it was full
	Large  = 1<<20 + 64<<10 // a payload of the default maximum and more
)

var blockPools = [...]struct {
	size int
	pool *sync.Pool
}{
	{Small, newPool(Small)},
	{Middle, newPool(Middle)},
	{Read, newPool(Read)},
	{Burst, newPool(Burst)},
	{Large, newPool(Large)},
}

func newPool(size int) *sync.Pool {
	p := &sync.Pool{}
	p.New = func() any { return &Block{buf: make([]byte, size), pool: p} }
	return p
}

// NewBlock returns a block of at least size bytes with one reference, the caller's.
// What is in it is left over from others.
func NewBlock(size int) *Block {
	for i := range blockPools {
		if p := &blockPools[i]; size <= p.size {
			b := p.pool.Get().(*Block)
			b.refs.Store(1)
			return b
		}
	}
	b := &Block{buf: make([]byte, size)}
	b.refs.Store(1)
	return b
}

// Bytes returns the buffer.
func (b *Block) Bytes() []byte { return b.buf }

// Hold adds a reference.
func (b *Block) Hold() { b.refs.Add(1) }

// Release ends one reference. Who held it must not look into the block any more.
func (b *Block) Release() {
	if b.refs.Add(-1) == 0 && b.pool != nil {
		b.pool.Put(b)
	}
}

// Shared reports whether others than the caller use the block.
func (b *Block) Shared() bool { return b.refs.Load() > 1 }

// Segment is a piece of a block. It holds a reference, unless it is zero.
type Segment struct {
	Block    *Block
	From, To int
}

// Bytes returns the piece.
func (s *Segment) Bytes() []byte { return s.Block.buf[s.From:s.To] }

// Len returns its length.
func (s *Segment) Len() int { return s.To - s.From }

// Release ends the reference.
func (s *Segment) Release() {
	s.Block.Release()
	*s = Segment{}
}

// Copy returns a copy of p, in a block of its own.
func Copy(p []byte) Segment {
	s := Segment{Block: NewBlock(len(p))}
	s.To = copy(s.Block.buf, p)
	return s
}

// ReleaseAll releases each of segs.
func ReleaseAll(segs []Segment) {
	for i := range segs {
		segs[i].Release()
	}
}
