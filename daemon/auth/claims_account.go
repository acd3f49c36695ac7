package auth

import (
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/jwt/v2"
)

// ClaimAccount is an account as its JWT describes it. It is immutable.
type ClaimAccount struct {
	ID     string // public key, "A…"
	Name   string // as people call it
	Tags   []string
	Issuer string // the operator's key that signed it
	Text   string // the JWT
	// Expires is when the JWT ends; zero: never.
	Expires time.Time
	// External is who decides about the users, where the account leaves that to a service; nil: we do.
	External *ExternalAuthorization

	signed   *jwt.AccountClaims   // as they came
	claims   *jwt.AccountClaims   // with the functions of accounts resolved
	faults   []error              // what of them is left out
	signers  map[string]jwt.Scope // keys that may sign users; nil: one without a scope
	defaults *Permissions         // of users that have none; nil: everything
}

// ExternalAuthorization is what an account says of the service that decides about its users.
type ExternalAuthorization struct {
	Users    []string // user keys that are not asked about: those of the service itself
	Accounts []string // accounts it may put users into; "*" alone: any
	XKey     string   // public curve key to encrypt requests for; empty: they are not encrypted
}

// newClaimAccount reads the JWT of an account, as it came from a resolver or in an update. It must be signed by a key
// that is trusted, and valid at this moment.
func newClaimAccount(text string, t Trust) (*ClaimAccount, error) {
	c, err := jwt.DecodeAccountClaims(text)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(t.Keys, c.Issuer) {
		return nil, ErrAccountValidation
	}
	results := jwt.CreateValidationResults()
	c.Validate(results)
	if results.IsBlocking(true) {
		return nil, ErrAccountValidation
	}
	a := &ClaimAccount{ID: c.Subject, Name: c.Name, Tags: c.Tags, Issuer: c.Issuer, Text: text, signed: c, signers: map[string]jwt.Scope{}}
	a.claims, a.faults = resolved(c)
	if c.Expires != 0 {
		a.Expires = time.Unix(c.Expires, 0)
	}
	for key, scope := range c.SigningKeys {
		a.signers[key] = scope
	}
	if !slices.Contains(t.Strict, c.Issuer) {
		a.signers[c.Subject] = nil
	}
	if c.HasExternalAuthorization() {
		x := &c.Authorization
		a.External = &ExternalAuthorization{Users: x.AuthUsers, Accounts: x.AllowedAccounts, XKey: x.XKey}
	}
	if r := rulesOf(&c.DefaultPermissions); r != nil {
		if a.defaults, err = NewPermissions(r); err != nil {
			return nil, fmt.Errorf("default permissions: %w", err)
		}
	}
	return a, nil
}

// Label is the account as log lines show it.
func (a *ClaimAccount) Label() string {
	if a.Name == "" {
		return a.ID
	}
	return a.ID + "/" + a.Name
}

// Expired reports whether the JWT has ended.
func (a *ClaimAccount) Expired(now time.Time) bool {
	return !a.Expires.IsZero() && !now.Before(a.Expires)
}

// revoked reports whether credentials of a user key, made at a moment, are revoked.
func (a *ClaimAccount) revoked(user string, issued int64) bool {
	return revokedBy(a.claims.Revocations, user, issued)
}

// revokedBy reports whether a list revokes what was issued for a key at a moment, by the key or for all keys.
func revokedBy(list jwt.RevocationList, key string, issued int64) bool {
	for _, k := range [...]string{key, jwt.All} {
		if until, ok := list[k]; ok && until >= issued {
			return true
		}
	}
	return false
}

// rulesOf translates permissions of claims; nil if they say nothing.
func rulesOf(p *jwt.Permissions) *Rules {
	pub := len(p.Pub.Allow) > 0 || len(p.Pub.Deny) > 0
	sub := len(p.Sub.Allow) > 0 || len(p.Sub.Deny) > 0
	if !pub && !sub && p.Resp == nil {
		return nil
	}
	r := &Rules{}
	if pub {
		r.PublishAllow, r.PublishDeny = p.Pub.Allow, p.Pub.Deny
	}
	if sub {
		r.SubscribeAllow, r.SubscribeDeny = p.Sub.Allow, p.Sub.Deny
		if r.SubscribeAllow != nil && len(r.SubscribeAllow) == 0 {
			r.SubscribeDeny = append(slices.Clone(r.SubscribeDeny), ">") // a list of which nothing is left
		}
	}
	if p.Resp != nil {
		r.Responses = &Responses{Max: p.Resp.MaxMsgs, Expires: p.Resp.Expires}
	}
	return r
}
