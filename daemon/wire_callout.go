package daemon

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/nats-io/nkeys"

	"github.com/nats-broker/nats-broker/daemon/auth"
	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/config"
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
	broker *broker.Broker
	slots  chan struct{}
	inbox  string // answers come to the inbox and a name below it

	mu      sync.Mutex // guards the maps; a leaf
	waiting map[string]chan []byte
	heard   map[*broker.Account]*sync.Once // makes the inbox's subscription there
}

func newCallouts(b *broker.Broker) *callouts {
	return &callouts{
		broker: b, slots: make(chan struct{}, calloutsOpen), inbox: inboxPrefix + rand.Text()[:12] + ".",
		waiting: map[string]chan []byte{}, heard: map[*broker.Account]*sync.Once{},
	}
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
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	name := rand.Text()
	answer, err := c.listen(acc, name)
	if err != nil {
		return nil, err
	}
	defer c.forget(name)
	var header []byte
	if key != "" {
		header = fmt.Appendf(nil, "NATS/1.0\r\n%s: %s\r\n\r\n", auth.CalloutHeader, key)
	}
	acc.Publish(auth.CalloutSubject, c.inbox+name, header, request)
	select {
	case a := <-answer:
		return a, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// listen makes ready for an answer in an account.
func (c *callouts) listen(acc *broker.Account, name string) (<-chan []byte, error) {
	answer := make(chan []byte, 1)
	c.mu.Lock()
	c.waiting[name] = answer
	once := c.heard[acc]
	if once == nil {
		once = &sync.Once{}
		c.heard[acc] = once
	}
	c.mu.Unlock()
	var err error
	once.Do(func() {
		c.forgetRemoved()
		_, err = acc.SubscribeInternal(c.inbox+"*", "", c.answered) // ends with the account
	})
	if err != nil { // cannot be: the subject is valid
		c.forget(name)
		return nil, fmt.Errorf("subscribing to answers: %w", err)
	}
	return answer, nil
}

// forgetRemoved lets go of accounts that a reload has removed.
func (c *callouts) forgetRemoved() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for acc := range c.heard {
		if c.broker.Account(acc.Name()) != acc {
			delete(c.heard, acc)
		}
	}
}

// answered takes an answer. It runs on the goroutine of the service's connection: it copies and is gone. Whatever
// nobody waits for is dropped.
func (c *callouts) answered(m *broker.Message) {
	name := strings.TrimPrefix(string(m.Subject), c.inbox)
	c.mu.Lock()
	answer := c.waiting[name]
	delete(c.waiting, name)
	c.mu.Unlock()
	if answer != nil {
		answer <- bytes.Clone(m.Payload) // the only one that is ever sent: there is room
	}
}

func (c *callouts) forget(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, name)
}
