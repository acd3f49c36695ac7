package transport

import (
	"syscall"

	"github.com/nats-broker/nats-broker/daemon/batch"
)

// filter changes what a queue sends on its way to the descriptor: it encrypts or
// compresses. Only the queue's one writer uses it. It never blocks.
type filter interface {
	// piece is the most that take may be given at once.
	piece() int
	// take changes p, all of it, and keeps the outcome until flush has sent it. p is
	// not kept.
	take(p []byte) error
	// flush sends what is kept. EAGAIN: the descriptor took a part, or nothing.
	flush() syscall.Errno
	slow(n int64) bool // as of a sink
}

// filterSink is a sink made of a filter.
//
// Plain bytes count as written once what became of them is with the kernel. Until
// then they stay at the head of the queue, and ahead says how many of them the
// filter has taken already. So a slow peer binds no more than one piece beyond the
// queue's own bytes, and the queue's limit is that of what is waiting.
type filterSink struct {
	filter
	ahead int
}

func (s *filterSink) writev(segs []batch.Segment) (n int, errno syscall.Errno) {
	if errno = s.flush(); errno != 0 {
		return 0, errno
	}
	n, s.ahead = s.ahead, 0
	rest := remainder{segs: segs}
	rest.skip(n)
	scratch := batch.NewBlock(s.piece())
	defer scratch.Release()
	for {
		p := rest.next(scratch.Bytes()[:s.piece()])
		if len(p) == 0 {
			return n, 0
		}
		if err := s.take(p); err != nil {
			return n, syscall.EPIPE
		}
		if errno = s.flush(); errno != 0 {
			s.ahead = len(p)
			return n, errno
		}
		n += len(p)
	}
}

// remainder cuts segments into chunks, small ones put together.
type remainder struct {
	segs []batch.Segment
	from int // of segs[0], from its beginning
}

func (r *remainder) skip(n int) {
	for len(r.segs) > 0 && n >= r.segs[0].Len()-r.from {
		n -= r.segs[0].Len() - r.from
		r.segs, r.from = r.segs[1:], 0
	}
	r.from += n
}

// next returns the next chunk, at most as long as scratch, in which it may lie.
func (r *remainder) next(scratch []byte) []byte {
	if len(r.segs) == 0 {
		return nil
	}
	first := r.segs[0].Bytes()[r.from:]
	if len(first) >= len(scratch) || len(r.segs) == 1 {
		first = first[:min(len(first), len(scratch))]
		r.skip(len(first))
		return first
	}
	n := 0
	for n < len(scratch) && len(r.segs) > 0 {
		k := copy(scratch[n:], r.segs[0].Bytes()[r.from:])
		n += k
		r.skip(k)
	}
	return scratch[:n]
}
