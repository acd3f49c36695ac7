package config

import (
	"net/url"
	"time"
)

// Leafnodes is the leafnodes block: who may connect as a leaf node, and to which servers this one connects as one.
type Leafnodes struct {
	Defined bool
	Host    string
	Port    int // 0: none is accepted, -1: free port
	// Authorization decides who may connect, if it names anybody; otherwise the server's own users do.
	Authorization LeafAuthorization
	TLS           TLS
	Remotes       []LeafRemote
	Reconnect     time.Duration
	DialTimeout   time.Duration
	Advertise     string
	NoAdvertise   bool
	MinVersion    string
	Isolate       bool
	Compression   Compression
	WriteDeadline time.Duration // where not given, as for clients
	WriteTimeout  string
}

// Accepts reports whether leaf nodes may connect.
func (l *Leafnodes) Accepts() bool { return l.Port != 0 }

// Enabled reports whether there is anything to do.
func (l *Leafnodes) Enabled() bool { return l.Accepts() || len(l.Remotes) > 0 }

// LeafAuthorization is what a leaf node must present: one user or key, or one of several users.
type LeafAuthorization struct {
	Defined  bool
	User     string
	Password string
	Nkey     string
	Account  string
	Timeout  time.Duration // 0: derived as for clients
	Users    []LeafUser

	ProxyRequired bool
}

// LeafUser is a user of leaf nodes alone.
type LeafUser struct {
	Name, Password, Account string
	ProxyRequired           bool
}

// LeafRemote is a server to connect to.
type LeafRemote struct {
	URLs                     []*url.URL // with ports
	NoRandomize              bool
	Account                  string // empty: $G
	Credentials              string // path
	Nkey                     string // seed
	TLS                      TLS
	Hub                      bool
	DenyImports, DenyExports []string
	Isolate                  bool
	RequestIsolation         bool
	Compression              Compression
	FirstInfoTimeout         time.Duration
	DialTimeout              time.Duration
	Disabled                 bool
	IgnoreDiscovered         bool
}

func (l *Leafnodes) define()         { l.Defined = true }
func (a *LeafAuthorization) define() { a.Defined = true }
