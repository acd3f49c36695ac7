package config

// The blocks of features that are not built. Their rows are complete, so that mistakes in them are found, the manual can
// list them and a feature is switched on in feature.go once its rows have a place to put their values.

func host(what string) []*Option {
	return []*Option{
		{Name: "listen", Kind: Address, Doc: "Address of the " + what + " listener, port or host:port."},
		{Name: "host", Aliases: []string{"net"}, Kind: String, Doc: "Host or address the listener binds to."},
		{Name: "port", Kind: Port, Doc: "Port of the listener; -1 takes a free one."},
	}
}

func writeRows() []*Option {
	return []*Option{
		{Name: "write_deadline", Kind: Duration, Doc: "Longest time a write may block."},
		{Name: "write_timeout", Kind: Word, Values: []string{"default", "close", "retry"}, Doc: "What follows a write that missed its deadline."},
	}
}

func plainLogin() []*Option {
	return []*Option{
		{Name: "user", Aliases: []string{"username"}, Kind: String, Doc: "The user that must be presented."},
		{Name: "password", Aliases: []string{"pass"}, Kind: String, Secret: true, Doc: "Its password."},
		{Name: "token", Kind: String, Secret: true, Doc: "Token that must be presented."},
		{Name: "timeout", Kind: Seconds, Doc: "Time to authenticate."},
	}
}

func concat(lists ...[]*Option) []*Option {
	var all []*Option
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

func gatewayRow() *Option {
	return &Option{Name: "gateway", Kind: Block, Feature: Gateways, Doc: "Connections between clusters.", fields: func() []*Option {
		return concat(host("gateway"), writeRows(), []*Option{
			{Name: "name", Kind: String, Class: Restart, Doc: "Name of this cluster among the gateways."},
			{Name: "authorization", Kind: Block, Doc: "What other clusters must present.", fields: plainLogin},
			tlsBlock("TLS of gateways."),
			{Name: "advertise", Kind: String, Doc: "Host:port to advertise instead of the listen address."},
			{Name: "connect_retries", Kind: Integer, Doc: "Attempts to connect to a gateway learnt from others."},
			{Name: "connect_backoff", Kind: Boolean, Doc: "Let the time between attempts grow."},
			{Name: "reject_unknown_cluster", Aliases: []string{"reject_unknown"}, Kind: Boolean, Doc: "Refuse clusters that are not listed."},
			{Name: "gateways", Kind: Blocks, Doc: "The other clusters.", fields: func() []*Option {
				return []*Option{
					{Name: "name", Kind: String, Doc: "Name of the cluster."},
					{Name: "url", Kind: String, Secret: true, Doc: "A server of it."},
					{Name: "urls", Kind: URLs, Secret: true, Doc: "Servers of it."},
					tlsBlock("TLS to this cluster."),
				}
			}},
		})
	}}
}

func leafnodesRow() *Option {
	isolate := []string{"isolate"}
	return &Option{Name: "leafnodes", Aliases: []string{"leaf"}, Kind: Block, Feature: Leafnodes, Doc: "Leaf node connections.",
		fields: func() []*Option {
			return concat(host("leaf node"), writeRows(), []*Option{
				{Name: "authorization", Kind: Block, Doc: "Who may connect as a leaf node.", fields: func() []*Option {
					return concat(plainLogin(), []*Option{
						{Name: "nkey", Kind: String, Doc: "Public nkey that must be presented."},
						{Name: "account", Kind: String, Doc: "Account the leaf node is tied to."},
						{Name: "proxy_required", Kind: Boolean, Doc: "Must come through a trusted proxy."},
						{Name: "users", Kind: Blocks, Doc: "The users.", fields: func() []*Option {
							return []*Option{
								{Name: "user", Aliases: []string{"username"}, Kind: String, Doc: "Name."},
								{Name: "password", Aliases: []string{"pass"}, Kind: String, Secret: true, Doc: "Password."},
								{Name: "account", Kind: String, Doc: "Account."},
								{Name: "proxy_required", Kind: Boolean, Doc: "Must come through a trusted proxy."},
							}
						}},
					})
				}},
				{Name: "remotes", Kind: Blocks, Doc: "Servers to connect to as a leaf node.", fields: remoteRows},
				{Name: "reconnect", Aliases: []string{"reconnect_delay", "reconnect_interval"}, Kind: Duration, Doc: "Time between attempts to connect."},
				{Name: "dial_timeout", Kind: Duration, Doc: "Time for a TCP connection to be made."},
				tlsBlock("TLS of leaf nodes."),
				{Name: "leafnode_advertise", Aliases: []string{"advertise"}, Kind: String, Doc: "Host:port to advertise."},
				{Name: "no_advertise", Kind: Boolean, Doc: "Do not tell leaf nodes the other servers."},
				{Name: "min_version", Aliases: []string{"minimum_version"}, Kind: String, Doc: "Oldest server accepted."},
				{Name: "isolate_leafnode_interest", Aliases: isolate, Kind: Boolean, Doc: "Keep interest of leaf nodes from each other."},
				{Name: "compression", Kind: Compressing, Doc: "Compression of leaf node connections.", fields: plainCompression},
			})
		}}
}

func plainCompression() []*Option {
	return []*Option{
		{Name: "mode", Kind: String, Doc: "The mode."},
		{Name: "rtt_thresholds", Aliases: []string{"thresholds", "rtts", "rtt"}, Kind: Durations, Doc: "Round-trip times of s2_auto."},
	}
}

func remoteRows() []*Option {
	return []*Option{
		{Name: "urls", Aliases: []string{"url"}, Kind: Strings, Secret: true, Doc: "URLs to connect to."},
		{Name: "no_randomize", Aliases: []string{"dont_randomize"}, Kind: Boolean, Doc: "Try the URLs in order."},
		{Name: "account", Aliases: []string{"local"}, Kind: String, Doc: "Local account that is tied to the remote."},
		{Name: "credentials", Aliases: []string{"creds"}, Kind: Path, Doc: "Credentials file."},
		{Name: "nkey", Aliases: []string{"seed"}, Kind: String, Secret: true, Doc: "Seed of a user nkey."},
		tlsBlock("TLS to the remote."),
		{Name: "hub", Kind: Boolean, Doc: "This side is the hub."},
		{Name: "deny_imports", Aliases: []string{"deny_import"}, Kind: Strings, Doc: "Subjects not to import."},
		{Name: "deny_exports", Aliases: []string{"deny_export"}, Kind: Strings, Doc: "Subjects not to export."},
		{Name: "ws_compression", Aliases: []string{"ws_compress", "websocket_compress", "websocket_compression"}, Kind: Boolean, Doc: "Compress WebSocket frames."},
		{Name: "ws_no_masking", Aliases: []string{"websocket_no_masking"}, Kind: Boolean, Doc: "Do not mask WebSocket frames."},
		{Name: "jetstream_cluster_migrate", Aliases: []string{"js_cluster_migrate"}, Kind: Switch, Doc: "Move leaders away when disconnected.",
			fields: func() []*Option {
				return []*Option{{Name: "leader_migrate_delay", Kind: Duration, Doc: "Time to wait first."}}
			}},
		{Name: "isolate_leafnode_interest", Aliases: []string{"isolate"}, Kind: Boolean, Doc: "Do not send local interest."},
		{Name: "request_isolation", Kind: Boolean, Doc: "Ask the remote not to send others' interest."},
		{Name: "compression", Kind: Compressing, Doc: "Compression to this remote.", fields: plainCompression},
		{Name: "first_info_timeout", Kind: Duration, Doc: "Time for the first INFO."},
		{Name: "dial_timeout", Kind: Duration, Doc: "Time for a TCP connection to be made."},
		{Name: "disabled", Kind: Boolean, Doc: "Do not connect."},
		{Name: "ignore_discovered_servers", Kind: Boolean, Doc: "Connect to the listed URLs only."},
		{Name: "proxy", Kind: Block, Doc: "HTTP proxy to go through.", fields: func() []*Option {
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

func mqttRow() *Option {
	return &Option{Name: "mqtt", Kind: Block, Feature: MQTT, Doc: "MQTT clients.", fields: func() []*Option {
		return concat(host("MQTT"), []*Option{
			tlsBlock("TLS of MQTT clients."),
			{Name: "authorization", Aliases: []string{"authentication"}, Kind: Block, Doc: "Who may connect.", fields: plainLogin},
			{Name: "no_auth_user", Kind: String, Doc: "User of clients without credentials."},
			{Name: "ack_wait", Aliases: []string{"ackwait"}, Kind: Duration, Doc: "Time for an acknowledgement."},
			{Name: "js_api_timeout", Aliases: []string{"api_timeout"}, Kind: Duration, Doc: "Time for JetStream requests."},
			{Name: "max_ack_pending", Aliases: []string{"max_pending", "max_inflight"}, Kind: Integer, within: &bounds{0, 0xFFFF}, Doc: "Unacknowledged messages of a subscription."},
			{Name: "js_domain", Kind: String, Doc: "JetStream domain."},
			{Name: "stream_replicas", Kind: Integer, Doc: "Replicas of MQTT streams."},
			{Name: "consumer_replicas", Kind: Integer, Doc: "Ignored."},
			{Name: "consumer_memory_storage", Kind: Boolean, Doc: "Keep consumers in memory."},
			{Name: "consumer_inactive_threshold", Aliases: []string{"consumer_auto_cleanup"}, Kind: Duration, Doc: "When unused consumers are removed."},
			{Name: "reject_qos2_publish", Kind: Boolean, Doc: "Refuse QoS 2 publications."},
			{Name: "downgrade_qos2_subscribe", Kind: Boolean, Doc: "Take QoS 2 subscriptions as QoS 1."},
		})
	}}
}
