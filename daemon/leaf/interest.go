package leaf

import (
	"crypto/rand"
	"strings"
	"sync"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/proto"
)

// interest is who wants what in one account, as far as peers are told of it. There is one while a
// connection serves the account.
type interest struct {
	acc *broker.Account

	life  sync.Mutex // lets one at a time begin or end it; before the locks of the account
	users int        // connections
	stop  []func()

	mu     sync.Mutex
	wants  map[wish]*demand
	links  []*Link // that are told
	loop   string  // the subject by which circles are found
	mapped map[string]bool
}

// demand is what there is of interest in one subject and queue.
type demand struct {
	own     int // of clients and parts of this server
	always  int // imports of services, and mappings: plain
	routes  int // of clients of other servers of the cluster
	leafs   int // of leaf nodes of this server
	routed  int // of leaf nodes of other servers of the cluster
	hubs    int
	remotes map[source]holder
	cluster map[string]int // of leafs, by their cluster
	behind  map[string]int // of routed, likewise
}

// source is who has interest: a route has its own, and that of each cluster of leaf nodes behind it.
type source struct {
	remote broker.Remote
	behind string
}

type holder struct {
	weight int
	of     broker.Interest
	origin string // of leaf nodes: their cluster
}

func (d *demand) empty() bool { return d.own == 0 && d.always == 0 && len(d.remotes) == 0 }

// sum is how many members a peer is told of.
func (d *demand) sum(l *Link, loop bool) int {
	n := d.own + d.always
	if !l.toHub || loop { // a hub is told what there is on this server only, and on leaf nodes of it
		n += d.routes + d.hubs
	}
	if !l.isolated || loop {
		if !l.toHub || loop {
			n += d.routed
			if l.cluster != "" {
				n -= d.behind[l.cluster]
			}
		}
		n += d.leafs
		if l.cluster != "" {
			n -= d.cluster[l.cluster]
		} else if h, ok := d.remotes[source{remote: l}]; ok && h.of == broker.LeafInterest {
			n -= h.weight
		}
	}
	if h, ok := d.remotes[source{remote: l}]; ok && h.of == broker.HubInterest && (!l.toHub || loop) {
		n -= h.weight
	}
	return n
}

// begin makes a link one of those who are told.
func (s *Server) attach(l *Link) {
	s.mu.Lock()
	i := s.interests[l.acc]
	if i == nil {
		i = &interest{acc: l.acc, wants: make(map[wish]*demand), mapped: make(map[string]bool), loop: newLoop()}
		s.interests[l.acc] = i
	}
	l.interest = i
	s.mu.Unlock()
	i.life.Lock()
	if i.users++; i.users == 1 {
		i.stop = append(i.stop, i.acc.Watch(i.changed), i.acc.WatchRemotes(i.remote), i.acc.WatchMappings(i.remap))
		i.remap()
	}
	i.life.Unlock()
	i.mu.Lock()
	l.tell(wish{subject: i.loop}, 1)
	for w, d := range i.wants {
		if n := d.sum(l, isLoop(w)); n > 0 && l.mayHear(w) {
			l.tell(w, n)
		}
	}
	i.links = append(i.links[:len(i.links):len(i.links)], l)
	i.mu.Unlock()
	l.makeRoom()
	l.flush()
}

// detach ends that.
func (s *Server) detach(l *Link, i *interest) {
	i.mu.Lock()
	rest := make([]*Link, 0, len(i.links))
	for _, o := range i.links {
		if o != l {
			rest = append(rest, o)
		}
	}
	i.links = rest
	i.mu.Unlock()
	i.life.Lock()
	defer i.life.Unlock()
	if i.users--; i.users > 0 {
		return
	}
	for _, stop := range i.stop {
		stop()
	}
	i.stop = nil
	i.mu.Lock()
	clear(i.wants)
	clear(i.mapped)
	i.mu.Unlock()
}

// newLoop makes the subject by which circles are found.
func newLoop() string { return loopPrefix + rand.Text()[:22] }

// loopSubject is that of an account.
func (s *Server) loopSubject(a *broker.Account) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.interests[a]; i != nil {
		return i.loop
	}
	return ""
}

func isLoop(w wish) bool { return strings.HasPrefix(w.subject, loopPrefix) }

// changed takes note of interest of the account's own. It is called by the account, in order, and must not call it.
func (i *interest) changed(c broker.Change) {
	i.change(wish{c.Subject, c.Queue}, func(d *demand) { d.own = c.Count })
}

// remote takes note of interest of others.
func (i *interest) remote(c broker.RemoteChange) {
	i.change(wish{c.Subject, c.Queue}, func(d *demand) { d.note(&c) })
}

func (d *demand) note(c *broker.RemoteChange) {
	if c.Of == broker.ImportInterest {
		if d.always++; c.Gone {
			d.always -= 2
		}
		return
	}
	who := source{remote: c.Remote}
	if c.Of == broker.RouteInterest {
		who.behind = c.Origin
	}
	d.count(d.remotes[who], -1)
	if c.Gone {
		delete(d.remotes, who)
		return
	}
	if d.remotes == nil {
		d.remotes = make(map[source]holder)
	}
	now := holder{c.Weight, c.Of, c.Origin}
	d.remotes[who] = now
	d.count(now, 1)
}

// count adds what somebody stands for to the sums, so many times.
func (d *demand) count(h holder, times int) {
	n := h.weight * times
	switch {
	case h.of == broker.HubInterest:
		d.hubs += n
	case h.of == broker.RouteInterest && h.origin == "":
		d.routes += n
	case h.of == broker.RouteInterest:
		d.routed += n
		tally(&d.behind, h.origin, n)
	case h.of == broker.LeafInterest:
		d.leafs += n
		if h.origin != "" {
			tally(&d.cluster, h.origin, n)
		}
	}
}

// tally adds to the sum of a cluster.
func tally(of *map[string]int, cluster string, n int) {
	if *of == nil {
		*of = make(map[string]int)
	}
	if (*of)[cluster] += n; (*of)[cluster] == 0 {
		delete(*of, cluster)
	}
}

// remap takes note of the mappings there are.
func (i *interest) remap() {
	now := make(map[string]bool)
	for _, s := range i.acc.MappedSubjects() {
		now[s] = true
	}
	i.mu.Lock()
	was := i.mapped
	i.mapped = now
	i.mu.Unlock()
	for s := range now {
		if !was[s] {
			i.change(wish{subject: s}, func(d *demand) { d.always++ })
		}
	}
	for s := range was {
		if !now[s] {
			i.change(wish{subject: s}, func(d *demand) { d.always-- })
		}
	}
}

// change changes a demand and tells the peers for which it makes a difference.
func (i *interest) change(w wish, f func(*demand)) {
	loop := isLoop(w)
	i.mu.Lock()
	defer i.mu.Unlock()
	d := i.wants[w]
	if d == nil {
		d = &demand{}
		i.wants[w] = d
	}
	var room [8]int
	before := room[:0]
	for _, l := range i.links {
		before = append(before, d.sum(l, loop))
	}
	f(d)
	if d.empty() {
		delete(i.wants, w)
	}
	for at, l := range i.links {
		had, now := before[at], d.sum(l, loop)
		if had == now || w.queue == "" && (had > 0) == (now > 0) || !l.mayHear(w) {
			continue
		}
		l.tell(w, now)
	}
}

// mayHear reports whether the peer may be told of a wish.
func (l *Link) mayHear(w wish) bool { return l.rights.Load().take.covers(w.subject) }

// retell tells a peer what it may hear now, and did not before, and the other way round.
func (i *interest) retell(l *Link, old, now *Rules) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for w, d := range i.wants {
		n := d.sum(l, isLoop(w))
		had, has := old.covers(w.subject), now.covers(w.subject)
		if n <= 0 || had == has {
			continue
		}
		if !has {
			n = 0
		}
		l.tell(w, n)
	}
}

// tell queues LS+ or LS-. It is sent by flush, at the latest before the next message.
func (l *Link) tell(w wish, n int) {
	l.outMu.Lock()
	if n > 0 {
		l.pending = proto.AppendLeafSub(l.pending, w.subject, w.queue, n)
	} else {
		l.pending = proto.AppendLeafUnsub(l.pending, w.subject, w.queue)
	}
	l.dirty.Store(true)
	l.outMu.Unlock()
	l.srv.flushSoon()
}

// flush sends what tell has queued.
func (l *Link) flush() {
	if !l.dirty.Load() {
		return
	}
	l.outMu.Lock()
	defer l.outMu.Unlock()
	if len(l.pending) > 0 {
		l.Out.Send(l.pending)
	}
	l.pending = l.pending[:0]
	if cap(l.pending) > 64<<10 {
		l.pending = nil
	}
	l.dirty.Store(false)
}

// flushSoon wakes the teller.
func (s *Server) flushSoon() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// teller sends interest to the peers, so that a client that subscribes does not wait for it. It ends with the server.
func (s *Server) teller() {
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-s.wake:
		}
		for _, l := range s.registered() {
			l.flush()
		}
	}
}
