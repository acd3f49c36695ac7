package daemon

import (
	"fmt"
	"net"
	"slices"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/cluster"
	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/control"
	"github.com/nats-broker/nats-broker/daemon/logging"
)

var (
	_ listens  = (*clusterPart)(nil)
	_ presents = (*clusterPart)(nil)
	_ leaves   = (*clusterPart)(nil)
	_ counts   = (*clusterPart)(nil)
)

// clusterPart is this server's place in a cluster; it does nothing without one.
type clusterPart struct {
	broker *broker.Broker
	core   *corePart    // and through it the store
	hub    *cluster.Hub // nil without a cluster
	log    *logging.Logger
	openSockets
}

// newClusterPart makes the hub, so that the cluster has its name from the start.
func newClusterPart(cfg *config.Config, b *broker.Broker, core *corePart, log *logging.Logger) (*clusterPart, error) {
	p := &clusterPart{broker: b, core: core, log: log}
	if !cfg.Options.Cluster.Enabled() {
		return p, nil
	}
	opts, err := clusterOptions(cfg.Options, b)
	if err != nil {
		return nil, err
	}
	opts.LeafNodes, opts.LeafURLs = cfg.Options.Leafnodes.Defined, leafURLs(&cfg.Options.Leafnodes, cfg.Options.Leafnodes.Port)
	opts.LeafURLsOfPeers = func(urls []string) { core.d.leaf.others(urls) }
	opts.Renamed = p.renamed
	if p.hub, err = cluster.New(b, opts, log); err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	b.SetClusterName(p.clusterName())
	return p, nil
}

func (p *clusterPart) name() string { return "cluster" }

// renamed follows the cluster to another name.
func (p *clusterPart) renamed(name string) {
	p.broker.SetClusterName(name)
	p.core.d.leaf.renamed()
}

// leafNodesAt tells peers where leaf nodes find this server, and leaf nodes where they find the peers.
func (p *clusterPart) leafNodesAt(urls []string) {
	if p.hub != nil {
		p.hub.SetLeafURLs(urls)
		p.hub.TellLeafNodes()
	}
}

// clusterName is the name at this time; empty without a cluster.
func (p *clusterPart) clusterName() string {
	if p.hub == nil {
		return ""
	}
	name, _ := p.hub.Name()
	return name
}

func (p *clusterPart) start(cfg *config.Config) error {
	if p.hub == nil {
		return nil
	}
	o := cfg.Options
	name, dynamic := p.hub.Name()
	p.log.Info("Cluster name is " + name)
	if dynamic {
		p.log.Warn("Cluster name was dynamically generated, consider setting one")
	}
	at := clusterPlace(&o.Cluster)
	list, err := p.core.d.occupy(at, func() (net.Listener, error) {
		l, err := at.at.open(p.core.d.stored.Retired()...)
		if err != nil {
			return nil, &listenError{at.at.String(), fmt.Sprintf("Error listening on router port: %d - %v", at.at.port, err), err}
		}
		return l, nil
	})
	if err != nil {
		return err
	}
	listeners := make([]net.Listener, len(list))
	for i, l := range list {
		p.log.Info("Listening for route connections on "+l.shown(at), logging.String(logging.FieldListener, l.listener.Addr().String()))
		listeners[i] = l.listener
	}
	p.set(list...)
	p.hub.Start(clientURLs(p.broker.Options(), p.core.current()), listeners...)
	return nil
}

// announce tells peers where clients find us, once that is settled: a port that
// was to be any free one is known when clients are let in.
func (p *clusterPart) announce() {
	p.hub.SetClientURLs(clientURLs(p.broker.Options(), p.core.current()))
}

func clusterPlace(c *config.Cluster) place {
	host := clusterHost(c)
	return place{"cluster", "cluster.port", "nats", host, endpoint{host, c.Port}}
}

func (p *clusterPart) kinds() []string { return []string{"cluster"} }

func (p *clusterPart) places(o *config.Options) []place {
	if !o.Cluster.Enabled() {
		return nil
	}
	return []place{clusterPlace(&o.Cluster)}
}

// material implements [presents].
func (p *clusterPart) material() []usedTLS {
	if p.hub == nil || p.hub.TLS() == nil {
		return nil
	}
	return []usedTLS{{"cluster", p.hub.TLS()}}
}

// count implements [counts].
func (p *clusterPart) count(t *control.Traffic) {
	_, routes, crossed := p.figures()
	t.Routes += routes
	addTraffic(t, crossed)
}

// prepare follows the configuration; accounts have changed before.
func (p *clusterPart) prepare(old, new *config.Config) (*change, error) {
	if err := clusterStays(p.hub != nil, new.Options.Cluster.Enabled()); err != nil {
		return nil, err
	}
	if p.hub == nil {
		name := new.Options.Cluster.Name
		return &change{commit: func() { p.broker.SetClusterName(name) }}, nil
	}
	if err := knownAccounts(old.Options, new.Options); err != nil {
		return nil, err
	}
	opts, err := clusterOptions(new.Options, p.broker)
	if err != nil {
		return nil, err
	}
	opts.Renamed = p.renamed
	commit, err := p.hub.Prepare(opts)
	if err != nil {
		return nil, err
	}
	return &change{commit: func() {
		commit()
		p.announce()
	}}, nil
}

// clusterStays refuses that clustering begins or ends.
func clusterStays(was, is bool) error {
	if was != is {
		return needsRestart("cluster")
	}
	return nil
}

// knownAccounts refuses accounts that are to get connections of their own and are not
// there, as nats-server 2.15.3 does in a reload; at the start it takes them, and those of
// an operator may become known later.
func knownAccounts(old, new *config.Options) error {
	if new.Operator.Enabled() {
		return nil
	}
	there := accountOptions(new)
	for _, name := range new.Cluster.Accounts {
		called := func(a broker.AccountOptions) bool { return a.Name == name }
		if slices.Contains(old.Cluster.Accounts, name) || slices.ContainsFunc(there, called) {
			continue
		}
		return fmt.Errorf("unable to add account %q to the list of dedicated routes: account missing", name)
	}
	return nil
}

// lameDuck tells peers that clients are about to be sent away.
func (p *clusterPart) lameDuck() {
	if p.hub != nil {
		p.hub.LameDuck()
	}
}

// pause tells peers to name this server to no client until resume.
func (p *clusterPart) pause() {
	if p.hub != nil {
		p.hub.Pause()
	}
}

// resume takes pause back.
func (p *clusterPart) resume() {
	if p.hub != nil {
		p.hub.Resume()
	}
}

// figures are the servers and connections there are, and the messages that crossed.
func (p *clusterPart) figures() (servers, connections int, t broker.Traffic) {
	if p.hub == nil {
		return 0, 0, t
	}
	servers, connections = p.hub.Peers()
	t = p.hub.Traffic()
	return servers, connections, t
}

// troubles counts the connections to peers that took in too little in time, and those
// that said nothing any more.
func (p *clusterPart) troubles() (slow, stale int64) {
	if p.hub == nil {
		return 0, 0
	}
	return p.hub.SlowRoutes(), p.hub.StaleRoutes()
}

func (p *clusterPart) stop() {
	if p.hub != nil {
		p.hub.Stop()
	}
}
