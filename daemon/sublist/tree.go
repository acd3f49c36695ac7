package sublist

import (
	"hash/maphash"
	"sync/atomic"

	"github.com/nats-broker/nats-broker/daemon/subject"
)

// branch is a place in the tree of patterns with wildcards. Its children by
// literal token lie in the index's table of edges, keyed by parent and token, so
// that a branch needs no table of its own.
type branch[E, A any] struct {
	parent *branch[E, A]
	token  string
	id     uint64 // its part in the hash of its children's edges; 0 for the root

	literals atomic.Int32                 // children by literal token
	star     atomic.Pointer[branch[E, A]] // child by "*"
	tail     atomic.Pointer[branch[E, A]] // child by ">"
	end      atomic.Pointer[Node[E, A]]   // the pattern that ends here
}

// mix spreads a parent's id over the hash of a token.
func mix(token uint64, parent uint64) uint64 { return token ^ parent*0x9E3779B97F4A7C15 }

func hashBranch[E, A any](b *branch[E, A]) uint64 {
	return mix(maphash.String(seed, b.token), b.parent.id)
}

// child finds the branch below b by a literal token whose hash is h.
func (x *Index[E, A, P]) child(b *branch[E, A], token []byte, h uint64) *branch[E, A] {
	s := x.edges.slots.Load()
	for i := mix(h, b.id) & s.mask; ; i = (i + 1) & s.mask {
		c := s.at[i].Load()
		if c == nil {
			return nil
		}
		if c.parent == b && c.token == string(token) {
			return c
		}
	}
}

// branch finds the place of a pattern, nil if there is none.
func (x *Index[E, A, P]) branch(pattern string) *branch[E, A] {
	b, rest, more := &x.root, pattern, true
	for more && b != nil {
		var t string
		t, rest, more = subject.Next(rest)
		switch t {
		case "*":
			b = b.star.Load()
		case ">":
			b = b.tail.Load()
		default:
			b = x.child(b, []byte(t), maphash.String(seed, t))
		}
	}
	return b
}

// grow finds the place of a pattern or makes it. The lock is held.
func (x *Index[E, A, P]) grow(pattern string) *branch[E, A] {
	b, rest, more := &x.root, pattern, true
	for more {
		var t string
		t, rest, more = subject.Next(rest)
		switch t {
		case "*":
			b = x.special(b, &b.star, t)
		case ">":
			b = x.special(b, &b.tail, t)
		default:
			h := maphash.String(seed, t)
			c := x.child(b, []byte(t), h)
			if c == nil {
				c = x.bud(b, t)
				x.edges.insert(mix(h, b.id), c, hashBranch[E, A])
				b.literals.Add(1)
			}
			b = c
		}
	}
	return b
}

func (x *Index[E, A, P]) special(b *branch[E, A], at *atomic.Pointer[branch[E, A]], token string) *branch[E, A] {
	c := at.Load()
	if c == nil {
		c = x.bud(b, token)
		at.Store(c)
	}
	return c
}

func (x *Index[E, A, P]) bud(parent *branch[E, A], token string) *branch[E, A] {
	x.lastID++
	return &branch[E, A]{parent: parent, token: token, id: x.lastID}
}

// prune drops b and what is above it as long as nothing hangs on it. The lock is held.
func (x *Index[E, A, P]) prune(b *branch[E, A]) {
	for b.parent != nil && b.end.Load() == nil && b.literals.Load() == 0 && b.star.Load() == nil && b.tail.Load() == nil {
		p := b.parent
		switch {
		case p.star.Load() == b:
			p.star.Store(nil)
		case p.tail.Load() == b:
			p.tail.Store(nil)
		default:
			x.edges.remove(hashBranch(b), b, hashBranch[E, A])
			p.literals.Add(-1)
		}
		b = p
	}
}

// each calls f for the patterns that end at b or at a branch that is reached from
// it by wildcards alone; the others are reached through the table of edges. It
// returns false as soon as f does.
func (b *branch[E, A]) each(f func(*Node[E, A]) bool) bool {
	if n := b.end.Load(); n != nil && !f(n) {
		return false
	}
	for _, c := range [...]*branch[E, A]{b.star.Load(), b.tail.Load()} {
		if c != nil && !c.each(f) {
			return false
		}
	}
	return true
}
