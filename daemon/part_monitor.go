package daemon

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"sync/atomic"
	"time"

	"github.com/nats-broker/nats-broker/daemon/auth"
	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/monitor"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

var (
	_ listens  = (*monitorPart)(nil)
	_ presents = (*monitorPart)(nil)
	_ handsOn  = (*monitorPart)(nil)
)

// monitorPart serves HTTP monitoring when a port or a socket is configured.
type monitorPart struct {
	d         *Daemon
	run       *monitor.Monitor
	inherited []net.Listener
	tls       atomic.Pointer[transport.TLS] // that is shown; nil: none
	counted   []byte                        // by the process before this one; nil: there was none
}

// monitorGrace is how long requests under way may take when a listener goes
// away.
const monitorGrace = 2 * time.Second

func newMonitorPart(d *Daemon) *monitorPart { return &monitorPart{d: d} }

func (p *monitorPart) name() string { return "monitor" }

func (p *monitorPart) start(cfg *config.Config) error {
	socks, err := p.d.inherit(monitorPlace(cfg.Options))
	if err != nil {
		return err
	}
	for _, s := range socks {
		p.inherited = append(p.inherited, s.listener)
	}
	opts, material, err := p.options(cfg.Options)
	if err != nil {
		return err
	}
	p.tls.Store(material)
	if stored := p.d.takeStored("monitor"); stored != nil {
		for i := range opts.Listeners {
			if opts.Listeners[i].Network == "tcp" {
				opts.Listeners[i].Open = stored // Retire left it because there is one
			}
		}
	}
	if p.run, err = monitor.New(opts, p.d.monitorSource(), p.d.logs.Logger("monitor")); err != nil {
		return err
	}
	if p.counted != nil {
		if err := p.run.ShowCounted(p.counted); err != nil {
			p.d.log.Warn("The counters of metrics begin at zero: " + err.Error())
			p.counted = nil
		}
	}
	if err := p.run.Start(); err != nil {
		return err
	}
	p.keep()
	return nil
}

// section implements [handsOn]: what the counters of metrics show.
func (p *monitorPart) section() string { return "monitor" }

func (p *monitorPart) settle(context.Context) {}

// countOn has the counters of metrics go on, once the core has what was handed over.
func (p *monitorPart) countOn() {
	if p.counted != nil {
		p.run.CountOn()
		p.counted = nil
	}
}

func (p *monitorPart) leave() (*section, error) {
	if p.run == nil {
		return nil, nil
	}
	return &section{state: p.run.Counted()}, nil
}

func (p *monitorPart) take(s *section) error {
	if s != nil {
		p.counted = bytes.Clone(s.state)
		s.close()
	}
	return nil
}

// monitorPlace is where the monitor is to listen; port 0: nowhere.
func monitorPlace(o *config.Options) place {
	m := &o.Monitor
	w := place{"monitor", "http_port", "http", m.Host, endpoint{orElse(m.Host, o.Host), m.Port}}
	if m.HTTPSPort != 0 {
		w.option, w.scheme, w.at.port = "https_port", "https", m.HTTPSPort
	}
	return w
}

func (p *monitorPart) kinds() []string { return []string{"monitor"} }

func (p *monitorPart) places(o *config.Options) []place {
	if at := monitorPlace(o); at.at.port != 0 {
		return []place{at}
	}
	return nil
}

// listening implements [listens].
func (p *monitorPart) listening() (list []listening) {
	if p.run == nil {
		return nil
	}
	for _, s := range p.run.Sockets() {
		l := listening{"monitor", s.Listener, "http", s.Inherited}
		if s.TLS {
			l.scheme = "https"
		}
		list = append(list, l)
	}
	return list
}

// keep leaves copies of what we have opened for the next process, but for unix
// sockets, whose files we remove.
func (p *monitorPart) keep() {
	var own []net.Listener
	for _, l := range p.listening() {
		if _, tcp := l.listener.Addr().(*net.TCPAddr); tcp && !l.inherited {
			own = append(own, l.listener)
		}
	}
	p.d.keepStored("monitor", own...)
}

// material implements [presents].
func (p *monitorPart) material() []usedTLS {
	if t := p.tls.Load(); t != nil {
		return []usedTLS{{"monitor", t}}
	}
	return nil
}

// options translates the configuration. Inherited sockets take the place of
// the configured port.
func (p *monitorPart) options(o *config.Options) (opts monitor.Options, material *transport.TLS, err error) {
	m := &o.Monitor
	at := monitorPlace(o)
	opts = monitor.Options{
		Listen: func(_ string, own ...net.Listener) (net.Listener, error) {
			return at.at.openHTTP(append(own, p.d.stored.Retired()...)...)
		},
		BasePath: m.BasePath, Token: m.Token, User: m.User, Password: m.Password,
		VerifyPassword: auth.VerifySecret, MetricsAccounts: int(m.MetricsAccounts),
	}
	for _, l := range p.inherited {
		if err := at.wanted().Check(l.Addr()); err != nil {
			return opts, nil, err
		}
		opts.Listeners = append(opts.Listeners, monitor.Listener{Inherited: l})
	}
	if e := at.at; e.port != 0 && p.inherited == nil {
		opts.Listeners = append(opts.Listeners, monitor.Listener{Network: e.network(), Address: e.String(), Display: e.String()})
	}
	if m.HTTPSPort != 0 {
		var c *tls.Config
		if c, material, err = monitorTLS(o); err != nil {
			return opts, nil, err
		}
		for i := range opts.Listeners {
			opts.Listeners[i].TLS = c
		}
	}
	if m.Socket != "" {
		opts.Listeners = append(opts.Listeners, monitor.Listener{Network: "unix", Address: m.Socket})
	}
	return opts, material, nil
}

func (p *monitorPart) prepare(_, new *config.Config) (*change, error) {
	opts, material, err := p.options(new.Options)
	if err != nil {
		return nil, err
	}
	c, err := p.run.Prepare(opts)
	if err != nil {
		return nil, err
	}
	return &change{
		commit: func() {
			ctx, cancel := context.WithTimeout(context.Background(), monitorGrace)
			defer cancel()
			c.Commit(ctx)
			p.tls.Store(material)
			p.keep()
		},
		abort: c.Abort,
	}, nil
}

func (p *monitorPart) stop() {
	if p.run == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), monitorGrace)
	defer cancel()
	p.run.Stop(ctx)
}
