package daemon

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-broker/nats-broker/daemon/auth"
	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/resolver"
)

// coreLimit translates a limit of auth's.
func coreLimit(n int) int {
	if n == auth.Nothing {
		return broker.Nothing
	}
	return n
}

// operatorAccounts are the accounts that there are in operator mode without a JWT: the global one, which nobody gets
// into, and the system's, if no other is named.
func operatorAccounts(o *config.Options) []broker.AccountOptions {
	list := []broker.AccountOptions{{Name: broker.GlobalAccount}}
	if o.SystemAccount == "" {
		list = append(list, broker.AccountOptions{Name: broker.SystemAccount})
	}
	return list
}

// claimedAccounts has the core follow the book of accounts.
type claimedAccounts struct {
	broker  *broker.Broker
	log     *logging.Logger
	joined  func(*broker.Account) // tells the cluster of one that is new
	recheck func(*broker.Client)
	stores  func(*auth.SharedAccount) // tells JetStream what the account may store
}

// Share makes accounts be as described.
func (c *claimedAccounts) Share(list []*auth.SharedAccount) {
	opts := make([]broker.AccountOptions, len(list))
	system := c.broker.System().Name()
	for i, a := range list {
		opts[i] = sharedAccount(a)
		addSystemShares(&opts[i], system)
	}
	if err := c.broker.UpdateAccounts(opts); err != nil {
		c.log.Error("Account claims cannot be put into effect: "+err.Error(), logging.Err(err))
		return
	}
	for _, a := range list {
		c.joined(c.broker.Account(a.ID))
		c.stores(a)
	}
}

// Recheck looks at the connections of an account again.
func (c *claimedAccounts) Recheck(id string) {
	a := c.broker.Account(id)
	for _, client := range a.Connections() {
		c.recheck(client)
	}
	a.CloseExcess()
}

// Expire ends the connections of an account.
func (c *claimedAccounts) Expire(id string) {
	if a := c.broker.Account(id); a != nil {
		a.Expire()
	}
}

// Clear takes out of an account what it shares and imports, the system's services among it.
func (c *claimedAccounts) Clear(id string) {
	nothing := broker.AccountOptions{Name: id, Limits: broker.AccountLimits{Connections: broker.Nothing}}
	if err := c.broker.UpdateAccounts([]broker.AccountOptions{nothing}); err != nil {
		c.log.Error("A deleted account cannot be cleared: "+err.Error(), logging.Err(err))
	}
}

// sharedAccount translates what an account shares.
func sharedAccount(a *auth.SharedAccount) broker.AccountOptions {
	o := broker.AccountOptions{Name: a.ID, Limits: broker.AccountLimits{
		Connections: coreLimit(a.Connections), Subscriptions: coreLimit(a.Subscriptions), Payload: coreLimit(a.Payload), Leafs: coreLimit(a.Leafs),
	}, Trace: broker.Tracing{Dest: a.TraceDest, Percent: a.TracePercent}}
	for _, s := range a.Services {
		e := broker.ServiceExport{Subject: s.Subject, Streamed: s.Streamed, Threshold: s.Threshold, AllowTrace: s.Traced}
		if s.Latency != "" {
			e.Latency = &broker.LatencySampling{Subject: s.Latency, Percent: s.Sampling}
		}
		o.Exports = append(o.Exports, e)
	}
	for _, i := range a.Imports {
		if i.Service {
			o.Services = append(o.Services, broker.ServiceImport{Account: i.Account, Subject: i.Subject, Local: i.Local, Share: i.Share})
		} else {
			o.Streams = append(o.Streams, broker.StreamImport{Account: i.Account, Subject: i.Subject, Local: i.Local, AllowTrace: i.Traced})
		}
	}
	for _, m := range a.Mappings {
		made := broker.Mapping{Source: m.Subject}
		for _, w := range m.Ways {
			made.Destinations = append(made.Destinations, broker.MappingDestination{Subject: w.Subject, Weight: w.Weight, Cluster: w.Cluster})
		}
		o.Mappings = append(o.Mappings, made)
	}
	return o
}

// recheck decides again on a connection whose account's claims have changed.
func (g *gate) recheck(c *broker.Client) {
	who := c.Identity()
	if who == nil {
		return // is being let in: by the new claims
	}
	was, _ := who.Proof.(*auth.Identity)
	if was == nil {
		return
	}
	now, err := g.book.Recheck(was)
	switch {
	case errors.Is(err, auth.ErrRevoked):
		c.Close(broker.Revocation, err.Error())
	case errors.Is(err, auth.ErrSigner):
		c.Close(broker.AuthenticationViolation, "")
	case err != nil:
		c.Revoke(denied(err))
	default:
		c.Readmit(identity(now))
	}
}

// bookOfAccounts is what the resolver asks of the accounts in use.
type bookOfAccounts struct {
	book *auth.Book
	keys []string // of operators
}

// Known reports whether an account is in use.
func (b bookOfAccounts) Known(id string) bool { return b.book.Known(id) != nil }

// Update has an account in use follow a new JWT.
func (b bookOfAccounts) Update(id, text string) error {
	ctx, cancel := context.WithTimeout(context.Background(), updateLimit)
	defer cancel()
	return b.book.Update(ctx, id, text)
}

// updateLimit bounds the look-up of accounts that an updated one imports from.
const updateLimit = 4 * resolver.FetchTimeout

// Validate holds that a JWT makes sense and was signed by an operator's key.
func (b bookOfAccounts) Validate(text string) error { return auth.ValidateAccount(text, b.keys) }

// Remove has an account in use end.
func (b bookOfAccounts) Remove(id string) { b.book.Remove(id) }

// operatorLines are what the log says at start, as nats-server does.
func operatorLines(o *config.Options) (info []string, warning string) {
	op := &o.Operator
	if len(op.Operators) == 0 {
		return nil, ""
	}
	info = []string{"Trusted Operators"}
	for _, c := range op.Operators {
		expires := "Never"
		if !c.Expires.IsZero() {
			expires = fmt.Sprint(c.Expires)
		}
		info = append(info, fmt.Sprintf("  System  : %q", c.Audience), fmt.Sprintf("  Operator: %q", c.Name),
			fmt.Sprintf("  Issued  : %v", c.Issued), "  Expires : "+expires)
	}
	if o.SystemAccount == "" {
		warning = "Trusted Operators should utilize a System Account"
	}
	return info, warning
}
