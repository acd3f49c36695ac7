package cluster

import (
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Accounts that have connections of their own: the system account and those that are
// configured, and those that a peer has moved, until our own configuration follows. On
// every server they should be the same; where they are not, what clients of such an
// account want does not reach the other server, as with nats-server 2.15.3.
//
// An account is moved while servers run by an agreement, in the words of nats-server: who
// wants it sends, on the connection to which the account belongs, an INFO that names
// the account and has an id; from then on neither tells of the account there. The other
// forgets what it was told, and answers by the INFO without the name. Then the
// connections of the account are dialled, by whoever has dialled the others.
// Hub.mu protects all fields.
type pinned struct {
	ours  map[string]bool // configured, and the system account; empty without a pool
	asked map[string]bool // by peers
	reqID string          // of the INFO that peers are to answer; empty: none
	moved []string        // the accounts that it is about
	await map[*Route]bool // who has not answered
	done  chan struct{}   // closed when all have
}

// agreeTime is how long peers have to agree.
const agreeTime = 2 * time.Second

// pinnedPause is the pause between attempts to dial the connection of an account that
// the peer does not know to have one.
const pinnedPause = 2 * time.Second

// pins reports whether an account has connections of its own. Hub.mu is held.
func (h *Hub) pins(account string) bool { return h.pinned.ours[account] || h.pinned.asked[account] }

// unlinked lists the accounts of which the connection to a peer is missing. Hub.mu is
// held.
func (h *Hub) unlinked(p *server) (list []string) {
	for _, set := range []map[string]bool{h.pinned.ours, h.pinned.asked} {
		for a := range set {
			if p.accounts[a] == nil && !slices.Contains(list, a) {
				list = append(list, a)
			}
		}
	}
	slices.Sort(list)
	return list
}

// pinnedBy is the accounts that options give connections of their own.
func (h *Hub) pinnedBy(o *Options) map[string]bool {
	set := make(map[string]bool)
	if o.PoolSize > 0 {
		set[h.broker.System().Name()] = true
		for _, a := range o.Accounts {
			set[a] = true
		}
	}
	return set
}

// pool is the number of connections to each peer; 0: no pool.
func (h *Hub) pool() int { return max(h.opts.Load().PoolSize, 0) }

// repool follows a change of the accounts that have connections of their own and of the
// size of the pool.
func (h *Hub) repool(o, old *Options) {
	set, resized := h.pinnedBy(o), o.PoolSize != old.PoolSize
	h.mu.Lock()
	before := h.pinned.ours
	if maps.Equal(set, before) && !resized {
		h.mu.Unlock()
		return
	}
	h.pinned.ours = set
	var came []string
	for a := range set {
		if !before[a] && !resized {
			came = append(came, a)
		}
	}
	var drop []*Route
	for r := range h.routes {
		if !r.registered {
			continue
		}
		if r.account == "" && resized || r.account != "" && !set[r.account] {
			drop = append(drop, r)
		}
	}
	for a := range before {
		if !set[a] {
			delete(h.pinned.asked, a)
		}
	}
	h.mu.Unlock()
	slices.Sort(came)
	for _, r := range drop {
		r.Abort(&refusal{reason: "Route Removed", quiet: r.account != ""})
	}
	for a := range before {
		if !set[a] && !resized {
			h.unmove(a)
		}
	}
	if len(came) > 0 {
		h.work.Go(func() { h.move(came) }) // ends when peers have agreed, or their time is over
	}
}

// unmove tells peers of an account where it belongs without a connection of its own.
func (h *Hub) unmove(account string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := h.interests[account]
	if i == nil {
		return
	}
	for r := range h.routes {
		if r.attached && r.account == "" && !r.noPool && h.carries(r, i) {
			i.attach(r)
		}
	}
}

// move has peers agree that accounts get connections of their own, and dials those.
func (h *Hub) move(accounts []string) {
	h.moveMu.Lock()
	defer h.moveMu.Unlock()
	id, done := rand.Text()[:22], make(chan struct{})
	h.mu.Lock()
	h.pinned.reqID, h.pinned.moved, h.pinned.done = id, accounts, done
	h.pinned.await = make(map[*Route]bool)
	type request struct {
		r *Route
		i *info
	}
	var requests []request
	var left []*Route
	for _, account := range accounts {
		left = append(left, h.leavePool(account)...)
		for _, p := range h.peers {
			if r := p.at(poolIndex(h.pool(), account)); r != nil && r.attached && !r.noPool {
				h.pinned.await[r] = true
				requests = append(requests, request{r, &info{PoolSize: h.pool(), Account: account, ReqID: id}})
			}
		}
	}
	if len(requests) == 0 {
		close(done)
		h.pinned.done = nil
	}
	h.mu.Unlock()
	readopt(left)
	for _, q := range requests {
		q.r.flush()
		q.r.Out.Send(q.i.frame())
	}
	t := time.NewTimer(agreeTime)
	defer t.Stop()
	select {
	case <-done:
	case <-h.stopping:
		return
	case <-t.C:
		h.log.Warn("Timed out waiting for confirmation from all routes regarding per-account routes changes")
	}
	h.mu.Lock()
	h.pinned.reqID, h.pinned.done, h.pinned.await = "", nil, nil
	h.mu.Unlock()
	h.dialPinned(accounts)
}

// dialPinned dials the missing connections of accounts to those peers that we dial.
func (h *Hub) dialPinned(accounts []string) {
	var list []target
	h.mu.Lock()
	for _, p := range h.peers {
		r := p.first()
		if r == nil || r.noPool || !r.solicited && !r.explicit {
			continue
		}
		for _, a := range accounts {
			if p.accounts[a] == nil {
				list = append(list, target{url: r.url, explicit: r.explicit, account: a, id: p.id, attempts: lostAttempts, at: r.whereTo()})
			}
		}
	}
	h.mu.Unlock()
	for _, t := range list {
		h.dial(t)
	}
}

// leavePool ends what is said about an account on connections of the pool: peers are
// not told any more, and the readers of those that are returned have to forget what the
// peers want there. Hub.mu is held.
func (h *Hub) leavePool(account string) (list []*Route) {
	i := h.interests[account]
	for r := range h.routes {
		if !r.registered || r.account != "" || r.noPool {
			continue
		}
		if i != nil {
			i.detach(r)
		}
		r.forgetSoon(account)
		list = append(list, r)
	}
	return list
}

// readopt has readers look again at what their peers want.
func readopt(list []*Route) {
	for _, r := range list {
		r.readopt()
	}
}

// processMove handles the INFO by which a peer moves an account, or agrees to a move.
func (r *Route) processMove(i *info) {
	h := r.hub
	if i.Account == "" {
		h.agreed(r, i.ReqID)
		return
	}
	if h.broker.Account(i.Account) == nil {
		h.log.Error(fmt.Sprintf("Error looking up account %q: no such account", i.Account))
		return
	}
	h.mu.Lock()
	if h.pinned.asked == nil {
		h.pinned.asked = make(map[string]bool)
	}
	h.pinned.asked[i.Account] = true
	left := h.leavePool(i.Account)
	h.mu.Unlock()
	account := i.Account
	readopt(left)
	r.forgetAccounts()
	i.Account = ""
	r.flush()
	r.Out.Send(i.frame())
	h.dialPinned([]string{account})
}

// agreed notes an answer.
func (h *Hub) agreed(r *Route, id string) {
	h.mu.Lock()
	if id != h.pinned.reqID || !h.pinned.await[r] {
		h.mu.Unlock()
		return
	}
	delete(h.pinned.await, r)
	for _, a := range h.pinned.moved {
		r.forgetSoon(a)
	}
	if len(h.pinned.await) == 0 && h.pinned.done != nil {
		close(h.pinned.done)
		h.pinned.done = nil
	}
	h.mu.Unlock()
	r.forgetAccounts()
}

// forgetSoon notes an account that has moved, so that the reader forgets what the peer
// wants of it.
func (r *Route) forgetSoon(account string) {
	r.mu.Lock()
	r.moved = append(r.moved, account)
	r.mu.Unlock()
	r.anew.Store(true)
}

// forgetAccounts forgets what the peer wants of accounts that have moved. It runs on the
// reader.
func (r *Route) forgetAccounts() {
	r.mu.Lock()
	moved := r.moved
	r.moved = nil
	var gone []*remote
	for k, e := range r.wanted {
		if slices.Contains(moved, k.account) {
			delete(r.wanted, k)
			gone = append(gone, e)
		}
	}
	r.mu.Unlock()
	for _, e := range gone {
		if !e.in.None() {
			e.in.Remove()
		}
	}
}

// elsewhere reports whether interest in an account that a peer tells here is about to be
// told on a connection of the account.
func (r *Route) elsewhere(account string) bool {
	if r.account != "" || r.noPool {
		return false
	}
	h := r.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.pinned.asked[account] && !h.pinned.ours[account]
}
