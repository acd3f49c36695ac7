package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// decide finds out who a request is. The order of the credentials is nats-server's: an nkey before a certificate before
// a user's password, and the single user or token only where there are no users.
func (d *directory) decide(ctx context.Context, r *Request, p *pool) (*Identity, error) {
	if !d.required {
		return d.unproven(r), nil
	}
	switch {
	case d.operator != nil:
		return d.byJWT(ctx, r)
	case d.isNameless(r):
		return d.nameless.admit(byNothing, r)
	case r.Nkey != "" && len(d.nkeys) > 0:
		return d.byNkey(r)
	case d.certMap && len(d.users) > 0:
		return d.byCertificate(ctx, r, p)
	case r.User != "" && len(d.users) > 0:
		return d.byPassword(ctx, r, p)
	case d.token != nil:
		return d.token.prove(ctx, byToken, r.Token, r, p)
	case d.single != nil:
		return d.bySingle(ctx, r, p)
	}
	return nil, ErrCredentials
}

// isNameless reports whether the request is taken for the user of those who name none. Where users come from
// certificates, only an nkey may be that user.
func (d *directory) isNameless(r *Request) bool {
	return d.nameless != nil && r.nameless() && !(d.certMap && d.users[d.nameless.name] == d.nameless)
}

func (d *directory) byNkey(r *Request) (*Identity, error) {
	acc := d.nkeys[r.Nkey]
	if acc == nil || !acc.takes(r.Type) {
		return nil, ErrCredentials
	}
	if acc != d.nameless && !signed(acc.name, r.Nonce, r.Signature) {
		return nil, ErrCredentials
	}
	return acc.admit(byNkey, r)
}

func (d *directory) byPassword(ctx context.Context, r *Request, p *pool) (*Identity, error) {
	acc := d.users[r.User]
	if acc == nil || !acc.takes(r.Type) {
		return nil, d.level(ctx, r, p, 0)
	}
	id, err := acc.prove(ctx, byPassword, r.Password, r, p)
	if errors.Is(err, ErrCredentials) {
		return nil, d.level(ctx, r, p, acc.secret.cost())
	}
	return id, err
}

func (d *directory) bySingle(ctx context.Context, r *Request, p *pool) (*Identity, error) {
	name := newSecret(d.single.name)
	known := name.matchesPlain(r.User)
	id, err := d.single.prove(ctx, bySingle, r.Password, r, p)
	if !known && err == nil {
		return nil, ErrCredentials
	}
	return id, err
}

// level has a refusal take as long as that of a user with the dearest hash: done is the cost of what was compared
// already, 0 if nothing was or the password was plain. Then its time does not tell who exists.
func (d *directory) level(ctx context.Context, r *Request, p *pool, done int) error {
	if done < d.dearest {
		if err := p.pretend(ctx, r.caller, d.dearest, done, r.Password); err != nil {
			return fmt.Errorf("%w: %w", ErrBusy, err)
		}
	}
	return ErrCredentials
}

// prove compares a secret and admits.
func (a *account) prove(ctx context.Context, by proof, given string, r *Request, p *pool) (*Identity, error) {
	ok := false
	if a.secret.hash == nil {
		ok = a.secret.matchesPlain(given)
	} else {
		var err error
		if ok, err = p.compare(ctx, r.caller, a.secret.hash, given); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBusy, err)
		}
	}
	if !ok {
		return nil, ErrCredentials
	}
	return a.admit(by, r)
}

// admit returns the identity, which is the caller's.
func (a *account) admit(by proof, r *Request) (*Identity, error) {
	if !a.takes(r.Type) {
		return nil, ErrCredentials
	}
	if a.proxied && !r.TrustedProxy {
		return nil, ErrProxyRequired
	}
	id := a.id
	id.by, id.proof = by, a.secret.sum
	return &id, nil
}

// takes reports whether the user may come by this type of connection.
func (a *account) takes(kind string) bool {
	if kind == "" {
		kind = TypeStandard
	}
	return len(a.types) == 0 || slices.Contains(a.types, kind)
}

// unproven is the identity of somebody who need not prove anything. Those who claim
// nothing share one.
func (d *directory) unproven(r *Request) *Identity {
	if r.nameless() {
		return d.anyone
	}
	return r.claim()
}

// recall finds what an identity has become in these tables, if what it proved still counts.
func (d *directory) recall(id *Identity, r *Request) (*Identity, error) {
	var acc *account
	switch id.by {
	case byNothing:
		switch {
		case !d.required:
			return d.unproven(r), nil
		case d.nameless != nil && d.nameless.name == id.User:
			acc = d.nameless
		}
	case byPassword:
		acc = d.users[id.User]
	case byNkey:
		acc = d.nkeys[id.User]
	case bySingle:
		if acc = d.single; acc != nil && acc.name != id.User {
			acc = nil
		}
	case byToken:
		acc = d.token
	case byCertificate:
		if d.certMap {
			acc = d.users[id.User]
		}
	}
	if acc == nil || acc.secret.sum != id.proof && id.by != byCertificate && id.by != byNothing {
		return nil, ErrCredentials
	}
	return acc.admit(id.by, r)
}

// gone reports whether the name that a request goes by is no user's.
func (d *directory) gone(r *Request) bool {
	if d.operator != nil {
		return false
	}
	if r.Nkey != "" {
		return d.nkeys[r.Nkey] == nil
	}
	return r.User != "" && d.users[r.User] == nil
}
