package daemon

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/url"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/nats-io/nkeys"

	"github.com/nats-broker/nats-broker/daemon/auth"
	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/leaf"
	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

// options translates the configuration for leaf nodes.
func (p *leafPart) options(o *config.Options) (leaf.Options, error) {
	l := &o.Leafnodes
	opts := leaf.Options{
		Host: leafHost(l), Port: max(l.Port, 0), Advertise: l.Advertise, NoAdvertise: l.NoAdvertise,
		Authenticator: p.gate, Rules: leafRules, AuthTimeout: leafAuthTimeout(l), MinVersion: l.MinVersion, Isolate: l.Isolate,
		Compression: leaf.Compression{Mode: l.Compression.Mode, Thresholds: l.Compression.RTTThresholds},
		Reconnect:   l.Reconnect, DialTimeout: l.DialTimeout, ReportFirst: o.ConnectErrorReports, ReportLater: o.ReconnectErrorReports,
		PingInterval: o.PingInterval, PingMax: o.PingMax,
		WriteDeadline: orElse(l.WriteDeadline, o.WriteDeadline), CloseLate: l.WriteTimeout == "close",
		MaxPending: o.Limits.MaxPending, NoStall: o.NoFastProducerStall, MaxPayload: int(o.Limits.MaxPayload), MaxSubscriptions: max(o.Limits.MaxSubscriptions, 0),
		ServerName: p.d.broker.Options().ServerName, Version: CompatVersion, GoVersion: runtime.Version(),
		Headers: !o.NoHeaderSupport, JetStream: o.JetStream.Enabled, Domain: jetStreamDomain(o),
	}
	if book := p.d.operator.book; book != nil {
		opts.Bring = func(ctx context.Context, account string) error {
			_, err := book.Lookup(ctx, account)
			return err
		}
	}
	var err error
	if l.TLS.Defined {
		if opts.TLS, err = transport.LoadTLS(tlsOptions(&l.TLS)); err != nil {
			return opts, fmt.Errorf("leafnodes: tls: %w", err)
		}
	}
	for i := range l.Remotes {
		r, err := leafRemote(&l.Remotes[i])
		if err != nil {
			return opts, fmt.Errorf("leafnodes: remote %d: %w", i+1, err)
		}
		opts.Remotes = append(opts.Remotes, r)
	}
	return opts, nil
}

// leafAuthTimeout is how long a leaf node may take to say who it is: as for clients.
func leafAuthTimeout(l *config.Leafnodes) time.Duration {
	switch {
	case l.Authorization.Timeout > 0:
		return l.Authorization.Timeout
	case l.TLS.Defined:
		return orElse(l.TLS.Timeout, transport.DefaultTLSTimeout) + time.Second
	}
	return 2 * time.Second
}

func leafRemote(r *config.LeafRemote) (leaf.Remote, error) {
	out := leaf.Remote{
		NoRandomize: r.NoRandomize, Account: r.Account, Hub: r.Hub, DenyImports: r.DenyImports, DenyExports: r.DenyExports,
		Isolate: r.Isolate, RequestIsolation: r.RequestIsolation,
		Compression: leaf.Compression{Mode: r.Compression.Mode, Thresholds: r.Compression.RTTThresholds},
		InfoTimeout: r.FirstInfoTimeout, DialTimeout: r.DialTimeout, Disabled: r.Disabled, IgnoreDiscovered: r.IgnoreDiscovered,
	}
	for _, u := range r.URLs {
		c := *u
		out.URLs = append(out.URLs, &c)
	}
	shareLogin(out.URLs)
	if r.TLS.Defined {
		var err error
		if out.TLS, err = transport.LoadTLS(tlsOptions(&r.TLS)); err != nil {
			return out, fmt.Errorf("tls: %w", err)
		}
	}
	switch {
	case r.Credentials != "":
		out.ProofName = "credentials " + r.Credentials
		out.Proof = func(nonce string) (leaf.Proof, error) { return proofByFile(r.Credentials, nonce) }
	case r.Nkey != "":
		out.ProofName = "nkey " + r.Nkey
		out.Proof = func(nonce string) (leaf.Proof, error) {
			pair, err := nkeys.FromSeed([]byte(r.Nkey))
			if err != nil {
				return leaf.Proof{}, fmt.Errorf("the seed of the remote: %w", err)
			}
			return prove(pair, nonce)
		}
	}
	return out, nil
}

// shareLogin gives URLs that name no user the one of those that do, as nats-server 2.15.3 has it.
func shareLogin(urls []*url.URL) {
	var user *url.Userinfo
	for _, u := range urls {
		if u.User != nil {
			user = u.User
			break
		}
	}
	for _, u := range urls {
		if u.User == nil {
			u.User = user
		}
	}
}

// proofByFile signs a nonce by what a file of credentials holds, which is read each time: it may be renewed.
func proofByFile(path, nonce string) (leaf.Proof, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return leaf.Proof{}, err
	}
	defer clear(text)
	token, err := nkeys.ParseDecoratedJWT(text)
	if err != nil {
		return leaf.Proof{}, fmt.Errorf("%s: no JWT: %w", path, err)
	}
	pair, err := nkeys.ParseDecoratedNKey(text)
	if err != nil {
		return leaf.Proof{}, fmt.Errorf("%s: no seed: %w", path, err)
	}
	p, err := prove(pair, nonce)
	p.JWT, p.Nkey = token, ""
	return p, err
}

func prove(pair nkeys.KeyPair, nonce string) (leaf.Proof, error) {
	defer pair.Wipe()
	sig, err := pair.Sign([]byte(nonce))
	if err != nil {
		return leaf.Proof{}, err
	}
	public, err := pair.PublicKey()
	return leaf.Proof{Nkey: public, Sig: base64.RawURLEncoding.EncodeToString(sig)}, err
}

// leafRules gives permissions as lists.
func leafRules(p broker.Permissions) (publish, subscribe *leaf.Rules) {
	r, ok := p.(rights)
	if !ok {
		return nil, nil
	}
	rules := r.Rules()
	publish = &leaf.Rules{Allow: rules.PublishAllow, Deny: rules.PublishDeny}
	subscribe = &leaf.Rules{Allow: rules.SubscribeAllow, Deny: rules.SubscribeDeny}
	if len(subscribe.Allow) == 0 {
		subscribe.Allow = nil
	}
	if rules.Responses != nil && publish.Allow == nil {
		publish.Allow = []string{} // the right to answer takes the blanket right away
	}
	return publish, subscribe
}

// leafGate decides who may connect as a leaf node: by users of its own, if there are any, and by those of clients otherwise.
type leafGate struct {
	clients *gate
	log     *logging.Logger
	own     atomic.Pointer[gate] // nil: there are none
	last    *gate                // own, also when it is not asked
}

func newLeafGate(o *config.Options, clients *gate, log *logging.Logger) (*leafGate, error) {
	g := &leafGate{clients: clients, log: log}
	a, err := auth.New(leafAuthOptions(o), log)
	if err != nil {
		return nil, fmt.Errorf("leafnodes: authorization: %w", err)
	}
	g.last = &gate{auth: a}
	g.choose(o)
	return g, nil
}

func (g *leafGate) choose(o *config.Options) {
	if !leafUsers(&o.Leafnodes) {
		g.own.Store(nil)
		return
	}
	g.own.Store(g.last)
}

// leafUsers reports whether there are users of leaf nodes alone.
func leafUsers(l *config.Leafnodes) bool {
	a := &l.Authorization
	return a.User != "" || a.Nkey != "" || len(a.Users) > 0
}

// prepare checks other users, and returns what puts them into effect.
func (g *leafGate) prepare(o *config.Options) (commit func(), err error) {
	users, err := g.last.auth.Prepare(leafAuthOptions(o))
	if err != nil {
		return nil, fmt.Errorf("leafnodes: authorization: %w", err)
	}
	return func() {
		users()
		g.last.turns.Add(1)
		g.choose(o)
	}, nil
}

// leafAuthOptions are the users of leaf nodes alone.
func leafAuthOptions(o *config.Options) auth.Options {
	a := &o.Leafnodes.Authorization
	opts := auth.Options{Users: []auth.User{}, CertificateMap: o.Leafnodes.TLS.Map, TrustedProxies: trustedProxies(o)}
	add := func(u auth.User) { opts.Users = append(opts.Users, u) }
	switch {
	case a.User != "":
		opts.CertificateMap = false
		add(auth.User{Name: a.User, Password: a.Password, Account: a.Account, ProxyRequired: a.ProxyRequired})
	case a.Nkey != "":
		add(auth.User{Nkey: a.Nkey, Account: a.Account, ProxyRequired: a.ProxyRequired})
	}
	for _, u := range a.Users {
		add(auth.User{Name: u.Name, Password: u.Password, Account: u.Account, ProxyRequired: u.ProxyRequired || a.ProxyRequired})
	}
	return opts
}

// Requires implements [broker.Authenticator]: a leaf node always says who it is.
func (g *leafGate) Requires() broker.AuthRequirements {
	return broker.AuthRequirements{Auth: true, Told: true, Nonce: true}
}

// Authenticate implements [broker.Authenticator].
func (g *leafGate) Authenticate(ctx context.Context, r *broker.AuthRequest) (*broker.Identity, error) {
	if own := g.own.Load(); own != nil {
		return own.Authenticate(ctx, r)
	}
	return g.clients.Authenticate(ctx, r)
}
