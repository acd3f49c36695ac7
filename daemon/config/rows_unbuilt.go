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
