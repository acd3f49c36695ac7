package config

import "time"

// An Account isolates its users' subjects from those of other accounts.
type Account struct {
	Name string
	Nkey string // public key, "A…"; empty: none
	// Users of the account; their Account field is set and default permissions are already given to them.
	Users              []User
	DefaultPermissions Permissions
	Exports            []Export
	Imports            []Import
	Mappings           []Mapping
	Limits             AccountLimits
	Trace              MsgTrace
	JetStream          AccountJetStream
}

// AccountLimits bound an account over all its connections; 0 and -1 are unlimited.
type AccountLimits struct {
	MaxConnections   int
	MaxSubscriptions int
	MaxPayload       int64
	MaxLeafnodes     int
}

// ResponseType is how many replies a service sends to one request.
type ResponseType string

// The response types.
const (
	Singleton ResponseType = "singleton"
	Streamed  ResponseType = "stream"
	Chunked   ResponseType = "chunked"
)

// An Export offers a stream (messages flow out) or a service (requests flow in) to other accounts. Exactly one of Stream
// and Service is set.
type Export struct {
	Stream  string
	Service string
	// Accounts that may import it; nil: all.
	Accounts     []string
	ResponseType ResponseType
	// ResponseThreshold bounds the wait for a reply; 0: 2 minutes.
	ResponseThreshold time.Duration
	Latency           Latency
	// AccountTokenPosition is the token (from 1) of the subject that must name the importing account; 0: none.
	AccountTokenPosition int
	AllowTrace           bool
}

// Subject returns the subject exported, whichever form it has.
func (e Export) Subject() string { return e.Stream + e.Service }

// Latency samples the latency of a service and publishes it. Sampling 0 means by request header.
type Latency struct {
	Defined  bool
	Subject  string
	Sampling int // percent
}

// An Import makes a stream or service of another account available. Exactly one of Stream and Service is set.
type Import struct {
	Stream  ImportSource
	Service ImportSource
	// To is the local subject; Prefix is put before a stream's subject. Empty: as exported.
	To         string
	Prefix     string
	Share      bool
	AllowTrace bool
}

// ImportSource is what is imported, and from which account.
type ImportSource struct {
	Defined bool
	Account string
	Subject string
}

// A Mapping rewrites subjects on their way into an account.
type Mapping struct {
	Subject      string
	Destinations []MapDestination
}

// MapDestination is one way a mapping goes. Weight is the percentage of messages; Cluster limits it to a cluster.
type MapDestination struct {
	Subject string
	Weight  int
	Cluster string
}

// MsgTrace sends trace events of an account's messages to Dest, for Sampling percent of them.
type MsgTrace struct {
	Dest     string
	Sampling int
}

// define sets what is meant when the block says nothing.
func (l *Latency) define()      { l.Defined, l.Sampling = true, 100 }
func (s *ImportSource) define() { s.Defined = true }

// account returns the account called name, or nil.
func (o *Options) account(name string) *Account {
	for i := range o.Accounts {
		if o.Accounts[i].Name == name {
			return &o.Accounts[i]
		}
	}
	return nil
}
