package transport

import "github.com/nats-broker/nats-broker/daemon/batch"

// What waits is counted by its bytes, but a piece that is kept by reference keeps all of
// its block: one payload of 8 KiB among others that go elsewhere keeps the 256 KiB that
// were read with it. While a queue is being written that is over in a moment. When the
// peer has stopped reading it is not, so what comes then is kept by reference only if a
// good part of the block waits with it.

// pinnedMax is how many times its own size a piece may keep, with the others of its block.
const pinnedMax = 4

// pinning remembers what was found of a block, which holds for all of its pieces.
type pinning struct {
	block *batch.Block
	much  bool
}

// tooMuch reports whether the first of segs should be copied rather than kept.
func (p *pinning) tooMuch(segs []batch.Segment) bool {
	if b := segs[0].Block; b != p.block {
		kept := 0
		for i := range segs {
			if s := &segs[i]; s.Block == b && s.Len() > maxCoalesce {
				kept += s.Len()
			}
		}
		p.block, p.much = b, kept*pinnedMax < len(b.Bytes())
	}
	return p.much
}
