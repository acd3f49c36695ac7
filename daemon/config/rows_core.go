package config

import (
	"fmt"
	"math"
	"strings"
	"time"
)

var int32Bounds = &bounds{math.MinInt64, math.MaxInt32}

// coreRows are the client listener, the identity of the server and the limits.
func coreRows() []*Option {
	return []*Option{
		{Name: "listen", Kind: Address,
			Doc:  "Address of the client listener, port or host:port; sets host and port. Port -1 takes a free one.",
			bind: func(b any) any { o := b.(*Options); return address{&o.Host, &o.Port} }},
		{Name: "host", Aliases: []string{"net"}, Kind: String, Default: "0.0.0.0",
			Doc:  "Host or address the client listener binds to.",
			bind: field(func(o *Options) *string { return &o.Host })},
		{Name: "port", Kind: Port, Default: "4222", zeroIsDefault: true,
			Doc:      "Port of the client listener; -1 takes a free one.",
			listener: listensOn("the client port", "listen", func(o *Options) string { return o.Host }),
			bind:     field(func(o *Options) *int { return &o.Port })},
		{Name: "client_advertise", Kind: String,
			Doc:  "Host:port that other servers of the cluster give to clients instead of the listen address.",
			bind: field(func(o *Options) *string { return &o.ClientAdvertise })},
		{Name: "server_name", Kind: String, Class: Restart,
			Doc:   "Name of the server, unique in its cluster; by default its id.",
			check: noSpaces("server name cannot contain spaces"),
			bind:  field(func(o *Options) *string { return &o.ServerName })},
		{Name: "server_tags", Kind: Strings,
			Doc:  "Tags that describe the server, for selecting servers in requests.",
			bind: field(func(o *Options) *[]string { return &o.Tags })},
		{Name: "server_metadata", Kind: StringMap,
			Doc:  "Keys and values that describe the server; they show in monitoring.",
			bind: field(func(o *Options) *map[string]string { return &o.Metadata })},
		{Name: "feature_flags", Kind: BoolMap, Class: Restart,
			Doc:  "Feature flags the server opts in to or out of; they show in monitoring. js_ack_fc_v2 has acks of consumers name domain and account; the others concern clusters with streams and change nothing.",
			bind: field(func(o *Options) *map[string]bool { return &o.FeatureFlags })},
		{Name: "no_header_support", Kind: Boolean, Default: "false", Class: NewConnections,
			Doc:  "Refuse message headers.",
			bind: field(func(o *Options) *bool { return &o.NoHeaderSupport })},
		{Name: "disable_sublist_cache", Aliases: []string{"no_sublist_cache"}, Kind: Boolean, Default: "false",
			Doc:  "Accepted for compatibility: the subscription index has no cache that could be switched off.",
			bind: field(func(o *Options) *bool { return &o.NoSublistCache })},
		{Name: "no_fast_producer_stall", Kind: Boolean, Default: "false",
			Doc:  "Do not hold up publishers for a server of the cluster that takes messages more slowly than they come. For slow subscribers nobody is ever held up.",
			bind: field(func(o *Options) *bool { return &o.NoFastProducerStall })},
		{Name: "connect_error_reports", Kind: Integer, Default: "3600", zeroIsDefault: true,
			Doc:  "A first connection to a peer that fails is logged at the first and at every n-th attempt.",
			bind: field(func(o *Options) *int { return &o.ConnectErrorReports })},
		{Name: "reconnect_error_reports", Kind: Integer, Default: "1", zeroIsDefault: true,
			Doc:  "A reconnection to a peer that fails is logged at the first and at every n-th attempt.",
			bind: field(func(o *Options) *int { return &o.ReconnectErrorReports })},
	}
}

// limitRows bound clients and time.
func limitRows() []*Option {
	return []*Option{
		{Name: "max_connections", Aliases: []string{"max_conn"}, Kind: Integer, Default: "65536",
			Doc:  "Client connections at one time; -1 and 0 are unlimited. Lowering it closes the newest ones.",
			bind: field(func(o *Options) *int { return &o.Limits.MaxConnections })},
		{Name: "max_subscriptions", Aliases: []string{"max_subs"}, Kind: Integer, Default: "0",
			Doc:  "Subscriptions of one connection; 0 is unlimited. Lowering it closes connections that have more.",
			bind: field(func(o *Options) *int { return &o.Limits.MaxSubscriptions })},
		{Name: "max_sub_tokens", Aliases: []string{"max_subscription_tokens"}, Kind: Integer, within: &bounds{1, 255},
			Doc:  "Tokens in the subject of a subscription, 1 to 255; unlimited if not set.",
			bind: field(func(o *Options) *int { return &o.Limits.MaxSubTokens })},
		{Name: "max_control_line", Kind: Size, Default: "4KB", within: int32Bounds, zeroIsDefault: true,
			Doc:  "Longest protocol line of a client, payload not counted.",
			bind: field(func(o *Options) *int64 { return &o.Limits.MaxControlLine })},
		{Name: "max_payload", Kind: Size, Default: "1MB", within: int32Bounds, zeroIsDefault: true,
			Doc:  "Largest message, headers included. Above 8MB is not recommended.",
			bind: field(func(o *Options) *int64 { return &o.Limits.MaxPayload })},
		{Name: "max_pending", Kind: Size, Default: "64MB", zeroIsDefault: true,
			Doc:  "Bytes that may wait for one connection before it counts as a slow consumer and is closed.",
			bind: field(func(o *Options) *int64 { return &o.Limits.MaxPending })},
		{Name: "max_closed_clients", Kind: Integer, Default: "10000", zeroIsDefault: true,
			Doc:  "Closed connections that monitoring remembers.",
			bind: field(func(o *Options) *int { return &o.Limits.MaxClosedClients })},
		{Name: "ping_interval", Kind: Duration, Default: `"2m"`, zeroIsDefault: true,
			Doc:  "Silence after which a client is pinged.",
			bind: field(func(o *Options) *time.Duration { return &o.PingInterval })},
		{Name: "ping_max", Kind: Integer, Default: "2", zeroIsDefault: true,
			Doc:  "Pings that may stay unanswered before the connection is closed as stale.",
			bind: field(func(o *Options) *int { return &o.PingMax })},
		{Name: "write_deadline", Kind: Duration, Default: `"10s"`, zeroIsDefault: true,
			Doc:  "Longest time a write to a client may block.",
			bind: field(func(o *Options) *time.Duration { return &o.WriteDeadline })},
		{Name: "write_timeout", Kind: Word, Values: []string{"default", "close", "retry"}, Default: "default",
			Doc:  "What follows a write that missed its deadline: close the connection, or retry; default closes clients.",
			bind: field(func(o *Options) *string { return &o.WriteTimeout })},
		{Name: "lame_duck_duration", Kind: Span, Default: `"2m"`,
			Doc: "Time over which a lame duck server spreads the closing of its clients; at least 30s.",
			check: func(v any) string {
				if dur := v.(time.Duration); dur < 30*time.Second {
					return fmt.Sprintf("invalid lame_duck_duration of %v, minimum is 30 seconds", dur)
				}
				return ""
			},
			bind: field(func(o *Options) *time.Duration { return &o.LameDuck.Duration })},
		{Name: "lame_duck_grace_period", Kind: Span, Default: `"10s"`, zeroIsDefault: true,
			Doc: "Time a lame duck server waits before it closes the first client.",
			check: func(v any) string {
				if v.(time.Duration) < 0 {
					return "invalid lame_duck_grace_period, needs to be positive"
				}
				return ""
			},
			bind: field(func(o *Options) *time.Duration { return &o.LameDuck.GracePeriod })},
	}
}

func noSpaces(message string) func(any) string {
	return func(v any) string {
		if strings.Contains(v.(string), " ") {
			return message
		}
		return ""
	}
}
