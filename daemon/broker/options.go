package broker

import (
	"math"
	"time"

	"github.com/nats-broker/nats-broker/daemon/transport"
)

// Options configure a Broker. The zero value of each field means the default of
// nats-server 2.15.3, which the comment gives; [Options.withDefaults] fills it in.
type Options struct {
	ServerName string // the server's id
	Host       string // as told to clients in INFO: 0.0.0.0
	Port       int    // as told to clients in INFO: that of the first TCP listener
	// ClientAdvertise is told to clients instead of Host and Port: "host[:port]".
	ClientAdvertise string

	MaxControlLine   int           // bytes: 4096
	MaxPayload       int           // bytes: 1 MiB
	MaxPending       int64         // bytes: 64 MiB
	MaxConnections   int           // 65536; negative: none are let in
	MaxSubscriptions int           // per connection: 0, no limit
	MaxSubTokens     int           // of a subject subscribed to: 0, no limit
	WriteDeadline    time.Duration // 10 s
	KeepLate         bool          // who misses the deadline, but takes something in, is kept
	PingInterval     time.Duration // 2 min
	PingMax          int           // unanswered PINGs: 2
	AuthTimeout      time.Duration // for CONNECT, where authentication is required: 2 s
	NoHeaders        bool          // do not support headers
	NoShortFirstPing bool          // the first PING is not sent early, to learn the RTT

	LameDuckDuration time.Duration // 2 min
	LameDuckGrace    time.Duration // 10 s; negative values of tests count as positive

	MaxClosedClients int // closed connections remembered: 10000

	// SystemAccount names the account for the broker's own traffic: $SYS.
	SystemAccount string
	// Cluster is told to clients in INFO, if set.
	Cluster string

	// JetStream says in INFO that streams are kept here, Domain of which domain they are.
	JetStream bool
	Domain    string
	// Version and GoVersion are told to clients in INFO.
	Version, GoVersion, GitCommit string

	// What the lines of tracing hold, when the log's level asks for it.
	TraceVerbose bool // traffic of the broker's own too
	TraceHeaders bool // of messages, their headers instead of all
	MaxTracedLen int  // bytes of a message: 0, no limit

	// TLS encrypts clients' connections; nil: none is encrypted.
	TLS   *transport.TLS
	Proxy ProxyOptions

	// Keys are the broker's own, asked for by New alone; nil makes some.
	Keys func() (*ServerKeys, error)

	// Authenticator decides who may connect; nil lets everyone into $G.
	Authenticator Authenticator
}

// Names and numbers every NATS server shares.
const (
	GlobalAccount  = "$G"
	SystemAccount  = "$SYS"
	ProtocolLevel  = 1 // of the client protocol: INFO at any time, echo can be turned off
	protocolParity = "2.15.3"
	apiLevel       = 5
)

func orDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

func (o Options) withDefaults() Options {
	orDefault(&o.Host, "0.0.0.0")
	orDefault(&o.MaxControlLine, 4096)
	orDefault(&o.MaxPayload, 1<<20)
	orDefault(&o.MaxPending, 64<<20)
	orDefault(&o.MaxConnections, 64<<10)
	orDefault(&o.WriteDeadline, 10*time.Second)
	orDefault(&o.PingInterval, 2*time.Minute)
	orDefault(&o.PingMax, 2)
	orDefault(&o.AuthTimeout, 2*time.Second)
	orDefault(&o.LameDuckDuration, 2*time.Minute)
	orDefault(&o.LameDuckGrace, 10*time.Second)
	if o.LameDuckGrace < 0 {
		o.LameDuckGrace = -o.LameDuckGrace
	}
	orDefault(&o.MaxClosedClients, 10000)
	orDefault(&o.SystemAccount, SystemAccount)
	orDefault(&o.Version, protocolParity)
	return o
}

// noLimit stands for an unlimited number in comparisons.
const noLimit = math.MaxInt
