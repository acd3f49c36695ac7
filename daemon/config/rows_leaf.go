package config

import (
	"net/url"
	"time"
)

// leafnodesRow is the leafnodes block.
func leafnodesRow() *Option {
	return &Option{Name: "leafnodes", Aliases: []string{"leaf"}, Kind: Block, Feature: LeafLinks, Doc: "Servers that connect as leaf nodes, each for an account, and those to which this one connects as one.",
		bind: field(func(o *Options) *Leafnodes { return &o.Leafnodes }), finish: finishLeafnodes,
		fields: func() []*Option {
			return []*Option{
				{Name: "listen", Kind: Address, Class: Restart, Doc: "Address of the leaf node listener, port or host:port; sets host and port.",
					bind: func(b any) any { l := b.(*Leafnodes); return address{&l.Host, &l.Port} }},
				{Name: "host", Aliases: []string{"net"}, Kind: String, Class: Restart, Doc: "Host or address the leaf node listener binds to.",
					bind: field(func(l *Leafnodes) *string { return &l.Host })},
				{Name: "port", Kind: Port, Class: Restart, Doc: "Port of the leaf node listener; 0 is none, -1 takes a free one.",
					listener: listensOn("the leaf node port", "listen", func(l *Leafnodes) string { return l.Host }),
					bind:     field(func(l *Leafnodes) *int { return &l.Port })},
				{Name: "authorization", Kind: Block, Doc: "Who may connect as a leaf node; without it, the users of clients may.", fields: leafAuthRows,
					finish: finishLeafAuthorization,
					bind:   field(func(l *Leafnodes) *LeafAuthorization { return &l.Authorization })},
				{Name: "remotes", Kind: Blocks, Doc: "Servers to connect to as a leaf node, each a block.", fields: remoteRows,
					elem: appended[LeafRemote](), finish: finishRemote, bind: field(func(l *Leafnodes) *[]LeafRemote { return &l.Remotes })},
				{Name: "reconnect", Aliases: []string{"reconnect_delay", "reconnect_interval"}, Kind: Duration, Default: `"1s"`,
					Doc:  "Time between attempts to connect; after a failure as much again by chance.",
					bind: field(func(l *Leafnodes) *time.Duration { return &l.Reconnect })},
				{Name: "dial_timeout", Kind: Duration, Default: `"1s"`, Doc: "Time for a TCP connection to be made.",
					bind: field(func(l *Leafnodes) *time.Duration { return &l.DialTimeout })},
				tlsRow(Core, "TLS of the leaf node listener.", func(l *Leafnodes) *TLS { return &l.TLS }),
				{Name: "leafnode_advertise", Aliases: []string{"advertise"}, Kind: String, Doc: "Host:port that leaf nodes are told to connect to instead of the listen address.",
					bind: field(func(l *Leafnodes) *string { return &l.Advertise })},
				{Name: "no_advertise", Kind: Boolean, Default: "false", Doc: "Do not tell leaf nodes where to connect.",
					bind: field(func(l *Leafnodes) *bool { return &l.NoAdvertise })},
				{Name: "min_version", Aliases: []string{"minimum_version"}, Kind: String, Doc: "Oldest version of servers that may connect; at least 2.8.0.",
					bind: field(func(l *Leafnodes) *string { return &l.MinVersion })},
				{Name: "isolate_leafnode_interest", Aliases: []string{"isolate"}, Kind: Boolean, Default: "false", Doc: "Tell no leaf node what others want.",
					bind: field(func(l *Leafnodes) *bool { return &l.Isolate })},
				leafCompressionRow(func(l *Leafnodes) *Compression { return &l.Compression }),
				{Name: "write_deadline", Kind: Duration, Class: NewConnections, Doc: "Longest time a write to a leaf node or hub may block; by default as for clients.",
					bind: field(func(l *Leafnodes) *time.Duration { return &l.WriteDeadline })},
				{Name: "write_timeout", Kind: Word, Values: []string{"default", "close", "retry"}, Class: NewConnections,
					Doc:  "What follows a write that missed its deadline: close ends the connection; retry, the default, goes on as long as the other server takes in something.",
					bind: field(func(l *Leafnodes) *string { return &l.WriteTimeout })},
			}
		}}
}

func leafAuthRows() []*Option {
	return []*Option{
		{Name: "user", Aliases: []string{"username"}, Kind: String, Doc: "The user that leaf nodes must present.",
			bind: field(func(a *LeafAuthorization) *string { return &a.User })},
		{Name: "password", Aliases: []string{"pass"}, Kind: String, Secret: true, SecretFile: "password_file", Doc: "Password of the user, plain or a bcrypt hash.",
			bind: field(func(a *LeafAuthorization) *string { return &a.Password })},
		{Name: "nkey", Kind: String, Doc: "Public nkey that leaf nodes must prove to have, instead of user and password.",
			bind: field(func(a *LeafAuthorization) *string { return &a.Nkey })},
		{Name: "account", Kind: String, Doc: "Account that leaf nodes are tied to; $G by default.",
			bind: field(func(a *LeafAuthorization) *string { return &a.Account })},
		{Name: "timeout", Kind: Seconds, Class: NewConnections, check: highTimeout,
			Doc:  "Time for a leaf node to authenticate: seconds or a duration; 2s by default, with TLS its timeout and 1s.",
			bind: field(func(a *LeafAuthorization) *time.Duration { return &a.Timeout })},
		{Name: "proxy_required", Kind: Boolean, Default: "false", Doc: "Leaf nodes must come through a trusted proxy.",
			bind: field(func(a *LeafAuthorization) *bool { return &a.ProxyRequired })},
		{Name: "users", Kind: Blocks, Doc: "Users of leaf nodes, each a block, instead of the one user.", elem: appended[LeafUser](),
			bind: field(func(a *LeafAuthorization) *[]LeafUser { return &a.Users }),
			fields: func() []*Option {
				return []*Option{
					{Name: "user", Aliases: []string{"username"}, Kind: String, Doc: "Name of the user.",
						bind: field(func(u *LeafUser) *string { return &u.Name })},
					{Name: "password", Aliases: []string{"pass"}, Kind: String, Secret: true, SecretFile: "password_file", Doc: "Password, plain or a bcrypt hash.",
						bind: field(func(u *LeafUser) *string { return &u.Password })},
					{Name: "account", Kind: String, Doc: "Account that the leaf node is tied to; $G by default.",
						bind: field(func(u *LeafUser) *string { return &u.Account })},
					{Name: "proxy_required", Kind: Boolean, Default: "false", Doc: "The leaf node must come through a trusted proxy.",
						bind: field(func(u *LeafUser) *bool { return &u.ProxyRequired })},
				}
			}},
	}
}

func leafCompressionRow[T any](at func(*T) *Compression) *Option {
	return &Option{Name: "compression", Kind: Compressing,
		Doc: "How what is sent is compressed: off, accept (as the other one does), s2_uncompressed, s2_fast, s2_better, s2_best, or s2_auto, by the round-trip time, the default; on is s2_auto.",
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

func remoteRows() []*Option {
	return []*Option{
		{Name: "urls", Aliases: []string{"url"}, Kind: URLOrList, Secret: true, Doc: "URLs to connect to, nats://, tls:// or nats-leaf://; port 7422 if none is given.",
			bind: field(func(r *LeafRemote) *[]*url.URL { return &r.URLs })},
		{Name: "no_randomize", Aliases: []string{"dont_randomize"}, Kind: Boolean, Default: "false", Doc: "Try the URLs in order.",
			bind: field(func(r *LeafRemote) *bool { return &r.NoRandomize })},
		{Name: "account", Aliases: []string{"local"}, Kind: String, Doc: "Account of this server that is tied to the remote; $G by default.",
			bind: field(func(r *LeafRemote) *string { return &r.Account })},
		{Name: "credentials", Aliases: []string{"creds"}, Kind: Path, Doc: "File with the JWT and the seed of a user.",
			bind: field(func(r *LeafRemote) *string { return &r.Credentials })},
		{Name: "nkey", Aliases: []string{"seed"}, Kind: String, Secret: true, Doc: "Seed of a user nkey.",
			bind: field(func(r *LeafRemote) *string { return &r.Nkey })},
		tlsRow(Core, "TLS to the remote.", func(r *LeafRemote) *TLS { return &r.TLS }),
		{Name: "hub", Kind: Boolean, Default: "false", Doc: "This side is the hub, though it connects.",
			bind: field(func(r *LeafRemote) *bool { return &r.Hub })},
		{Name: "deny_imports", Aliases: []string{"deny_import"}, Kind: Strings, Doc: "Subjects that do not come from the remote.",
			bind: field(func(r *LeafRemote) *[]string { return &r.DenyImports })},
		{Name: "deny_exports", Aliases: []string{"deny_export"}, Kind: Strings, Doc: "Subjects that do not go to the remote.",
			bind: field(func(r *LeafRemote) *[]string { return &r.DenyExports })},
		{Name: "ws_compression", Aliases: []string{"ws_compress", "websocket_compress", "websocket_compression"}, Kind: Boolean, Feature: LeafWebSocket, Doc: "Compress WebSocket frames."},
		{Name: "ws_no_masking", Aliases: []string{"websocket_no_masking"}, Kind: Boolean, Feature: LeafWebSocket, Doc: "Do not mask WebSocket frames."},
		{Name: "jetstream_cluster_migrate", Aliases: []string{"js_cluster_migrate"}, Kind: Switch, Feature: Replication, Doc: "Move leaders away when disconnected.",
			fields: func() []*Option {
				return []*Option{{Name: "leader_migrate_delay", Kind: Duration, Doc: "Time to wait first."}}
			}},
		{Name: "isolate_leafnode_interest", Aliases: []string{"isolate"}, Kind: Boolean, Default: "false", Doc: "Do not tell the remote what leaf nodes of this server want.",
			bind: field(func(r *LeafRemote) *bool { return &r.Isolate })},
		{Name: "request_isolation", Kind: Boolean, Default: "false", Doc: "Ask the remote not to tell what its other leaf nodes want.",
			bind: field(func(r *LeafRemote) *bool { return &r.RequestIsolation })},
		leafCompressionRow(func(r *LeafRemote) *Compression { return &r.Compression }),
		{Name: "first_info_timeout", Kind: Duration, Default: `"1s"`, Doc: "Time for the first INFO of the remote.",
			bind: field(func(r *LeafRemote) *time.Duration { return &r.FirstInfoTimeout })},
		{Name: "dial_timeout", Kind: Duration, Doc: "Time for a TCP connection to be made; by default as for all remotes.",
			bind: field(func(r *LeafRemote) *time.Duration { return &r.DialTimeout })},
		{Name: "disabled", Kind: Boolean, Default: "false", Doc: "Do not connect.",
			bind: field(func(r *LeafRemote) *bool { return &r.Disabled })},
		{Name: "ignore_discovered_servers", Kind: Boolean, Default: "false", Doc: "Connect to the listed URLs only, not to servers that the remote tells of.",
			bind: field(func(r *LeafRemote) *bool { return &r.IgnoreDiscovered })},
		{Name: "proxy", Kind: Block, Feature: LeafProxies, Doc: "HTTP proxy to go through.", fields: func() []*Option {
			return []*Option{
				{Name: "url", Kind: String, Secret: true, Doc: "URL of the proxy."},
				{Name: "username", Kind: String, Doc: "User at the proxy."},
				{Name: "password", Kind: String, Secret: true, Doc: "Password at the proxy."},
				{Name: "timeout", Kind: Duration, Doc: "Time for the proxy to connect."},
				tlsBlock("TLS to the proxy."),
			}
		}},
	}
}
