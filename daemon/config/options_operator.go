package config

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/jwt/v2"
)

// Operator is operator mode: accounts and users come as JWTs.
type Operator struct {
	// JWTs are the texts of the operators' JWTs, read from files where files were named.
	JWTs []string
	// TrustedKeys are public operator keys named as such.
	TrustedKeys []string
	Resolver    AccountResolver
	ResolverTLS TLS
	// Preload is account JWTs by public key, to be stored in the resolver.
	Preload map[string]string
	// Pinned are the accounts whose users are let in, the system account included; nil: all.
	Pinned []string
	// Sentinel is the user JWT of clients that present none; empty: none.
	Sentinel string

	// Operators are what JWTs say; completed by Load.
	Operators []OperatorClaims
}

// OperatorClaims is what matters of an operator's JWT.
type OperatorClaims struct {
	Name          string
	Audience      string
	Subject       string // public key
	SigningKeys   []string
	Strict        bool // accounts must be signed by a signing key, and sign users by one of theirs
	SystemAccount string
	Issued        time.Time
	Expires       time.Time       // zero: never
	MinVersion    string          // of the server, as written; empty: any
	Decoded       json.RawMessage // all that the JWT says
	serverURL     string          // of an account server
}

// Keys are the keys that accounts may be signed with.
func (c *OperatorClaims) Keys() []string {
	var keys []string
	if !c.Strict {
		keys = append(keys, c.Subject)
	}
	return append(keys, c.SigningKeys...)
}

// Enabled reports whether users come as JWTs.
func (o *Operator) Enabled() bool { return len(o.JWTs) > 0 || len(o.TrustedKeys) > 0 }

// Trusted returns the operators' keys that may sign accounts, and those among them whose operators are strict.
func (o *Operator) Trusted() (keys, strict []string) {
	keys = append(keys, o.TrustedKeys...)
	for i := range o.Operators {
		c := &o.Operators[i]
		keys = append(keys, c.Keys()...)
		if c.Strict {
			strict = append(strict, c.SigningKeys...)
		}
	}
	return keys, strict
}

// The types of account resolvers.
const (
	ResolverMemory = "memory"
	ResolverURL    = "url"
	ResolverFull   = "full"
	ResolverCache  = "cache"
)

// AccountResolver says where account JWTs come from. Type is one of the constants, or empty for nowhere.
type AccountResolver struct {
	Type        string
	URL         string
	Dir         string
	AllowDelete bool
	HardDelete  bool
	Limit       int64         // 0: none for full, 1000 for cache
	TTL         time.Duration // 0: as long as the JWT is valid
	Interval    time.Duration // 0: 1 minute
	Timeout     time.Duration // 0: the default
}

// String describes the resolver without secrets.
func (r AccountResolver) String() string {
	switch r.Type {
	case "":
		return "none"
	case ResolverURL:
		return fmt.Sprintf("URL(%s)", RedactURL(r.URL))
	case ResolverMemory:
		return "MEMORY"
	}
	return fmt.Sprintf("{type: %s, dir: %s}", r.Type, quote(r.Dir))
}

// operatorClaims reads the JWT of an operator, as it is or as nsc writes it into files.
func operatorClaims(text string) (string, *jwt.OperatorClaims, error) {
	text, err := jwt.ParseDecoratedJWT([]byte(text))
	if err != nil {
		return "", nil, err
	}
	c, err := jwt.DecodeOperatorClaims(text)
	return text, c, err
}

func newOperatorClaims(c *jwt.OperatorClaims) OperatorClaims {
	out := OperatorClaims{
		Name: c.Name, Audience: c.Audience, Subject: c.Subject, SigningKeys: c.SigningKeys, Strict: c.StrictSigningKeyUsage,
		SystemAccount: c.SystemAccount, Issued: time.Unix(c.IssuedAt, 0), MinVersion: c.AssertServerVersion, serverURL: c.AccountServerURL,
	}
	out.Decoded, _ = json.Marshal(c) // has been decoded from such a text
	if c.Expires != 0 {
		out.Expires = time.Unix(c.Expires, 0)
	}
	return out
}

// completeOperator fills in what follows from the operators: where there is one, its system account and account server
// are used unless the configuration names others.
func completeOperator(o *Options) {
	op := &o.Operator
	for _, text := range op.JWTs {
		if _, c, err := operatorClaims(text); err == nil {
			op.Operators = append(op.Operators, newOperatorClaims(c))
		}
	}
	if len(op.Operators) == 1 {
		only := op.Operators[0]
		if op.Resolver.Type == "" && strings.TrimSpace(only.serverURL) != "" {
			op.Resolver = AccountResolver{Type: ResolverURL, URL: strings.TrimSuffix(strings.TrimSpace(only.serverURL), "/") + "/accounts"}
		}
		if o.SystemAccount == "" {
			o.SystemAccount = only.SystemAccount
		}
	}
	if len(op.Pinned) > 0 && o.SystemAccount != "" {
		op.Pinned = append(op.Pinned[:len(op.Pinned):len(op.Pinned)], o.SystemAccount)
	}
}
