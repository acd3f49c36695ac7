package sublist

import (
	"hash/maphash"
	"unsafe"

	"github.com/nats-broker/nats-broker/daemon/subject"
)

// Alike reports whether the literal subjects that have so many tokens more than prefix all
// match the same patterns, but for those of which [Index.Literal] says that they are
// subscribed to themselves. It may be false although they do. The answer is current
// for as long as the stamp of such a subject, taken before. It takes no lock and
// allocates nothing.
func (x *Index[E, A, P]) Alike(prefix []byte, more int) bool { return x.alike(&x.root, prefix, more) }

func (x *Index[E, A, P]) alike(b *branch[E, A], rest []byte, below int) bool {
	token, rest, more := subject.Next(rest)
	for _, c := range [...]*branch[E, A]{b.star.Load(), x.child(b, token, maphash.Bytes(seed, token))} {
		switch {
		case c == nil:
		case !more:
			if !c.alike(below) {
				return false
			}
		case !x.alike(c, rest, below):
			return false
		}
	}
	return true
}

// alike reports whether all that has so many tokens more than what leads to b goes the
// same way.
func (b *branch[E, A]) alike(more int) bool {
	for ; b != nil && more > 0; more-- {
		if b.literals.Load() > 0 {
			return false
		}
		b = b.star.Load()
	}
	return true
}

// Literal reports whether somebody subscribes to exactly the subject s, whose [Hash] is
// h. It takes no lock and allocates nothing.
func (x *Index[E, A, P]) Literal(s []byte, h uint64) bool {
	n := x.exact(unsafe.String(unsafe.SliceData(s), len(s)), h)
	return n != nil && !n.empty()
}
