package sublist

import "sync"

// crowd is the plain members of a pattern that has many of them, kept so that one comes or
// goes in the same time however many there are. A list is made of it when somebody looks at
// the node the next time.
//
// The lock order is the index's lock, then a crowd's. The index's writers change a crowd,
// and replace the list of a node that has one, under both; a reader that finds the list
// outdated takes the crowd's.
type crowd[E any] struct {
	mu   sync.Mutex
	subs []*E
	at   map[*E]int // where in subs
	Tally
}

const (
	crowdFrom  = 64 // plain members that make a crowd
	crowdUntil = 32 // it is one until it has fewer
)

func newCrowd[E any, P Member[E]](subs []*E) *crowd[E] {
	c := &crowd[E]{subs: append(make([]*E, 0, 2*len(subs)), subs...), at: make(map[*E]int, 2*len(subs))}
	for i, e := range c.subs {
		c.at[e] = i
		c.add(tally[E](P(e)))
	}
	return c
}

// join adds a plain member and returns the tally of those there are now.
func join[E, A any, P Member[E]](n *Node[E, A], c *crowd[E], m P) Tally {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at[m] = len(c.subs)
	c.subs = append(c.subs, m)
	c.add(tally[E](m))
	n.list.Load().stale.Store(true)
	return c.Tally
}

// leave takes a plain member out: count is as in join, ok false if it was not there.
func leave[E, A any, P Member[E]](n *Node[E, A], c *crowd[E], m P) (count Tally, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i, ok := c.at[m]
	if !ok {
		return Tally{}, false
	}
	last := len(c.subs) - 1
	moved := c.subs[last]
	c.subs[i], c.at[moved] = moved, i
	c.subs[last] = nil
	c.subs = c.subs[:last]
	delete(c.at, m)
	c.subtract(tally[E](m))
	l := n.list.Load()
	if last < crowdUntil {
		n.list.Store(&List[E, A]{Plain: append([]*E(nil), c.subs...), Queues: l.Queues, Tally: c.Tally})
	} else {
		l.stale.Store(true)
	}
	return c.Tally, true
}

// renew makes the list of a crowd anew, unless somebody else just has, and returns the
// node's list: the crowd may have dispersed meanwhile, and another one come together.
func (n *Node[E, A]) renew(c *crowd[E]) *List[E, A] {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := n.list.Load()
	if l != nil && l.crowd == c && l.stale.Load() {
		l = &List[E, A]{Plain: append([]*E(nil), c.subs...), Queues: l.Queues, Tally: c.Tally, crowd: c}
		n.list.Store(l)
	}
	return l
}

// replace stores a list of which the queue groups have changed.
func (n *Node[E, A]) replace(l *List[E, A]) {
	if l.crowd != nil {
		l.crowd.mu.Lock()
		defer l.crowd.mu.Unlock()
	}
	n.list.Store(l)
}
