package cluster

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"time"

	"github.com/nats-broker/nats-broker/daemon/logging"
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
	key      string
}

const (
	dialTimeout  = time.Second
	dialJitter   = 100 * time.Millisecond
	crossJitter  = 500 * time.Millisecond // after a connection that was one too many
	lostAttempts = 20                     // to dial again a server that was learnt from others, about 9 minutes
)

// dial has a server dialled, unless that is under way.
func (h *Hub) dial(t target) {
	if t.url == nil {
		return
	}
	t.key = t.id + "/" + t.account
	if t.explicit {
		t.key = t.url.Host + "/" + t.account
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopped || h.dialing[t.key] || h.self[t.url.Host] {
		return
	}
	h.dialing[t.key] = true
	h.work.Go(func() { h.keepDialling(t) }) // ends with the connection, or when trying has no sense any more
}

func (h *Hub) forgetDial(t target) {
	h.mu.Lock()
	delete(h.dialing, t.key)
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
		if t.explicit && !o.configured(t.url) {
			h.log.Debug(fmt.Sprintf("Not attempting to connect to explicit route %q, no longer part of configured routes", t.url.Redacted()))
			h.forgetDial(t)
			return
		}
		h.log.Debug("Trying to connect to route on " + t.url.Host)
		d := net.Dialer{Timeout: dialTimeout}
		nc, err := d.DialContext(h.ctx, "tcp", t.url.Host)
		if err == nil {
			h.serve(nc, t)
			return
		}
		if h.ctx.Err() != nil {
			h.forgetDial(t)
			return
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
		retry = retry || r.solicited && !r.peer.lameDuck
	} else {
		t.id = r.hs.peer
		quiet = quiet || !r.solicited
	}
	if ref != nil && ref.reason == duplicateRoute {
		t.after = rand.N(crossJitter)
	}
	if r.hs.isSelf && r.url != nil {
		h.self[r.url.Host] = true
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
