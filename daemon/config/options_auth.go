package config

import "time"

// Authorization is an authorization block: one user, one token, or a list of users.
type Authorization struct {
	Defined  bool
	User     string
	Password string // plain or a bcrypt hash
	Token    string
	// Timeout for a client to authenticate; 0: derived (2 s, with TLS the TLS timeout and 1 s).
	Timeout time.Duration
	// Users is non-nil as soon as a users array was written, even an empty one.
	Users []User
	// DefaultPermissions were already given to the users without permissions of their own.
	DefaultPermissions Permissions
	ProxyRequired      bool
	Callout            Callout
}

// Proxy is a proxy that proves itself by a key.
type Proxy struct {
	Key string // public nkey of any kind
}

// Callout has a service decide who may connect.
type Callout struct {
	Defined bool
	Issuer  string // public account nkey, "A…", that signs the answers
	Account string // where requests are sent; empty: "$G"
	// Users, by name or nkey, are let in without the service: it logs in as one of them.
	Users []string
	XKey  string // public curve key, "X…", of the service; empty: nothing is encrypted
	// AllowedAccounts are those whose users the service decides on as well; empty: all.
	AllowedAccounts []string
}

// A User may connect. Exactly one of Name and Nkey is set.
type User struct {
	Name     string
	Password string // plain or a bcrypt hash
	Nkey     string // public key, "U…"
	// Account the user belongs to; empty: "$G".
	Account     string
	Permissions Permissions
	// ConnectionTypes allowed, upper case ("STANDARD", "WEBSOCKET", …); empty: all.
	ConnectionTypes []string
	ProxyRequired   bool
}

// Permissions say what a user may publish and subscribe. Not Defined means everything.
type Permissions struct {
	Defined   bool
	Publish   SubjectRules
	Subscribe SubjectRules
	Responses ResponseRule
}

// SubjectRules allow and deny subjects. A nil Allow allows every subject; an empty non-nil one allows none. Entries of
// subscribe rules may be "subject queue".
type SubjectRules struct {
	Defined bool
	Allow   []string
	Deny    []string
}

// ResponseRule lets a user answer on the reply subjects of the messages it gets. Max < 0 and Expires < 0 are unlimited.
type ResponseRule struct {
	Defined bool
	Max     int
	Expires time.Duration
}

func (a *Authorization) define() { a.Defined = true }
func (c *Callout) define()       { c.Defined = true }
func (p *Permissions) define()   { p.Defined = true }
