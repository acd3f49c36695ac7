package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/jwt/v2"
)

// service is where a callout goes, and on which terms its answers count: those of the configuration or those of an
// account's claims.
type service struct {
	account string // requests are sent in
	subject string // of requests: the public account key that stands for the service
	xkey    string // public curve key; empty: nothing is encrypted
	tags    []string
	terms   terms
}

// terms are who may answer, and where the users of an answer go.
type terms interface {
	// signed checks who has signed an answer that is not encrypted.
	signed(c *jwt.AuthorizationResponseClaims) error
	// place checks who has signed a user and says where it belongs. It may complete the claims by what the account
	// says of the signing key.
	place(ctx context.Context, u *jwt.UserClaims) (*place, error)
}

// place is where a user of a service belongs.
type place struct {
	account, label string
	defaults       *Permissions // of users that have none
	claim          *claim       // nil outside of operator mode
}

var errUnknownSigner = errors.New("auth callout signing key is unknown")

// service is the callout of a configuration.
func (c *Callout) service() *service {
	return &service{account: c.Account, subject: c.Issuer, xkey: c.XKey, tags: c.Tags, terms: c}
}

func (c *Callout) signed(answer *jwt.AuthorizationResponseClaims) error {
	if answer.Issuer != c.Issuer {
		return errUnknownSigner
	}
	return nil
}

// place takes the account from the claims' audience. The default permissions of a configured account are those of its
// configured users: nats-server gives users of the service none, and so do we.
func (c *Callout) place(_ context.Context, u *jwt.UserClaims) (*place, error) {
	switch {
	case u.IssuerAccount != "":
		return nil, fmt.Errorf("error non operator mode account %q: attempted to use issuer_account", c.Account)
	case u.Issuer != c.Issuer:
		return nil, fmt.Errorf("wrong issuer for auth callout response on account %q, expected %q got %q", c.Account, c.Issuer, u.Issuer)
	case !c.Accounts[u.Audience]:
		return nil, fmt.Errorf("no valid account %q for auth callout response on account %q: account missing", u.Audience, c.Account)
	}
	return &place{account: u.Audience}, nil
}

// claimTerms are those of an account that leaves its users to a service.
type claimTerms struct {
	book *Book
	acc  *ClaimAccount
}

// external has the service of an account decide about one of its users, who has shown id: usually a sentinel that all
// share and that may do nothing. The service's own users are let in as they are.
func (a *Authenticator) external(ctx context.Context, o *Operator, id *Identity, r *Request) (*Identity, error) {
	acc := id.claim.account
	if slices.Contains(acc.External.Users, id.User) {
		var err error
		if id.Permissions, err = fenced(id.Permissions); err != nil {
			return nil, err
		}
		return id, nil
	}
	s := &service{account: acc.ID, subject: acc.ID, xkey: acc.External.XKey, tags: o.Tags, terms: claimTerms{o.Book, acc}}
	return a.call(ctx, s, r, false)
}

func (t claimTerms) signed(c *jwt.AuthorizationResponseClaims) error {
	if c.IssuerAccount != "" && c.IssuerAccount != t.acc.ID {
		return fmt.Errorf("auth callout response issuer account %q is not the callout account", c.IssuerAccount)
	}
	if _, ok := t.acc.signers[c.Issuer]; !ok && c.Issuer != t.acc.ID {
		return errUnknownSigner
	}
	return nil
}

// place takes the account from who has issued the user: the service's account, or another that its claims allow.
func (t claimTerms) place(ctx context.Context, u *jwt.UserClaims) (*place, error) {
	issuer := u.Issuer
	if u.IssuerAccount != "" {
		issuer = u.IssuerAccount
	}
	if issuer != t.acc.ID && !t.acc.External.allows(issuer) {
		return nil, fmt.Errorf("account %q not permitted as valid account option for auth callout for account %q", u.Issuer, t.acc.ID)
	}
	target, err := t.book.Lookup(ctx, issuer)
	if err != nil {
		return nil, fmt.Errorf("no valid account %q for auth callout response on account %q: %w", issuer, t.acc.ID, err)
	}
	if _, known := target.signers[u.Issuer]; !known {
		return nil, fmt.Errorf("user JWT issuer %q is not known", u.Issuer)
	}
	scope, err := target.scoped(u)
	if err != nil {
		return nil, err
	}
	c := &claim{account: target, scope: scope, issued: u.IssuedAt, plain: rulesOf(&u.Permissions) == nil}
	if u.IssuerAccount != "" {
		c.signer = u.Issuer
	}
	return &place{account: target.ID, label: target.Label(), defaults: target.defaults, claim: c}, nil
}

// allows reports whether users may be put into an account.
func (x *ExternalAuthorization) allows(account string) bool {
	return slices.Contains(x.Accounts, account) || len(x.Accounts) == 1 && x.Accounts[0] == jwt.AnyAccount
}
