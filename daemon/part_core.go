package daemon

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/control"
	"github.com/nats-broker/nats-broker/daemon/logging"
)

var (
	_ listens  = (*corePart)(nil)
	_ admits   = (*corePart)(nil)
	_ presents = (*corePart)(nil)
	_ leaves   = (*corePart)(nil)
	_ counts   = (*corePart)(nil)
)

// corePart is the messaging core with its client listeners.
type corePart struct {
	d      *Daemon
	broker *broker.Broker
	log    *logging.Logger

	mu        sync.Mutex // guards listeners: Run's goroutine changes them, others read; leaf lock
	listeners []*clientListener
}

// clientListener is one place where clients connect.
type clientListener struct {
	probed    *probedListener
	serving   *broker.Listener // nil before anybody is let in
	inherited bool
	shown     string
}

func (c *clientListener) addr() net.Addr { return c.probed.Addr() }

func newCorePart(d *Daemon) *corePart {
	return &corePart{d: d, broker: d.broker, log: d.log}
}

func (p *corePart) name() string { return "client listener" }

func clientPlace(o *config.Options) place {
	return place{"client", "port", "nats", o.Host, endpoint{o.Host, o.Port}}
}

func (p *corePart) kinds() []string { return []string{"client"} }

func (p *corePart) places(o *config.Options) []place { return []place{clientPlace(o)} }

// listening implements [listens].
func (p *corePart) listening() (list []listening) {
	for _, c := range p.current() {
		list = append(list, listening{"client", c.probed.Listener, "nats", c.inherited})
	}
	return list
}

// material implements [presents].
func (p *corePart) material() []usedTLS {
	if t := p.broker.Options().TLS; t != nil {
		return []usedTLS{{"client", t}}
	}
	return nil
}

// count implements [counts].
func (p *corePart) count(t *control.Traffic) {
	s := p.broker.Stats()
	t.Clients += s.Connections
	t.Subscriptions += uint64(max(s.Subscriptions, 0))
	t.SlowConsumers += uint64(max(s.SlowConsumers, 0))
	addTraffic(t, s.Traffic)
}

// lameDuck implements [leaves]: a kept copy of the listener would go on taking
// connections.
func (p *corePart) lameDuck() { p.d.keepStored("client") }

// start opens the listeners: those inherited under the name "client", or one
// of our own, perhaps the one that the process before us left in the store.
func (p *corePart) start(cfg *config.Config) error {
	o := cfg.Options
	if err := p.d.takeOver(); err != nil {
		return fmt.Errorf("taking over connections: %w", err)
	}
	p.d.monitor.countOn()
	at := clientPlace(o)
	list, err := p.d.occupy(at, func() (net.Listener, error) {
		l, err := at.at.open(p.d.stored.Retired()...)
		if err != nil {
			return nil, &listenError{at.at.String(), fmt.Sprintf("Error listening on port: %s, %q", at.at, err), err}
		}
		return l, nil
	})
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range list {
		p.listeners = append(p.listeners, &clientListener{newProbed(l.listener), nil, l.inherited, l.shown(at)})
	}
	return nil
}

// admit implements [admits]: the broker accepts on the open listeners.
func (p *corePart) admit() error {
	for _, c := range p.current() {
		if err := p.serve(c); err != nil {
			return err
		}
	}
	lines, warnings := doorLines(p.broker.Options())
	for _, line := range lines {
		p.log.Info(line)
	}
	for _, line := range warnings {
		p.log.Warn(line)
	}
	return nil
}

// doorLines are what nats-server says behind the line about its client listener.
func doorLines(o broker.Options) (lines, warnings []string) {
	if o.Proxy.Enabled {
		lines = append(lines, "PROXY protocol enabled for client connections")
	}
	if o.TLS == nil {
		return lines, nil
	}
	t := o.TLS.Options()
	first := t.First && t.FirstFallback == 0 // who does not begin with the handshake does not get in
	if t.AllowPlain && !first {
		return append(lines, "TLS available for client connections"), nil
	}
	lines = append(lines, "TLS required for client connections")
	if first {
		warnings = append(warnings, `Clients that are not using "TLS Handshake First" option will fail to connect`)
	}
	return lines, warnings
}

// serve hands an open listener to the broker.
func (p *corePart) serve(c *clientListener) (err error) {
	if c.serving, err = p.broker.Serve(c.probed); err != nil {
		return err
	}
	p.log.Info("Listening for client connections on "+c.shown, logging.String(logging.FieldListener, c.addr().String()))
	return nil
}

// current returns the listeners in service.
func (p *corePart) current() []*clientListener {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.listeners)
}

func (p *corePart) prepare(old, new *config.Config) (*change, error) {
	o, n := old.Options, new.Options
	opts, err := coreOptions(n, p.d.tickets.client)
	if err != nil {
		return nil, err
	}
	opts.Cluster = p.broker.Options().Cluster             // so does the cluster
	opts.Authenticator = p.broker.Options().Authenticator // the authorization part changes what it says
	commitOptions, err := p.broker.Prepare(opts)
	if err != nil {
		return nil, err
	}
	if o.Host == n.Host && o.Port == n.Port {
		return &change{commit: commitOptions}, nil
	}
	l, keep, err := p.prepareListener(n)
	if err != nil {
		return nil, err
	}
	if keep {
		return &change{commit: commitOptions}, nil
	}
	return &change{
		commit: func() { commitOptions(); p.replace(l, displayAddr(n.Host, l.Addr())) },
		abort:  func() { l.Close() },
	}, nil
}

// prepareListener opens the listener for new options, or tells that those in
// service are to be kept.
func (p *corePart) prepareListener(n *config.Options) (l net.Listener, keep bool, err error) {
	var own []net.Listener
	for _, c := range p.current() {
		if c.inherited {
			if err := clientPlace(n).wanted().Check(c.addr()); err != nil {
				return nil, false, err
			}
			keep = true
			continue
		}
		own = append(own, c.probed.Listener)
	}
	if keep {
		return nil, true, nil
	}
	e := endpoint{n.Host, n.Port}
	l, err = e.open(own...)
	if err != nil {
		return nil, false, fmt.Errorf("listening on %s: %w", e, err)
	}
	return l, false, nil
}

// replace puts a new listener into service and retires the old ones. Their
// clients stay.
func (p *corePart) replace(l net.Listener, shown string) {
	next := &clientListener{probed: newProbed(l), shown: shown}
	if err := p.serve(next); err != nil {
		p.log.Error("Could not serve the new listener: "+err.Error(), logging.Err(err)) // only while stopping
	}
	p.mu.Lock()
	old := p.listeners
	p.listeners = []*clientListener{next}
	p.mu.Unlock()
	p.d.keepStored("client", l)
	for _, c := range old {
		c.close()
		p.log.Info("No longer listening for client connections on " + c.shown)
	}
}

// stop ends the core. Connections at rest are left to the next process.
func (p *corePart) stop() {
	if p.d.succession.frozen {
		p.d.leave()
	}
	for _, c := range p.current() {
		if c.serving == nil {
			c.close()
		}
	}
	p.broker.Stop()
}

// close ends a listener, whether or not anybody was let in.
func (c *clientListener) close() {
	if c.serving == nil {
		c.probed.Close()
		return
	}
	c.serving.Close()
}

// displayAddr writes an address as nats-server logs it: the host as it was
// configured, the port that is bound.
func displayAddr(host string, a net.Addr) string {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return a.String()
	}
	return net.JoinHostPort(host, strconv.Itoa(tcp.Port))
}
