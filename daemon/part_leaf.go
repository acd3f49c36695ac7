package daemon

import (
	"fmt"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/control"
	"github.com/nats-broker/nats-broker/daemon/leaf"
	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/monitor"
)

var (
	_ listens  = (*leafPart)(nil)
	_ presents = (*leafPart)(nil)
	_ leaves   = (*leafPart)(nil)
	_ counts   = (*leafPart)(nil)
	_ checked  = (*leafPart)(nil)
)

// leafPart is the leaf nodes of this server, and the hubs that it is a leaf node of; it does nothing without either.
type leafPart struct {
	d    *Daemon
	log  *logging.Logger
	gate *leafGate
	run  atomic.Pointer[leaf.Server] // nil: there are none; the monitor runs before
	openSockets
}

func newLeafPart(d *Daemon) *leafPart {
	return &leafPart{d: d, log: d.logs.Logger("leaf")}
}

func (p *leafPart) name() string { return "leaf nodes" }

func (p *leafPart) start(cfg *config.Config) error {
	o := cfg.Options
	if !o.Leafnodes.Defined {
		return nil
	}
	gate, err := newLeafGate(o, p.d.gate, p.log)
	if err != nil {
		return err
	}
	p.gate = gate
	opts, err := p.options(o)
	if err != nil {
		return err
	}
	run, err := leaf.New(p.d.broker, opts, p.log)
	if err != nil {
		return fmt.Errorf("leafnodes: %w", err)
	}
	var listeners []net.Listener
	if o.Leafnodes.Accepts() {
		at := leafPlace(&o.Leafnodes)
		list, err := p.d.occupy(at, func() (net.Listener, error) {
			l, err := at.at.open(p.d.stored.Retired()...)
			if err != nil {
				return nil, &listenError{at.at.String(), fmt.Sprintf("Error listening on leafnode port: %d - %v", at.at.port, err), err}
			}
			return l, nil
		})
		if err != nil {
			return err
		}
		for _, l := range list {
			p.log.Info("Listening for leafnode connections on "+l.shown(at), logging.String(logging.FieldListener, l.listener.Addr().String()))
			listeners = append(listeners, l.listener)
		}
		p.set(list...)
	}
	p.run.Store(run)
	run.Start(listeners...)
	p.announce(&o.Leafnodes)
	return nil
}

// announce tells the servers of the cluster and leaf nodes of each other.
func (p *leafPart) announce(l *config.Leafnodes) {
	p.d.cluster.leafNodesAt(leafURLs(l, p.run.Load().Port()))
}

// others tells leaf nodes where they find the other servers of the cluster.
func (p *leafPart) others(urls []string) {
	if run := p.run.Load(); run != nil {
		run.SetOthers(urls)
	}
}

// renamed has hubs know the cluster by its new name.
func (p *leafPart) renamed() {
	if run := p.run.Load(); run != nil {
		run.Renamed()
	}
}

// leafURLs are where leaf nodes find this server, as the other servers of its cluster are told: at most one, as nats-server
// has it.
func leafURLs(l *config.Leafnodes, port int) []string {
	switch {
	case !l.Accepts() || l.NoAdvertise || port <= 0:
		return nil
	case l.Advertise != "":
		host, text, err := net.SplitHostPort(l.Advertise)
		if err != nil {
			return []string{net.JoinHostPort(l.Advertise, strconv.Itoa(port))}
		}
		return []string{net.JoinHostPort(host, text)}
	}
	host := leafHost(l)
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		list := everywhere(port)
		return list[:min(len(list), 1)]
	}
	return []string{net.JoinHostPort(host, strconv.Itoa(port))}
}

func leafPlace(l *config.Leafnodes) place {
	host := leafHost(l)
	return place{"leaf", "leafnodes.port", "nats-leaf", host, endpoint{host, l.Port}}
}

// leafHost is where leaf nodes are listened for; everywhere, if it is not said.
func leafHost(l *config.Leafnodes) string {
	if l.Host == "" {
		return "0.0.0.0"
	}
	return l.Host
}

func (p *leafPart) kinds() []string { return []string{"leaf"} }

func (p *leafPart) places(o *config.Options) []place {
	if !o.Leafnodes.Accepts() {
		return nil
	}
	return []place{leafPlace(&o.Leafnodes)}
}

// material implements [presents].
func (p *leafPart) material() (list []usedTLS) {
	if p.run.Load() == nil {
		return nil
	}
	listener, remotes := p.run.Load().TLS()
	if listener != nil {
		list = append(list, usedTLS{"leaf", listener})
	}
	for _, t := range remotes {
		list = append(list, usedTLS{"leaf remote", t})
	}
	return list
}

// count implements [counts].
func (p *leafPart) count(t *control.Traffic) { addTraffic(t, p.traffic()) }

func (p *leafPart) traffic() (t broker.Traffic) {
	if p.run.Load() == nil {
		return t
	}
	return p.run.Load().Traffic()
}

// links counts the connections.
func (p *leafPart) links(account string) int {
	if p.run.Load() == nil {
		return 0
	}
	return p.run.Load().Links(account)
}

// account has the figures of the connections of one account.
func (p *leafPart) account(name string) (int, broker.Traffic) {
	if p.run.Load() == nil {
		return 0, broker.Traffic{}
	}
	return p.run.Load().Links(name), p.run.Load().TrafficOf(name)
}

// troubles counts the peers that took in too little in time, and those that said nothing any more.
func (p *leafPart) troubles() (slow, stale int64) {
	if p.run.Load() == nil {
		return 0, 0
	}
	return p.run.Load().Slow(), p.run.Load().Stale()
}

// checks implements [checked]: one for each remote.
func (p *leafPart) checks() (list []monitor.Check) {
	if p.run.Load() == nil {
		return nil
	}
	for _, r := range p.run.Load().RemoteStates() {
		c := monitor.Check{Name: "leaf node remote " + r.Remote.Name(), OK: r.Connected || r.Remote.Disabled, Detail: "connected"}
		switch {
		case r.Remote.Disabled:
			c.Detail = "disabled"
		case !r.Connected && r.Err != nil:
			c.Detail = "not connected: " + r.Err.Error()
			if wait := time.Until(r.Next); wait > 0 {
				c.Detail += fmt.Sprintf("; next attempt in %v", wait.Round(100*time.Millisecond))
			}
		case !r.Connected:
			c.Detail = "connecting"
		}
		list = append(list, c)
	}
	return list
}

// prepare follows the configuration; accounts and users have changed before.
func (p *leafPart) prepare(old, new *config.Config) (*change, error) {
	if p.run.Load() == nil && !new.Options.Leafnodes.Enabled() {
		return nil, nil
	}
	if p.run.Load() == nil || old.Options.Leafnodes.Accepts() != new.Options.Leafnodes.Accepts() {
		return nil, needsRestart("leafnodes")
	}
	users, err := p.gate.prepare(new.Options)
	if err != nil {
		return nil, err
	}
	opts, err := p.options(new.Options)
	if err != nil {
		return nil, err
	}
	commit, err := p.run.Load().Prepare(opts)
	if err != nil {
		return nil, fmt.Errorf("leafnodes: %w", err)
	}
	return &change{commit: func() {
		users()
		commit()
		p.announce(&new.Options.Leafnodes)
	}}, nil
}

// lameDuck implements [leaves].
func (p *leafPart) lameDuck() {
	if p.run.Load() != nil {
		p.run.Load().LameDuck(p.d.active.Load().cfg.Options.LameDuck.Duration)
	}
}

func (p *leafPart) stop() {
	if p.run.Load() != nil {
		p.run.Load().Stop()
	}
}
