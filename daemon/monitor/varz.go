package monitor

import (
	"encoding/json"
	"math"
	"runtime"
	"runtime/debug"
	"time"
)

// Varz is what /varz shows: identity, configuration and counters. Durations
// are in nanoseconds unless their name says otherwise; times are UTC.
type Varz struct {
	ID                   string            `json:"server_id"`
	Name                 string            `json:"server_name"`
	Version              string            `json:"version"`
	Proto                int               `json:"proto"`
	GitCommit            string            `json:"git_commit,omitempty"`
	GoVersion            string            `json:"go"`
	Host                 string            `json:"host"`
	Port                 int               `json:"port"`
	AuthRequired         bool              `json:"auth_required,omitempty"`
	TLSRequired          bool              `json:"tls_required,omitempty"`
	TLSVerify            bool              `json:"tls_verify,omitempty"`
	TLSOCSPPeerVerify    bool              `json:"tls_ocsp_peer_verify,omitempty"`
	IP                   string            `json:"ip,omitempty"`
	ConnectURLs          []string          `json:"connect_urls,omitempty"`
	WSConnectURLs        []string          `json:"ws_connect_urls,omitempty"`
	MaxConnections       int               `json:"max_connections"`
	MaxSubscriptions     int               `json:"max_subscriptions,omitempty"`
	PingInterval         time.Duration     `json:"ping_interval"`
	PingMax              int               `json:"ping_max"`
	HTTPHost             string            `json:"http_host"`
	HTTPPort             int               `json:"http_port"`
	HTTPBasePath         string            `json:"http_base_path"`
	HTTPSPort            int               `json:"https_port"`
	AuthTimeout          float64           `json:"auth_timeout"` // seconds
	MaxControlLine       int32             `json:"max_control_line"`
	MaxPayload           int               `json:"max_payload"`
	MaxPending           int64             `json:"max_pending"`
	Cluster              ClusterVarz       `json:"cluster"`
	Gateway              struct{}          `json:"gateway"`
	Leaf                 LeafVarz          `json:"leaf"`
	MQTT                 struct{}          `json:"mqtt"`
	WebSocket            WebSocketVarz     `json:"websocket"`
	JetStream            JetStreamVarz     `json:"jetstream"`
	TLSTimeout           float64           `json:"tls_timeout"` // seconds
	WriteDeadline        time.Duration     `json:"write_deadline"`
	WriteTimeout         string            `json:"write_timeout,omitempty"`
	Start                time.Time         `json:"start"`
	Now                  time.Time         `json:"now"`
	Uptime               string            `json:"uptime"`
	Mem                  int64             `json:"mem"` // resident bytes
	Cores                int               `json:"cores"`
	MaxProcs             int               `json:"gomaxprocs"`
	MemLimit             int64             `json:"gomemlimit,omitempty"`
	CPU                  float64           `json:"cpu"` // per cent of one core
	Connections          int               `json:"connections"`
	TotalConnections     uint64            `json:"total_connections"`
	Routes               int               `json:"routes"`
	Remotes              int               `json:"remotes"`
	Leafs                int               `json:"leafnodes"`
	InMsgs               int64             `json:"in_msgs"`
	InBytes              int64             `json:"in_bytes"`
	InClientMsgs         int64             `json:"in_client_msgs"`
	InClientBytes        int64             `json:"in_client_bytes"`
	OutMsgs              int64             `json:"out_msgs"`
	OutBytes             int64             `json:"out_bytes"`
	OutClientMsgs        int64             `json:"out_client_msgs"`
	OutClientBytes       int64             `json:"out_client_bytes"`
	SlowConsumers        int64             `json:"slow_consumers"`
	StaleConnections     int64             `json:"stale_connections"`
	StalledClients       int64             `json:"stalled_clients"`
	Subscriptions        uint32            `json:"subscriptions"`
	HTTPRequests         map[string]uint64 `json:"http_req_stats"`
	ConfigLoadTime       time.Time         `json:"config_load_time"`
	ConfigDigest         string            `json:"config_digest"`
	Tags                 []string          `json:"tags,omitempty"`
	Metadata             map[string]string `json:"metadata,omitempty"`
	FeatureFlags         map[string]bool   `json:"feature_flags,omitempty"`
	TrustedOperatorsJWT  []string          `json:"trusted_operators_jwt,omitempty"`
	TrustedOperators     []json.RawMessage `json:"trusted_operators_claim,omitempty"`
	SystemAccount        string            `json:"system_account,omitempty"`
	PinnedAccountFails   uint64            `json:"pinned_account_fails,omitempty"`
	SlowConsumerStats    KindCounts        `json:"slow_consumer_stats"`
	StaleConnectionStats KindCounts        `json:"stale_connection_stats"`
	DiskIOWait           DiskIOWait        `json:"disk_io_wait_stats"`
	Proxies              *ProxiesVarz      `json:"proxies,omitempty"`
	TLSCertNotAfter      time.Time         `json:"tls_cert_not_after,omitzero"`
	Build                Build             `json:"nats_broker"` // an extension: Version is that of the nats-server we are like
}

// Build is which nats-broker runs.
type Build struct {
	Version string `json:"version"`
	Commit  string `json:"git_commit,omitempty"` // empty: not known
}

// ClusterVarz is /varz's cluster section; empty when not clustered.
type ClusterVarz struct {
	Name            string        `json:"name,omitempty"`
	Host            string        `json:"addr,omitempty"`
	Port            int           `json:"cluster_port,omitempty"`
	AuthTimeout     float64       `json:"auth_timeout,omitempty"` // seconds
	URLs            []string      `json:"urls,omitempty"`
	TLSTimeout      float64       `json:"tls_timeout,omitempty"` // seconds
	TLSRequired     bool          `json:"tls_required,omitempty"`
	TLSVerify       bool          `json:"tls_verify,omitempty"`
	PoolSize        int           `json:"pool_size,omitempty"`
	WriteDeadline   time.Duration `json:"write_deadline,omitempty"`
	WriteTimeout    string        `json:"write_timeout,omitempty"`
	TLSCertNotAfter time.Time     `json:"tls_cert_not_after,omitzero"`
}

// WebSocketVarz is /varz's section of WebSocket clients; empty where none are served.
type WebSocketVarz struct {
	Host             string        `json:"host,omitempty"`
	Port             int           `json:"port,omitempty"`
	Advertise        string        `json:"advertise,omitempty"`
	NoAuthUser       string        `json:"no_auth_user,omitempty"`
	JWTCookie        string        `json:"jwt_cookie,omitempty"`
	HandshakeTimeout time.Duration `json:"handshake_timeout,omitempty"`
	AuthTimeout      float64       `json:"auth_timeout,omitempty"` // seconds
	NoTLS            bool          `json:"no_tls,omitempty"`
	TLSMap           bool          `json:"tls_map,omitempty"`
	TLSPinnedCerts   []string      `json:"tls_pinned_certs,omitempty"`
	SameOrigin       bool          `json:"same_origin,omitempty"`
	AllowedOrigins   []string      `json:"allowed_origins,omitempty"`
	Compression      bool          `json:"compression,omitempty"`
	TLSOCSPVerify    bool          `json:"tls_ocsp_peer_verify,omitempty"`
	TLSCertNotAfter  time.Time     `json:"tls_cert_not_after,omitzero"`
}

// LeafVarz is /varz's section about leaf nodes; empty where there are none.
type LeafVarz struct {
	Host            string           `json:"host,omitempty"`
	Port            int              `json:"port,omitempty"`
	AuthTimeout     float64          `json:"auth_timeout,omitempty"` // seconds
	TLSTimeout      float64          `json:"tls_timeout,omitempty"`  // seconds
	TLSRequired     bool             `json:"tls_required,omitempty"`
	TLSVerify       bool             `json:"tls_verify,omitempty"`
	Remotes         []LeafRemoteVarz `json:"remotes,omitempty"`
	WriteDeadline   time.Duration    `json:"write_deadline,omitempty"`
	WriteTimeout    string           `json:"write_timeout,omitempty"`
	TLSCertNotAfter time.Time        `json:"tls_cert_not_after,omitzero"`
}

// LeafRemoteVarz is a remote as it is configured.
type LeafRemoteVarz struct {
	LocalAccount string     `json:"local_account,omitempty"`
	TLSTimeout   float64    `json:"tls_timeout,omitempty"` // seconds
	URLs         []string   `json:"urls,omitempty"`
	Deny         *DenyRules `json:"deny,omitempty"`
}

// DenyRules list subjects that do not cross.
type DenyRules struct {
	Exports []string `json:"exports,omitempty"`
	Imports []string `json:"imports,omitempty"`
}

// KindCounts counts something by kind of connection.
type KindCounts struct {
	Clients  uint64 `json:"clients"`
	Routes   uint64 `json:"routes"`
	Gateways uint64 `json:"gateways"`
	Leafs    uint64 `json:"leafs"`
}

// DiskIOWait is always zero: nothing is stored yet that waits for a disk.
type DiskIOWait struct {
	Waiters     int64  `json:"waiters"`
	Waits       uint64 `json:"waits"`
	WaitTime    uint64 `json:"wait_time"`
	MaxWaitTime uint64 `json:"max_wait_time"`
}

// ProxiesVarz lists the proxies that are trusted to present clients.
type ProxiesVarz struct {
	Trusted []ProxyKey `json:"trusted,omitempty"`
}

// ProxyKey is the public key of a trusted proxy.
type ProxyKey struct {
	Key string `json:"key"`
}

// Varz answers /varz.
func (r *Reporter) Varz() *Varz {
	now := r.now()
	v := &Varz{}
	r.src.Server.Varz(v)
	v.Start = v.Start.UTC()
	v.Now = now.UTC()
	v.Uptime = span(now.Sub(v.Start))
	v.ConfigLoadTime = v.ConfigLoadTime.UTC()
	v.GoVersion = runtime.Version()
	v.Mem, v.CPU = r.usage.read(now)
	v.Cores = runtime.NumCPU()
	v.MaxProcs = runtime.GOMAXPROCS(0)
	if limit := debug.SetMemoryLimit(-1); limit < math.MaxInt64 {
		v.MemLimit = limit
	}
	v.HTTPRequests = r.requests.snapshot()
	if js := r.JetStream(); js != nil {
		v.JetStream = *js
	}
	return v
}
