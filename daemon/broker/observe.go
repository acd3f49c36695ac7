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
		if one != nil && one.wants() {
			return true
		}
		if l == nil {
			continue
		}
		if len(l.Queues) > 0 || slices.ContainsFunc(l.Plain, (*Subscription).wants) {
			return true
		}
	}
	return false
}

// wants reports whether the subscription counts as somebody who would receive what a part publishes.
func (s *Subscription) wants() bool { return s.kind != kindDeaf && s.kind != kindWatch }

// Named reports whether somebody has subscribed to a subject itself, and not to it among others by a wildcard: as a member of
// a queue group, or of none if queue is empty. It takes no lock.
func (a *Account) Named(subject, queue string) bool {
	var room [8]*node
	to := asBytes(subject)
	for _, n := range a.index.Match(to, sublist.Hash(to), room[:0]) {
		if n.Pattern != subject {
			continue
		}
		one, l := n.Members()
		switch {
		case queue == "" && one != nil:
			return one.wants()
		case l == nil:
		case queue == "":
			return slices.ContainsFunc(l.Plain, (*Subscription).wants)
		default:
			return slices.ContainsFunc(l.Queues, func(g sublist.Group[Subscription]) bool { return g.Name == queue })
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
		Kind: "Client", ClientType: c.by.door.Type,
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
