package auth

import (
	"errors"

	"github.com/nats-broker/nats-broker/daemon/logging"
)

// In operator mode nobody is known by a list in the configuration. An operator signs accounts, an account signs users,
// and both are JWTs: what a connection presents is checked against the account that signed it, and the account against
// the operator's keys that the configuration trusts. The accounts are in a [Book], which fetches each when it is first
// needed. The format of the claims is that of github.com/nats-io/jwt, the rules are nats-server's.

// Trust says whose signatures count in operator mode.
type Trust struct {
	// Keys are the public operator keys that may sign accounts.
	Keys []string
	// Strict are those of the keys whose operators want that accounts sign by their signing keys only, and not by
	// the key that is their name.
	Strict []string
}

// Operator is operator mode. What is in it may change while connections are there.
type Operator struct {
	// Book is where accounts come from.
	Book *Book
	// Sentinel is the user JWT of those who present none (default_sentinel); empty: they are refused.
	Sentinel string
	// Pinned are the accounts whose users are let in; nil: those of all.
	Pinned []string
	// Tags of this server, which callout services are told.
	Tags []string
}

// Errors of looking an account up. Their texts are those of nats-server's log.
var (
	ErrAccountMissing    = errors.New("account missing")
	ErrAccountValidation = errors.New("account validation failed")
	ErrAccountExpired    = errors.New("account expired")
)

// Refusals of connections that were let in before, after the claims of their account have changed.
var (
	// ErrRevoked: the user's credentials are revoked.
	ErrRevoked = errors.New("User Authentication Revoked")
	// ErrSigner: the key that signed the user's credentials is no longer the account's, or gives other rights.
	ErrSigner = errors.New("the signing key of the user has changed")
)

// A Refusal is an [ErrCredentials] with the reason, for the log: never for the client.
type Refusal struct {
	Text  string
	Level logging.Level // Debug or Error
}

func (r *Refusal) Error() string { return r.Text }

// Unwrap makes every refusal an ErrCredentials.
func (r *Refusal) Unwrap() error { return ErrCredentials }

// refused is a reason that is worth a line of the debug log.
func refused(text string) error { return &Refusal{Text: text, Level: logging.Debug} }
