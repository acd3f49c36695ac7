package auth

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-broker/nats-broker/daemon/logging"
)

// Authenticator decides who may connect. Its methods may be called concurrently.
type Authenticator struct {
	log      *logging.Logger
	users    atomic.Pointer[directory]
	pool     *pool
	throttle throttle
	delegate Delegate // nil: callouts refuse
}

// New makes an authenticator for the options.
func New(o Options, log *logging.Logger) (*Authenticator, error) {
	d, err := newDirectory(o)
	if err != nil {
		return nil, err
	}
	a := &Authenticator{log: log, pool: newPool()}
	a.users.Store(d)
	return a, nil
}

// Advise says in the log what is unwise in the credentials. Prepare's commit does the same.
func (a *Authenticator) Advise() { a.users.Load().warn(a.log) }

// Prepare makes new tables and returns what puts them into use. Connections that are there already are not asked again:
// see [Authenticator.Review].
func (a *Authenticator) Prepare(o Options) (commit func(), err error) {
	d, err := newDirectory(o)
	if err != nil {
		return nil, err
	}
	return func() {
		a.users.Store(d)
		a.pool.forget(func(hash string) bool { return d.hashes[hash] })
		a.Advise()
	}, nil
}

// Current reports whether the credentials are still those that id was decided by.
func (a *Authenticator) Current(id *Identity) bool { return id.from == a.users.Load() }

// Requirements are what a new connection is told and asked.
type Requirements struct {
	Auth  bool // nothing but CONNECT is taken at first
	Told  bool // INFO says auth_required; it does not where there is a user for those who name none
	Nonce bool // INFO carries a nonce to be signed
}

// Requires returns the requirements at this moment.
func (a *Authenticator) Requires() Requirements {
	d := a.users.Load()
	return Requirements{Auth: d.required, Told: d.told, Nonce: len(d.nkeys) > 0 || d.operator != nil || len(d.proxies) > 0}
}

// Authenticate decides on a CONNECT. It may take its time, up to the end of ctx: a password hash is computed, or the
// answer is delayed because the address has failed too often. The error of a refusal is one of the package's.
func (a *Authenticator) Authenticate(ctx context.Context, r *Request) (*Identity, error) {
	d := a.users.Load()
	who := addressOf(r.Remote)
	r.caller = caller{who, a.throttle.slows(who, time.Now())}
	id, err := a.verdict(ctx, d.at(r.Type), r)
	if id != nil && id.from != d {
		id.from = d
	}
	if err == nil || errors.Is(err, ErrTooSlow) {
		return id, err
	}
	delay, count, first := a.throttle.failed(who, time.Now())
	if first {
		a.log.Event(logging.Warn, logging.AuthenticationThrottled,
			fmt.Sprintf("Authentication failed %d times from %s, further failures are answered with a delay", count, shown(r)),
			logging.String(logging.FieldRemote, shown(r)), logging.Uint(logging.FieldCount, uint64(count)))
	}
	wait(ctx, delay)
	return nil, err
}

// verdict finds out what proxy a request came through and decides on it.
func (a *Authenticator) verdict(ctx context.Context, d *directory, r *Request) (*Identity, error) {
	key, ok := d.proxyOf(r)
	if !ok {
		return nil, ErrProxyNotTrusted
	}
	r.TrustedProxy = r.TrustedProxy || key != ""
	id, err := a.judge(ctx, d, r)
	return id.through(key), err
}

// judge decides here or has a callout service decide.
func (a *Authenticator) judge(ctx context.Context, d *directory, r *Request) (*Identity, error) {
	switch {
	case d.operator != nil:
		id, err := d.decide(ctx, r, a.pool)
		if err != nil || id.claim == nil || id.claim.account.External == nil {
			return id, err
		}
		return a.external(ctx, d.operator, id, r)
	case d.callout == nil:
		return d.decide(ctx, r, a.pool)
	}
	yes, proxied, id, err := d.delegates(ctx, r, a.pool)
	if !yes {
		return id, err
	}
	if account := d.callout.Account; !d.callout.Accounts[account] {
		return nil, a.refuse(fmt.Errorf("no valid account %q for auth callout request: account missing", account))
	}
	return a.call(ctx, d.callout.service(), d.named(r), proxied)
}

func shown(r *Request) string {
	who := addressOf(r.Remote)
	switch {
	case !who.IsValid():
		return "the local socket"
	case who.IsSingleIP():
		return who.Addr().String()
	default:
		return who.String()
	}
}

// Review decides again on a connection that was let in as id, after the options have changed. It returns the identity
// the connection has from now on. ErrMoved asks to close it without a word, because the user is in another account or
// nowhere: it may come back as what it is then. Any other error
// means that it has lost its right. A secret that is still the one it proved to know is not asked for again. Permissions that are
// the same are the same pointer.
func (a *Authenticator) Review(ctx context.Context, id *Identity, r *Request) (*Identity, error) {
	all := a.users.Load()
	d := all.at(r.Type)
	r.caller = caller{from: addressOf(r.Remote)}
	key, ok := d.proxyOf(r)
	if !ok || key == "" && id.ProxyKey != "" {
		return nil, ErrProxyNotTrusted // it was trusted when the connection came
	}
	r.TrustedProxy = r.TrustedProxy || key != ""
	now, err := a.recall(ctx, d, id, r)
	if err != nil && id.by != byCallout && d.gone(r) {
		return nil, ErrMoved
	}
	if err != nil {
		return nil, err
	}
	if now.Account != id.Account {
		return nil, ErrMoved
	}
	if now.Permissions != id.Permissions && now.Permissions.equal(id.Permissions) {
		now.Permissions = id.Permissions
	}
	now = now.through(key)
	if now.from != all {
		now.from = all
	}
	return now, nil
}

// recall finds what an identity has become in the tables d, and decides anew where that does not tell.
func (a *Authenticator) recall(ctx context.Context, d *directory, id *Identity, r *Request) (*Identity, error) {
	if d.callout == nil && id.by != byCallout || d.callout != nil && d.callout.spares(d.entry(r)) {
		if now, err := d.recall(id, r); err == nil {
			return now, nil
		}
	}
	if d.callout == nil || id.by != byCallout || !d.callout.same(id.from.callout) {
		return a.judge(ctx, d, r)
	}
	yes, _, now, err := d.delegates(ctx, r, a.pool)
	if !yes {
		return now, err
	}
	return d.callout.renew(id)
}
