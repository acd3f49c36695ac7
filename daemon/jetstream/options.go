package jetstream

import (
	"time"

	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
)

// Options are what a server's JetStream is configured by.
type Options struct {
	StoreDir  string // empty: no streams in files
	Empty     bool   // begin with an empty store beside one of nats-server
	HowEmpty  string // how that is asked for
	MaxMemory int64  // bytes of memory streams
	MaxStore  int64  // bytes of streams in files
	// Budget is how many bytes of memory the store may use: what it reads, what waits, tables, windows, streams in memory. 0: any.
	Budget int64
	// SyncInterval is how often what is stored is synced; 0: before it is acknowledged.
	SyncInterval time.Duration

	Domain string
	Strict bool // unknown fields of requests are errors
	// LongReplies has the subjects of acks and of flow control name domain and account: js_ack_fc_v2 of nats-server.
	LongReplies bool

	MaxWindow     time.Duration // longest duplicate window; 0: any
	MaxBuffered   int           // messages of a stream that are not stored yet
	MaxBufferedBy int64         // and their bytes
	Requests      int           // that may wait
	Infos         int

	Batches         BatchLimits
	MaxAckPending   int // of a consumer; 0: any
	MaxRequestBatch int // of a pull request; 0: any
	MaxConsumers    int // of a stream, where neither it nor the account says a number; -1: any

	// Accounts have JetStream, with these limits.
	Accounts map[string]api.AccountLimits
}

// Claim is what an account that came as a JWT may store.
type Claim struct {
	Enabled bool
	Limits  api.AccountLimits
	Tiers   map[string]api.AccountLimits // by the number of replicas, "R1"; Limits do not count then
}

// Defaults of what may wait.
const (
	defaultBuffered   = 100_000
	defaultBufferedBy = 128 << 20
	defaultRequests   = 10_000
	defaultConsumers  = 1000
)

// NoLimits are the limits of an account that has none.
func NoLimits() api.AccountLimits {
	return api.AccountLimits{
		MaxMemory: -1, MaxStore: -1, MaxStreams: -1, MaxConsumers: -1, MaxAckPending: -1, MemoryMaxStreamBytes: -1, StoreMaxStreamBytes: -1,
	}
}

func (o Options) withDefaults() Options {
	if o.MaxBuffered == 0 {
		o.MaxBuffered = defaultBuffered
	}
	if o.MaxBufferedBy == 0 {
		o.MaxBufferedBy = defaultBufferedBy
	}
	if o.Requests == 0 {
		o.Requests = defaultRequests
	}
	if o.Infos == 0 {
		o.Infos = o.Requests
	}
	if o.MaxConsumers == 0 {
		o.MaxConsumers = defaultConsumers
	}
	return o
}
