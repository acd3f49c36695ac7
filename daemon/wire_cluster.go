package daemon

import (
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strconv"

	"github.com/nats-broker/nats-broker/daemon/auth"
	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/cluster"
	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/monitor"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

// clusterOptions translates the configuration for routes.
func clusterOptions(o *config.Options, b *broker.Broker) (cluster.Options, error) {
	c := &o.Cluster
	opts := cluster.Options{
		Name: c.Name, Host: clusterHost(c), Port: max(c.Port, 0), Advertise: c.Advertise, NoAdvertise: c.NoAdvertise,
		Routes: c.Routes, ConnectRetries: c.ConnectRetries, ConnectBackoff: c.ConnectBackoff,
		User: c.Authorization.User, Password: c.Authorization.Password, Verify: auth.VerifySecret,
		AuthTimeout: c.Authorization.Timeout, PoolSize: c.PoolSize,
		Accounts:     c.Accounts,
		Compression:  cluster.Compression{Mode: c.Compression.Mode, Thresholds: c.Compression.RTTThresholds},
		PingInterval: orElse(c.PingInterval, o.PingInterval), PingMax: orElse(c.PingMax, o.PingMax),
		WriteDeadline: orElse(c.WriteDeadline, o.WriteDeadline), MaxPending: o.Limits.MaxPending,
		CloseLate:  c.WriteTimeout == "close",
		NoStall:    o.NoFastProducerStall,
		ServerName: b.Options().ServerName, Version: CompatVersion, GoVersion: runtime.Version(),
		Headers: !o.NoHeaderSupport, MaxPayload: int(o.Limits.MaxPayload),
		LazyAccounts: o.Operator.Enabled(),
	}
	if c.Permissions.Defined {
		opts.Import, opts.Export = clusterRules(&c.Permissions.Import), clusterRules(&c.Permissions.Export)
		if opts.Export != nil && len(opts.Export.Allow) == 0 {
			opts.Export.Allow = nil // an empty list is none, of what is subscribed to; nats-server has it so
		}
	}
	if c.TLS.Defined {
		t := tlsOptions(&c.TLS)
		t.Verify = true // between servers, both sides present a certificate
		t.KnownOnly = c.TLS.CheckKnownURLs
		for _, u := range c.Routes {
			t.KnownHosts = append(t.KnownHosts, u.Hostname())
		}
		var err error
		if opts.TLS, err = transport.LoadTLS(t); err != nil {
			return opts, fmt.Errorf("cluster: tls: %w", err)
		}
	}
	return opts, nil
}

// clusterRules translates the rules of one direction; nil if nothing is said of it.
func clusterRules(r *config.SubjectRules) *cluster.Rules {
	if !r.Defined {
		return nil
	}
	return &cluster.Rules{Allow: r.Allow, Deny: r.Deny}
}

func orElse[T comparable](value, other T) T {
	if value == *new(T) {
		return other
	}
	return value
}

// clusterHost is where routes are listened for; everywhere, if it is not said.
func clusterHost(c *config.Cluster) string {
	if c.Host == "" {
		return "0.0.0.0"
	}
	return c.Host
}

// clientURLs are the addresses at which clients find this server, as peers and
// clients are told: those advertised, or each one listened on but loopback, if
// there is another.
func clientURLs(o broker.Options, listeners []*clientListener) []string {
	if o.ClientAdvertise != "" {
		host, port, err := net.SplitHostPort(o.ClientAdvertise)
		if err != nil {
			host, port = o.ClientAdvertise, strconv.Itoa(o.Port)
		}
		return []string{net.JoinHostPort(host, port)}
	}
	var list []string
	for _, l := range listeners {
		tcp, ok := l.addr().(*net.TCPAddr)
		if !ok {
			continue
		}
		list = append(list, told(o.Host, tcp)...)
	}
	return list
}

// told is where clients find a listener: a host that was named stays a name, which may lead elsewhere there.
func told(host string, at *net.TCPAddr) []string {
	_, err := netip.ParseAddr(host)
	switch {
	case at.IP.IsUnspecified():
		return everywhere(at.Port)
	case host != "" && err != nil:
		return []string{net.JoinHostPort(host, strconv.Itoa(at.Port))}
	}
	return []string{at.String()}
}

// everywhere lists this host's addresses that others can reach.
func everywhere(port int) (list []string) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	for _, a := range addrs {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.IsGlobalUnicast() {
			list = append(list, net.JoinHostPort(ip.IP.String(), strconv.Itoa(port)))
		}
	}
	return list
}

// routeSource tells the monitor about routes.
type routeSource struct{ hub *cluster.Hub }

func (s routeSource) Permissions() (imp, exp *monitor.SubjectPermission) {
	i, e := s.hub.Permissions()
	return monitoredRules(i), monitoredRules(e)
}

func monitoredRules(r *cluster.Rules) *monitor.SubjectPermission {
	if r == nil {
		return nil
	}
	return &monitor.SubjectPermission{Allow: r.Allow, Deny: r.Deny}
}

func (s routeSource) NumRoutes() int {
	_, n := s.hub.Peers()
	return n
}

func (s routeSource) EachRoute(subs bool, f func(*monitor.RouteRow) bool) {
	list := s.hub.Stats(subs)
	for i := range list {
		if row := routeRow(&list[i]); !f(&row) {
			return
		}
	}
}

func routeRow(r *cluster.Stats) monitor.RouteRow {
	row := monitor.RouteRow{RouteInfo: monitor.RouteInfo{
		RID: r.RID, RemoteID: r.RemoteID, RemoteName: r.RemoteName, DidSolicit: r.Solicited, IsConfigured: r.Configured,
		Start: r.Start, LastActivity: r.LastActivity, Pending: r.Pending,
		InMsgs: r.InMsgs, OutMsgs: r.OutMsgs, InBytes: r.InBytes, OutBytes: r.OutBytes,
		NumSubs: uint32(r.Subscriptions), Account: r.Account, Compression: r.Compression,
		Import: monitoredRules(r.Import), Export: monitoredRules(r.Export),
	}, RoundTrip: r.RTT, Cluster: r.Cluster}
	if tcp, ok := r.Addr.(*net.TCPAddr); ok {
		row.IP, row.Port = tcp.IP.String(), tcp.Port
	}
	for _, w := range r.Wanted {
		row.SubList = append(row.SubList, monitor.Sub{Account: w.Account, AccountTag: w.Account, Subject: w.Subject, Queue: w.Queue, CID: r.RID})
	}
	return row
}

// clusterVarz is what /varz shows of the cluster.
func clusterVarz(o *config.Options, hub *cluster.Hub) monitor.ClusterVarz {
	c := &o.Cluster
	name, _ := hub.Name()
	v := monitor.ClusterVarz{
		Name: name, Host: clusterHost(c), Port: hub.Port(), AuthTimeout: c.Authorization.Timeout.Seconds(), PoolSize: max(c.PoolSize, 0),
		TLSRequired: c.TLS.Defined, TLSVerify: c.TLS.Defined,
	}
	v.TLSTimeout = orElse(c.TLS.Timeout, transport.DefaultTLSTimeout).Seconds()
	if c.WriteDeadline != o.WriteDeadline { // shown where it is one of its own
		v.WriteDeadline = c.WriteDeadline
	}
	if t := hub.TLS(); t != nil && len(t.Presented()) > 0 {
		v.TLSCertNotAfter = t.Presented()[0].NotAfter.UTC()
	}
	for _, u := range c.Routes {
		v.URLs = append(v.URLs, u.Host)
	}
	return v
}
