package config

import "time"

// Options is the effective configuration, typed: every layer merged, defaults filled in, checked. It is immutable after
// [Load] and may be shared between goroutines. Durations are durations and sizes are bytes, whatever unit they were
// written in.
type Options struct {
	// ServerName is the unique name; empty: the daemon takes the server's id.
	ServerName string
	// Host and Port are the client listener. Port -1 asks for a free one.
	Host string
	Port int
	// ClientAdvertise is the host:port other servers hand to clients; empty: the listen address.
	ClientAdvertise string
	Tags            []string
	Metadata        map[string]string
	FeatureFlags    map[string]bool

	// NoHeaderSupport refuses message headers. NoSublistCache is accepted for compatibility: the index keeps no
	// cache of its own that it could switch off. NoFastProducerStall concerns peers of the cluster only: no publisher
	// is ever stalled for a subscriber.
	NoHeaderSupport     bool
	NoSublistCache      bool
	NoFastProducerStall bool

	Limits Limits
	// PingInterval is the silence after which a client is pinged; PingMax is how many may stay unanswered.
	PingInterval time.Duration
	PingMax      int
	// WriteDeadline bounds a blocked write to a client; WriteTimeout says what follows: "default", "close", "retry".
	WriteDeadline time.Duration
	WriteTimeout  string
	LameDuck      LameDuck

	Log     Log
	Process Process
	Monitor Monitor

	Authorization Authorization
	// NoAuthUser is the user that clients without credentials become; empty: none.
	NoAuthUser string
	// Accounts in the order of the file; "$G" is in it only when top-level mappings exist.
	Accounts []Account
	// SystemAccount is the account of server events; empty means "$SYS" unless NoSystemAccount.
	SystemAccount   string
	NoSystemAccount bool

	// Operator is operator mode.
	Operator Operator

	// TLS of client connections and of the https monitor.
	TLS         TLS
	AllowNonTLS bool
	// ProxyProtocol expects a PROXY header on client connections; ProxyTrusted are the networks it is believed from.
	ProxyProtocol bool
	ProxyTrusted  []string
	// Proxies are trusted to say, by their signatures, that clients came through them.
	Proxies []Proxy

	Cluster   Cluster
	Leafnodes Leafnodes

	WebSocket WebSocket

	JetStream JetStream
	StoreDir  string // as it is at the top; the block has what counts

	// ConnectErrorReports and ReconnectErrorReports: a failing connection to a peer is logged at the first and at
	// every n-th attempt.
	ConnectErrorReports   int
	ReconnectErrorReports int

	// globalMappings are the mappings at the top of the file, until they move to the account $G.
	globalMappings []Mapping
}

// Limits bound what a client may do. Bytes and counts; -1 is unlimited where nats-server has it so.
type Limits struct {
	MaxConnections   int
	MaxSubscriptions int // per connection; 0 unlimited
	MaxSubTokens     int // tokens in a subject; 0 unlimited
	MaxControlLine   int64
	MaxPayload       int64
	MaxPending       int64
	MaxClosedClients int // closed connections remembered for monitoring
}

// LameDuck is how connections are closed before a planned stop.
type LameDuck struct {
	Duration    time.Duration // over which the closes are spread
	GracePeriod time.Duration // before the first
}

// Log says what is logged and where to.
type Log struct {
	Debug        bool
	Trace        bool
	TraceVerbose bool
	TraceHeaders bool
	Time         bool
	UTC          bool
	// Format is "auto", "text" or "json".
	Format       string
	MaxTracedLen int
	// Levels overrides the switches for single subsystems: subsystem -> level word.
	Levels map[string]string

	File      string
	FileLimit int64 // bytes; 0: no rotation
	FileMax   int64 // files kept, the current one included; 0: all

	Syslog bool
	Remote RemoteSyslog
	// Stderr writes to standard error beside other sinks.
	Stderr bool
	// NoRepeatLimit writes every repetition of the same line.
	NoRepeatLimit bool
}

// RemoteSyslog is a syslog receiver over the network.
type RemoteSyslog struct {
	URL    string // udp://, tcp://, tls:// or unix://; empty: none
	Format string // "rfc5424" or "rfc3164"; empty: by the receiver
	Queue  int    // lines that may wait
	TLS    ClientTLS
}

// ClientTLS is what a connection that we open trusts and presents.
type ClientTLS struct {
	Defined    bool
	CAFile     string
	CertFile   string
	KeyFile    string
	ServerName string
}

// Process is the daemon itself.
type Process struct {
	PidFile      string
	PortsFileDir string
	ProfPort     int // 0: none, -1: free port
	// ProfBlockRate is the block profile's rate, in nanoseconds between samples.
	ProfBlockRate int
	// ControlSocket is the path of the control socket; empty: $RUNTIME_DIRECTORY/control.sock under systemd, else
	// none.
	ControlSocket string
	// ControlWatch lets those who may use the control socket look at messages.
	ControlWatch bool
	// ConfigWatch reloads when a file of the configuration changes.
	ConfigWatch bool
	// LastGood keeps the last configuration that ran and starts with it when the file is bad; only the packaged
	// unit does that.
	LastGood bool
	// TLSHandover hands connections of TLS 1.3 over to the next process. Off, their keys leave the process in no case.
	TLSHandover bool
}

// Monitor is the HTTP monitoring.
type Monitor struct {
	Host      string // empty: the client host
	Port      int    // 0: none, -1: free port
	HTTPSPort int
	BasePath  string
	// Socket is the path of a unix socket to serve on as well.
	Socket string
	// Token, or User and Password, are asked for when set. Password may be a bcrypt hash.
	Token    string
	User     string
	Password string
	// Verify asks https clients for a certificate of the authorities in the tls block.
	Verify bool
	// MetricsAccounts is how many accounts have metrics of their own.
	MetricsAccounts int64
}
