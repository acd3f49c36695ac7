package auth

import (
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"net"
)

// GlobalAccount is the account of users that are in no other.
const GlobalAccount = "$G"

// Request is what is known of a connection that wants in.
type Request struct {
	User, Password, Token string // of CONNECT
	Nkey, Signature       string // likewise: public key, and base64 of the signed nonce
	Nonce                 string // sent in INFO; empty if none was
	Type                  string // TypeStandard and so on; empty: TypeStandard
	Remote                net.Addr
	TLS                   *tls.ConnectionState // nil: not encrypted
	TrustedProxy          bool                 // came through a proxy that proved itself
}

// nameless reports a request without credentials.
func (r *Request) nameless() bool {
	return r.User == "" && r.Password == "" && r.Token == "" && r.Nkey == ""
}

// Identity is who a connection turned out to be.
type Identity struct {
	Account string // never empty
	// User as it is shown: the name or the nkey, "[REDACTED]" for a token, empty for nobody in particular.
	User string
	// Permissions is nil for everything.
	Permissions *Permissions

	by    proof
	proof [sha256.Size]byte // of the secret that was configured when it was let in
}

// proof is the way in which a connection has shown who it is.
type proof uint8

const (
	byNothing     proof = iota // nobody is asked, or no_auth_user
	byPassword                 // of one of the users
	bySingle                   // of the only user
	byToken                    //
	byNkey                     //
	byCertificate              //
)

// Refusals. The client is told none of them: it always reads "Authorization Violation".
var (
	ErrCredentials   = errors.New("authentication error")
	ErrMoved         = errors.New("the user belongs to another account now")
	ErrProxyRequired = errors.New("proxy connection required")
	// ErrTooSlow wraps a context's error: there was no time to decide.
	ErrTooSlow = errors.New("authentication took too long")
)
