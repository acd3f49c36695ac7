package cluster

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/nats-broker/nats-broker/daemon/peer"
)

const duplicateRoute = "Duplicate Route"

// duplicate is the end of a connection that is one too many.
func duplicate(quiet bool) *refusal { return &refusal{reason: duplicateRoute, quiet: quiet} }

func refuse(format string, args ...any) *refusal {
	text := fmt.Sprintf(format, args...)
	return &refusal{reason: "Protocol Violation", tell: text, log: text, quiet: true}
}

// register gives a connection its place among those to its peer, which has told of
// itself by i.
func (h *Hub) register(r *Route, i *info) error {
	var out *Route
	var lacking []target
	defer func() {
		if out != nil {
			out.Abort(duplicate(true))
		}
		for _, t := range lacking {
			h.dial(t)
		}
	}()
	missing := i.Account != "" && h.broker.Account(i.Account) == nil
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopped {
		return &refusal{reason: peer.ReasonShutdown}
	}
	if !r.solicited {
		r.account = i.Account
		if missing && !h.pins(r.account) {
			text := fmt.Sprintf("Unable to lookup account %q: account missing", r.account)
			return &refusal{reason: "Missing Account", tell: text, log: text}
		}
	}
	if !r.delayed && r.account == "" && r.toldPool != h.pool() {
		// A reload has changed it since, and did not find this one. The peer goes by what it was told: it would look for
		// accounts elsewhere than we. Whoever has dialled dials again.
		return &refusal{reason: "Route Removed", quiet: true}
	}
	p := h.peers[i.ServerID]
	if p == nil {
		p = &server{id: i.ServerID, name: i.ServerName, info: i, accounts: make(map[string]*Route)}
	}
	r.info, r.placed = i, time.Now()
	var err *refusal
	if i.PoolSize <= 0 || h.pool() == 0 {
		err = h.placeAlone(r, p, i)
	} else if r.account != "" {
		err = h.placeAccount(r, p)
	} else {
		err = h.placePooled(r, p, i)
	}
	if err != nil {
		if r.solicited && r.account == "" && i.PoolSize > 0 && h.pool() > 0 && p.free() < 0 {
			lacking = h.accountsMissing(r, p)
		}
		return err
	}
	h.peers[i.ServerID] = p
	if r.url == nil {
		r.url, _ = i.dial() // for when it turns out that we should dial
	}
	r.peer, r.registered, r.shares = p, true, h.shares(i)
	if out = r.pushed; out != nil {
		r.pushed = nil
		h.inherit(r, out)
		h.remove(out)
	}
	delete(h.dialing, r.key) // it has led to a place, and what is missing is dialled from here
	r.key = ""
	return nil
}

// accountsMissing lists the accounts whose connections to a peer are to be dialled, though the one that we dialled is one too
// many: those that there are the peer has made, and it dials no accounts where it has learnt of us from others. Hub.mu is held.
func (h *Hub) accountsMissing(r *Route, p *server) (list []target) {
	if p.noPool {
		return nil
	}
	for _, a := range h.unlinked(p) {
		list = append(list, target{url: r.url, explicit: r.explicit, account: a, gossip: r.gossip, id: p.id, attempts: 1, at: r.whereTo()})
	}
	return list
}

// shares is the number of connections over which the accounts are spread. The
// answer to a request must find the interest in it, so that interest has to go the
// way the request will: over the connection on which the peer told its interest. A
// nats-server chooses that by the size of its own pool.
func (h *Hub) shares(i *info) int {
	if i.SmallerPool {
		return min(h.pool(), i.PoolSize)
	}
	return i.PoolSize
}

// placeAlone takes the one connection of a pair of servers of which one has no pool.
func (h *Hub) placeAlone(r *Route, p *server, i *info) *refusal {
	if r.account != "" {
		return refuse("Not possible to have a dedicated route for account %q between those servers", r.account)
	}
	if i.PoolIdx != 0 {
		return refuse("Route pool index should not be set but is set to %v", i.PoolIdx)
	}
	if p.count() == 0 {
		p.pool = p.pool[:0]
	}
	p.grow(1)
	if have := p.pool[0]; have != nil && !h.push(have, r) {
		h.inherit(have, r)
		return duplicate(true)
	}
	p.noPool, r.noPool, p.pool[0], r.idx = true, true, r, 0
	return nil
}

// placeAccount takes the connection of one account.
func (h *Hub) placeAccount(r *Route, p *server) *refusal {
	if !h.pins(r.account) {
		return refuse("No route for account %q", r.account)
	}
	if have := p.accounts[r.account]; have != nil && !h.push(have, r) {
		h.inherit(have, r)
		return duplicate(true)
	}
	p.accounts[r.account] = r
	return nil
}

// placePooled takes the index that the side that dialled has chosen: the first
// free one, if that is us.
func (h *Hub) placePooled(r *Route, p *server, i *info) *refusal {
	size := max(h.pool(), min(i.PoolSize, maxPool))
	if p.count() == 0 { // what was before may have been another size, or none
		p.pool, p.noPool = p.pool[:0], false
	}
	p.grow(size)
	idx := i.PoolIdx
	if r.solicited {
		for _, o := range p.pool {
			if o != nil {
				h.inherit(o, r)
			}
		}
		if idx = p.free(); idx < 0 {
			return duplicate(true)
		}
	}
	if idx < 0 || idx >= size {
		return refuse("Invalid route pool index: %v - pool size is %v", idx, i.PoolSize)
	}
	if have := p.pool[idx]; have != nil && !h.push(have, r) {
		have.retry = true // if the peer thinks that it is the one too many, somebody must begin again
		return duplicate(false)
	}
	for _, o := range p.pool { // what we dial, we dial again whoever made the connection
		if o != nil && o.explicit {
			h.inherit(r, o)
			break
		}
	}
	p.pool[idx], r.idx = r, idx
	return nil
}

// inherit notes on a connection that its peer is one that we dial, as another
// connection shows.
func (h *Hub) inherit(r, from *Route) {
	if from.solicited || from.explicit {
		if from.explicit || !r.explicit {
			r.url = from.url
		}
		r.explicit = r.explicit || from.explicit
	}
	if from != r && r.registered {
		r.retry = true
	}
}

// introduce is what follows when a route was registered: the peer learns what
// clients here want, and others learn of the peer.
func (h *Hub) introduce(r *Route, i *info) {
	h.mu.Lock()
	if !r.registered { // pushed out already
		h.mu.Unlock()
		return
	}
	r.attached = true
	p := r.peer
	once := r.account != "" || p.count() == 1
	for _, in := range h.interests {
		if h.carries(r, in) {
			in.attach(r)
		}
	}
	if r.solicited && !r.noPool && r.account == "" {
		r.next = p.count() < len(p.pool) || len(h.unlinked(p)) > 0
	}
	next := r.next
	others := r.explicit && r.solicited && r.choices > 1 && r.at == "" && r.account == ""
	if others {
		h.taken[r.remote.String()] = time.Now().Add(selfMemory)
	}
	var tell []*Route
	if once {
		tell = h.audience(r, i)
	}
	h.mu.Unlock()
	r.makeRoom()
	r.flush()
	if next {
		r.ping()
	}
	if others { // behind the other addresses of the name there may be others, and nobody else who tells us where
		h.dial(target{url: r.url, explicit: true, after: rand.N(dialJitter)})
	}
	if once {
		h.gossip(r, i, tell)
		h.tellClients()
	}
}

// unregister takes a connection out of the books and reports whether it was in.
func (h *Hub) unregister(r *Route) (was bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.routes, r)
	if r.key != "" {
		h.undial(r.key)
		r.key = ""
	}
	if !r.registered {
		return false
	}
	p := r.peer
	if r.account != "" {
		delete(p.accounts, r.account)
	} else {
		p.pool[r.idx] = nil
	}
	h.remove(r)
	if p.gone() {
		delete(h.peers, p.id)
	}
	return true
}

// remove ends the use of a connection that has lost its place. Hub.mu is held.
func (h *Hub) remove(r *Route) {
	r.registered, r.attached = false, false
	r.count(&h.gone)
	for _, in := range h.interests {
		in.detach(r)
	}
}
