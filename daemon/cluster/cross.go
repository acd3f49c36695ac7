package cluster

// crossing is how far apart two servers may dial each other so that it counts as
// having happened at once. It covers an attempt to dial and the handshake behind it.
const crossing = 2 * dialTimeout

// push reports whether a connection takes the place of another to the same peer, and
// notes on r that it does. Hub.mu is held.
//
// Two servers that dial each other at the same time have each placed their own
// connection when the other's arrives. If both refuse that, nothing is left, and if
// the way between them takes longer than the pauses differ, this repeats itself for
// as long as luck wants. So both keep the connection that the server with the lesser
// id has dialled. A nats-server keeps its own in any case, hence we give way to it:
// it says which place it has given the connection, which is then taken there.
//
// Not at the same time, a peer that dials for a place has none for the connection
// that we have there: it gave that up, and we have not noticed yet.
func (h *Hub) push(have, r *Route) bool {
	crossed := have.solicited != r.solicited && (!have.settled.Load() || r.start.Sub(have.placed) < crossing)
	switch {
	case crossed && r.info.SmallerPool: // the peer is one of us
		if !h.precedes(r) {
			return false
		}
	case r.solicited || r.noPlace(): // nothing is known of what the peer has placed
		return false
	}
	r.pushed = have
	return true
}

// precedes reports whether the server that dialled has the lesser id.
func (h *Hub) precedes(r *Route) bool {
	return r.solicited == (h.broker.ID() < r.info.ServerID)
}

// noPlace reports whether the peer told of itself before it knew whom it has dialled,
// and so before it gave the connection its place.
func (r *Route) noPlace() bool { return r.account != "" || r.info.PoolSize <= 0 || r.hub.pool() == 0 }
