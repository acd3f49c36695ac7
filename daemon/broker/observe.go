package broker

import (
	"slices"

	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/subject"
	"github.com/nats-broker/nats-broker/daemon/sublist"
)

// Interested reports whether anybody would receive a message that a part of the
// broker publishes on a subject: a client, another part, or another server. It takes
// no lock.
func (a *Account) Interested(subject string) bool {
	var room [8]*node
	to := asBytes(subject)
	for _, n := range a.index.Match(to, sublist.Hash(to), room[:0]) {
		one, l := n.Members()
		if one != nil && one.kind != kindDeaf {
			return true
		}
		if l == nil {
			continue
		}
		if len(l.Queues) > 0 || slices.ContainsFunc(l.Plain, func(s *Subscription) bool { return s.kind != kindDeaf }) {
			return true
		}
	}
	return false
}

// Subscribers counts the clients' subscriptions here that a message on a literal
// subject would reach, or, for a pattern, those that lie within it; with a queue group,
// its members only.
func (a *Account) Subscribers(pattern, queue string) (n int) {
	count := func(at *node) {
		one, l := at.Members()
		if one != nil && one.client != nil && queue == "" {
			n++
		}
		if l == nil {
			return
		}
		if queue == "" {
			n += clientsIn(l.Plain)
		}
		for i := range l.Queues {
			if g := &l.Queues[i]; queue == "" || g.Name == queue {
				n += clientsIn(g.Subs)
			}
		}
	}
	if !subject.Valid(pattern) {
		return 0
	}
	if subject.IsLiteral(pattern) {
		to := asBytes(pattern)
		for _, at := range a.index.Match(to, sublist.Hash(to), nil) {
			count(at)
		}
		return n
	}
	a.index.Each(func(at *node) bool {
		if subject.IsSubset(at.Pattern, pattern) {
			count(at)
		}
		return true
	})
	return n
}

func clientsIn(list []*Subscription) (n int) {
	for _, s := range list {
		if s.client != nil {
			n++
		}
	}
	return n
}

// SetRemoteConnections notes how many connections of the account there are on other
// servers: they count against its limit. Connections that are too many now are closed,
// the latest first.
func (a *Account) SetRemoteConnections(n int) {
	a.mu.Lock()
	a.remote = n
	over := len(a.clients) + n - orUnlimited(a.limits.Connections)
	a.mu.Unlock()
	if over <= 0 {
		return
	}
	list := a.Connections()
	for _, c := range list[max(len(list)-over, 0):] {
		c.errorLine(errAccountFull.Error())
		c.Close(MaxAccountConnectionsExceeded, errAccountFull.Error())
	}
}

// Observer is told of connections that come and go, by the goroutines that serve them:
// it must be quick, and must not wait for anything. No lock is held meanwhile.
type Observer interface {
	// Joined is told of a connection whose CONNECT was accepted.
	Joined(c *Client)
	// Left is told of a connection that ends. The description must not be changed.
	Left(c *Client, d *ConnInfo)
	// Refused is told of a connection that may not be here, before it ends.
	Refused(c *Client, why Reason)
	// Counted is told of an account whose number of connections has changed.
	Counted(a *Account)
}

// Observe has an observer told from now on; nil for none. There can be one.
func (b *Broker) Observe(o Observer) {
	if o == nil {
		b.observer.Store(nil)
		return
	}
	b.observer.Store(&o)
}

// observing returns the observer, nil if there is none.
func (b *Broker) observing() Observer {
	if o := b.observer.Load(); o != nil {
		return *o
	}
	return nil
}

func (a *Account) tellCount() {
	if o := a.broker.observing(); o != nil {
		o.Counted(a)
	}
}

func (c *Client) tellRefused(why Reason) {
	if o := c.broker.observing(); o != nil {
		o.Refused(c, why)
	}
}

// AccountName is the name of the account the client is in.
func (c *Client) AccountName() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.acc.name
}

// About describes the connection for an event: who the client says it is, but no
// secret of it. Stop, RTT and NameTag (the account's) are left to the caller, Server
// and Cluster go without saying.
func (c *Client) About() *ClientInfo {
	c.mu.Lock()
	defer c.mu.Unlock()
	start := c.start
	i := &ClientInfo{
		Start: &start, Host: c.ip, ID: c.cid, Account: c.acc.name,
		Kind: "Client", ClientType: "nats",
	}
	if o := c.connect; o != nil {
		i.Name, i.Lang, i.Version, i.User = o.Name, o.Lang, o.Version, o.claimed()
	}
	if w := c.who; w != nil {
		i.IssuerKey, i.Tags = w.IssuerKey, w.Tags
		if c.connect != nil && i.User == "" && c.connect.JWT != "" {
			i.User = w.User
		}
	}
	return i
}

// claimed is who a CONNECT says the client is: the nkey, the name, or a mark for a
// token. It is nothing for a JWT, which is not decoded here.
func (o *ConnectOptions) claimed() string {
	switch {
	case o.Nkey != "":
		return string(logging.RedactPayload([]byte(o.Nkey)))
	case o.User != "":
		return o.User
	case o.JWT == "" && o.Token != "":
		return "[REDACTED]"
	}
	return ""
}
