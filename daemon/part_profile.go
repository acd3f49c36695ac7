package daemon

import (
	"fmt"
	"net"
	"runtime"

	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/logging"
)

var _ listens = (*profilePart)(nil)

// profilePart serves the runtime's profiles when a port is configured.
type profilePart struct {
	d   *Daemon
	log *logging.Logger
	run []*profiler // one for each socket
	openSockets
}

func (p *profilePart) name() string { return "profiler" }

func (p *profilePart) start(cfg *config.Config) error {
	setBlockRate(cfg.Options.Process.ProfBlockRate)
	at := profilePlace(cfg.Options)
	list, err := p.d.occupy(at, func() (net.Listener, error) { return at.at.openHTTP(p.d.stored.Retired()...) })
	if err != nil {
		return fmt.Errorf("error starting profiler: %w", err)
	}
	p.serve(list)
	return nil
}

// serve serves profiles on sockets.
func (p *profilePart) serve(list []listening) {
	for _, l := range list {
		p.run = append(p.run, serveProfiles(l.listener, p.log))
	}
	p.set(list...)
}

func profilePlace(o *config.Options) place {
	return place{"profile", "prof_port", "http", "", endpoint{o.Host, o.Process.ProfPort}}
}

func (p *profilePart) kinds() []string { return []string{"profile"} }

func (p *profilePart) places(o *config.Options) []place {
	if o.Process.ProfPort == 0 {
		return nil
	}
	return []place{profilePlace(o)}
}

// setBlockRate is as in nats-server: the fraction of blocking events sampled,
// 0 is off.
func setBlockRate(rate int) { runtime.SetBlockProfileRate(rate) }

func (p *profilePart) prepare(old, new *config.Config) (*change, error) {
	o, n := old.Options, new.Options
	rate := func() { setBlockRate(n.Process.ProfBlockRate) }
	if o.Process.ProfPort == n.Process.ProfPort && (o.Host == n.Host || n.Process.ProfPort == 0) {
		return &change{commit: rate}, nil
	}
	var own []net.Listener
	for _, l := range p.listening() {
		if l.inherited {
			if err := profilePlace(n).wanted().Check(l.listener.Addr()); err != nil {
				return nil, err
			}
			return &change{commit: rate}, nil
		}
		own = append(own, l.listener)
	}
	var l net.Listener
	if n.Process.ProfPort != 0 {
		var err error
		if l, err = profilePlace(n).at.openHTTP(own...); err != nil {
			return nil, fmt.Errorf("prof_port: %w", err)
		}
	}
	return &change{
		commit: func() {
			rate()
			p.stop()
			if l == nil {
				p.d.keepStored("profile")
				return
			}
			p.serve([]listening{{"profile", l, "http", false}})
			p.d.keepStored("profile", l)
		},
		abort: func() {
			if l != nil {
				l.Close()
			}
		},
	}, nil
}

func (p *profilePart) stop() {
	for _, run := range p.run {
		run.stop()
	}
	p.run = nil
	p.set()
}
