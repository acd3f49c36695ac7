package monitor

import "time"

// Source is everything the monitor can look at. Each member is a small
// interface owned by this package; a nil member is a subsystem that is absent,
// and is answered as nats-server answers when it lacks it. All methods are
// called from request goroutines, concurrently.
type Source struct {
	Server        ServerSource        // required
	Connections   ConnectionSource    // nil: no connections
	Subscriptions SubscriptionSource  // nil: no subscriptions
	Accounts      AccountSource       // nil: no accounts
	Routes        RouteSource         // nil: not clustered
	JetStream     JetStreamSource     // nil: no streams
	Leafs         LeafSource          // nil: there are no leaf nodes
	Health        HealthSource        // nil: always healthy
	Process       ProcessSource       // nil: no figures about reloads, certificates, logging
	Config        ConfigurationSource // nil: the configuration page says so
	Log           LogSource           // nil: the log page says so
}

// ServerSource tells what the server is and what it has counted.
type ServerSource interface {
	// Identity returns the server's id and name. It is cheap.
	Identity() (id, name string)
	// Varz fills in identity, configuration and counters. The fields that
	// describe the process (now, uptime, mem, cpu, cores, gomaxprocs,
	// gomemlimit, go, http_req_stats) are filled in by the monitor afterwards.
	// Slices and maps it stores in v must not be changed later.
	Varz(v *Varz)
}

// ConnRow is what sorting, filtering and searching need to know of an open
// connection. It is cheap to fill: strings are shared, nothing is copied.
type ConnRow struct {
	CID          uint64
	Account      string
	User         string // as given at CONNECT, for ?user=
	MQTTClient   string
	Name         string
	Lang         string
	Version      string
	IP           string
	Port         int
	Start        time.Time
	LastActivity time.Time
	RTT          time.Duration // 0: not measured yet
	Pending      int64         // bytes waiting to be written
	InMsgs       int64
	OutMsgs      int64
	InBytes      int64
	OutBytes     int64
	NumSubs      uint32
}

// Conn is one connection in full, open or closed.
type Conn struct {
	ConnRow
	Kind       string // "Client", "Leafnode"
	Type       string // "nats", "websocket", "mqtt"
	Stalls     int64
	TLS        *TLSState // nil: not encrypted
	AccountTag string    // the account's name tag; the name itself when it has none
	JWT        string    // empty when absent or not to be shown (bearer tokens)
	IssuerKey  string
	Tags       []string
	ProxyKey   string
	Subs       []Sub // only when asked for
	Stop       time.Time
	Reason     string // why it was closed, in nats-server's words
}

// TLSState describes a connection's encryption.
type TLSState struct {
	Version string // "1.3"
	Cipher  string
	First   bool // handshake before INFO
	Peer    []TLSPeerCert
}

// ConnectionSource lists connections. It need not be consistent: a connection
// may come or go between two calls.
type ConnectionSource interface {
	// NumConnections returns how many are open.
	NumConnections() int
	// EachConnection calls f for each open connection until f returns false.
	// The row is the caller's to reuse; f must not keep the pointer. No lock of
	// the data path is held during f.
	EachConnection(f func(*ConnRow) bool)
	// Connection describes one open connection in c, and as much as subs says
	// of its subscriptions in the memory of c.Subs. It returns false, and leaves
	// c alone, when it is not (or no longer) open.
	Connection(cid uint64, subs SubsShown, c *Conn) bool
	// ClosedConnections returns the ring of closed connections, oldest first.
	// The elements are shared and must not be changed.
	ClosedConnections() []*Conn
	// ClosedByReason returns how many connections were closed since the start,
	// by reason.
	ClosedByReason() map[string]uint64
}

// SubsShown says what is asked for about the subscriptions of a connection.
type SubsShown int

// To count what a subscription got takes a look-up for each.
const (
	NoSubs      SubsShown = iota
	SubsNamed             // everything but Msgs
	SubsCounted           // everything
)

// Sub is one subscription.
type Sub struct {
	Account    string
	AccountTag string
	Subject    string
	Queue      string
	SID        string
	Msgs       int64 // messages delivered
	Max        int64 // UNSUB's maximum, 0: none
	CID        uint64
}

// IndexStats are the figures of a subscription index.
type IndexStats struct {
	Subs, Cache               uint32
	Inserts, Removes, Matches uint64
	CacheHits                 uint64
	MaxFanout                 uint32
	TotalFanout, CacheCounted int // their quotient is the average fan-out
}

// SubscriptionSource lists subscriptions.
type SubscriptionSource interface {
	// IndexStats returns the figures of one account's index, or of all
	// accounts' together when account is empty. An unknown account has none.
	IndexStats(account string) IndexStats
	// EachSubscription calls f for each local subscription of one account, or
	// of all when account is empty, until f returns false. The value is the
	// caller's to reuse.
	EachSubscription(account string, f func(*Sub) bool)
}

// Traffic counts messages and bytes.
type Traffic struct{ Msgs, Bytes int64 }

// AccountRow is one account's figures.
type AccountRow struct {
	Name          string
	Tag           string // name tag; the name itself when it has none
	Clients       int    // local client connections
	Leafs         int
	Subs          uint32
	Sent          Traffic // by this server to the account's connections
	SentRoutes    Traffic
	SentGateways  Traffic
	SentLeafs     Traffic
	Received      Traffic
	RecvRoutes    Traffic
	RecvGateways  Traffic
	RecvLeafs     Traffic
	SlowConsumers int64
	Index         IndexCounts
	System        bool
}

// IndexCounts are the counters of an account's index of subscriptions.
type IndexCounts struct{ Inserts, Removes, Matches, CacheHits uint64 }

// AccountSource lists accounts.
type AccountSource interface {
	// SystemAccount is the system account's name, empty when there is none.
	SystemAccount() string
	// EachAccount calls f for each account until f returns false.
	EachAccount(f func(*AccountRow) bool)
	// HasAccount reports whether the account exists.
	HasAccount(name string) bool
	// AccountDetail describes one account: exports, imports, mappings, claims.
	AccountDetail(name string) (*AccountInfo, bool)
}

// RouteRow is one route connection.
type RouteRow struct {
	RouteInfo               // what /routez shows; RTT, uptime and idle texts are made by the monitor
	RoundTrip time.Duration // 0: not measured yet
	SubList   []Sub         // only when asked for
	Cluster   string        // the peer's cluster
}

// RouteSource lists routes.
type RouteSource interface {
	// Permissions are those configured for all routes; nil: none.
	Permissions() (imp, exp *SubjectPermission)
	// NumRoutes is what /routez calls num_routes.
	NumRoutes() int
	// EachRoute calls f for each route, with its subscriptions if subs.
	EachRoute(subs bool, f func(*RouteRow) bool)
}

// Check is one part of the health report.
type Check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
}

// HealthSource tells whether the server can do its work.
type HealthSource interface {
	// Ready returns nil when clients can connect and be served.
	Ready() error
	// Checks explains the parts behind it, for people.
	Checks() []Check
}

// Certificate is a certificate in use.
type Certificate struct {
	Use       string    `json:"use"` // "client", "cluster", "monitor" …
	Subject   string    `json:"subject"`
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
}

// HealthRemarker is a HealthSource that also has something to say about a
// server that is ready all the same, such as that it serves with an older
// configuration than the one on disk. /healthz then shows it beside the status
// ok.
type HealthRemarker interface {
	// Remark is usually empty.
	Remark() string
}

// ProcessFigures describe the daemon around the broker. Zero times are
// unknown and not reported.
type ProcessFigures struct {
	Reloads        map[string]uint64 // by result: "applied", "refused", "unchanged"
	LastGoodConfig time.Time         // when the configuration in effect was accepted
	RefusedPending bool              // what is on disk was refused, and nothing was accepted since
	OnLastGood     bool              // running on the saved last-good configuration
	LogDrops       map[string]uint64 // by sink
	WatchdogPing   time.Time         // last time the watchdog was fed
	Certificates   []Certificate
}

// ProcessSource tells about the daemon around the broker.
type ProcessSource interface {
	Process() ProcessFigures
}

// Setting is one configuration option in effect. Value is already masked when
// Secret is true: the monitor never sees a secret.
type Setting struct {
	Path    string `json:"path"`
	Value   any    `json:"value"`
	Origin  string `json:"origin"`          // layer: "default", "file", "flag", "environment", "credential"
	Place   string `json:"place,omitempty"` // "/etc/nats/nats.conf:12:3"
	Default bool   `json:"default"`
	Secret  bool   `json:"secret,omitempty"`
	Doc     string `json:"doc,omitempty"`
}

// ConfigurationSource shows the configuration in effect.
type ConfigurationSource interface {
	// Settings returns every option, in the registry's order, secrets masked.
	Settings() []Setting
}

// LogLine is one line of the log. Seq grows by one with each line.
type LogLine struct {
	Seq       uint64    `json:"seq"`
	Time      time.Time `json:"time"`
	Level     string    `json:"level"` // "TRC", "DBG", "INF", "WRN", "ERR", "FTL"
	Subsystem string    `json:"subsystem,omitempty"`
	Text      string    `json:"text"`
}

// LogSource is the tail of the log.
type LogSource interface {
	// Tail returns at most max of the newest lines with Seq greater than
	// after, oldest first.
	Tail(after uint64, max int) []LogLine
}
