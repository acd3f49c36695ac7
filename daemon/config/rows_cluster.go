package config

import (
	"net/url"
	"time"
)

// clusterRow is the cluster block.
func clusterRow() *Option {
	return &Option{Name: "cluster", Kind: Block, Feature: Clustering, Doc: "Routes to the other servers of a cluster.",
		bind: field(func(o *Options) *Cluster { return &o.Cluster }), finish: finishCluster,
		fields: func() []*Option {
			return []*Option{
				{Name: "name", Kind: String, Doc: "Name of the cluster, the same on all its servers; made up if not set.",
					check: clusterName, bind: field(func(c *Cluster) *string { return &c.Name })},
				{Name: "listen", Kind: Address, Class: Restart, Doc: "Address of the route listener, port or host:port; sets host and port.",
					bind: func(b any) any { c := b.(*Cluster); return address{&c.Host, &c.Port} }},
				{Name: "host", Aliases: []string{"net"}, Kind: String, Class: Restart, Doc: "Host or address the route listener binds to.",
					bind: field(func(c *Cluster) *string { return &c.Host })},
				{Name: "port", Kind: Port, Class: Restart, Doc: "Port of the route listener; 0 is none, -1 takes a free one.",
					listener: listensOn("the cluster port", "listen", func(c *Cluster) string { return c.Host }),
					bind:     field(func(c *Cluster) *int { return &c.Port })},
				{Name: "authorization", Kind: Block, Doc: "What other servers must present to connect.",
					fields: clusterAuthRows, finish: finishAuthorization,
					bind: field(func(c *Cluster) *Authorization { return &c.Authorization })},
				{Name: "routes", Kind: URLs, Secret: true, Doc: "Servers to connect to, as URLs.",
					bind: field(func(c *Cluster) *[]*url.URL { return &c.Routes })},
				tlsRow(Core, "TLS of routes; peers always have to present a certificate.", func(c *Cluster) *TLS { return &c.TLS }),
				{Name: "cluster_advertise", Aliases: []string{"advertise"}, Kind: String,
					Doc:  "Host:port that other servers are told to connect to instead of the listen address.",
					bind: field(func(c *Cluster) *string { return &c.Advertise })},
				{Name: "no_advertise", Kind: Boolean, Default: "false", Doc: "Do not tell clients the addresses of the other servers.",
					bind: field(func(c *Cluster) *bool { return &c.NoAdvertise })},
				{Name: "connect_retries", Kind: Integer, Default: "0", Doc: "Attempts to connect to a server learnt from others.",
					bind: field(func(c *Cluster) *int { return &c.ConnectRetries })},
				{Name: "connect_backoff", Kind: Boolean, Default: "false", Doc: "Let the time between attempts grow.",
					bind: field(func(c *Cluster) *bool { return &c.ConnectBackoff })},
				{Name: "permissions", Kind: Block, Doc: "Subjects that cross routes.", bind: field(func(c *Cluster) *ClusterPermissions { return &c.Permissions }),
					fields: func() []*Option {
						return []*Option{
							{Name: "import", Aliases: []string{"publish", "pub"}, Kind: Rules, fields: ruleRows, Doc: "Subjects whose interest is sent to other servers.",
								bind: field(func(p *ClusterPermissions) *SubjectRules { return &p.Import })},
							{Name: "export", Aliases: []string{"subscribe", "sub"}, Kind: Rules, fields: ruleRows, Doc: "Subjects whose interest is taken from other servers.",
								bind: field(func(p *ClusterPermissions) *SubjectRules { return &p.Export })},
							responseRow(func(p *ClusterPermissions) *ResponseRule { return &p.Responses }),
						}
					}},
				{Name: "pool_size", Kind: Integer, Doc: "Connections to each server that accounts share; 3 by default, -1 is one connection as in old servers.",
					bind: field(func(c *Cluster) *int { return &c.PoolSize })},
				{Name: "accounts", Kind: Strings, Doc: "Accounts that have a route of their own to each server, as the system account always has; the same on all servers.",
					bind: field(func(c *Cluster) *[]string { return &c.Accounts })},
				compressionRow(func(c *Cluster) *Compression { return &c.Compression }),
				{Name: "ping_interval", Kind: Duration, Class: NewConnections, Doc: "Silence after which a route is pinged; at most 30s.",
					bind: field(func(c *Cluster) *time.Duration { return &c.PingInterval })},
				{Name: "ping_max", Kind: Integer, Class: NewConnections, Doc: "Pings that may stay unanswered; by default as for clients.",
					bind: field(func(c *Cluster) *int { return &c.PingMax })},
				{Name: "write_deadline", Kind: Duration, Class: NewConnections, Doc: "Longest time a write to a route may block; by default as for clients.",
					bind: field(func(c *Cluster) *time.Duration { return &c.WriteDeadline })},
				{Name: "write_timeout", Kind: Word, Values: []string{"default", "close", "retry"}, Class: NewConnections,
					Doc:  "What follows a write that missed its deadline: close ends the route, and it is dialled again; retry, the default, goes on as long as the other server takes in something.",
					bind: field(func(c *Cluster) *string { return &c.WriteTimeout })},
			}
		}}
}

// clusterAuthRows are those of authorization that make sense between servers; the others are decoded so that they can be
// refused with nats-server's reasons.
func clusterAuthRows() []*Option {
	return append(loginRows(),
		&Option{Name: "token", Kind: String, Secret: true, Doc: "Not possible between servers.",
			bind: field(func(a *Authorization) *string { return &a.Token })},
		usersRow(func(a *Authorization) *[]User { return &a.Users }),
		&Option{Name: "default_permissions", Aliases: []string{"default_permission", "permissions"}, Kind: Block,
			Doc: "Deprecated; write permissions in the cluster block.", fields: permissionRows, finish: finishPermissions,
			bind: field(func(a *Authorization) *Permissions { return &a.DefaultPermissions })},
		&Option{Name: "auth_callout", Aliases: []string{"auth_hook"}, Kind: Block,
			Doc: "Not possible between servers.", fields: calloutRows, finish: finishCallout,
			bind: field(func(a *Authorization) *Callout { return &a.Callout })},
		&Option{Name: "proxy_required", Kind: Boolean, Default: "false", Doc: "Has no effect between servers.",
			bind: field(func(a *Authorization) *bool { return &a.ProxyRequired })},
	)
}

func compressionRow[T any](at func(*T) *Compression) *Option {
	return &Option{Name: "compression", Kind: Compressing,
		Doc: "How what is sent to other servers is compressed: off, accept (as the other one does, the default), s2_fast, s2_better, s2_best, or s2_auto, by the round-trip time; on is s2_fast.",
		fields: func() []*Option {
			return []*Option{
				{Name: "mode", Kind: String, Doc: "The mode.", bind: field(func(c *Compression) *string { return &c.Mode })},
				{Name: "rtt_thresholds", Aliases: []string{"thresholds", "rtts", "rtt"}, Kind: Durations,
					Doc:  "Round-trip times from which s2_auto goes to the next mode: uncompressed, fast, better, best.",
					bind: field(func(c *Compression) *[]time.Duration { return &c.RTTThresholds })},
			}
		},
		bind: field(at)}
}
