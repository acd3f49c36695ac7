package broker

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/proto"
)

// ConnectOptions is what a client says in CONNECT, as described at
// https://docs.nats.io/reference/reference-protocols/nats-protocol#connect. The
// defaults before a CONNECT are those of [defaultConnect].
type ConnectOptions struct {
	proto.ConnectInfo
	Nkey         string `json:"nkey,omitempty"`
	JWT          string `json:"jwt,omitempty"`
	Sig          string `json:"sig,omitempty"`
	Token        string `json:"auth_token,omitempty"`
	Version      string `json:"version"`
	Protocol     int    `json:"protocol"`
	Account      string `json:"account,omitempty"`
	NewAccount   bool   `json:"new_account,omitempty"`
	NoResponders bool   `json:"no_responders,omitempty"`
	ProxySig     string `json:"proxy_sig,omitempty"`
}

func defaultConnect() ConnectOptions {
	return ConnectOptions{ConnectInfo: proto.ConnectInfo{Echo: true, Verbose: true, Pedantic: true}}
}

// AuthRequest is what an [Authenticator] decides on.
type AuthRequest struct {
	CID     uint64
	Connect *ConnectOptions // must not be changed or kept
	Nonce   string          // the one sent in INFO; empty if none was
	Remote  net.Addr
	TLS     *tls.ConnectionState // nil: not encrypted
	// Connection and Type are those of the door that the connection came by, and Note
	// what one of its steps has noted, nil for nothing.
	Connection, Type string
	Note             any
	// Implicit is set for a connection that sent something else than CONNECT
	// first, where the authenticator may know a user for such.
	Implicit bool
}

// Identity is who a connection turned out to be.
type Identity struct {
	Account     string      // must exist; empty stands for $G
	User        string      // as shown in monitoring; empty for none
	Label       string      // as shown in log lines: "user:alice"; empty for none
	Permissions Permissions // nil: everything is allowed
	Expires     time.Time   // when the connection is to be closed; zero for never

	MaxPayload       int // 0: as configured for all; -1: no limit of its own; Nothing: none at all
	MaxSubscriptions int // likewise

	// Stale reports whether what this was decided by has changed since; nil for never.
	// It is asked once the connection can be seen by [Broker.Clients].
	Stale func() bool
	// Proof is the authenticator's own note of what the connection has shown.
	Proof any

	// AccountLabel is the account as shown in log lines, where that is not its name.
	AccountLabel string
	// Note is a line for the debug log; empty for none.
	Note string

	// For monitoring.
	IssuerKey string
	NameTag   string
	Tags      []string
	ProxyKey  string // of the trusted proxy it came through; empty for none
}

// Denied is the error of an Authenticator that refuses. The client is told
// "Authorization Violation" and no more, unless it is Late.
type Denied struct {
	Reason Reason // what monitoring shows; AuthenticationViolation if zero
	Err    error  // for the log
	// Note is a line that the log gets in front of the usual one, at level Level
	// (Debug or Error); empty for none.
	Note  string
	Level logging.Level
	// Late is set where nothing was decided: the client is told "Authentication Timeout", and may come again.
	Late bool
}

func (d *Denied) Error() string {
	if d.Err != nil {
		return d.Err.Error()
	}
	return "authentication error"
}

// Unwrap gives the reason for the log.
func (d *Denied) Unwrap() error { return d.Err }

// Authenticator decides who may connect. Its methods may be called concurrently.
type Authenticator interface {
	// Requires tells what INFO says to a new connection.
	Requires() AuthRequirements
	// Authenticate decides on a CONNECT. It runs on a goroutine of its own, may
	// take its time, and must give up when ctx ends. The error of a refusal is a
	// *Denied.
	Authenticate(ctx context.Context, r *AuthRequest) (*Identity, error)
}

// Doorkeeper is an [Authenticator] that wants something else of connections that come by doors of their own.
type Doorkeeper interface {
	// RequiresAt is Requires for the connections of a type: see [Door].
	RequiresAt(connection string) AuthRequirements
}

// AuthRequirements is what an authenticator wants of a connection.
type AuthRequirements struct {
	Auth  bool // nothing but CONNECT is taken from a connection at first
	Told  bool // INFO says auth_required; it need not, where there is a user for those who name none
	Nonce bool // INFO carries a nonce to be signed
}

// Permissions decide what a connection may do. They are asked when a delivery plan
// or a subscription is made, not for each message, and must keep their answers
// until the broker is told to ask again ([Client.SetPermissions]). They may be
// asked from any goroutine.
type Permissions interface {
	// CanPublish reports whether the connection may publish to a literal subject.
	CanPublish(subject string) bool
	// CanSubscribe reports whether it may subscribe to a pattern, in a queue group
	// unless queue is empty. filter is set if some messages that match the pattern
	// must not reach it all the same: then CanReceive is asked.
	CanSubscribe(subject, queue string) (ok, filter bool)
	// CanReceive reports whether a message on a literal subject may be delivered.
	CanReceive(subject, queue string) bool
	// Responses returns what the connection may publish to the reply subjects of
	// messages it received; nil for nothing beyond CanPublish.
	Responses() *ResponsePermission
}

// ResponsePermission allows to answer messages.
type ResponsePermission struct {
	MaxMsgs int           // answers to one message; not positive: no limit
	Expires time.Duration // after the message; not positive: never
}

// anybody is the identity of those who are not asked for one.
var anybody Identity

// everyone is the authenticator of a broker that asks for nothing.
type everyone struct{}

func (everyone) Requires() AuthRequirements { return AuthRequirements{} }

func (everyone) Authenticate(context.Context, *AuthRequest) (*Identity, error) {
	return &anybody, nil
}
