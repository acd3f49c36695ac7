package monitor

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/nats-broker/nats-broker/daemon/logging"
)

// Monitor serves the endpoints, metrics and dashboard over HTTP.
type Monitor struct {
	reporter  *Reporter
	log       *logging.Logger
	history   *history
	registry  func() http.Handler
	collector *collector

	handler atomic.Pointer[func() http.Handler] // for the options in force, made for the first request

	unhealthy atomic.Pointer[string] // why the last health check failed; empty or nil: it did not

	mu      sync.Mutex // guards what follows; never held while a request runs
	options Options
	sockets []*socket
	started bool
}

// New returns a monitor that looks at src and listens nowhere yet.
func New(o Options, src Source, lg *logging.Logger) (*Monitor, error) {
	if src.Server == nil {
		return nil, errors.New("monitor: a source without a server")
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	m := &Monitor{reporter: NewReporter(src), log: lg, options: o}
	m.history = newHistory(m.reporter)
	m.collector = newCollector(m.reporter, func() int {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.options.MetricsAccounts
	})
	m.registry = sync.OnceValue(func() http.Handler { return newMetricsHandler(m.collector, lg) })
	m.install(o)
	return m, nil
}

// Counted returns what the counters of metrics show, for the next process; from then on
// they stand still.
func (m *Monitor) Counted() []byte { return m.collector.leave() }

// ShowCounted has the counters of metrics show what [Monitor.Counted] returned in the
// process before this one, and stand still until [Monitor.CountOn].
func (m *Monitor) ShowCounted(state []byte) error { return m.collector.take(state) }

// CountOn has the counters go on. It is called when the sources say again what the process
// before has handed over, and before there is anything more to count.
func (m *Monitor) CountOn() { m.collector.resume() }

// Reporter gives access to the answers without HTTP.
func (m *Monitor) Reporter() *Reporter { return m.reporter }

// install makes the handler for o the one that requests meet.
func (m *Monitor) install(o Options) {
	h := sync.OnceValue(func() http.Handler { return guard(&o, m.mux(o.BasePath)) })
	m.handler.Store(&h)
}

// ServeHTTP answers one request under the options in force.
func (m *Monitor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	(*m.handler.Load())().ServeHTTP(w, r)
}

// Start opens the listeners. On error none is left open.
func (m *Monitor) Start() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var opened []*socket
	for _, spec := range m.options.Listeners {
		s, err := bind(spec, m.options.Listen, nil)
		if err != nil {
			for _, s := range opened {
				s.Listener.Close()
			}
			return err
		}
		opened = append(opened, s)
	}
	for _, s := range opened {
		s.serve(m, m.log)
	}
	m.sockets, m.started = opened, true
	m.remember()
	return nil
}

// remember begins the history, once there is somebody who may look at it: a broker that
// nobody watches need not wake up every second.
func (m *Monitor) remember() {
	if len(m.sockets) > 0 {
		m.history.start()
	}
}

// Addrs returns the addresses listened on, in the order of the options.
func (m *Monitor) Addrs() []net.Addr {
	m.mu.Lock()
	defer m.mu.Unlock()
	addrs := make([]net.Addr, len(m.sockets))
	for i, s := range m.sockets {
		addrs[i] = s.Addr()
	}
	return addrs
}

// Socket is one that the monitor listens on.
type Socket struct {
	Listener  net.Listener // the monitor's
	Inherited bool         // it was opened by somebody else
	TLS       bool
}

// Sockets returns what is listened on, in the order of the options.
func (m *Monitor) Sockets() []Socket {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := make([]Socket, len(m.sockets))
	for i, s := range m.sockets {
		list[i] = Socket{s.Listener, s.spec.Inherited != nil, s.spec.TLS != nil}
	}
	return list
}

// Change is a prepared change of options: call Commit or Abort, once.
type Change struct {
	m       *Monitor
	options Options
	sockets []*socket // as they shall be
	opened  []*socket // of these, those opened by Prepare
}

// Prepare checks new options and opens the listeners they add, without
// changing anything else: all of them, or it fails. Changes are not prepared
// concurrently.
func (m *Monitor) Prepare(o Options) (*Change, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	c := &Change{m: m, options: o, sockets: make([]*socket, len(o.Listeners))}
	if !m.started {
		return c, nil
	}
	gone := c.keep(m.sockets)
	for i, spec := range o.Listeners {
		if c.sockets[i] != nil {
			continue
		}
		s, err := bind(spec, o.Listen, gone)
		if err != nil {
			c.Abort()
			return nil, err
		}
		c.sockets[i] = s
		c.opened = append(c.opened, s)
	}
	return c, nil
}

// keep finds the sockets that stay, by their real address or by what was
// configured for them, and returns the others.
func (c *Change) keep(sockets []*socket) (gone []*socket) {
	gone = slices.Clone(sockets)
	take := func(fits func(s *socket, spec *Listener) bool) {
		for i := range c.options.Listeners {
			if c.sockets[i] != nil {
				continue
			}
			k := slices.IndexFunc(gone, func(s *socket) bool { return fits(s, &c.options.Listeners[i]) })
			if k >= 0 {
				c.sockets[i] = gone[k]
				gone = slices.Delete(gone, k, k+1)
			}
		}
	}
	take(func(s *socket, spec *Listener) bool {
		return spec.Inherited == nil && s.spec.Network == spec.Network && s.Addr().String() == spec.Address
	})
	take(func(s *socket, spec *Listener) bool { return s.spec.key() == spec.key() })
	return gone
}

// Abort closes what Prepare opened.
func (c *Change) Abort() {
	for _, s := range c.opened {
		s.Listener.Close()
	}
}

// Commit switches over to the new options. Requests under way on listeners
// that go away are finished until ctx ends.
func (c *Change) Commit(ctx context.Context) {
	m := c.m
	m.mu.Lock()
	defer m.mu.Unlock()
	m.options = c.options
	m.install(c.options)
	if !m.started {
		return
	}
	keep := make(map[*socket]bool)
	for i, s := range c.sockets {
		keep[s] = true
		s.tls.Store(c.options.Listeners[i].TLS)
		s.spec = c.options.Listeners[i]
	}
	for _, s := range c.opened {
		s.serve(m, m.log)
	}
	for _, s := range m.sockets {
		if !keep[s] {
			s.stop(ctx)
		}
	}
	m.sockets = c.sockets
	m.remember()
}

// Stop closes the listeners and waits for requests under way until ctx ends.
// A monitor that was not started has nothing to stop.
func (m *Monitor) Stop(ctx context.Context) {
	m.mu.Lock()
	sockets := m.sockets
	started := m.started
	m.sockets, m.started = nil, false
	m.mu.Unlock()
	if !started {
		return
	}
	for _, s := range sockets {
		s.stop(ctx)
	}
	m.history.stop()
}
