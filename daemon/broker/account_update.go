package broker

import (
	"fmt"
	"slices"
)

// UpdateAccounts makes accounts be as described, new ones and those that exist, and
// leaves all others alone: it is [Broker.PrepareAccounts] for accounts that come one by
// one. They may import from each other and from every account there is. If one cannot
// be, nothing has changed. Nobody is closed: whoever asks for it decides first whether
// connections may stay at all, and then calls [Account.CloseExcess].
func (b *Broker) UpdateAccounts(list []AccountOptions) error {
	next := make(map[string]*sharing, len(list))
	for _, o := range list {
		next[o.Name] = &sharing{options: o}
	}
	known := func(name string) bool { return next[name] != nil || b.Account(name) != nil }
	for _, sh := range next {
		if err := sh.prepare(known); err != nil {
			return fmt.Errorf("account %q: %w", sh.options.Name, err)
		}
	}
	b.commitAccounts(next)
	return nil
}

// Connections returns the account's connections, those that are there longest first.
func (a *Account) Connections() []*Client {
	a.mu.Lock()
	list := make([]*Client, 0, len(a.clients))
	for _, c := range a.clients {
		list = append(list, c)
	}
	a.mu.Unlock()
	slices.SortFunc(list, func(c, d *Client) int { return c.start.Compare(d.start) })
	return list
}

// CloseExcess holds the account to its limits, for the connections that it has: those
// beyond the number allowed, the latest ones, are closed, and those that have as many
// subscriptions as they may, too (nats-server 2.15.3).
func (a *Account) CloseExcess() {
	most := orUnlimited(a.Limits().Connections)
	for i, c := range a.Connections() {
		switch {
		case i >= most:
			c.errorLine(errAccountFull.Error())
			c.Close(MaxAccountConnectionsExceeded, errAccountFull.Error())
		case c.overSubscribed():
			c.errorLine(errTooManySubs.Error())
			c.Close(MaxSubscriptionsExceeded, errTooManySubs.Error())
		}
	}
}

// overSubscribed reports whether the connection has all the subscriptions it may have.
func (c *Client) overSubscribed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.subs.n >= c.maxSubs
}

// Expire closes the account's connections, because what the account rests upon has
// ended.
func (a *Account) Expire() {
	for _, c := range a.Connections() {
		c.debug("Account Authentication Expired")
		c.Close(AuthenticationExpired, "Account Authentication Expired")
	}
}
