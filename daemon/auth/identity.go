package auth

import (
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/nats-io/nkeys"
)

// GlobalAccount is the account of users that are in no other.
const GlobalAccount = "$G"

// Request is what is known of a connection that wants in.
type Request struct {
	User, Password, Token string // of CONNECT
	Nkey, Signature       string // likewise: public key, and base64 of the signed nonce
	JWT                   string // likewise: of a user, in operator mode
	Nonce                 string // sent in INFO; empty if none was
	Type                  string // TypeStandard and so on; empty: TypeStandard
	ClientType            string // what a service is told of that: "nats", "websocket"; empty: "nats"
	Remote                net.Addr
	TLS                   *tls.ConnectionState // nil: not encrypted
	ProxySignature        string               // of CONNECT: base64 of the nonce signed by a proxy; empty for none
	TrustedProxy          bool                 // came through a proxy that proved itself; set by the Authenticator

	// What a callout service is told.
	CID                 uint64 // of the connection
	Name, Lang, Version string // as the client says
	Protocol            int

	caller caller // set by the Authenticator
}

// nameless reports a request without credentials.
func (r *Request) nameless() bool {
	return r.User == "" && r.Password == "" && r.Token == "" && r.Nkey == ""
}

// claim is the identity of somebody who need not prove anything: what the request says of itself, for the log.
func (r *Request) claim() *Identity {
	id := &Identity{Account: GlobalAccount}
	switch {
	case r.Nkey != "":
		shown := r.Nkey
		if !nkeys.IsValidPublicKey(shown) {
			shown = hidden // a seed, perhaps
		}
		id.User, id.Label = shown, "nkey:"+shown
	case r.User != "":
		id.User, id.Label = r.User, "user:"+r.User
	case r.Token != "":
		id.User, id.Label = hidden, "token"
	}
	return id
}

// hidden stands for a token where a user is shown.
const hidden = "[REDACTED]"

// Identity is who a connection turned out to be.
type Identity struct {
	Account string // never empty
	// User as monitoring shows it: the name or the nkey, "[REDACTED]" for a token, empty for nobody in particular.
	User string
	// Label is the user as log lines show it: "user:alice", "nkey:U…", "token", or empty.
	Label string
	// Permissions is nil for everything.
	Permissions *Permissions

	// AccountLabel is the account as log lines show it, where that is not its name.
	AccountLabel string
	// Expires is when the right to be there ends; zero: never.
	Expires time.Time
	// MaxPayload (bytes) and MaxSubscriptions limit the connection: 0 is no word about it, or Unlimited, or Nothing.
	MaxPayload       int
	MaxSubscriptions int
	// What the claims of a user say besides: the signing key, the name for people, tags.
	IssuerKey string
	NameTag   string
	Tags      []string

	// Note is a line for the debug log; empty: none.
	Note string
	// ProxyKey is the public key of the trusted proxy that the connection came through; empty for none.
	ProxyKey string

	claim *claim     // the user JWT; nil: none
	from  *directory // it was decided by
	by    proof
	proof [sha256.Size]byte // of the secret that was configured when it was let in
}

// proof is the way in which a connection has shown who it is. Its numbers are part of what
// one process tells the next ([Identity.Carry]): they are never changed.
type proof uint8

const (
	byNothing     proof = 0 // nobody is asked, or no_auth_user
	byPassword    proof = 1 // of one of the users
	bySingle      proof = 2 // of the only user
	byToken       proof = 3
	byNkey        proof = 4
	byCertificate proof = 5
	byClaims      proof = 6 // a user JWT
	byCallout     proof = 7 // a service said so
)

// Limits that are no number.
const (
	Unlimited = -1
	Nothing   = -2 // not even one, or of no size
)

// Refusals. The client is told none of them: it always reads "Authorization Violation".
var (
	ErrCredentials     = errors.New("authentication error")
	ErrMoved           = errors.New("the user belongs to another account now, or is gone")
	ErrProxyRequired   = errors.New("proxy connection required")
	ErrProxyNotTrusted = errors.New("proxy is not trusted")
	// ErrTooSlow wraps a context's error: there was no time to decide.
	ErrTooSlow = errors.New("authentication took too long")
	// ErrBusy is an ErrTooSlow that nobody but this server is to blame for: so much was to be decided at once.
	ErrBusy = fmt.Errorf("%w: too many at once", ErrTooSlow)
)
