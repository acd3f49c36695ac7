package daemon

import (
	"context"
	"net"
	"time"

	"github.com/nats-broker/nats-broker/daemon/auth"
	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/monitor"
	"github.com/nats-broker/nats-broker/daemon/sysd"
)

// monitorPart serves HTTP monitoring when a port or a socket is configured.
type monitorPart struct {
	d         *Daemon
	run       *monitor.Monitor
	inherited []net.Listener
}

// monitorGrace is how long requests under way may take when a listener goes
// away.
const monitorGrace = 2 * time.Second

func newMonitorPart(d *Daemon) *monitorPart { return &monitorPart{d: d} }

func (p *monitorPart) name() string { return "monitor" }

func (p *monitorPart) start(cfg *config.Config) error {
	socks, err := p.d.System.Sockets.Match(wantedMonitor(cfg.Options))
	if err != nil {
		return err
	}
	for _, s := range socks {
		l, err := s.Listener()
		if err != nil {
			return err
		}
		p.inherited = append(p.inherited, l)
	}
	opts, err := p.options(cfg.Options)
	if err != nil {
		return err
	}
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
	if err := p.run.Start(); err != nil {
		return err
	}
	p.d.keepStored("monitor", p.run.Bound()...)
	return nil
}

func wantedMonitor(o *config.Options) sysd.Wanted {
	w := sysd.Wanted{Name: "monitor", Option: "http_port", Host: o.Monitor.Host, Port: o.Monitor.Port}
	if o.Monitor.HTTPSPort != 0 {
		w.Option, w.Port = "https_port", o.Monitor.HTTPSPort
	}
	return w
}

// monitorEndpoint is where the monitor is to listen; port 0: nowhere.
func monitorEndpoint(o *config.Options) endpoint {
	e := endpoint{o.Monitor.Host, o.Monitor.Port}
	if e.host == "" {
		e.host = o.Host
	}
	if o.Monitor.HTTPSPort != 0 {
		e.port = o.Monitor.HTTPSPort
	}
	return e
}

// options translates the configuration. Inherited sockets take the place of
// the configured port.
func (p *monitorPart) options(o *config.Options) (monitor.Options, error) {
	m := &o.Monitor
	opts := monitor.Options{
		BasePath: m.BasePath, Token: m.Token, User: m.User, Password: m.Password,
		VerifyPassword: auth.VerifySecret,
	}
	for _, l := range p.inherited {
		if err := wantedMonitor(o).Check(l.Addr()); err != nil {
			return opts, err
		}
		opts.Listeners = append(opts.Listeners, monitor.Listener{Inherited: l})
	}
	if e := monitorEndpoint(o); e.port != 0 && p.inherited == nil {
		opts.Listeners = append(opts.Listeners, monitor.Listener{Network: e.network(), Address: e.String(), Display: e.String()})
	}
	if m.HTTPSPort != 0 {
		material, err := p.d.monitorTLS(o)
		if err != nil {
			return opts, err
		}
		for i := range opts.Listeners {
			opts.Listeners[i].TLS = material
		}
	}
	if m.Socket != "" {
		opts.Listeners = append(opts.Listeners, monitor.Listener{Network: "unix", Address: m.Socket})
	}
	return opts, nil
}

func (p *monitorPart) prepare(_, new *config.Config) (*change, error) {
	opts, err := p.options(new.Options)
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
			p.d.keepStored("monitor", p.run.Bound()...)
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

// addrs are the addresses listened on.
func (p *monitorPart) addrs() []net.Addr {
	if p.run == nil {
		return nil
	}
	return p.run.Addrs()
}
