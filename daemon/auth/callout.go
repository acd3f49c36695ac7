package auth

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/nats-io/nkeys"
)

// A callout asks a service, which is an ordinary client in an account of its own, who a connection is. The request and
// the answer are JWTs (jwt.AuthorizationRequestClaims and jwt.AuthorizationResponseClaims), as described in ADR-26 of
// https://github.com/nats-io/nats-architecture-and-design.

// CalloutSubject is where requests are sent, in the account of the service.
const CalloutSubject = "$SYS.REQ.USER.AUTH"

// CalloutHeader names the header with the server's curve key, in encrypted requests.
const CalloutHeader = "Nats-Server-Xkey"

// Callout delegates decisions to a service.
type Callout struct {
	Issuer  string // public account nkey that answers are signed by
	Account string // where the service is; empty: the global account
	// Users of the service and others who are let in without it, by name or nkey.
	Users []string
	// XKey is the service's public curve key; empty: nothing is encrypted.
	XKey string
	// Allowed are the accounts whose users are delegated too; empty: all. Who is in none is always delegated.
	Allowed []string
	// Accounts are all that there are: the service may put users in any.
	Accounts map[string]bool
	// Tags of this server, which the service is told.
	Tags []string

	// inputs stands for all by which it is told who somebody is, and who is left to it, but for the lists above.
	inputs [sha256.Size]byte
}

// inputsOf sums up who can log in and how; permissions do not count.
func inputsOf(o *Options) [sha256.Size]byte {
	users := slices.Clone(o.Users)
	for i := range users {
		users[i].Permissions = nil
	}
	slices.SortFunc(users, func(a, b User) int { return cmp.Compare(a.Name+a.Nkey, b.Name+b.Nkey) })
	text, _ := json.Marshal([]any{o.User, o.Password, o.Token, o.NoAuthUser, o.CertificateMap, o.ProxyRequired, o.Callout.Tags, users, o.WebSocket}) // never fails
	return sha256.Sum256(text)
}

// Server describes this server to a callout service.
type Server struct {
	ID, Name, Host, Version, Cluster string
}

// Delegate is what a callout needs of the broker. Its methods may be called concurrently.
type Delegate interface {
	// Server describes this server.
	Server() Server
	// Keys are the server's own, its identity and its curve key.
	Keys() (identity, curve nkeys.KeyPair)
	// Ask publishes a request in an account and returns the first answer. key is put in a header unless it is empty.
	// An error is ctx's or says that nothing can be asked there.
	Ask(ctx context.Context, account, key string, request []byte) ([]byte, error)
}

// Refusals of a callout.
var (
	errCallout    = errors.New("auth callout")
	errNoDelegate = errors.New("there is no broker to ask")
)

// SetDelegate says whom callouts go through. It is called once, before the first connection.
func (a *Authenticator) SetDelegate(d Delegate) { a.delegate = d }

// delegates reports whether a request is for the callout service to decide. otherwise, id and err are the decision.
// proxied tells that the user named needs a trusted proxy.
func (d *directory) delegates(ctx context.Context, r *Request, p *pool) (yes, proxied bool, id *Identity, err error) {
	acc := d.entry(r)
	if d.callout.spares(acc) {
		id, err = d.decide(ctx, r, p)
		return false, acc.proxied, id, err
	}
	if acc == nil || len(d.callout.Allowed) == 0 || acc.id.Account == GlobalAccount {
		return true, acc != nil && acc.proxied, nil, nil
	}
	id, err = d.decide(ctx, r, p)
	if errors.Is(err, ErrTooSlow) || err == nil && !slices.Contains(d.callout.Allowed, id.Account) {
		return false, acc.proxied, id, err
	}
	return true, acc.proxied, nil, nil
}

// named returns the request under the name of no_auth_user, if that is whom it would be without a callout: the service is
// to decide about that user.
func (d *directory) named(r *Request) *Request {
	if !d.isNameless(r) {
		return r
	}
	c := *r
	if name := d.nameless.name; d.users[name] == d.nameless {
		c.User = name
	} else {
		c.Nkey = name
	}
	return &c
}

// entry returns the user, nkey or single user that a request names, whether or not it proves to be that; nil for none.
func (d *directory) entry(r *Request) *account {
	switch {
	case d.isNameless(r):
		return d.nameless
	case r.Nkey != "" && len(d.nkeys) > 0:
		return d.nkeys[r.Nkey]
	case d.certMap && len(d.users) > 0:
		if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
			return nil
		}
		return d.certificateUser(r.TLS.PeerCertificates[0], r.Type)
	case r.User != "" && len(d.users) > 0:
		return d.users[r.User]
	case d.token != nil:
		return nil
	case d.single != nil && d.single.name == r.User:
		return d.single
	}
	return nil
}

// call asks a service about a request. The error of a refusal wraps ErrCredentials or is ErrProxyRequired; where the
// service has not answered in time, it wraps ErrTooSlow.
func (a *Authenticator) call(ctx context.Context, s *service, r *Request, proxied bool) (*Identity, error) {
	if a.delegate == nil {
		return nil, fmt.Errorf("%w: %w", ErrCredentials, errNoDelegate)
	}
	q, err := newQuestion(ctx, a.delegate, s, r)
	if err != nil {
		return nil, a.refuse(fmt.Errorf("error encoding auth request claim on account %q: %w", s.account, err))
	}
	answer, err := a.delegate.Ask(ctx, s.account, q.header(), q.text)
	if err != nil {
		if ctx.Err() == nil {
			return nil, a.refuse(fmt.Errorf("no valid account %q for auth callout request: %w", s.account, err))
		}
		a.log.Debug(fmt.Sprintf("Authorization callout response not received in time on account %q", s.account))
		return nil, fmt.Errorf("%w: %w", ErrTooSlow, err)
	}
	id, err := q.read(ctx, answer, r, proxied, time.Now())
	if err != nil {
		return nil, a.refuse(err)
	}
	return id, nil
}

// refuse logs why the service's answer lets nobody in.
func (a *Authenticator) refuse(err error) error {
	text := err.Error()
	first, size := utf8.DecodeRuneInString(text)
	a.log.Warn(string(unicode.ToTitle(first)) + text[size:])
	if errors.Is(err, ErrProxyRequired) {
		return err
	}
	return fmt.Errorf("%w: %w: %w", ErrCredentials, errCallout, err)
}

// spares reports whether a user is let in without the service.
func (c *Callout) spares(acc *account) bool { return acc != nil && slices.Contains(c.Users, acc.name) }

// renew returns an identity that the service gave before: it stays as long as its account does.
func (c *Callout) renew(id *Identity) (*Identity, error) {
	if !c.Accounts[id.Account] {
		return nil, ErrCredentials
	}
	now := *id
	return &now, nil
}

// same reports whether answers of the service to what was asked under another configuration still count.
func (c *Callout) same(o *Callout) bool {
	return c != nil && o != nil && c.inputs == o.inputs && c.Issuer == o.Issuer && c.Account == o.Account && c.XKey == o.XKey &&
		slices.Equal(c.Users, o.Users) && slices.Equal(c.Allowed, o.Allowed)
}

// calloutAnswers are the subjects that the service answers on.
const calloutAnswers = "$SYS._INBOX.>"

// fenced returns the permissions of a user of the callout service: it is given requests and answers them, but sends none,
// since what comes there must come from the server.
func fenced(p *Permissions) (*Permissions, error) {
	r := p.copyRules()
	r.PublishDeny = append(r.PublishDeny, CalloutSubject)
	return NewPermissions(&r)
}

// walled returns the permissions of anybody else in the account of the service: he neither sees nor gives what passes
// between it and the server.
func walled(p *Permissions) (*Permissions, error) {
	r := p.copyRules()
	r.PublishDeny = append(r.PublishDeny, CalloutSubject, calloutAnswers)
	r.SubscribeDeny = append(r.SubscribeDeny, CalloutSubject, calloutAnswers)
	return NewPermissions(&r)
}

// copyRules are the rules behind permissions, none if p is nil, with lists of denials that may be added to.
func (p *Permissions) copyRules() (r Rules) {
	if p != nil {
		r = p.rules
	}
	r.PublishDeny, r.SubscribeDeny = slices.Clone(r.PublishDeny), slices.Clone(r.SubscribeDeny)
	return r
}
