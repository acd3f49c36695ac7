package leaf

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/peer"
	"github.com/nats-broker/nats-broker/daemon/subject"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

// Compression says how what is sent is compressed; an empty mode is "s2_auto".
type Compression = peer.Compression

// Options configure a Server. The zero value of each field means what the comment says.
type Options struct {
	Host string // the listener's, as leaf nodes are told
	Port int    // the same; 0: that of the listener
	// Advertise is where leaf nodes are told to connect instead: "host[:port]".
	Advertise   string
	NoAdvertise bool // they are not told where to connect

	// Authenticator decides who may connect; nil lets everyone into $G. Rules gives its rights as lists; nil: there are none.
	Authenticator broker.Authenticator
	Rules         func(broker.Permissions) (publish, subscribe *Rules)
	AuthTimeout   time.Duration // for the handshake: 2 s
	MinVersion    string        // of the servers that may connect; empty: any
	TLS           *transport.TLS
	Isolate       bool // no leaf node is told the interest of others
	Compression   Compression

	Remotes     []Remote
	Reconnect   time.Duration // before what is lost or cannot be reached is dialled again: 1 s
	DialTimeout time.Duration // 1 s
	// ReportFirst and ReportLater: of the failures to connect for the first time, and after that, every so manieth is
	// logged as an error; 3600 and 1.
	ReportFirst, ReportLater int
	// Bring is for brokers whose accounts come when they are first needed: it has the account of a remote come; nil: all
	// accounts are there.
	Bring func(ctx context.Context, account string) error
	// Resolve finds the addresses of a host name; nil: the system's resolver.
	Resolve func(ctx context.Context, host string) ([]string, error)

	PingInterval  time.Duration // 2 min
	PingMax       int           // unanswered PINGs: 2
	WriteDeadline time.Duration // 10 s
	CloseLate     bool          // who misses the deadline is closed, though it takes something in
	MaxPending    int64         // bytes waiting to be sent to a peer: 64 MiB
	NoStall       bool          // publishers do not wait for a peer for which much waits

	MaxPayload       int // bytes: 1 MiB
	MaxSubscriptions int // of a peer: 0, no limit

	// About the server, for INFO and CONNECT.
	ServerName, Version, GoVersion, GitCommit string
	Headers                                   bool
	JetStream                                 bool
	Domain                                    string
}

// Remote is a server to dial.
type Remote struct {
	URLs        []*url.URL // with ports; tried one after the other
	NoRandomize bool       // in this order
	Account     string     // of this server
	// Proof is what is presented for a nonce, beside the user and password of a URL; nil: nothing.
	Proof func(nonce string) (Proof, error)
	// ProofName tells proofs apart, and is shown to nobody.
	ProofName string
	TLS       *transport.TLS // nil: as the other side wants it, with the system's roots
	Hub       bool           // this side is the hub

	DenyImports, DenyExports []string // subjects that do not come, and do not go

	Isolate          bool // the interest of leaf nodes here is not told
	RequestIsolation bool // that side shall not tell that of others
	Compression      Compression
	InfoTimeout      time.Duration // for the first INFO: 1 s
	DialTimeout      time.Duration // as Options says
	Disabled         bool
	IgnoreDiscovered bool // servers that the other side tells of are not dialled
}

// Proof is what a leaf node shows of itself. Sig is the nonce signed, in base64url without padding.
type Proof struct{ JWT, Nkey, Sig string }

const (
	defaultReconnect   = time.Second
	defaultDialTimeout = time.Second
	defaultInfoTimeout = time.Second
	defaultReportFirst = 3600
)

func (o Options) withDefaults() Options {
	set(&o.AuthTimeout, 2*time.Second)
	set(&o.Reconnect, defaultReconnect)
	set(&o.DialTimeout, defaultDialTimeout)
	set(&o.ReportFirst, defaultReportFirst)
	set(&o.ReportLater, 1)
	set(&o.PingInterval, 2*time.Minute)
	set(&o.PingMax, 2)
	set(&o.WriteDeadline, 10*time.Second)
	set(&o.MaxPending, 64<<20)
	set(&o.MaxPayload, 1<<20)
	o.Remotes = slices.Clone(o.Remotes)
	for i := range o.Remotes {
		r := &o.Remotes[i]
		set(&r.InfoTimeout, defaultInfoTimeout)
		set(&r.DialTimeout, o.DialTimeout)
		set(&r.Account, broker.GlobalAccount)
	}
	return o
}

func set[T comparable](field *T, value T) {
	if *field == *new(T) {
		*field = value
	}
}

// check reports what cannot be meant.
func (o *Options) check() error {
	if err := o.Compression.Normalise(peer.CompressAuto); err != nil {
		return err
	}
	seen := make(map[string]bool)
	for i := range o.Remotes {
		r := &o.Remotes[i]
		if err := r.Compression.Normalise(peer.CompressAuto); err != nil {
			return err
		}
		if len(r.URLs) == 0 {
			return fmt.Errorf("remote of account %q has no URL", r.Account)
		}
		for what, list := range map[string][]string{"deny_imports": r.DenyImports, "deny_exports": r.DenyExports} {
			for _, s := range list {
				if !subject.Valid(s) {
					return fmt.Errorf("invalid %s for remote %s: subject %q is not a valid subject", what, r.Name(), s)
				}
			}
		}
		if seen[r.key()] {
			return fmt.Errorf("duplicate remote %s", r.Name())
		}
		seen[r.key()] = true
	}
	return nil
}

// Name is the remote for people: its URLs, without secrets.
func (r *Remote) Name() string {
	list := make([]string, len(r.URLs))
	for i, u := range r.URLs {
		list[i] = u.Redacted()
	}
	return "[" + strings.Join(list, " ") + "]"
}

// key tells remotes apart: by where they lead, and by whose name.
func (r *Remote) key() string {
	list := make([]string, 0, len(r.URLs)+2)
	for _, u := range r.URLs {
		list = append(list, u.String())
	}
	slices.Sort(list)
	return strings.Join(append(list, r.Account, r.ProofName), " ")
}

// same reports whether a connection by one of both may stay with the other: TLS and what proves who we are count for the next one.
func (r *Remote) same(o *Remote) bool {
	a, b := *r, *o
	for _, x := range []*Remote{&a, &b} {
		x.URLs, x.Proof, x.TLS, x.Compression = nil, nil, nil, Compression{}
	}
	return reflect.DeepEqual(a, b)
}

// tlsHost is the name that certificates are looked at by: the host of the URL, or of another one of the remote if that
// is an address.
func (r *Remote) tlsHost(u *url.URL) string {
	if host := u.Hostname(); net.ParseIP(host) == nil {
		return host
	}
	for _, o := range r.URLs {
		if host := o.Hostname(); net.ParseIP(host) == nil {
			return host
		}
	}
	return u.Hostname()
}
