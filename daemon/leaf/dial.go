package leaf

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/peer"
)

// dialer keeps up the connection to one remote. It ends when the remote is configured no longer, or the server stops.
type dialer struct {
	srv    *Server
	cfg    atomic.Pointer[Remote]
	ctx    context.Context
	cancel context.CancelFunc

	secured atomic.Bool // a connection was encrypted: all are from then on

	mu       sync.Mutex
	urls     []*url.URL // in the order in which they are tried
	at       int
	link     *Link // nil: there is no connection
	attempts int   // in a row that have failed
	was      bool  // there was a connection that served
	last     error // why there is none
	next     time.Time
}

const (
	quickPause = 50 * time.Millisecond // before a connection is made anew that has lasted
)

// addDialer begins to dial a remote. The lock is held.
func (s *Server) addDialer(r *Remote) {
	d := &dialer{srv: s}
	d.ctx, d.cancel = context.WithCancel(s.ctx)
	d.cfg.Store(r)
	d.reset(r)
	s.dialers = append(s.dialers, d)
	if r.Disabled {
		d.cancel()
		return
	}
	s.work.Go(d.run) // ends with ctx
}

// reset forgets what other servers have told of, and puts the URLs in order.
func (d *dialer) reset(r *Remote) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.urls, d.at = slices.Clone(r.URLs), 0
	if !r.NoRandomize {
		rand.Shuffle(len(d.urls), func(i, j int) { d.urls[i], d.urls[j] = d.urls[j], d.urls[i] })
	}
}

// run dials and serves until there is no sense in it any more.
func (d *dialer) run() {
	for d.ctx.Err() == nil {
		began := time.Now()
		err := d.once()
		if d.ctx.Err() != nil {
			return
		}
		if !sleep(d.ctx, d.pause(err, time.Since(began))) {
			return
		}
	}
}

// pause is how long to wait after a connection that was not made, or has ended with err after some time.
func (d *dialer) pause(err error, lasted time.Duration) time.Duration {
	o := d.srv.opts.Load()
	wait := o.Reconnect
	var ref *refusal
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case errors.As(err, &ref) && ref.delay > 0:
		wait = ref.delay + rand.N(ref.delay/4) // all of a circle may have been told
	case d.attempts > 0:
		wait += rand.N(max(o.Reconnect, 1))
	case lasted > o.Reconnect:
		wait = min(quickPause, o.Reconnect)
	}
	d.last, d.next = err, time.Now().Add(wait)
	return wait
}

// once makes one connection and serves it to its end.
func (d *dialer) once() error {
	cfg := d.cfg.Load()
	if err := d.bring(cfg.Account); err != nil {
		d.srv.log.Error(fmt.Sprintf("Unable to lookup account %s for solicited leafnode connection: %v", cfg.Account, err))
		return err
	}
	u := d.pick()
	nc, err := d.connect(cfg, u)
	if err != nil {
		d.failed(u, err)
		return err
	}
	d.mu.Lock()
	d.attempts = 0
	d.mu.Unlock()
	return d.srv.serve(nc, d, u)
}

// bring sees to it that the account is there.
func (d *dialer) bring(account string) error {
	if f := d.srv.opts.Load().Bring; f != nil {
		ctx, cancel := context.WithTimeout(d.ctx, peer.ResolveTimeout)
		defer cancel()
		if err := f(ctx, account); err != nil {
			return err
		}
	}
	if d.srv.broker.Account(account) == nil {
		return fmt.Errorf("account %q missing", account)
	}
	return nil
}

// pick chooses the URL to try next.
func (d *dialer) pick() *url.URL {
	d.mu.Lock()
	defer d.mu.Unlock()
	u := d.urls[d.at%len(d.urls)]
	d.at++
	return u
}

// failed notes that a server could not be reached, and logs it, so often as is wanted.
func (d *dialer) failed(u *url.URL, err error) {
	if d.ctx.Err() != nil {
		return
	}
	o := d.srv.opts.Load()
	d.mu.Lock()
	d.attempts++
	n, every := d.attempts, o.ReportFirst
	if d.was {
		every = o.ReportLater
	}
	d.mu.Unlock()
	line := fmt.Sprintf("Error trying to connect as leafnode to remote server %q (attempt %d): %v", u.Host, n, err)
	if n == 1 || n%max(every, 1) == 0 {
		d.srv.log.Error(line, logging.Err(err))
	} else {
		d.srv.log.Debug(line, logging.Err(err))
	}
}

// connect makes a TCP connection to one of the addresses of a server.
func (d *dialer) connect(cfg *Remote, u *url.URL) (nc net.Conn, err error) {
	addrs, err := peer.Addresses(d.ctx, d.srv.opts.Load().Resolve, u)
	if err != nil {
		return nil, err
	}
	rand.Shuffle(len(addrs), func(i, j int) { addrs[i], addrs[j] = addrs[j], addrs[i] })
	for _, addr := range addrs {
		d.srv.log.Debug(fmt.Sprintf("Trying to connect as leafnode to remote server on %q (%s)", u.Host, addr))
		dial := net.Dialer{Timeout: cfg.DialTimeout}
		if nc, err = dial.DialContext(d.ctx, "tcp", addr); err == nil {
			return nc, nil
		}
		if d.ctx.Err() != nil {
			break
		}
	}
	return nil, err
}

// serves notes the connection that there is; nil for none.
func (d *dialer) serves(l *Link) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.link, d.last, d.next = l, nil, time.Time{}
}

// ended notes that a connection is none any more, and whether it served.
func (d *dialer) ended(l *Link, served bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.was = d.was || served
	if d.link == l {
		d.link = nil
	}
}

// learn takes note of where else the hub is found.
func (d *dialer) learn(cfg *Remote, hosts []string) {
	if cfg.IgnoreDiscovered || len(hosts) == 0 {
		return
	}
	scheme := "nats-leaf"
	if slices.ContainsFunc(cfg.URLs, func(u *url.URL) bool { return u.Scheme == "tls" }) {
		scheme = "tls" // what is presented there is not to be read on the way
	}
	var list []*url.URL
	for _, h := range hosts {
		u, err := url.Parse(scheme + "://" + h)
		if err != nil || u.Port() == "" || slices.ContainsFunc(cfg.URLs, func(c *url.URL) bool { return c.Host == u.Host }) {
			continue
		}
		u.User = cfg.URLs[0].User // those we are told of are presented the same
		list = append(list, u)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.urls = append(list, cfg.URLs...)
}

// RemoteState is how far the connection to a remote is.
type RemoteState struct {
	Remote    *Remote // not to be changed
	Connected bool
	Attempts  int   // that have failed, in a row
	Err       error // the last one; nil: none
	Next      time.Time
}

// RemoteStates lists the remotes in the order in which they are configured.
func (s *Server) RemoteStates() []RemoteState {
	s.mu.Lock()
	dialers := slices.Clone(s.dialers)
	s.mu.Unlock()
	list := make([]RemoteState, len(dialers))
	for i, d := range dialers {
		d.mu.Lock()
		list[i] = RemoteState{Remote: d.cfg.Load(), Connected: d.link != nil && d.link.isServing(), Attempts: d.attempts, Err: d.last, Next: d.next}
		d.mu.Unlock()
	}
	return list
}
