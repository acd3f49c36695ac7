package daemon

import (
	"fmt"
	"net"
	"runtime"

	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/logging"
)

// profilePart serves the runtime's profiles when a port is configured.
type profilePart struct {
	log *logging.Logger
	run *profiler
}

func (p *profilePart) name() string { return "profiler" }

func (p *profilePart) start(cfg *config.Config) error {
	setBlockRate(cfg.Options.Process.ProfBlockRate)
	if cfg.Options.Process.ProfPort == 0 {
		return nil
	}
	run, err := startProfiler(cfg.Options.Host, cfg.Options.Process.ProfPort, p.log)
	if err != nil {
		return err
	}
	p.run = run
	return nil
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
	var l net.Listener
	if n.Process.ProfPort != 0 {
		var own []net.Listener
		if p.run != nil {
			own = append(own, p.run.listener)
		}
		var err error
		if l, err = (endpoint{n.Host, n.Process.ProfPort}).openHTTP(own...); err != nil {
			return nil, fmt.Errorf("prof_port: %w", err)
		}
	}
	return &change{
		commit: func() {
			rate()
			p.run.stop()
			p.run = nil
			if l != nil {
				p.run = serveProfiles(l, p.log)
			}
		},
		abort: func() {
			if l != nil {
				l.Close()
			}
		},
	}, nil
}

func (p *profilePart) stop() {
	p.run.stop()
	p.run = nil
}

// addr is where profiles are served; nil when they are not.
func (p *profilePart) addr() net.Addr {
	if p.run == nil {
		return nil
	}
	return p.run.listener.Addr()
}
