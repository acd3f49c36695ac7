package daemon

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-broker/nats-broker/daemon/auth"
	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/logging"
)

// authOptions translates users and secrets, of the authorization block and of
// the accounts, for the deciding part.
func authOptions(o *config.Options, book *auth.Book) auth.Options {
	if o.Operator.Enabled() {
		return auth.Options{TrustedProxies: trustedProxies(o), Operator: &auth.Operator{
			Book: book, Sentinel: o.Operator.Sentinel, Pinned: o.Operator.Pinned, Tags: lower(o.Tags),
		}}
	}
	a := &o.Authorization
	opts := auth.Options{
		User: a.User, Password: a.Password, Token: a.Token, NoAuthUser: o.NoAuthUser,
		CertificateMap: o.TLS.Map, ProxyRequired: a.ProxyRequired,
	}
	if a.Users != nil {
		opts.Users = []auth.User{}
	}
	add := func(users []config.User, account string) {
		opts.Users = slices.Grow(opts.Users, len(users))
		for i := range users {
			opts.Users = append(opts.Users, authUser(&users[i], account))
		}
	}
	add(a.Users, "")
	for i := range o.Accounts {
		add(o.Accounts[i].Users, o.Accounts[i].Name)
	}
	if opts.Anonymous = onlySystemUsers(o); opts.Anonymous && opts.Users == nil {
		opts.Users = []auth.User{}
	}
	opts.WebSocket = webSocketKind(&o.WebSocket)
	opts.TrustedProxies = trustedProxies(o)
	opts.Callout = calloutOptions(o)
	return opts
}

func trustedProxies(o *config.Options) (keys []string) {
	for _, p := range o.Proxies {
		keys = append(keys, p.Key)
	}
	return keys
}

// onlySystemUsers reports whether the only account there is is the system's, and
// nothing is said of authorization: then everybody else may still come into the
// global account. It is nats-server's rule, word for word: a second account, with
// users or without, ends it.
func onlySystemUsers(o *config.Options) bool {
	if len(o.Accounts) != 1 || o.Authorization.Defined || o.NoAuthUser != "" {
		return false
	}
	system := o.SystemAccount
	if system == "" && !o.NoSystemAccount {
		system = broker.SystemAccount
	}
	return o.Accounts[0].Name == system
}

func authUser(u *config.User, account string) auth.User {
	if u.Account != "" {
		account = u.Account
	}
	return auth.User{
		Name: u.Name, Password: u.Password, Nkey: u.Nkey, Account: account,
		Permissions: authRules(&u.Permissions), ConnectionTypes: u.ConnectionTypes, ProxyRequired: u.ProxyRequired,
	}
}

func authRules(p *config.Permissions) *auth.Rules {
	if !p.Defined {
		return nil
	}
	r := &auth.Rules{
		PublishAllow: p.Publish.Allow, PublishDeny: p.Publish.Deny,
		SubscribeAllow: p.Subscribe.Allow, SubscribeDeny: p.Subscribe.Deny,
	}
	if p.Responses.Defined {
		r.Responses = &auth.Responses{Max: p.Responses.Max, Expires: p.Responses.Expires}
	}
	return r
}

// authPart is who may connect: users, accounts and their rights.
type authPart struct {
	log    *logging.Logger
	door   *gate
	broker *broker.Broker
}

// newAuthPart makes the part; book is nil unless accounts come as JWTs.
func newAuthPart(cfg *config.Config, book *auth.Book, log *logging.Logger) (*authPart, error) {
	a, err := auth.New(authOptions(cfg.Options, book), log)
	if err != nil {
		return nil, err
	}
	return &authPart{log: log, door: &gate{auth: a, book: book}}, nil
}

// gate is what the core asks.
func (p *authPart) gate() broker.Authenticator { return p.door }

func (p *authPart) name() string { return "authorization" }

func (p *authPart) start(cfg *config.Config) error {
	commit, err := p.broker.PrepareAccounts(accountOptions(cfg.Options))
	if err != nil {
		return err
	}
	commit()
	p.door.auth.SetDelegate(newCallouts(p.broker))
	p.door.auth.Advise()
	return nil
}

// prepare makes the new tables. It is the core's part, later in the order,
// that tells new connections what is asked of them.
func (p *authPart) prepare(old, new *config.Config) (*change, error) {
	accounts, err := p.broker.PrepareAccounts(accountOptions(new.Options))
	if err != nil {
		return nil, err
	}
	users, err := p.door.auth.Prepare(authOptions(new.Options, p.door.book))
	if err != nil {
		return nil, err
	}
	return &change{commit: func() {
		accounts()
		users()
		p.door.turns.Add(1)
		p.door.review(p.broker, p.log, reviewLimit)
		removeAccounts(p.broker, old.Options, new.Options)
	}}, nil
}

func (p *authPart) stop() {}

// reviewLimit bounds the review of connections after a change of users.
const reviewLimit = time.Minute

// removeAccounts removes those that are gone, with their connections.
func removeAccounts(b *broker.Broker, old, new *config.Options) {
	stays := map[string]bool{}
	for i := range new.Accounts {
		stays[new.Accounts[i].Name] = true
	}
	for i := range old.Accounts {
		if name := old.Accounts[i].Name; !stays[name] {
			b.RemoveAccount(name)
		}
	}
}

// gate makes the deciding part answer the core's questions. One gate lasts as
// long as the broker; what it decides by is exchanged under it.
type gate struct {
	auth    *auth.Authenticator
	book    *auth.Book    // of accounts that come as JWTs; nil if they do not
	turns   atomic.Uint64 // how often the users have been exchanged
	last    atomic.Pointer[verdict]
	tickets tickets

	readmitting sync.Once
	readmission context.Context // of all connections of the process before, from the first on
}

// Requires tells what INFO says.
func (g *gate) Requires() broker.AuthRequirements {
	r := g.auth.Requires()
	return broker.AuthRequirements{Auth: r.Auth, Told: r.Told, Nonce: r.Nonce}
}

// RequiresAt implements broker.Doorkeeper.
func (g *gate) RequiresAt(connection string) broker.AuthRequirements {
	r := g.auth.RequiresAt(connection)
	return broker.AuthRequirements{Auth: r.Auth, Told: r.Told, Nonce: r.Nonce}
}

// Authenticate decides on a CONNECT.
func (g *gate) Authenticate(ctx context.Context, r *broker.AuthRequest) (*broker.Identity, error) {
	if who := g.tickets.redeem(r); who != nil {
		return who, nil
	}
	turn := g.turns.Load()
	id, err := g.auth.Authenticate(ctx, authRequest(r))
	if err != nil {
		return nil, denied(err)
	}
	return g.known(id, turn), nil
}

// known is the core's form of a decision of this turn.
func (g *gate) known(id *auth.Identity, turn uint64) *broker.Identity {
	if last := g.last.Load(); last != nil && last.of == id && last.turn == turn {
		return last.who
	}
	who := identity(id)
	who.Stale = g.stale(turn, id)
	g.last.Store(&verdict{id, turn, who})
	return who
}

// verdict is the core's form of a decision. Connections of one user that need no proof
// have the decision in common, and so this.
type verdict struct {
	of   *auth.Identity
	turn uint64
	who  *broker.Identity
}

// Carry tells what a connection has proved, for the process after this one.
func (g *gate) Carry(id *broker.Identity) []byte {
	if was, ok := id.Proof.(*auth.Identity); ok {
		return was.Carry()
	}
	return nil
}

// readmitLimit bounds the verdicts on all connections of the process before this one:
// when thousands of passwords have changed, those left have to log in again.
const readmitLimit = 5 * time.Second

// Readmit decides on a connection that the process before this one let in.
func (g *gate) Readmit(r *broker.AuthRequest, proof []byte) (*broker.Identity, error) {
	if proof == nil { // a ticket, or somebody who was let in otherwise
		return nil, denied(auth.ErrCredentials)
	}
	turn := g.turns.Load()
	g.readmitting.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), readmitLimit)
		context.AfterFunc(ctx, cancel)
		g.readmission = ctx
	})
	id, err := g.auth.Readmit(g.readmission, proof, authRequest(r))
	switch {
	case errors.Is(err, auth.ErrMoved):
		return nil, &broker.Denied{Reason: broker.ClientClosed}
	case err != nil:
		return nil, denied(err)
	}
	return g.known(id, turn), nil
}

// stale tells whether a decision was overtaken: by other users, or by other claims of the account.
func (g *gate) stale(turn uint64, id *auth.Identity) func() bool {
	return func() bool { return g.turns.Load() != turn || g.book != nil && !g.book.Current(id) }
}

func authRequest(r *broker.AuthRequest) *auth.Request {
	c := r.Connect
	return &auth.Request{
		User: c.User, Password: c.Pass, Token: c.Token, Nkey: c.Nkey, Signature: c.Sig, Nonce: r.Nonce,
		Type: r.Connection, ClientType: r.Type, Remote: r.Remote, TLS: r.TLS,
		CID: r.CID, Name: c.Name, Lang: c.Lang, Version: c.Version, Protocol: c.Protocol, JWT: c.JWT,
		ProxySignature: c.ProxySig,
	}
}

func denied(err error) error {
	d := &broker.Denied{Err: err}
	var why *auth.Refusal
	if errors.As(err, &why) {
		d.Note, d.Level = why.Text, why.Level
	}
	switch {
	case errors.Is(err, auth.ErrProxyRequired):
		d.Reason = broker.ProxyRequired
		d.Note, d.Level = err.Error(), logging.Debug
	case errors.Is(err, auth.ErrProxyNotTrusted):
		d.Reason = broker.ProxyNotTrusted
		d.Note, d.Level = err.Error(), logging.Debug
	case errors.Is(err, auth.ErrTooSlow):
		d.Reason = broker.AuthenticationTimeout
		d.Late = errors.Is(err, auth.ErrBusy)
	}
	return d
}

// identity is what the core keeps of a decision; the decision itself rides
// along, for a review after a reload.
func identity(id *auth.Identity) *broker.Identity {
	b := &broker.Identity{
		Account: id.Account, User: id.User, Label: id.Label, Proof: id, AccountLabel: id.AccountLabel, Note: id.Note, Expires: id.Expires,
		MaxPayload: coreLimit(id.MaxPayload), MaxSubscriptions: coreLimit(id.MaxSubscriptions),
		IssuerKey: id.IssuerKey, NameTag: id.NameTag, Tags: id.Tags, ProxyKey: id.ProxyKey,
	}
	if id.Permissions != nil {
		b.Permissions = rights{id.Permissions}
	}
	return b
}

// rights are permissions in the core's words.
type rights struct{ *auth.Permissions }

// Responses returns what may be answered.
func (r rights) Responses() *broker.ResponsePermission {
	a := r.Permissions.Responses()
	if a == nil {
		return nil
	}
	return &broker.ResponsePermission{MaxMsgs: a.Max, Expires: a.Expires}
}

// reviewers is how many connections are reviewed at a time: a changed password
// hash costs a core for a while.
const reviewers = 4

// review asks again about every connection, after the users have changed. A
// connection that has lost its right is closed as one that never had it; the
// others go on, with the rights they have now.
func (g *gate) review(b *broker.Broker, log *logging.Logger, limit time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	work := make(chan *broker.Client)
	var done sync.WaitGroup
	for range reviewers { // end when all clients are dealt out
		done.Go(func() {
			for c := range work {
				// A callout service may have to be asked, and may be silent.
				one, cancel := context.WithTimeout(ctx, b.Options().AuthTimeout)
				g.reviewOne(one, c)
				cancel()
			}
		})
	}
	for _, c := range b.Clients() {
		work <- c
	}
	close(work)
	done.Wait()
	if ctx.Err() != nil {
		log.Warn("Reviewing connections after a change of users took too long; those left were closed")
	}
}

func (g *gate) reviewOne(ctx context.Context, c *broker.Client) {
	req := c.AuthRequest()
	if req == nil {
		return // has not said who it is: the new users will decide
	}
	if c.User() == ticketUser {
		return // lives for a moment only
	}
	was, _ := c.Identity().Proof.(*auth.Identity)
	if was == nil {
		was = &auth.Identity{Account: auth.GlobalAccount}
	}
	now, err := g.auth.Review(ctx, was, authRequest(req))
	switch {
	case errors.Is(err, auth.ErrMoved):
		c.Close(broker.ClientClosed, "") // it comes back into its new account
	case err != nil:
		c.Revoke(denied(err))
	default:
		c.Readmit(identity(now))
	}
}
