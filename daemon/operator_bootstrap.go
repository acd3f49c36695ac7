package daemon

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/config"
)

// systemAccount brings the system account in. A resolver that keeps accounts elsewhere than in the configuration may not
// have it yet: then its users get in all the same, as with nats-server 2.15.3, so that they can push it.
func (p *operatorPart) systemAccount(o *config.Options) error {
	id, op := o.SystemAccount, &o.Operator
	ctx, cancel := context.WithTimeout(context.Background(), updateLimit)
	defer cancel()
	if p.url != nil { // somebody must be at home; whether the account is known there is another matter
		if _, err := p.url.Fetch(ctx, ""); err != nil {
			return err
		}
	}
	later := (p.dir != nil || p.url != nil) && len(op.Operators) == 1 && id != broker.SystemAccount
	if !later {
		if _, err := p.book.Lookup(ctx, id); err != nil {
			return fmt.Errorf("Can't set system account: %w", err)
		}
		return nil
	}
	p.book.Bootstrap(id, op.Operators[0].Subject)
	if p.book.Try(ctx, id) == nil {
		return nil
	}
	p.log.Info("Using bootstrapping system account")
	ctx, p.end = context.WithCancel(context.Background())
	p.boot.Go(func() { p.awaitSystemAccount(ctx, id) }) // ends when the account has come, or with the part
	return nil
}

// bootstrapEvery is how often the resolver is asked for the system account (nats-server 2.15.3).
const bootstrapEvery = time.Second

// awaitSystemAccount asks for the JWT of the system account until it is there: pushed, or known to another server.
func (p *operatorPart) awaitSystemAccount(ctx context.Context, id string) {
	tick := time.NewTicker(bootstrapEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !p.book.Bootstrapped(id) || p.book.Try(ctx, id) == nil {
			p.log.Info("System account fetched and updated")
			return
		}
	}
}
