package daemon

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/nats-io/nkeys"

	"github.com/nats-broker/nats-broker/daemon/auth"
	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/service"
)

// calloutOptions translates auth_callout; nil without.
func calloutOptions(o *config.Options) *auth.Callout {
	c := &o.Authorization.Callout
	if !c.Defined {
		return nil
	}
	out := &auth.Callout{
		Issuer: c.Issuer, Account: c.Account, Users: c.Users, XKey: c.XKey, Allowed: c.AllowedAccounts,
		Accounts: map[string]bool{broker.GlobalAccount: true}, Tags: lower(o.Tags),
	}
	if out.Account == "" {
		out.Account = broker.GlobalAccount
	}
	switch {
	case o.SystemAccount != "":
		out.Accounts[o.SystemAccount] = true
	case !o.NoSystemAccount:
		out.Accounts[broker.SystemAccount] = true
	}
	for i := range o.Accounts {
		out.Accounts[o.Accounts[i].Name] = true
	}
	return out
}

const (
	// calloutsOpen is how many requests may wait for answers at a time. Further connections wait for their turn, within
	// their time to authenticate: a service that is dead holds up those alone that it is to decide on.
	calloutsOpen = 1024
	// inboxPrefix is where answers to the server's own requests are sent. Services are allowed to publish there.
	inboxPrefix = "$SYS._INBOX."
)

// callouts carries requests to services and their answers back.
type callouts struct {
	broker  *broker.Broker
	inboxes *service.Inboxes
}

func newCallouts(b *broker.Broker) *callouts {
	return &callouts{b, service.NewInboxes(b, inboxPrefix+rand.Text()[:12]+".", calloutsOpen)}
}

// Server describes this server.
func (c *callouts) Server() auth.Server {
	o := c.broker.Options()
	return auth.Server{ID: c.broker.ID(), Name: o.ServerName, Host: o.Host, Version: o.Version, Cluster: o.Cluster}
}

// Keys are those of this server.
func (c *callouts) Keys() (identity, curve nkeys.KeyPair) { return c.broker.Keys() }

// Ask sends a request and waits for the answer that comes first. It runs on the goroutine of the connection that it is
// about.
func (c *callouts) Ask(ctx context.Context, account, key string, request []byte) ([]byte, error) {
	acc := c.broker.Account(account)
	if acc == nil {
		return nil, errors.New("account missing")
	}
	var header []byte
	if key != "" {
		header = fmt.Appendf(nil, "NATS/1.0\r\n%s: %s\r\n\r\n", auth.CalloutHeader, key)
	}
	answer, err := c.inboxes.Ask(ctx, acc, auth.CalloutSubject, header, request)
	return answer.Body, err
}
