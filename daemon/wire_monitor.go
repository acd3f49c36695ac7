package daemon

import (
	"errors"
	"net"
	"strings"

	"github.com/nats-broker/nats-broker/daemon/auth"
	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/monitor"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

// monitorSource gives the monitor its view of everything else.
func (d *Daemon) monitorSource() monitor.Source {
	s := monitor.Source{
		Server:        serverSource{d},
		Connections:   connectionSource{d.broker},
		Subscriptions: subscriptionSource{d.broker, d.accountName},
		Accounts:      accountSource{b: d.broker, label: d.accountName, detail: d.accountDetail, leafs: d.leaf.account},
		Health:        healthSource{d},
		Process:       processSource{d},
		Config:        &configSource{active: func() *config.Config { return d.active.Load().cfg }, text: d.textOf},
		Log:           logSource{d.logs},
	}
	if d.cluster.hub != nil {
		s.Routes = routeSource{d.cluster.hub}
	}
	s.JetStream = jetStreamSource{d}
	s.Leafs = leafSource{d.leaf}
	return s
}

// serverSource tells the monitor who we are, as configured and as counted.
type serverSource struct{ d *Daemon }

// Identity implements monitor.ServerSource.
func (s serverSource) Identity() (id, name string) {
	id = s.d.broker.ID()
	if name = s.d.broker.Options().ServerName; name == "" {
		name = id
	}
	return id, name
}

// Varz implements monitor.ServerSource.
func (s serverSource) Varz(v *monitor.Varz) {
	b := s.d.broker
	o, act := b.Options(), s.d.active.Load()
	v.ID, v.Name = s.Identity()
	v.Version, v.Proto = o.Version, broker.ProtocolLevel
	v.Build = monitor.Build{Version: s.d.Identity.Own, Commit: s.d.Identity.Commit}
	v.GitCommit = o.GitCommit
	v.Host, v.Port = o.Host, s.clientPort(o.Port)
	if host, _, err := net.SplitHostPort(o.ClientAdvertise); err == nil {
		v.Host = host
	} else if o.ClientAdvertise != "" {
		v.Host = o.ClientAdvertise
	}
	v.MaxConnections, v.MaxSubscriptions = o.MaxConnections, o.MaxSubscriptions
	v.PingInterval, v.PingMax = o.PingInterval, o.PingMax
	v.MaxControlLine, v.MaxPayload, v.MaxPending = int32(o.MaxControlLine), o.MaxPayload, o.MaxPending
	v.WriteDeadline = o.WriteDeadline
	if a := b.System(); a != nil && !act.cfg.Options.NoSystemAccount {
		v.SystemAccount = a.Name()
	}
	if t := o.TLS; t != nil && len(t.Presented()) > 0 {
		v.TLSCertNotAfter = t.Presented()[0].NotAfter.UTC()
	}
	if o.Authenticator != nil {
		v.AuthRequired = o.Authenticator.Requires().Auth
	}
	s.operators(v, &act.cfg.Options.Operator)
	v.ConfigLoadTime, v.ConfigDigest = act.loaded, act.cfg.Digest
	s.configured(v, act.cfg.Options)
	s.counted(v)
}

// operators fills in who signs accounts. JWTs are shown without their signatures.
func (s serverSource) operators(v *monitor.Varz, o *config.Operator) {
	for _, text := range o.JWTs {
		v.TrustedOperatorsJWT = append(v.TrustedOperatorsJWT, auth.Unsigned(text))
	}
	for i := range o.Operators {
		v.TrustedOperators = append(v.TrustedOperators, o.Operators[i].Decoded)
	}
	if b := s.d.operator.book; b != nil {
		v.PinnedAccountFails = b.PinnedFails()
	}
}

// configured fills in what the configuration says.
func (s serverSource) configured(v *monitor.Varz, o *config.Options) {
	m := &o.Monitor
	v.HTTPHost, v.HTTPPort, v.HTTPSPort, v.HTTPBasePath = m.Host, m.Port, m.HTTPSPort, strings.TrimSuffix(m.BasePath, "/")
	if v.HTTPHost == "" {
		v.HTTPHost = o.Host
	}
	v.AuthTimeout, v.TLSTimeout = o.Authorization.Timeout.Seconds(), o.TLS.Timeout.Seconds()
	if v.TLSTimeout == 0 {
		v.TLSTimeout = transport.DefaultTLSTimeout.Seconds()
	}
	if len(o.Proxies) > 0 {
		v.Proxies = &monitor.ProxiesVarz{}
		for _, p := range o.Proxies {
			v.Proxies.Trusted = append(v.Proxies.Trusted, monitor.ProxyKey{Key: p.Key})
		}
	}
	v.TLSRequired, v.TLSVerify = o.TLS.Defined && !o.AllowNonTLS, o.TLS.Defined && o.TLS.Verify
	v.MaxSubscriptions = o.Limits.MaxSubscriptions // as written: a negative one is shown
	v.Tags, v.Metadata, v.FeatureFlags = lower(o.Tags), o.Metadata, featureFlags(o)
	v.WebSocket, v.WSConnectURLs = s.d.web.varz(o), s.d.broker.WebURLs()
	v.Leaf = s.d.leaf.varz(o)
	if hub := s.d.cluster.hub; hub != nil {
		v.Cluster, v.ConnectURLs = clusterVarz(o, hub), s.d.broker.ConnectURLs()
	} else { // a block without a port is shown as far as it goes
		v.Cluster = monitor.ClusterVarz{Name: s.d.broker.Options().Cluster, PoolSize: max(o.Cluster.PoolSize, 0)}
	}
}

// counted fills in what the core has counted.
func (s serverSource) counted(v *monitor.Varz) {
	st := s.d.broker.Stats()
	v.Start = st.Start
	servers, routes, crossed := s.d.cluster.figures()
	v.Routes, v.Remotes = routes, servers
	v.Leafs = s.d.leaf.links("")
	linked := s.d.leaf.traffic()
	crossed.InMsgs, crossed.InBytes = crossed.InMsgs+linked.InMsgs, crossed.InBytes+linked.InBytes
	crossed.OutMsgs, crossed.OutBytes = crossed.OutMsgs+linked.OutMsgs, crossed.OutBytes+linked.OutBytes
	v.Connections, v.TotalConnections, v.Subscriptions = st.Connections, st.Total, uint32(st.Subscriptions)
	v.InMsgs, v.InBytes, v.OutMsgs, v.OutBytes = st.InMsgs+crossed.InMsgs, st.InBytes+crossed.InBytes, st.OutMsgs+crossed.OutMsgs, st.OutBytes+crossed.OutBytes
	v.InClientMsgs, v.InClientBytes, v.OutClientMsgs, v.OutClientBytes = st.InMsgs, st.InBytes, st.OutMsgs, st.OutBytes
	v.SlowConsumers, v.StaleConnections = st.SlowConsumers, st.StaleConnections
	v.SlowConsumerStats.Clients, v.StaleConnectionStats.Clients = uint64(st.SlowConsumers), uint64(st.StaleConnections)
	slow, stale := s.d.cluster.troubles()
	slowLeafs, staleLeafs := s.d.leaf.troubles()
	v.SlowConsumers += slow + slowLeafs
	v.StaleConnections += stale + staleLeafs
	v.SlowConsumerStats.Leafs, v.StaleConnectionStats.Leafs = uint64(slowLeafs), uint64(staleLeafs)
	v.SlowConsumerStats.Routes, v.StaleConnectionStats.Routes = uint64(slow), uint64(stale)
}

// clientPort is the port clients are told, or that of the first listener.
func (s serverSource) clientPort(told int) int {
	if told > 0 {
		return told
	}
	for _, l := range s.d.core.current() {
		if a, ok := l.addr().(*net.TCPAddr); ok {
			return a.Port
		}
	}
	return 0
}

// healthSource tells the monitor whether clients can be served.
type healthSource struct{ d *Daemon }

func (h healthSource) Ready() error {
	switch h.d.inState() {
	case stateRunning:
		return nil
	case stateStarting:
		return errors.New("server is starting")
	case statePaused:
		return errors.New("server is paused")
	default:
		return errors.New("server is shutting down")
	}
}

// Remark is what is wrong although clients are served.
func (h healthSource) Remark() string {
	list := h.d.problems()
	if w := h.d.lossWarning(); w != "" {
		list = append(list, w)
	}
	return strings.Join(list, "; ")
}

func (h healthSource) Checks() []monitor.Check { return h.d.checks() }

// lower returns texts in lower case, as tags are compared.
func lower(list []string) []string {
	var out []string
	for _, s := range list {
		out = append(out, strings.ToLower(s))
	}
	return out
}
