package broker

import "sync"

// closedRing remembers the connections closed last.
type closedRing struct {
	mu    sync.Mutex
	limit int
	ring  []*ConnInfo
	next  int
	total uint64
	why   [numReasons]uint64
}

func (r *closedRing) add(ci *ConnInfo, why Reason) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.total++
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

// all returns what is remembered, oldest first.
func (r *closedRing) all() []*ConnInfo {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append(append(make([]*ConnInfo, 0, len(r.ring)), r.ring[r.next:]...), r.ring[:r.next]...)
}

// remember puts a connection that ends into the ring.
func (b *Broker) remember(c *Client, r Reason) {
	ci := c.info(true)
	ci.Reason = r.String()
	b.closed.add(ci, r)
}
