package cluster

import (
	"sync"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/proto"
	"github.com/nats-broker/nats-broker/daemon/subject"
)

// wish is what somebody is subscribed to.
type wish struct{ subject, queue string }

// members are those with a subject and queue, and those of them that import streams.
type members struct{ all, guests int }

// same reports whether peers are told the same of both; of plain members they do not hear
// how many there are.
func (m members) same(n members, queue string) bool {
	if queue != "" || m.all == 0 || n.all == 0 {
		return m == n
	}
	return (m.own() > 0) == (n.own() > 0)
}

func (m members) own() int { return m.all - m.guests }

// interest is what clients of this server want in one account, and the connections
// over which peers are told.
type interest struct {
	name string
	acc  *broker.Account

	withLeafs bool // leaf nodes connect here

	mu      sync.Mutex
	wishes  map[wish]members
	leafs   map[wish]*leafDemand // of leaf nodes of this server
	routes  []*Route             // replaced, never changed
	imports *Rules               // those that peers are told of

	life  sync.Mutex // before the locks of the account
	stop  []func()   // set while the account is watched
	ended bool
}

// changed takes note of a change and tells the peers. It is called by the account,
// in order, and must not call it.
func (i *interest) changed(c broker.Change) {
	w := wish{c.Subject, c.Queue}
	i.mu.Lock()
	defer i.mu.Unlock()
	had, now := i.wishes[w], members{c.Count, c.Guests}
	if now.all == 0 {
		delete(i.wishes, w)
	} else {
		i.wishes[w] = now
	}
	switch {
	case had.same(now, c.Queue):
		return // peers know already
	case !i.imports.covers(w.subject):
		return
	}
	for _, r := range i.routes {
		r.tell(i.name, w, i.with(r, w, now))
	}
}

// attach has a connection told of what there is and what changes.
func (i *interest) attach(r *Route) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for w, n := range i.wishes {
		if i.imports.covers(w.subject) {
			r.tell(i.name, w, i.with(r, w, n))
		}
	}
	for w, d := range i.leafs {
		if i.imports.covers(w.subject) {
			i.tellLeafs(r, w, d)
		}
	}
	i.routes = append(i.routes[:len(i.routes):len(i.routes)], r)
}

// detach ends that.
func (i *interest) detach(r *Route) {
	i.mu.Lock()
	defer i.mu.Unlock()
	rest := make([]*Route, 0, len(i.routes))
	for _, o := range i.routes {
		if o != r {
			rest = append(rest, o)
		}
	}
	i.routes = rest
}

// withdraw tells the peers that nothing of the account is wanted any more.
func (i *interest) withdraw() {
	i.mu.Lock()
	defer i.mu.Unlock()
	for w := range i.wishes {
		if !i.imports.covers(w.subject) {
			continue
		}
		for _, r := range i.routes {
			r.tell(i.name, w, members{})
		}
	}
	i.withdrawLeafs()
	clear(i.wishes)
	i.routes = nil
}

// tell queues RS+ or RS-. It is sent by flush, at the latest before the next message.
func (r *Route) tell(account string, w wish, m members) {
	if r.account != "" {
		account = ""
	}
	r.outMu.Lock()
	switch {
	case m.all == 0:
		r.pending = proto.AppendRouteUnsub(r.pending, "", account, w.subject, w.queue)
	case r.info.Entries && m.guests > 0 && (w.queue != "" || m.own() == 0):
		r.pending = proto.AppendRouteInterest(r.pending, account, w.subject, m.own(), w.queue, m.all)
	default:
		r.pending = proto.AppendRouteSub(r.pending, "", account, w.subject, w.queue, m.all)
	}
	r.dirty.Store(true)
	r.outMu.Unlock()
	r.hub.flushSoon()
}

// flush sends what tell has queued.
func (r *Route) flush() {
	if !r.dirty.Load() {
		return
	}
	r.outMu.Lock()
	defer r.outMu.Unlock()
	if len(r.pending) > 0 {
		r.Out.Send(r.pending)
	}
	r.pending = r.pending[:0]
	if cap(r.pending) > 64<<10 {
		r.pending = nil
	}
	r.dirty.Store(false)
}

// flushSoon wakes the teller.
func (h *Hub) flushSoon() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// teller sends interest to the peers, so that a client that subscribes does not
// wait for it. It ends with the hub.
func (h *Hub) teller() {
	for {
		select {
		case <-h.stopping:
			return
		case <-h.wake:
		}
		for _, r := range h.registered() {
			r.flush()
		}
	}
}

// Sync takes note of accounts that came or went. It is to be called whenever the
// broker's accounts may have changed; only one call at a time does something.
func (h *Hub) Sync() {
	h.syncMu.Lock()
	defer h.syncMu.Unlock()
	now := make(map[string]*broker.Account)
	for _, a := range h.broker.Accounts() {
		if subject.FitsLine(a.Name()) { // those of others have no place in a frame
			now[a.Name()] = a
		}
	}
	var came, went []*interest
	h.mu.Lock()
	for name, i := range h.interests {
		if now[name] != i.acc {
			delete(h.interests, name)
			went = append(went, i)
		}
	}
	for name, a := range now {
		if h.interests[name] == nil {
			came = append(came, h.enlist(name, a))
		}
	}
	routes := h.registeredLocked()
	h.mu.Unlock()
	for _, i := range went {
		i.unwatch()
		i.withdraw()
	}
	for _, i := range came {
		i.watch()
	}
	if len(came)+len(went) > 0 {
		h.epoch.Add(1)
		for _, r := range routes {
			r.readopt()
		}
	}
}

// watch has the account's interest told.
func (i *interest) watch() {
	i.life.Lock()
	defer i.life.Unlock()
	if !i.ended {
		i.stop = append(i.stop, i.acc.Watch(i.changed))
		if i.withLeafs {
			i.stop = append(i.stop, i.acc.WatchRemotes(i.remote))
		}
	}
}

// unwatch ends that.
func (i *interest) unwatch() {
	i.life.Lock()
	defer i.life.Unlock()
	for _, stop := range i.stop {
		stop()
	}
	i.ended, i.stop = true, nil
}

// enlist begins to tell peers of an account. The lock is held.
func (h *Hub) enlist(name string, a *broker.Account) *interest {
	o := h.opts.Load()
	i := &interest{name: name, acc: a, wishes: make(map[wish]members), imports: o.Import, withLeafs: o.LeafNodes}
	h.interests[name] = i
	for r := range h.routes {
		if r.attached && h.carries(r, i) {
			i.attach(r)
		}
	}
	return i
}

// Join takes note of one account that came: [Hub.Sync] for brokers whose accounts come
// one by one ([Options.LazyAccounts]).
func (h *Hub) Join(a *broker.Account) {
	h.syncMu.Lock()
	defer h.syncMu.Unlock()
	h.mu.Lock()
	i := h.interests[a.Name()]
	if i != nil && i.acc == a {
		h.mu.Unlock()
		return
	}
	i = h.enlist(a.Name(), a)
	h.mu.Unlock()
	i.watch()
}

// carries reports whether interest in an account is told over a connection.
func (h *Hub) carries(r *Route, i *interest) bool {
	switch {
	case r.noPool:
		return true
	case r.account != "":
		return i.name == r.account
	default:
		return poolIndex(r.shares, i.name) == r.idx && !h.pins(i.name)
	}
}
