package sublist

import (
	"errors"
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/nats-broker/nats-broker/daemon/subject"
)

// ErrSubject is returned for a pattern that is no valid subject.
var ErrSubject = errors.New("invalid subject")

// seed is one for the process, so that a hash made once serves every index and
// every cache above it.
var seed = maphash.MakeSeed()

// Hash is the hash of a whole subject that [Index.Match] wants. It differs from
// process to process.
func Hash(subject []byte) uint64 { return maphash.Bytes(seed, subject) }

const shards = 256

// Index is the set of subscriptions of one account. The zero value is not ready:
// use [New]. See the package documentation for concurrency.
type Index[E, A any, P Member[E]] struct {
	literal table[Node[E, A]] // by the whole pattern
	edges   table[branch[E, A]]
	root    branch[E, A]
	wild    atomic.Int64 // patterns with wildcards

	changed [shards]atomic.Uint64 // by the first token of the pattern
	anyHead atomic.Uint64         // patterns that begin with a wildcard

	subs, inserts, removes atomic.Uint64

	mu     sync.Mutex // held by the one writer
	lastID uint64
	watch  []*watcher
	notice []*noticer
	follow []*follower[E]
}

// Change tells a watcher that members came or went: those of kind 0 and those of
// kinds that are [Announced].
type Change struct {
	Subject, Queue string
	Count          int  // such members with this subject and queue now
	Guests         int  // those of them that are guests: see [Guest]
	Added          bool // one came; otherwise one went
}

// New makes an empty index.
func New[E, A any, P Member[E]]() *Index[E, A, P] {
	x := &Index[E, A, P]{}
	x.literal.init()
	x.edges.init()
	return x
}

// Watch has f called for every change of the number of members of a subject and
// queue, of which [Change] tells, until stop is called. f runs under the writers' lock, so
// that changes arrive in order: it must be quick and must not change the index. f is told
// of the members that are there already, as added.
func (x *Index[E, A, P]) Watch(f func(Change)) (stop func()) {
	x.mu.Lock()
	defer x.mu.Unlock()
	w := &watcher{f}
	x.watch = append(x.watch, w)
	stop = func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.watch = dropOne(x.watch, w)
	}
	x.each(func(n *Node[E, A]) bool {
		one, list := n.Members()
		if one != nil && told(P(one).Kind()) {
			t := tally[E](P(one))
			f(Change{Subject: n.Pattern, Count: t.Own, Guests: t.Guests, Added: true})
		}
		if list == nil {
			return true
		}
		if list.Own > 0 {
			f(Change{Subject: n.Pattern, Count: list.Own, Guests: list.Guests, Added: true})
		}
		for _, g := range list.Queues {
			if g.Own > 0 {
				f(Change{Subject: n.Pattern, Queue: g.Name, Count: g.Own, Guests: g.Guests, Added: true})
			}
		}
		return true
	})
	return stop
}

type (
	watcher struct{ f func(Change) }
	noticer struct{ f func(pattern string) }

	follower[E any] struct{ f func(m *E, added bool) }
)

// dropOne returns a list without one of its elements; the list itself stays as it is.
func dropOne[T comparable](list []T, one T) []T {
	kept := make([]T, 0, len(list))
	for _, e := range list {
		if e != one {
			kept = append(kept, e)
		}
	}
	return kept
}

// Notice has f called with the pattern of every member that comes or goes, of whatever
// kind, until stop is called. Readers see the change by then. f runs under the writers'
// lock, as that of Watch does.
func (x *Index[E, A, P]) Notice(f func(pattern string)) (stop func()) {
	x.mu.Lock()
	defer x.mu.Unlock()
	n := &noticer{f}
	x.notice = append(x.notice, n)
	return func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.notice = dropOne(x.notice, n)
	}
}

// Follow has f called with every member that comes or goes of which watchers are not told, until
// stop is called, and with those that are there already, as added. It runs under the writers' lock, as
// that of Watch does.
func (x *Index[E, A, P]) Follow(f func(m *E, added bool)) (stop func()) {
	x.mu.Lock()
	defer x.mu.Unlock()
	w := &follower[E]{f}
	x.follow = append(x.follow, w)
	x.each(func(n *Node[E, A]) bool {
		one, list := n.Members()
		tell := func(list []*E) {
			for _, m := range list {
				if !told(P(m).Kind()) {
					f(m, true)
				}
			}
		}
		if one != nil {
			tell([]*E{one})
		}
		if list != nil {
			tell(list.Plain)
			for _, g := range list.Queues {
				tell(g.Subs)
			}
		}
		return true
	})
	return func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.follow = dropOne(x.follow, w)
	}
}

// Again has those who follow told of a member again, of which something has changed, and outdates what
// was found by its pattern.
func (x *Index[E, A, P]) Again(m P) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.bump(m.Subject())
	for _, w := range x.follow {
		w.f(m, true)
	}
}

// Settled calls f while nobody changes the index, as if by a writer: it must be quick and
// must not change the index.
func (x *Index[E, A, P]) Settled(f func()) {
	x.mu.Lock()
	defer x.mu.Unlock()
	f()
}

// tell tells those who look on. The lock is held.
func (x *Index[E, A, P]) tell(m P, pattern string, count Tally, added bool) {
	if len(x.watch) > 0 && told(m.Kind()) {
		c := Change{Subject: pattern, Queue: m.Queue(), Count: count.Own, Guests: count.Guests, Added: added}
		for _, w := range x.watch {
			w.f(c)
		}
	}
	for _, n := range x.notice {
		n.f(pattern)
	}
	if len(x.follow) > 0 && !told(m.Kind()) {
		for _, w := range x.follow {
			w.f(m, added)
		}
	}
}

// Insert adds m. It returns [ErrSubject] when m's subject is invalid, and the
// pattern's node otherwise.
func (x *Index[E, A, P]) Insert(m P) (*Node[E, A], error) {
	pattern := m.Subject()
	if !subject.Valid(pattern) || !subject.FitsLine(pattern) || !subject.FitsLine(m.Queue()) {
		return nil, ErrSubject
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	n := x.node(pattern)
	count := add(n, m)
	x.subs.Add(1)
	x.inserts.Add(1)
	x.bump(pattern)
	x.tell(m, n.Pattern, count, true)
	return n, nil
}

// Remove takes m out and reports whether it was there.
func (x *Index[E, A, P]) Remove(m P) bool {
	pattern := m.Subject()
	x.mu.Lock()
	defer x.mu.Unlock()
	n := x.find(pattern)
	if n == nil {
		return false
	}
	count, ok := drop(n, m)
	if !ok {
		return false
	}
	if n.empty() {
		x.forget(n)
	}
	x.subs.Add(^uint64(0))
	x.removes.Add(1)
	x.bump(pattern)
	x.tell(m, pattern, count, false)
	return true
}

// Find returns the node of exactly this pattern, nil if there is none. It takes no
// lock.
func (x *Index[E, A, P]) Find(pattern string) *Node[E, A] { return x.find(pattern) }

// node finds the pattern's node or makes it. The lock is held.
func (x *Index[E, A, P]) node(pattern string) *Node[E, A] {
	if !subject.IsLiteral(pattern) {
		b := x.grow(pattern)
		n := b.end.Load()
		if n == nil {
			n = &Node[E, A]{Pattern: pattern}
			b.end.Store(n)
			x.wild.Add(1)
		}
		return n
	}
	h := maphash.String(seed, pattern)
	if n := x.exact(pattern, h); n != nil {
		return n
	}
	n := &Node[E, A]{Pattern: pattern}
	x.literal.insert(h, n, hashNode[E, A])
	return n
}

func (x *Index[E, A, P]) find(pattern string) *Node[E, A] {
	if subject.IsLiteral(pattern) {
		return x.exact(pattern, maphash.String(seed, pattern))
	}
	if b := x.branch(pattern); b != nil {
		return b.end.Load()
	}
	return nil
}

// forget drops a node that has no members. The lock is held.
func (x *Index[E, A, P]) forget(n *Node[E, A]) {
	if subject.IsLiteral(n.Pattern) {
		x.literal.remove(maphash.String(seed, n.Pattern), n, hashNode[E, A])
		return
	}
	b := x.branch(n.Pattern)
	b.end.Store(nil)
	x.wild.Add(-1)
	x.prune(b)
}

func hashNode[E, A any](n *Node[E, A]) uint64 { return maphash.String(seed, n.Pattern) }

// exact looks a literal pattern up. Readers use it without the lock.
func (x *Index[E, A, P]) exact(pattern string, h uint64) *Node[E, A] {
	s := x.literal.slots.Load()
	for i := h & s.mask; ; i = (i + 1) & s.mask {
		n := s.at[i].Load()
		if n == nil {
			return nil
		}
		if n.Pattern == pattern && n != x.literal.tomb {
			return n
		}
	}
}

// Each calls f for every pattern until it returns false. It takes no lock;
// patterns that come or go meanwhile may or may not be seen.
func (x *Index[E, A, P]) Each(f func(*Node[E, A]) bool) { x.each(f) }

// each is Each; writers may use it too.
func (x *Index[E, A, P]) each(f func(*Node[E, A]) bool) {
	more := true
	x.literal.each(func(n *Node[E, A]) bool {
		more = f(n)
		return more
	})
	if !more {
		return
	}
	if !x.root.each(f) {
		return
	}
	x.edges.each(func(b *branch[E, A]) bool { return b.each(f) })
}

// Stats are counts since the index was made; Subs is how many members it holds.
type Stats struct{ Subs, Inserts, Removes uint64 }

// Stats returns the counts.
func (x *Index[E, A, P]) Stats() Stats {
	return Stats{Subs: x.subs.Load(), Inserts: x.inserts.Load(), Removes: x.removes.Load()}
}

// Len returns how many members the index holds.
func (x *Index[E, A, P]) Len() int { return int(x.subs.Load()) }
