package monitor

import (
	"strings"
	"sync"
	"time"
)

// namespace begins the name of every metric of the broker.
const namespace = "nats_broker_"

// metricKind is a Prometheus metric type.
type metricKind int

const (
	gauge metricKind = iota
	counter
)

// metric is one row of the table of metrics: everything that is known about it,
// for the scrape and for the manual page.
type metric struct {
	name    string // without the namespace; one that begins with a slash has none
	kind    metricKind
	labels  []string
	help    string
	collect func(s *scrape, emit emitFunc)
}

// emitFunc reports one value; labels are in the order of the row's.
type emitFunc func(value float64, labels ...string)

// metrics is the one table.
var metrics = sync.OnceValue(func() []metric { return append(brokerMetrics, jetStreamMetrics()...) })

// title is the name as it is shown.
func (m *metric) title() string {
	if name, foreign := strings.CutPrefix(m.name, "/"); foreign {
		return name
	}
	return namespace + m.name
}

// brokerMetrics are those of everything but streams. Names follow Prometheus' conventions: base units,
// counters end in _total, times are seconds since the epoch.
var brokerMetrics = []metric{
	// What runs.
	{"build_info", gauge, []string{"version", "commit", "goversion", "compatible"}, "The build that runs, and the nats-server that it is like; the value is always 1.",
		func(s *scrape, emit emitFunc) {
			emit(1, s.varz.Build.Version, s.varz.Build.Commit, s.varz.GoVersion, s.varz.Version)
		}},
	{"server_info", gauge, []string{"server_id", "server_name", "cluster"}, "The server's identity; the value is always 1.",
		func(s *scrape, emit emitFunc) { emit(1, s.varz.ID, s.varz.Name, s.varz.Cluster.Name) }},
	{"start_time_seconds", gauge, nil, "When the server started.",
		func(s *scrape, emit emitFunc) { emit(seconds(s.varz.Start)) }},
	{"healthy", gauge, nil, "Whether /healthz answers ok: 1, otherwise 0.",
		func(s *scrape, emit emitFunc) { emit(boolean(s.r.Healthz(HealthzOptions{}).Status == "ok")) }},
	{"cpu_cores", gauge, nil, "Processors the broker may use at once (GOMAXPROCS).",
		func(s *scrape, emit emitFunc) { emit(float64(s.varz.MaxProcs)) }},

	// Configuration.
	{"config_info", gauge, []string{"digest"}, "The configuration in effect, by checksum; the value is always 1.",
		func(s *scrape, emit emitFunc) { emit(1, s.varz.ConfigDigest) }},
	{"config_load_time_seconds", gauge, nil, "When the configuration in effect was read.",
		func(s *scrape, emit emitFunc) { emit(seconds(s.varz.ConfigLoadTime)) }},
	{"config_last_good_time_seconds", gauge, nil, "When a configuration was last accepted.",
		func(s *scrape, emit emitFunc) { emitTime(emit, s.process.LastGoodConfig) }},
	{"config_last_good_in_use", gauge, nil, "Whether the saved last-good configuration is in use because the file is bad: 1, otherwise 0.",
		func(s *scrape, emit emitFunc) { emit(boolean(s.process.OnLastGood)) }},
	{"config_refused_pending", gauge, nil, "Whether a changed configuration was refused and none was accepted since: 1, otherwise 0.",
		func(s *scrape, emit emitFunc) { emit(boolean(s.process.RefusedPending)) }},
	{"config_reloads_total", counter, []string{"result"}, "Reloads of the configuration, by result.",
		func(s *scrape, emit emitFunc) { emitCounts(emit, s.process.Reloads) }},

	// Connections.
	{"connections", gauge, []string{"kind"}, "Open connections, by kind: client, route, leaf.",
		func(s *scrape, emit emitFunc) {
			emit(float64(s.varz.Connections), "client")
			emit(float64(s.varz.Routes), "route")
			emit(float64(s.varz.Leafs), "leaf")
		}},
	{"connections_max", gauge, nil, "Client connections allowed at once (max_connections).",
		func(s *scrape, emit emitFunc) { emit(float64(s.varz.MaxConnections)) }},
	{"connections_opened_total", counter, nil, "Client connections accepted since the start.",
		func(s *scrape, emit emitFunc) { emit(float64(s.varz.TotalConnections)) }},
	{"connections_closed_total", counter, []string{"reason"}, "Connections closed since the start, by reason.",
		func(s *scrape, emit emitFunc) { emitCounts(emit, s.closed) }},
	{"pending_bytes", gauge, nil, "Bytes waiting to be written to clients, all together.",
		func(s *scrape, emit emitFunc) { emit(float64(s.pending.sum)) }},
	{"pending_bytes_max", gauge, nil, "Bytes waiting to be written to the client with most of them.",
		func(s *scrape, emit emitFunc) { emit(float64(s.pending.max)) }},
	{"slow_consumers_total", counter, []string{"kind"}, "Connections found to read too slowly, by kind.",
		func(s *scrape, emit emitFunc) { emitKinds(emit, s.varz.SlowConsumerStats) }},
	{"stale_connections_total", counter, []string{"kind"}, "Connections closed because they stopped answering PING, by kind.",
		func(s *scrape, emit emitFunc) { emitKinds(emit, s.varz.StaleConnectionStats) }},

	// Messages.
	{"received_messages_total", counter, []string{"peer"}, "Messages received, by peer: client or server (routes and leaf nodes).",
		func(s *scrape, emit emitFunc) { emitPeers(emit, s.varz.InMsgs, s.varz.InClientMsgs) }},
	{"received_bytes_total", counter, []string{"peer"}, "Bytes of messages received, by peer.",
		func(s *scrape, emit emitFunc) { emitPeers(emit, s.varz.InBytes, s.varz.InClientBytes) }},
	{"sent_messages_total", counter, []string{"peer"}, "Messages sent, by peer.",
		func(s *scrape, emit emitFunc) { emitPeers(emit, s.varz.OutMsgs, s.varz.OutClientMsgs) }},
	{"sent_bytes_total", counter, []string{"peer"}, "Bytes of messages sent, by peer.",
		func(s *scrape, emit emitFunc) { emitPeers(emit, s.varz.OutBytes, s.varz.OutClientBytes) }},

	// Subscriptions.
	{"subscriptions", gauge, nil, "Subscriptions in all accounts.",
		func(s *scrape, emit emitFunc) { emit(float64(s.varz.Subscriptions)) }},
	{"subscription_inserts_total", counter, nil, "Subscriptions made.",
		func(s *scrape, emit emitFunc) { emit(float64(s.index[5])) }},
	{"subscription_removes_total", counter, nil, "Subscriptions ended.",
		func(s *scrape, emit emitFunc) { emit(float64(s.index[6])) }},
	{"subject_lookups_total", counter, nil, "Look-ups of a subject's receivers.",
		func(s *scrape, emit emitFunc) { emit(float64(s.index[7])) }},
	{"subject_cache_hits_total", counter, nil, "Look-ups answered by a cache; divided by look-ups it is the hit rate.",
		func(s *scrape, emit emitFunc) { emit(float64(s.index[8])) }},

	// Accounts.
	{"account_connections", gauge, []string{"account"}, "Open connections of an account.",
		accountValue(func(a *accountGauges) uint64 { return a.connections })},
	{"account_subscriptions", gauge, []string{"account"}, "Subscriptions of an account.",
		accountValue(func(a *accountGauges) uint64 { return a.subscriptions })},
	{"account_received_messages_total", counter, []string{"account"}, "Messages received from an account's connections.",
		accountCount(0)},
	{"account_received_bytes_total", counter, []string{"account"}, "Bytes of messages received from an account's connections.",
		accountCount(1)},
	{"account_sent_messages_total", counter, []string{"account"}, "Messages sent to an account's connections.",
		accountCount(2)},
	{"account_sent_bytes_total", counter, []string{"account"}, "Bytes of messages sent to an account's connections.",
		accountCount(3)},
	{"account_slow_consumers_total", counter, []string{"account"}, "Slow consumers of an account.",
		accountCount(4)},

	// Routes.
	{"routed_servers", gauge, nil, "Other servers of the cluster this one has routes to.",
		func(s *scrape, emit emitFunc) { emit(float64(len(s.peers))) }},
	{"route_connections", gauge, []string{"remote"}, "Open routes to a server.",
		peerValue(func(p *peerFigures) float64 { return float64(p.routes) })},
	{"route_rtt_seconds", gauge, []string{"remote"}, "Round trip time to a server, over its slowest route.",
		peerValue(func(p *peerFigures) float64 { return p.rtt.Seconds() })},
	{"route_pending_bytes", gauge, []string{"remote"}, "Bytes waiting to be written to a server.",
		peerValue(func(p *peerFigures) float64 { return float64(p.pending) })},
	{"route_received_messages_total", counter, []string{"remote"}, "Messages received over routes to a server.",
		peerCount(0)},
	{"route_sent_messages_total", counter, []string{"remote"}, "Messages sent over routes to a server.",
		peerCount(2)},
	{"route_received_bytes_total", counter, []string{"remote"}, "Bytes of messages received over routes to a server.",
		peerCount(1)},
	{"route_sent_bytes_total", counter, []string{"remote"}, "Bytes of messages sent over routes to a server.",
		peerCount(3)},

	// The daemon around the broker.
	{"certificate_expiry_time_seconds", gauge, []string{"use", "subject"}, "When a certificate in use expires.",
		func(s *scrape, emit emitFunc) {
			for _, c := range s.process.Certificates {
				emit(seconds(c.NotAfter), c.Use, c.Subject)
			}
		}},
	{"certificate_start_time_seconds", gauge, []string{"use", "subject"}, "Since when a certificate in use is valid.",
		func(s *scrape, emit emitFunc) {
			for _, c := range s.process.Certificates {
				emit(seconds(c.NotBefore), c.Use, c.Subject)
			}
		}},
	{"log_dropped_lines_total", counter, []string{"sink"}, "Lines a log sink could not take.",
		func(s *scrape, emit emitFunc) { emitCounts(emit, s.process.LogDrops) }},
	{"watchdog_age_seconds", gauge, nil, "Time since the service manager's watchdog was fed.",
		func(s *scrape, emit emitFunc) {
			if t := s.process.WatchdogPing; !t.IsZero() {
				emit(s.now.Sub(t).Seconds())
			}
		}},
	{"monitor_requests_total", counter, []string{"path"}, "Requests to the monitor, by endpoint.",
		func(s *scrape, emit emitFunc) { emitCounts(emit, s.varz.HTTPRequests) }},
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// emitTime leaves out a time that is not known.
func emitTime(emit emitFunc, t time.Time) {
	if !t.IsZero() {
		emit(seconds(t))
	}
}

func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func emitCounts(emit emitFunc, byLabel map[string]uint64) {
	for label, n := range byLabel {
		emit(float64(n), label)
	}
}

func emitKinds(emit emitFunc, c KindCounts) {
	emit(float64(c.Clients), "client")
	emit(float64(c.Routes), "route")
	emit(float64(c.Leafs), "leaf")
}

// emitPeers splits a total into what clients and what servers had of it.
func emitPeers(emit emitFunc, total, clients int64) {
	emit(float64(clients), "client")
	emit(float64(max(total-clients, 0)), "server")
}

func accountValue(f func(*accountGauges) uint64) func(*scrape, emitFunc) {
	return func(s *scrape, emit emitFunc) {
		for name, a := range s.accounts {
			emit(float64(f(a)), name)
		}
	}
}

// accountCount is a counter of accounts: k is its place among accountFigures.
func accountCount(k int) func(*scrape, emitFunc) {
	return func(s *scrape, emit emitFunc) {
		for name, f := range s.counted {
			emit(float64(f[k]), name)
		}
	}
}

func peerValue(f func(*peerFigures) float64) func(*scrape, emitFunc) {
	return func(s *scrape, emit emitFunc) {
		for name, p := range s.peers {
			emit(f(p), name)
		}
	}
}

// peerCount is a counter of routes: k is its place among routeFigures.
func peerCount(k int) func(*scrape, emitFunc) {
	return func(s *scrape, emit emitFunc) {
		for name, f := range s.crossed {
			emit(float64(f[k]), name)
		}
	}
}
