package cluster

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/nats-broker/nats-broker/daemon/peer"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

// Options configure a Hub. The zero value of each field means what the comment says.
type Options struct {
	Name string // of the cluster; empty: made up, and given up for that of a peer

	Host string // the route listener's, as peers are told
	Port int    // the same; 0: that of the listener
	// Advertise is where peers are told to connect instead: "host[:port]".
	Advertise string
	// NoAdvertise keeps the addresses of this server's clients from peers, and those
	// of the peers' from clients.
	NoAdvertise bool

	// LazyAccounts is for brokers whose accounts come one by one, when they are first
	// needed ([Hub.Join]): what a peer wants makes its account.
	LazyAccounts bool

	Routes         []*url.URL    // servers to dial until they answer
	ConnectRetries int           // further attempts to dial a server learnt from others: 0
	ConnectBackoff bool          // the pause between attempts grows
	RetryPause     time.Duration // between attempts to dial: 1 s
	// Resolve finds the addresses of a host name; nil: the system's resolver.
	Resolve func(ctx context.Context, host string) ([]string, error)

	// User and Password are what peers must present; empty: nothing. Peers learnt
	// from others are presented the same. Verify compares a password with the
	// configured one; nil: they must be equal.
	User, Password string
	Verify         func(configured, given string) bool
	AuthTimeout    time.Duration // for CONNECT: 2 s

	PoolSize int // connections to each peer: 3; negative: one, as before pools
	// Accounts have a connection of their own to each peer, beside those of the pool, as
	// the system account always has.
	Accounts    []string
	Compression Compression
	TLS         *transport.TLS

	// Import limits what of the interest of clients here is told to peers, Export what
	// of theirs is heeded; nil: nothing.
	Import, Export *Rules

	PingInterval  time.Duration // 30 s
	PingMax       int           // unanswered PINGs: 2
	WriteDeadline time.Duration // 10 s
	// CloseLate closes a connection that misses the deadline. Otherwise that is logged,
	// and only a peer that has taken in nothing at all until then is given up.
	CloseLate  bool
	MaxPending int64 // bytes waiting to be sent to a peer: 64 MiB
	NoStall    bool  // publishers do not wait for a peer for which much waits

	// About the server, for INFO.
	ServerName, Version, GoVersion, GitCommit string
	Headers                                   bool
	MaxPayload                                int
	// ClientURLs are where clients find this server; Start sets them.
	ClientURLs []string
	// WebURLs are the same for WebSocket clients; SetWebURLs sets them.
	WebURLs []string

	// LeafNodes says that leaf nodes connect here, or that this server is a hub by dialling: what they want is told to peers.
	LeafNodes bool
	// LeafURLs is where leaf nodes find this server, one at most; SetLeafURLs sets it.
	LeafURLs []string
	// LeafURLsOfPeers is told where leaf nodes find the other servers, whenever that may have changed.
	LeafURLsOfPeers func(urls []string)

	// Renamed is called when a made-up name is given up for another.
	Renamed func(name string)
}

const (
	defaultPool     = 3
	maxPool         = 1024
	maxPing         = 30 * time.Second
	maxBackoffPause = 30 * time.Second
	noOrigin        = "_" // a cluster name that the protocol uses for itself
)

func (o Options) withDefaults() Options {
	set(&o.RetryPause, time.Second)
	set(&o.AuthTimeout, 2*time.Second)
	set(&o.PoolSize, defaultPool)
	set(&o.PingInterval, maxPing)
	set(&o.PingMax, 2)
	set(&o.WriteDeadline, 10*time.Second)
	set(&o.MaxPending, 64<<20)
	set(&o.MaxPayload, 1<<20)
	o.PingInterval = min(o.PingInterval, maxPing)
	return o
}

func set[T comparable](field *T, value T) {
	if *field == *new(T) {
		*field = value
	}
}

// check reports what cannot be meant.
func (o *Options) check() error {
	if err := o.Compression.Normalise(peer.CompressAccept); err != nil {
		return err
	}
	for _, r := range []*Rules{o.Import, o.Export} {
		if bad, ok := r.check(); !ok {
			return fmt.Errorf("permissions: subject %q is not a valid subject", bad)
		}
	}
	if o.PoolSize < 0 && len(o.Accounts) > 0 {
		return errors.New("pool_size cannot be negative if pinned accounts are specified")
	}
	switch {
	case strings.ContainsAny(o.Name, " \t\r\n"):
		return errors.New("cluster name cannot contain spaces")
	case o.Name == noOrigin:
		return errors.New(`cluster name "_" is reserved`)
	case o.PoolSize > maxPool:
		return errors.New("cluster pool_size is larger than 1024")
	}
	return nil
}

// configured reports whether u is among the routes to be dialled for ever.
func (o *Options) configured(u *url.URL) bool {
	return slices.ContainsFunc(o.Routes, func(r *url.URL) bool { return sameRoute(r, u) })
}

// instead returns what is configured in place of u: u itself, or the same server with other credentials; nil for nothing.
func (o *Options) instead(u *url.URL) *url.URL {
	if o.configured(u) {
		return u
	}
	for _, r := range o.Routes {
		if strings.EqualFold(r.Host, u.Host) {
			return r
		}
	}
	return nil
}

func sameRoute(a, b *url.URL) bool {
	return strings.EqualFold(a.Host, b.Host) && a.User.String() == b.User.String()
}

// madeUpName is a name for a cluster that has none.
func madeUpName() string { return rand.Text()[:22] }
