package auth

import (
	"context"

	"github.com/nats-io/jwt/v2"
)

// Bootstrap puts an account into the book that the resolver does not have yet: anybody may enter whom the account's own
// key has signed. So users of the system account get in where nothing is stored yet, and push what there is to be. An
// account that is in the book stays as it is.
func (b *Book) Bootstrap(id, issuer string) {
	if b.Known(id) != nil {
		return
	}
	c := jwt.NewAccountClaims(id)
	c.Issuer = issuer
	b.enter([]*ClaimAccount{{ID: id, Issuer: issuer, signed: c, claims: c, signers: map[string]jwt.Scope{id: nil}}})
}

// Bootstrapped reports whether there is no JWT yet of an account that is in the book.
func (b *Book) Bootstrapped(id string) bool {
	a := b.Known(id)
	return a != nil && a.Text == ""
}

// Try asks the resolver for the JWT of an account that is in the book and takes it. Nothing is logged if there is none.
func (b *Book) Try(ctx context.Context, id string) error {
	text, err := (*b.resolver.Load()).Fetch(ctx, id)
	if err != nil {
		return err
	}
	return b.Update(ctx, id, text)
}
