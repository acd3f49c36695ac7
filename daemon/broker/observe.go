package broker

import (
	"cmp"
	"slices"

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
		if one != nil && !one.deaf() {
			return true
		}
		if l == nil {
			continue
		}
		if len(l.Queues) > 0 || slices.ContainsFunc(l.Plain, func(s *Subscription) bool { return !s.deaf() }) {
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
		if one != nil && one.kind == kindClient && queue == "" {
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
		if s.kind == kindClient {
			n++
		}
	}
	return n
}

// SetRemoteConnections notes how many connections of the account there are on other
// servers: they count against its limit. Connections that are too many now are closed,
// the latest first.
func (a *Account) SetRemoteConnections(n int) {
	for _, c := range a.setRemote(n) {
		c.tellErr(errAccountFull.Error())
		c.close(MaxAccountConnectionsExceeded, errAccountFull)
	}
}

func (a *Account) setRemote(n int) (over []*Client) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.remote = n
	many := len(a.clients) + n - a.limits.Connections
	if a.limits.Connections <= 0 || many <= 0 {
		return nil
	}
	for _, c := range a.clients {
		over = append(over, c)
	}
	slices.SortFunc(over, func(x, y *Client) int { return cmp.Compare(y.cid, x.cid) })
	return over[:min(many, len(over))]
}
