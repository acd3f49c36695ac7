package daemon

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nats-broker/nats-broker/daemon/auth"
	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/resolver"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

// operatorPart is where accounts come from in operator mode: the book of those in use and the resolver behind it. It
// does nothing without an operator.
type operatorPart struct {
	log  *logging.Logger
	core *claimedAccounts
	book *auth.Book // nil without an operator
	bus  systemBus

	dir  *resolver.Directory // nil unless the resolver is one
	node *resolver.Node
	url  *resolver.URL // nil unless the resolver is one

	boot sync.WaitGroup // looks for the system account's JWT
	end  context.CancelFunc
}

func newOperatorPart(cfg *config.Config, log *logging.Logger) *operatorPart {
	p := &operatorPart{log: log}
	op := &cfg.Options.Operator
	if !op.Enabled() {
		return p
	}
	keys, strict := op.Trusted()
	p.core = &claimedAccounts{log: log, joined: func(*broker.Account) {}, stores: func(*auth.SharedAccount) {}}
	p.book = auth.NewBook(auth.Trust{Keys: keys, Strict: strict}, resolver.NewMemory(nil), p.core, log)
	return p
}

// connect gives the part what is made after it.
func (p *operatorPart) connect(d *Daemon) {
	if p.book == nil {
		return
	}
	p.core.broker, p.core.recheck, p.core.stores = d.broker, d.gate.recheck, d.jetStream.claimed
	if hub := d.cluster.hub; hub != nil {
		p.core.joined = hub.Join
	}
	p.bus = systemBus{d.system.service, func() int { servers, _, _ := d.cluster.figures(); return servers }}
}

func (p *operatorPart) name() string { return "account resolver" }

// start opens the resolver, and brings the system account in.
func (p *operatorPart) start(cfg *config.Config) error {
	if p.book == nil {
		return nil
	}
	o := cfg.Options
	info, warning := operatorLines(o)
	for _, line := range info {
		p.log.Info(line)
	}
	if warning != "" {
		p.log.Warn(warning)
	}
	if err := operatorVersion(o); err != nil {
		return err
	}
	if err := p.open(o); err != nil {
		return err
	}
	for _, line := range auth.AdviseAccounts(o.Operator.Preload) {
		p.log.Warn(line)
	}
	if o.SystemAccount == "" {
		return nil
	}
	return p.systemAccount(o)
}

// open makes the resolver, with the requests that go with it.
func (p *operatorPart) open(o *config.Options) error {
	op := &o.Operator
	keys, _ := op.Trusted()
	accounts := bookOfAccounts{p.book, keys}
	switch r := &op.Resolver; r.Type {
	case config.ResolverFull, config.ResolverCache:
		var err error
		if p.dir, err = resolver.Open(directoryOptions(r), p.log); err != nil {
			return err
		}
		p.node = resolver.NewNode(p.dir, p.bus, accounts, nodeOptions(o), p.log)
		p.node.Preload(op.Preload)
		p.book.Use(p.node)
		return p.node.Start()
	case config.ResolverURL:
		c, err := resolverURL(o)
		if err != nil {
			return err
		}
		p.url = c
		p.book.Use(c)
	default:
		p.book.Use(resolver.NewMemory(op.Preload))
	}
	return resolver.Follow(p.bus, accounts, p.log)
}

func directoryOptions(r *config.AccountResolver) resolver.Options {
	o := resolver.Options{Path: r.Dir, Limit: int(r.Limit), TTL: r.TTL}
	switch {
	case r.Type == config.ResolverCache:
		o.Evict, o.Delete = true, resolver.Unlink
		if o.Limit <= 0 {
			o.Limit = cacheLimit
		}
	case r.AllowDelete && r.HardDelete:
		o.Delete = resolver.Unlink
	case r.AllowDelete:
		o.Delete = resolver.Rename
	}
	return o
}

// cacheLimit is how many JWTs a cache holds by default (nats-server 2.15.3).
const cacheLimit = 1000

func nodeOptions(o *config.Options) resolver.NodeOptions {
	r := &o.Operator.Resolver
	n := resolver.NodeOptions{Cache: r.Type == config.ResolverCache, Interval: r.Interval, Timeout: r.Timeout, System: o.SystemAccount}
	if len(o.Operator.Operators) > 0 {
		first := &o.Operator.Operators[0]
		n.Operator, n.Strict, n.Keys = first.Subject, first.Strict, first.Keys()
	}
	return n
}

func resolverURL(o *config.Options) (*resolver.URL, error) {
	r := &o.Operator
	if !r.ResolverTLS.Defined {
		return resolver.NewURL(r.Resolver.URL, nil), nil
	}
	t, err := transport.LoadTLS(tlsOptions(&r.ResolverTLS))
	if err != nil {
		return nil, fmt.Errorf("resolver_tls: %w", err)
	}
	return resolver.NewURL(r.Resolver.URL, t.Client("")), nil
}

// operatorVersion holds that the server is not older than an operator asks for.
func operatorVersion(o *config.Options) error {
	for _, c := range o.Operator.Operators {
		if err := auth.CheckServerVersion(c.MinVersion, CompatVersion); err != nil {
			return fmt.Errorf("operator %s %w", c.Subject, err)
		}
	}
	return nil
}

// prepare follows the configuration. What kind of resolver there is stays, but for those that keep nothing.
func (p *operatorPart) prepare(old, new *config.Config) (*change, error) {
	if err := resolverStays(old.Options, new.Options); err != nil {
		return nil, err
	}
	if p.book == nil {
		return nil, nil
	}
	is := &new.Options.Operator.Resolver
	var url *resolver.URL
	if is.Type == config.ResolverURL {
		var err error
		if url, err = resolverURL(new.Options); err != nil {
			return nil, err
		}
	}
	return &change{commit: func() { p.commit(new.Options, url) }}, nil
}

// resolverStays refuses changes of the resolver that a reload cannot make.
func resolverStays(old, new *config.Options) error {
	was, is := &old.Operator.Resolver, &new.Operator.Resolver
	if (was.Type == "") != (is.Type == "") {
		return fmt.Errorf("%w for moving to or from an account resolver", ErrReloadNotSupported)
	}
	if old.Operator.Enabled() && (was.Type != is.Type || was.Dir != is.Dir) && (was.Dir != "" || is.Dir != "") {
		return needsRestart("the directory of the account resolver")
	}
	return nil
}

// renewLimit bounds the reading of all accounts again.
const renewLimit = time.Minute

func (p *operatorPart) commit(o *config.Options, url *resolver.URL) {
	op := &o.Operator
	for _, line := range auth.AdviseAccounts(op.Preload) {
		p.log.Warn(line)
	}
	switch {
	case p.dir != nil:
		p.dir.Change(directoryOptions(&op.Resolver))
		p.node.Change(nodeOptions(o))
		p.node.Preload(op.Preload)
		p.node.Reload()
	case url != nil:
		before := p.url
		p.url = url
		p.book.Use(url)
		if before != nil {
			before.Close()
		}
	default:
		ctx, cancel := context.WithTimeout(context.Background(), renewLimit)
		defer cancel()
		p.book.Renew(ctx, resolver.NewMemory(op.Preload), o.SystemAccount)
	}
}

func (p *operatorPart) stop() {
	if p.book == nil {
		return
	}
	if p.end != nil {
		p.end()
		p.boot.Wait()
	}
	switch {
	case p.node != nil:
		p.node.Stop()
	case p.url != nil:
		p.url.Close()
	}
	p.book.Stop()
}
