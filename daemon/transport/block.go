package transport

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

// Sizes of pooled blocks.
const (
	smallBlock  = 4 << 10
	middleBlock = 16 << 10
	readBlock   = 64 << 10
	burstBlock  = 256 << 10
	largeBlock  = 1<<20 + 64<<10 // a payload of the default maximum and more
	maxCoalesce = 8 << 10        // a queued piece up to this size is copied to its neighbours
)

var blockPools = [...]struct {
	size int
	pool *sync.Pool
}{
	{smallBlock, newPool(smallBlock)},
	{middleBlock, newPool(middleBlock)},
	{readBlock, newPool(readBlock)},
	{burstBlock, newPool(burstBlock)},
	{largeBlock, newPool(largeBlock)},
}

func newPool(size int) *sync.Pool {
	p := &sync.Pool{}
	p.New = func() any { return &Block{buf: make([]byte, size), pool: p} }
	return p
}

// getBlock returns a block of at least size bytes with one reference.
func getBlock(size int) *Block {
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

func (b *Block) hold() { b.refs.Add(1) }

func (b *Block) release() {
	if b.refs.Add(-1) == 0 && b.pool != nil {
		b.pool.Put(b)
	}
}

// shared reports whether others than the caller use the block.
func (b *Block) shared() bool { return b.refs.Load() > 1 }

// seg is a piece of a block that is to be sent. It holds a reference.
type seg struct {
	blk      *Block
	from, to int
}

func (s *seg) bytes() []byte { return s.blk.buf[s.from:s.to] }
func (s *seg) len() int      { return s.to - s.from }

func releaseAll(segs []seg) {
	for i := range segs {
		segs[i].blk.release()
		segs[i] = seg{}
	}
}
