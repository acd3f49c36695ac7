package cluster

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"slices"
	"time"

	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/peer"
)

// target is a server to be dialled. The zero value stands for one that dialled us.
type target struct {
	url      *url.URL
	explicit bool          // configured: dialled until it answers
	account  string        // the connection is for one account
	gossip   byte          // how the peer shall pass us on
	id       string        // the server's, if known
	attempts int           // at most, if not explicit
	after    time.Duration // pause before the first
	lost     bool          // there was a connection
	own      int           // connections in a row that led to this server itself
	alone    bool          // there are no addresses but those that have led here
	at       string        // the address of a server that is known already: behind a name there may be others
	choices  int           // addresses that there were
	key      string
}

const (
	dialTimeout   = time.Second
	selfMemory    = time.Minute // of addresses that led here
	selfPause     = time.Minute // at most, before the only address of a server is dialled again that led here
	dialJitter    = 100 * time.Millisecond
	crossJitter   = 500 * time.Millisecond // after a connection that was one too many
	knownAttempts = 3                      // to dial a server at the address that it had
	lostAttempts  = 20                     // to dial again a server that was learnt from others, about 9 minutes
)

// dial has a server dialled. Where that is under way, it is dialled again if that comes to nothing: it may be refused for
// connections that end meanwhile, and it is those that ask.
func (h *Hub) dial(t target) {
	if t.url == nil {
		return
	}
	t.key = t.id + "/" + t.account
	if t.explicit {
		t.key = t.url.Host + "@" + t.at + "/" + t.account
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dialLocked(t)
}

// dialLocked is dial for a target with its key. Hub.mu is held.
func (h *Hub) dialLocked(t target) {
	if h.stopped || !t.explicit && h.isSelf(t.url.Host) {
		return
	}
	if _, busy := h.dialing[t.key]; busy {
		h.dialing[t.key] = &t
		return
	}
	h.dialing[t.key] = nil
	h.work.Go(func() { h.keepDialling(t) }) // ends with the connection, or when trying has no sense any more
}

// undial ends dialling that has come to nothing, and begins with what was asked for meanwhile, if that is still missing.
// Hub.mu is held.
func (h *Hub) undial(key string) {
	next := h.dialing[key]
	delete(h.dialing, key)
	if next != nil && !h.reached(next) {
		h.dialLocked(*next)
	}
}

// reached reports whether the connections are there for which a target would be dialled, as far as it is known whose they
// are. Hub.mu is held.
func (h *Hub) reached(t *target) bool {
	p := h.peers[t.id]
	switch {
	case p == nil:
		return false
	case t.account != "":
		return p.accounts[t.account] != nil
	}
	return p.count() > 0 && p.free() < 0
}

// giveUp ends the dialling of a configured server that is configured no longer. It reports false if that has changed
// meanwhile: whoever configured it saw that it is being dialled, and left it to us.
func (h *Hub) giveUp(t target) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.opts.Load().instead(t.url) != nil {
		return false
	}
	h.log.Debug(fmt.Sprintf("Not attempting to connect to explicit route %q, no longer part of configured routes", t.url.Redacted()))
	delete(h.dialing, t.key)
	return true
}

// connect dials the addresses of a server in any order, until one takes the connection. Those that have led here are left
// out while there are others: behind one name there may be all members of the cluster.
func (h *Hub) connect(o *Options, t *target) (nc net.Conn, err error) {
	addrs := []string{t.at}
	if t.at == "" {
		if addrs, err = peer.Addresses(h.ctx, o.Resolve, t.url); err != nil {
			return nil, err
		}
	}
	t.choices = len(addrs)
	rand.Shuffle(len(addrs), func(i, j int) { addrs[i], addrs[j] = addrs[j], addrs[i] })
	h.mu.Lock()
	others := slices.DeleteFunc(slices.Clone(addrs), func(addr string) bool { return t.at == "" && remembered(h.taken, addr) })
	if len(others) == 0 {
		h.mu.Unlock()
		return nil, errAllTaken
	}
	addrs = others
	others = slices.DeleteFunc(slices.Clone(addrs), h.isSelf)
	h.mu.Unlock()
	t.alone = len(others) == 0 && len(addrs) == t.choices
	switch {
	case len(others) > 0:
		addrs = others
	case len(addrs) < t.choices:
		return nil, errAllTaken // but for what leads here
	}
	for _, addr := range addrs {
		h.log.Debug(fmt.Sprintf("Trying to connect to route on %s (%s)", t.url.Host, addr))
		d := net.Dialer{Timeout: dialTimeout}
		var e error
		if nc, e = d.DialContext(h.ctx, "tcp", addr); e == nil {
			return nc, nil
		}
		if err = e; h.ctx.Err() != nil {
			break
		}
	}
	return nil, err
}

// errAllTaken ends the dialling of a name of which all addresses lead to servers that are connected.
var errAllTaken = errors.New("there is a connection to each of its addresses")

// isSelf reports whether an address has led to this server lately. Hub.mu is held.
func (h *Hub) isSelf(addr string) bool { return remembered(h.self, addr) }

// remembered reports whether an address is among those remembered, and forgets it in time.
func remembered(m map[string]time.Time, addr string) bool {
	until, ok := m[addr]
	if ok && time.Now().After(until) {
		delete(m, addr)
		return false
	}
	return ok
}

// ledHere notes that a connection led to this server itself, and returns the pause before its target is dialled again: it
// grows if there is no other address to be tried. Hub.mu is held.
func (h *Hub) ledHere(r *Route, pause time.Duration) time.Duration {
	if r.url == nil {
		return pause
	}
	h.self[r.remote.String()] = time.Now().Add(selfMemory)
	if r.own == 1 {
		h.log.Info(fmt.Sprintf("Route to %s (%s) leads to this server itself: trying its other addresses, and again later", r.url.Host, r.remote))
	}
	if r.alone {
		pause = min(pause<<min(r.own, 16), selfPause)
	}
	return pause
}

func (h *Hub) forgetDial(t target) {
	h.mu.Lock()
	h.undial(t.key)
	h.mu.Unlock()
}

// keepDialling dials until there is a connection, which it serves.
func (h *Hub) keepDialling(t target) {
	if t.after > 0 && !h.sleep(t.after) {
		h.forgetDial(t)
		return
	}
	pause := h.opts.Load().RetryPause
	for n := 1; ; n++ {
		o := h.opts.Load()
		if t.explicit {
			u := o.instead(t.url)
			if u == nil {
				if h.giveUp(t) {
					return
				}
				continue
			}
			t.url = u
		}
		nc, err := h.connect(o, &t)
		if err == nil {
			h.serve(nc, t)
			return
		}
		if h.ctx.Err() != nil || errors.Is(err, errAllTaken) {
			if h.ctx.Err() == nil {
				h.log.Debug(fmt.Sprintf("Not looking further for routes on %s: %v", t.url.Host, err))
			}
			h.forgetDial(t)
			return
		}
		if n >= knownAttempts {
			t.at = "" // it may be elsewhere now
		}
		h.reportDial(n, t.lost, err)
		if !t.explicit && n >= t.attempts || !h.sleep(pause+rand.N(dialJitter)) {
			h.forgetDial(t)
			return
		}
		if o.ConnectBackoff || t.lost && !t.explicit {
			pause = min(pause*2, maxBackoffPause)
		}
	}
}

// reportDial logs the first failures, and then each hour's.
func (h *Hub) reportDial(n int, lost bool, err error) {
	line := fmt.Sprintf("Error trying to connect to route (attempt %d): %v", n, err)
	if n == 1 || n%3600 == 0 || lost && n <= 3 {
		h.log.Error(line, logging.Err(err))
	} else {
		h.log.Debug(line, logging.Err(err))
	}
}

// again decides whether a connection that ended is to be dialled anew.
func (h *Hub) again(r *Route, registered bool, why error) {
	pause := h.opts.Load().RetryPause
	ref, _ := why.(*refusal)
	h.mu.Lock()
	t := target{url: r.url, explicit: r.explicit, account: r.account, after: rand.N(dialJitter), lost: registered}
	retry, quiet := r.retry, ref != nil && ref.quiet
	if registered {
		t.id = r.peer.id
		delete(h.taken, r.remote.String())
		if h.peers[t.id] != nil { // a part of what there is between the two
			t.at = r.whereTo()
		}
		retry = retry || r.solicited && !r.peer.lameDuck
	} else {
		t.id = r.hs.peer
		quiet = quiet || !r.solicited
	}
	if ref != nil && ref.reason == duplicateRoute {
		t.after = rand.N(crossJitter)
		if !r.hs.isSelf && t.explicit && r.solicited && r.choices > 1 && r.at == "" { // other addresses may lead to others
			h.taken[r.remote.String()] = time.Now().Add(selfMemory)
			quiet = false
		}
	}
	if r.hs.isSelf {
		quiet = quiet || !t.explicit
		t.own = r.own + 1
		t.after = h.ledHere(r, pause)
		pause = 0
	}
	h.mu.Unlock()
	h.mu.Lock()
	pinned := h.pins(t.account)
	h.mu.Unlock()
	switch {
	case quiet || t.url == nil || t.account != "" && !pinned:
		return
	case t.account != "" && !registered && r.solicited: // the peer may come to know the account
		t.after += max(pause, pinnedPause)
		t.attempts = lostAttempts
	case t.explicit:
		t.after += pause
	case retry:
		t.attempts = lostAttempts
	default:
		return
	}
	h.dial(t)
}
