package broker

import (
	"sync"
	"time"
)

// closedRing remembers the connections closed last.
type closedRing struct {
	mu    sync.Mutex
	limit int
	ring  []*ConnInfo
	next  int // the oldest, once the ring is full
	why   [numReasons]uint64
}

func (r *closedRing) add(ci *ConnInfo, why Reason) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.why[why]++
	if r.limit <= 0 {
		return
	}
	if len(r.ring) < r.limit {
		r.ring = append(r.ring, ci)
		return
	}
	r.ring[r.next] = ci
	r.next = (r.next + 1) % len(r.ring)
}

// resize changes how many are remembered, keeping the latest.
func (r *closedRing) resize(limit int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if limit == r.limit {
		return
	}
	list := r.list()
	if limit > 0 && len(list) > limit {
		list = list[len(list)-limit:]
	}
	r.ring, r.next, r.limit = list, 0, limit
}

// all returns what is remembered, oldest first.
func (r *closedRing) all() []*ConnInfo {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.list()
}

func (r *closedRing) list() []*ConnInfo {
	return append(append(make([]*ConnInfo, 0, len(r.ring)), r.ring[r.next:]...), r.ring[:r.next]...)
}

func (r *closedRing) byReason() map[Reason]uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := make(map[Reason]uint64)
	for why, n := range r.why {
		if n > 0 {
			m[Reason(why)] = n
		}
	}
	return m
}

// maxClosedSubs is how many subscriptions are remembered of a closed connection, so
// that a full ring stays within some tens of megabytes.
const maxClosedSubs = 128

// remember puts a connection that ends into the ring. Its subscriptions must still
// be there.
func (b *Broker) remember(c *Client, r Reason) {
	ci := c.Info(false)
	ci.Subs = c.Subscriptions(maxClosedSubs)
	ci.Reason, ci.Stop = r.String(), time.Now()
	b.closed.add(ci, r)
	for _, o := range b.observers() {
		o.Left(c, ci)
	}
}
