package auth

import "time"

// Options are the credentials and what they give. They are not changed after New or Prepare.
type Options struct {
	// User and Password, or Token, are the one way in when Users and nkeys are not used.
	User     string
	Password string // plain or a bcrypt hash
	Token    string // plain or a bcrypt hash

	// Users are all users and nkeys, of all accounts. Once the list is not nil, nobody else gets in.
	Users []User

	// NoAuthUser is the user, or nkey, that a connection without credentials becomes; empty: none.
	NoAuthUser string

	// Anonymous lets a connection without credentials into the global account although there are users: those of the
	// system account alone.
	Anonymous bool

	// CertificateMap takes the user from the client's certificate (verify_and_map).
	CertificateMap bool

	// Operator is operator mode: users come with JWTs, and none of the above counts; nil: they do not.
	Operator *Operator

	// ProxyRequired refuses the single user or token unless it comes through a trusted proxy.
	ProxyRequired bool

	// TrustedProxies are the public keys of proxies: a connection that comes through one carries the nonce signed by it.
	TrustedProxies []string

	// WebSocket is what is different for connections of WebSocket clients; nil: nothing is.
	WebSocket *Kind

	// Callout delegates decisions to a service; nil: none are.
	Callout *Callout
}

// Kind is what is different for the connections of a type.
type Kind struct {
	// User and Password, Token, and NoAuthUser take the place of all of those for other connections, if one of them is
	// set. They ask for something also where nobody else is asked for anything.
	User, Password, Token, NoAuthUser string
	CertificateMap                    bool // in place of the one for other connections
}

// overrides reports whether it says who may connect.
func (k *Kind) overrides() bool { return k.User != "" || k.Token != "" || k.NoAuthUser != "" }

// User is one name or key with its account and rights. Exactly one of Name and Nkey is set.
type User struct {
	Name     string
	Password string // plain or a bcrypt hash; empty: by certificate, if there is a map
	Nkey     string // public key
	Account  string // empty: the global account
	// Permissions is nil for everything.
	Permissions *Rules
	// ConnectionTypes are those the user may use, in capitals (STANDARD, WEBSOCKET, …); empty: all.
	ConnectionTypes []string
	ProxyRequired   bool
}

// Rules are permissions as they are configured.
type Rules struct {
	// PublishAllow nil allows every subject, empty allows none.
	PublishAllow []string
	PublishDeny  []string
	// SubscribeAllow, when empty, allows every subject. Its entries and those of SubscribeDeny are a subject, or a
	// subject and a queue group separated by white space; both may hold wildcards.
	SubscribeAllow []string
	SubscribeDeny  []string
	// Responses lets the user answer messages it received, beyond PublishAllow.
	Responses *Responses
}

// Responses bound the answers to one message.
type Responses struct {
	Max     int           // 0: one; negative: any number
	Expires time.Duration // 0: two minutes; negative: never
}

// Defaults of allow_responses.
const (
	defaultResponses    = 1
	defaultResponseTime = 2 * time.Minute
)

// Connection types, as in allowed_connection_types.
const (
	TypeStandard  = "STANDARD"
	TypeWebsocket = "WEBSOCKET"
	TypeInProcess = "IN_PROCESS"
)
