package sublist

import (
	"bytes"
	"hash/maphash"
	"unsafe"
)

// Match appends to found the nodes whose pattern matches the literal subject s,
// whose [Hash] is h, and returns it. It takes no lock and, as long as found has
// room, allocates nothing. A subject with an empty token matches nothing.
func (x *Index[E, A, P]) Match(s []byte, h uint64, found []*Node[E, A]) []*Node[E, A] {
	if n := x.exact(unsafe.String(unsafe.SliceData(s), len(s)), h); n != nil && !n.empty() {
		found = append(found, n)
	}
	if x.wild.Load() == 0 || emptyToken(s) {
		return found
	}
	return x.down(&x.root, s, found)
}

// emptyToken reports whether a token of s is empty.
func emptyToken(s []byte) bool {
	before := byte('.')
	for _, c := range s {
		if c == '.' && before == '.' {
			return true
		}
		before = c
	}
	return before == '.'
}

// down appends what matches the tokens of rest below b.
func (x *Index[E, A, P]) down(b *branch[E, A], rest []byte, found []*Node[E, A]) []*Node[E, A] {
	for {
		if t := b.tail.Load(); t != nil {
			found = t.take(found)
		}
		star := b.star.Load()
		if star == nil && b.literals.Load() == 0 {
			return found
		}
		end := bytes.IndexByte(rest, '.')
		last := end < 0
		token := rest
		if !last {
			token, rest = rest[:end], rest[end+1:]
		}
		var c *branch[E, A]
		if b.literals.Load() > 0 {
			c = x.child(b, token, maphash.Bytes(seed, token))
		}
		switch {
		case last:
			if c != nil {
				found = c.take(found)
			}
			if star != nil {
				found = star.take(found)
			}
			return found
		case c == nil && star == nil:
			return found
		case c == nil:
			b = star
		case star == nil:
			b = c
		default:
			found = x.down(c, rest, found)
			b = star
		}
	}
}

// take appends the pattern that ends at b, if somebody subscribed to it.
func (b *branch[E, A]) take(found []*Node[E, A]) []*Node[E, A] {
	if n := b.end.Load(); n != nil && !n.empty() {
		found = append(found, n)
	}
	return found
}
