package cluster

import (
	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/proto"
)

// What leaf nodes of this server want is told to peers by their cluster, the origin: so that a peer does not send back to it
// what comes from it, and does not tell its own leaf nodes of that cluster. A peer that knows no origins is told of clients
// and leaf nodes together.

// leafDemand is what leaf nodes of this server want in one subject and queue.
type leafDemand struct {
	origins map[string]int // members, by the cluster
	holders map[broker.Remote]leafHolder
	all     int
}

type leafHolder struct {
	origin string
	weight int
}

// remote takes note of interest of leaf nodes. It is called by the account, in order, and must not call it.
func (i *interest) remote(c broker.RemoteChange) {
	if c.Of != broker.LeafInterest {
		return
	}
	w, origin := wish{c.Subject, c.Queue}, c.Origin
	if origin == "" {
		origin = noOrigin
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	d := i.leafs[w]
	if d == nil {
		d = &leafDemand{origins: make(map[string]int), holders: make(map[broker.Remote]leafHolder)}
		if i.leafs == nil {
			i.leafs = make(map[wish]*leafDemand)
		}
		i.leafs[w] = d
	}
	had, hadAll := d.origins[origin], d.all
	d.note(&c, origin)
	now := d.origins[origin]
	if d.all == 0 {
		delete(i.leafs, w)
	}
	if had == now || !i.imports.covers(w.subject) {
		return
	}
	for _, r := range i.routes {
		switch {
		case !r.parts():
			own := i.wishes[w]
			before := members{own.all + hadAll, own.guests}
			if m := i.with(r, w, own); !before.same(m, w.queue) {
				r.tell(i.name, w, m)
			}
		case w.queue != "" || (had > 0) != (now > 0):
			r.tellOrigin(i.name, origin, w, now)
		}
	}
}

func (d *leafDemand) note(c *broker.RemoteChange, origin string) {
	if old, ok := d.holders[c.Remote]; ok {
		d.add(old.origin, -old.weight)
		delete(d.holders, c.Remote)
	}
	if !c.Gone {
		d.holders[c.Remote] = leafHolder{origin, c.Weight}
		d.add(origin, c.Weight)
	}
}

func (d *leafDemand) add(origin string, n int) {
	d.all += n
	if d.origins[origin] += n; d.origins[origin] == 0 {
		delete(d.origins, origin)
	}
}

// with is what a peer is told by RS+: what is wanted by the account's own, and, if it knows no origins, by leaf nodes too.
func (i *interest) with(r *Route, w wish, own members) members {
	if d := i.leafs[w]; d != nil && !r.parts() {
		own.all += d.all
	}
	return own
}

// tellLeafs tells a peer what leaf nodes want. The lock is held.
func (i *interest) tellLeafs(r *Route, w wish, d *leafDemand) {
	if !r.parts() {
		r.tell(i.name, w, i.with(r, w, i.wishes[w]))
		return
	}
	for origin, n := range d.origins {
		r.tellOrigin(i.name, origin, w, n)
	}
}

// untellLeafs takes that back. The lock is held.
func (i *interest) untellLeafs(r *Route, w wish, d *leafDemand) {
	if !r.parts() {
		r.tell(i.name, w, members{})
		return
	}
	for origin := range d.origins {
		r.tellOrigin(i.name, origin, w, 0)
	}
}

// withdrawLeafs tells the peers that leaf nodes want nothing of the account any more. The lock is held.
func (i *interest) withdrawLeafs() {
	for w, d := range i.leafs {
		if !i.imports.covers(w.subject) {
			continue
		}
		for _, r := range i.routes {
			i.untellLeafs(r, w, d)
		}
	}
	clear(i.leafs)
}

// permitLeafs is permit for what leaf nodes want. The lock is held.
func (i *interest) permitLeafs(old, now *Rules) {
	for w, d := range i.leafs {
		before, after := old.covers(w.subject), now.covers(w.subject)
		if before == after {
			continue
		}
		for _, r := range i.routes {
			if before {
				i.untellLeafs(r, w, d)
			} else {
				i.tellLeafs(r, w, d)
			}
		}
	}
}

// TellLeafNodes has [Options.LeafURLsOfPeers] called.
func (h *Hub) TellLeafNodes() {
	h.urlsMu.Lock()
	defer h.urlsMu.Unlock()
	h.tellLeafNodes(h.opts.Load())
}

// tellLeafNodes tells of where leaf nodes find the other servers. urlsMu is held.
func (h *Hub) tellLeafNodes(o *Options) {
	if o.LeafURLsOfPeers == nil {
		return
	}
	var list []string
	h.mu.Lock()
	if h.stopped { // routes end because this server does: leaf nodes are to go to the others
		h.mu.Unlock()
		return
	}
	for _, p := range h.peers {
		if !p.lameDuck {
			list = append(list, p.info.LeafURLs...)
		}
	}
	h.mu.Unlock()
	o.LeafURLsOfPeers(distinct(list))
}

// SetLeafURLs is [Hub.SetClientURLs] for leaf nodes. Peers are told of one place, as nats-server has it.
func (h *Hub) SetLeafURLs(urls []string) {
	h.setURLs(func(o *Options) { o.LeafURLs = urls[:min(len(urls), 1)] })
}

// parts reports whether the peer knows interest and messages by the cluster of leaf nodes that they are of.
func (r *Route) parts() bool { return r.info.LNOC && r.info.LNOCU || r.info.LN }

// tellOrigin queues LS+ or LS-, as tell does.
func (r *Route) tellOrigin(account, origin string, w wish, n int) {
	if r.account != "" {
		account = ""
	}
	r.outMu.Lock()
	if n > 0 {
		r.pending = proto.AppendRouteSub(r.pending, origin, account, w.subject, w.queue, n)
	} else {
		r.pending = proto.AppendRouteUnsub(r.pending, origin, account, w.subject, w.queue)
	}
	r.dirty.Store(true)
	r.outMu.Unlock()
	r.hub.flushSoon()
}
