package cluster

import (
	"sync"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/proto"
)

// wish is what somebody is subscribed to.
type wish struct{ subject, queue string }

// interest is what clients of this server want in one account, and the connections
// over which peers are told.
type interest struct {
	name string
	acc  *broker.Account

	mu      sync.Mutex
	wishes  map[wish]int // members with that subject and queue
	routes  []*Route     // replaced, never changed
	imports *Rules       // those that peers are told of
}

// changed takes note of a change and tells the peers. It is called by the account,
// in order, and must not call it.
func (i *interest) changed(c broker.Change) {
	w := wish{c.Subject, c.Queue}
	i.mu.Lock()
	defer i.mu.Unlock()
	had := i.wishes[w]
	if c.Count == 0 {
		delete(i.wishes, w)
	} else {
		i.wishes[w] = c.Count
	}
	switch {
	case had == 0 && c.Count == 0, had > 0 && c.Count > 0 && c.Queue == "":
		return // peers know already
	case !i.imports.covers(w.subject):
		return
	}
	for _, r := range i.routes {
		r.tell(i.name, w, c.Count)
	}
}

// attach has a connection told of what there is and what changes.
func (i *interest) attach(r *Route) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for w, n := range i.wishes {
		if i.imports.covers(w.subject) {
			r.tell(i.name, w, n)
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
			r.tell(i.name, w, 0)
		}
	}
	clear(i.wishes)
	i.routes = nil
}

// tell queues RS+ or RS-. It is sent by flush, at the latest before the next message.
func (r *Route) tell(account string, w wish, count int) {
	if r.account != "" {
		account = ""
	}
	r.outMu.Lock()
	if count > 0 {
		r.pending = proto.AppendRouteSub(r.pending, "", account, w.subject, w.queue, count)
	} else {
		r.pending = proto.AppendRouteUnsub(r.pending, "", account, w.subject, w.queue)
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
		now[a.Name()] = a
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
		i.acc.Watch(nil)
		i.withdraw()
	}
	for _, i := range came {
		i.acc.Watch(i.changed)
	}
	if len(came)+len(went) > 0 {
		h.epoch.Add(1)
		for _, r := range routes {
			r.readopt()
		}
	}
}

// enlist begins to tell peers of an account. The lock is held.
func (h *Hub) enlist(name string, a *broker.Account) *interest {
	i := &interest{name: name, acc: a, wishes: make(map[wish]int), imports: h.opts.Load().Import}
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
	a.Watch(i.changed)
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
