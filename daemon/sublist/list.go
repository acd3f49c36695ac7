package sublist

import "sync/atomic"

// Member is what an index holds: a pointer to a subscription. Subject and Queue
// must give the same answer for as long as the member is in an index.
type Member[E any] interface {
	*E
	// Subject is the pattern subscribed to. The index keeps the string.
	Subject() string
	// Queue names the queue group; empty for none.
	Queue() string
	// Kind is a class of receivers; 0 is the common one. Members of it, and those
	// whose kind has [Announced] in it, are counted for the watcher.
	Kind() uint8
}

// Announced is the bit of a kind whose members the watcher is told of, as it is of
// those of kind 0.
const Announced = 1 << 7

// Guest is the bit of a kind whose members, if the watcher is told of them, are counted
// apart as well: those that are of another index, and have only a part in this one.
const Guest = 1 << 6

// Tally counts members of one subject and queue group.
type Tally struct {
	Own    int // those that the watcher is told of
	Guests int // those of them that are guests
}

func (t *Tally) add(u Tally) { t.Own += u.Own; t.Guests += u.Guests }

func (t *Tally) subtract(u Tally) { t.Own -= u.Own; t.Guests -= u.Guests }

// told reports whether the watcher is told of members of a kind.
func told(kind uint8) bool { return kind == 0 || kind&Announced != 0 }

// List is the members of one pattern when they are not just one plain member.
// What a reader sees of it is immutable. A is whatever the user of the index
// derives from a list and wants to keep with it.
type List[E, A any] struct {
	Plain  []*E       // each gets the message
	Queues []Group[E] // one of each group gets it
	Tally             // of the plain members

	Derived atomic.Pointer[A] // set by readers, dropped with the list

	crowd *crowd[E]   // nil: there are few plain members
	stale atomic.Bool // the crowd has changed since the list was made of it
}

// Group is a queue group of one pattern.
type Group[E any] struct {
	Name string
	Subs []*E // never empty
	Tally
}

// Node is one distinct pattern.
type Node[E, A any] struct {
	Pattern string
	Msgs    atomic.Uint64 // messages that matched: counted by whoever delivers

	one  atomic.Pointer[E]          // the member, if there is one only and it is plain
	list atomic.Pointer[List[E, A]] // all members otherwise; wins over one
}

// Members returns what is subscribed to the pattern: either one plain member, or
// a list, or neither.
func (n *Node[E, A]) Members() (one *E, list *List[E, A]) {
	l := n.list.Load()
	for l != nil && l.crowd != nil && l.stale.Load() {
		l = n.renew(l.crowd)
	}
	if l != nil {
		return nil, l
	}
	return n.one.Load(), nil
}

func (n *Node[E, A]) empty() bool { return n.list.Load() == nil && n.one.Load() == nil }

// add puts m into the node and returns the tally of the members with m's queue that it
// has now.
func add[E, A any, P Member[E]](n *Node[E, A], m P) Tally {
	if l := n.list.Load(); l != nil && l.crowd != nil && m.Queue() == "" {
		return join(n, l.crowd, m)
	}
	one, old := n.Members()
	if one == nil && old == nil && m.Queue() == "" {
		n.one.Store(m)
		return tally[E](m)
	}
	l := &List[E, A]{}
	switch {
	case old != nil:
		l.Plain, l.Queues, l.Tally, l.crowd = old.Plain, old.Queues, old.Tally, old.crowd
	case one != nil:
		l.Plain, l.Tally = []*E{one}, tally[E](P(one))
	}
	var count Tally
	if q := m.Queue(); q == "" {
		// Spare capacity is shared with older lists, which end before it.
		l.Plain = append(l.Plain, m)
		l.add(tally[E](m))
		count = l.Tally
		if len(l.Plain) >= crowdFrom {
			l.crowd = newCrowd[E, P](l.Plain)
		}
	} else {
		l.Queues, count = joinGroup[E, P](l.Queues, q, m)
	}
	n.replace(l)
	return count
}

func joinGroup[E any, P Member[E]](old []Group[E], name string, m P) ([]Group[E], Tally) {
	groups := make([]Group[E], len(old), len(old)+1)
	copy(groups, old)
	for i := range groups {
		if g := &groups[i]; g.Name == name {
			g.Subs = append(g.Subs, m)
			g.add(tally[E](m))
			return groups, g.Tally
		}
	}
	return append(groups, Group[E]{Name: name, Subs: []*E{m}, Tally: tally[E](m)}), tally[E](m)
}

// drop takes m out of the node. ok is false if it was not there; count is as in add.
func drop[E, A any, P Member[E]](n *Node[E, A], m P) (count Tally, ok bool) {
	if l := n.list.Load(); l != nil && l.crowd != nil && m.Queue() == "" {
		return leave(n, l.crowd, m)
	}
	one, old := n.Members()
	if old == nil {
		if one != (*E)(m) {
			return Tally{}, false
		}
		n.one.Store(nil)
		return Tally{}, true
	}
	l := &List[E, A]{Plain: old.Plain, Queues: old.Queues, Tally: old.Tally, crowd: old.crowd}
	if q := m.Queue(); q == "" {
		if l.Plain, ok = without(old.Plain, m); !ok {
			return Tally{}, false
		}
		l.subtract(tally[E](m))
		count = l.Tally
	} else if l.Queues, count, ok = leaveGroup[E, P](old.Queues, q, m); !ok {
		return Tally{}, false
	}
	if len(l.Queues) == 0 && len(l.Plain) <= 1 {
		var last *E
		if len(l.Plain) == 1 {
			last = l.Plain[0]
		}
		n.one.Store(last)
		n.list.Store(nil)
		return count, true
	}
	n.replace(l)
	return count, true
}

func leaveGroup[E any, P Member[E]](old []Group[E], name string, m P) ([]Group[E], Tally, bool) {
	for i := range old {
		if old[i].Name != name {
			continue
		}
		subs, ok := without(old[i].Subs, m)
		if !ok {
			return old, Tally{}, false
		}
		left := old[i].Tally
		left.subtract(tally[E](m))
		groups := make([]Group[E], 0, len(old))
		groups = append(groups, old[:i]...)
		if len(subs) > 0 {
			groups = append(groups, Group[E]{Name: name, Subs: subs, Tally: left})
		}
		return append(groups, old[i+1:]...), left, true
	}
	return old, Tally{}, false
}

// without returns a copy of list that lacks m.
func without[E any](list []*E, m *E) ([]*E, bool) {
	for i, e := range list {
		if e != m {
			continue
		}
		if len(list) == 1 {
			return nil, true
		}
		shorter := make([]*E, 0, len(list)-1)
		shorter = append(shorter, list[:i]...)
		return append(shorter, list[i+1:]...), true
	}
	return list, false
}

// tally is that of one member.
func tally[E any, P Member[E]](m P) (t Tally) {
	switch kind := m.Kind(); {
	case !told(kind):
	case kind&Guest != 0:
		t = Tally{1, 1}
	default:
		t.Own = 1
	}
	return t
}
