package sublist

import (
	"hash/maphash"
	"unsafe"
)

// maxTokens is how many tokens of a subject are looked at without allocating.
const maxTokens = 32

// Match appends to found the nodes whose pattern matches the literal subject s,
// whose [Hash] is h, and returns it. It takes no lock and, as long as found has
// room and s has at most 32 tokens, allocates nothing. A subject with an empty
// token matches nothing.
func (x *Index[E, A, P]) Match(s []byte, h uint64, found []*Node[E, A]) []*Node[E, A] {
	if n := x.exact(unsafe.String(unsafe.SliceData(s), len(s)), h); n != nil && !n.empty() {
		found = append(found, n)
	}
	if x.wild.Load() == 0 {
		return found
	}
	var ends [maxTokens]int
	w := walk[E, A, P]{x: x, subject: s, ends: ends[:0], found: found}
	if !w.split() {
		return found
	}
	w.down(&x.root, 0)
	return w.found
}

// walk is one search of the tree.
type walk[E, A any, P Member[E]] struct {
	x       *Index[E, A, P]
	subject []byte
	ends    []int // where each token ends
	found   []*Node[E, A]
}

// split finds the tokens; false means that one is empty.
func (w *walk[E, A, P]) split() bool {
	start := 0
	for i, c := range w.subject {
		if c == '.' {
			if i == start {
				return false
			}
			w.ends = append(w.ends, i)
			start = i + 1
		}
	}
	if start >= len(w.subject) {
		return false
	}
	w.ends = append(w.ends, len(w.subject))
	return true
}

// down collects what matches below b from the token i on.
func (w *walk[E, A, P]) down(b *branch[E, A], i int) {
	for {
		if t := b.tail.Load(); t != nil {
			w.take(t)
		}
		star := b.star.Load()
		last := i == len(w.ends)-1
		if b.literals.Load() > 0 {
			if c := w.literal(b, i); c != nil {
				switch {
				case last:
					w.take(c)
				case star == nil:
					b, i = c, i+1
					continue
				default:
					w.down(c, i+1)
				}
			}
		}
		if star == nil {
			return
		}
		if last {
			w.take(star)
			return
		}
		b, i = star, i+1
	}
}

func (w *walk[E, A, P]) literal(b *branch[E, A], i int) *branch[E, A] {
	start := 0
	if i > 0 {
		start = w.ends[i-1] + 1
	}
	t := w.subject[start:w.ends[i]]
	return w.x.child(b, t, maphash.Bytes(seed, t))
}

func (w *walk[E, A, P]) take(b *branch[E, A]) {
	if n := b.end.Load(); n != nil && !n.empty() {
		w.found = append(w.found, n)
	}
}
