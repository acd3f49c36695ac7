package leaf

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/logging"
)

// Server is this server's part in leaf node connections: it accepts and dials them. Make one by [New],
// start it by [Server.Start], end it by [Server.Stop].
type Server struct {
	broker *broker.Broker
	log    *logging.Logger
	opts   atomic.Pointer[Options]

	lastID   atomic.Uint64
	slow     atomic.Int64
	stale    atomic.Int64
	wake     chan struct{} // there is something for the teller
	ctx      context.Context
	cancel   context.CancelFunc
	work     sync.WaitGroup           // everything that runs
	unfollow func()                   // ends being told of accounts
	others   atomic.Pointer[[]string] // where leaf nodes find the other servers of the cluster

	mu        sync.Mutex
	listeners []net.Listener
	links     map[*Link]struct{}
	interests map[*broker.Account]*interest
	dialers   []*dialer
	gone      broker.Traffic             // of connections that ended
	goneOf    map[string]*broker.Traffic // of accounts
	lameDuck  bool
	stopped   bool
}

// New makes a server for a broker. Nothing is listened on or dialled yet.
func New(b *broker.Broker, o Options, log *logging.Logger) (*Server, error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	s := &Server{broker: b, log: log, wake: make(chan struct{}, 1), links: make(map[*Link]struct{}), interests: make(map[*broker.Account]*interest), goneOf: make(map[string]*broker.Traffic)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.opts.Store(&o)
	return s, nil
}

// Start serves leaf nodes on listeners that are open, which the server owns from now on, and dials the
// remotes.
func (s *Server) Start(listeners ...net.Listener) {
	s.unfollow = s.broker.ObserveAccounts(accounts{s})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners = listeners
	o := *s.opts.Load()
	if o.Port <= 0 && len(listeners) > 0 {
		if tcp, ok := listeners[0].Addr().(*net.TCPAddr); ok {
			o.Port = tcp.Port
		}
	}
	s.opts.Store(&o)
	s.work.Go(s.teller) // ends with ctx
	for _, l := range listeners {
		s.work.Go(func() { s.accept(l) }) // ends when l is closed
	}
	for i := range o.Remotes {
		s.addDialer(&o.Remotes[i])
	}
}

// Stop closes all connections and waits for everything to end.
func (s *Server) Stop() {
	s.mu.Lock()
	if s.stopped {
		s.mu.Unlock()
		s.work.Wait()
		return
	}
	s.stopped = true
	listeners, dialers, links := s.listeners, s.dialers, s.all()
	s.mu.Unlock()
	s.cancel()
	for _, l := range listeners {
		_ = l.Close()
	}
	for _, d := range dialers {
		d.cancel()
	}
	for _, l := range links {
		l.Abort(&refusal{reason: reasonShutdown})
	}
	if s.unfollow != nil {
		s.unfollow()
	}
	s.work.Wait()
}

// LameDuck stops accepting and dialling, and closes the connections one by one within a time.
func (s *Server) LameDuck(within time.Duration) {
	s.mu.Lock()
	if s.lameDuck || s.stopped {
		s.mu.Unlock()
		return
	}
	s.lameDuck = true
	listeners, links, dialers := s.listeners, s.all(), s.dialers
	s.mu.Unlock()
	for _, l := range listeners {
		_ = l.Close()
	}
	for _, d := range dialers {
		d.cancel()
	}
	if len(links) == 0 {
		return
	}
	pause := within / time.Duration(len(links))
	s.work.Go(func() { // ends with the last of them, or with ctx
		for i, l := range links {
			if i > 0 && !s.sleep(pause) {
				return
			}
			l.Abort(&refusal{reason: reasonShutdown})
		}
	})
}

// all lists the connections. The lock is held.
func (s *Server) all() []*Link {
	list := make([]*Link, 0, len(s.links))
	for l := range s.links {
		list = append(list, l)
	}
	return list
}

// registered lists those that serve an account.
func (s *Server) registered() []*Link {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*Link, 0, len(s.links))
	for l := range s.links {
		if l.registered {
			list = append(list, l)
		}
	}
	return list
}

// Pauses after a failure to accept.
const (
	minAcceptPause = 10 * time.Millisecond
	maxAcceptPause = time.Second
)

// accept accepts until the listener is closed.
func (s *Server) accept(l net.Listener) {
	pause := minAcceptPause
	for {
		nc, err := l.Accept()
		if err == nil {
			pause = minAcceptPause
			s.work.Go(func() { s.serve(nc, nil, nil) }) // ends with the connection
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
		s.log.Error(fmt.Sprintf("Leafnode Accept Error: %v", err), logging.Err(err))
		if !s.sleep(pause) {
			return
		}
		pause = min(pause*2, maxAcceptPause)
	}
}

// sleep waits and reports whether the server goes on.
func (s *Server) sleep(d time.Duration) bool { return sleep(s.ctx, d) }

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// accounts closes the connections of accounts that go.
type accounts struct{ *Server }

// Came is told of an account that came: dialling goes on by itself.
func (accounts) Came(*broker.Account) {}

// Went is told of an account that is no more.
func (s accounts) Went(a *broker.Account) {
	for _, l := range s.registered() {
		if l.acc == a {
			l.Abort(&refusal{reason: "Missing Account"})
		}
	}
	s.mu.Lock()
	delete(s.interests, a)
	s.mu.Unlock()
}
