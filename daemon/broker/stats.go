package broker

import (
	"cmp"
	"slices"
	"sync/atomic"
	"time"
)

// counters are totals since the start.
type counters struct {
	slow, stale atomic.Int64
}

// Stats are the broker's figures.
type Stats struct {
	ID, XKey      string
	Start         time.Time
	Connections   int
	Total         uint64 // connections ever
	Subscriptions int
	Traffic
	SlowConsumers    int64
	StaleConnections int64
	Accounts         int
	ActiveAccounts   int // with connections
	LameDuck         bool
}

// Stats adds the figures up. It holds no lock of the data path while it does.
func (b *Broker) Stats() Stats {
	b.mu.RLock()
	s := Stats{
		ID: b.id, XKey: b.xkey, Start: b.start, Connections: len(b.clients), Total: b.totalConn.Load(),
		SlowConsumers: b.counts.slow.Load(), StaleConnections: b.counts.stale.Load(),
		Accounts: len(b.accounts), LameDuck: b.state == lameDuck, Traffic: b.gone,
	}
	clients := make([]*Client, 0, len(b.clients))
	for _, c := range b.clients {
		clients = append(clients, c)
	}
	accounts := b.accountList()
	b.mu.RUnlock()
	for _, c := range clients {
		s.add(c.traffic())
	}
	for _, a := range accounts {
		s.Subscriptions += a.index.Len()
		a.mu.Lock()
		if len(a.clients) > 0 {
			s.ActiveAccounts++
		}
		a.mu.Unlock()
	}
	return s
}

// accountList returns the accounts by name. Broker.mu is held.
func (b *Broker) accountList() []*Account {
	list := make([]*Account, 0, len(b.accounts))
	for _, a := range b.accounts {
		list = append(list, a)
	}
	slices.SortFunc(list, func(x, y *Account) int { return cmp.Compare(x.name, y.name) })
	return list
}

// Accounts returns the accounts, by name.
func (b *Broker) Accounts() []*Account {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.accountList()
}

// Global returns the account of those who name none.
func (b *Broker) Global() *Account { return b.global }

// System returns the account of the broker's own traffic.
func (b *Broker) System() *Account {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.system
}

// Clients returns the connections, by id.
func (b *Broker) Clients() []*Client {
	list := b.snapshot()
	slices.SortFunc(list, func(x, y *Client) int { return cmp.Compare(x.cid, y.cid) })
	return list
}

// EachClient calls f for each connection, in no order, until f returns false. No
// lock is held during f.
func (b *Broker) EachClient(f func(*Client) bool) {
	for _, c := range b.snapshot() {
		if !f(c) {
			return
		}
	}
}

// NumClients returns how many connections there are.
func (b *Broker) NumClients() int {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return len(b.clients)
}

// Closed returns the connections that were closed last, oldest first. They are
// shared and must not be changed.
func (b *Broker) Closed() []*ConnInfo { return b.closed.all() }

// ClosedByReason returns how many connections were closed, by reason.
func (b *Broker) ClosedByReason() map[Reason]uint64 { return b.closed.byReason() }

// AccountStats are an account's figures.
type AccountStats struct {
	Name          string
	Connections   int
	Total         uint64 // connections ever
	Subscriptions int
	Traffic
	SlowConsumers int64
	Inserts       uint64 // into the subscription index
	Removes       uint64
	Misses        uint64 // look-ups of a subject that no cache answered
	Patterns      int    // distinct subjects and patterns subscribed to
}

// Stats adds the account's figures up.
func (a *Account) Stats() AccountStats {
	x := a.index.Stats()
	a.mu.Lock()
	s := AccountStats{
		Name: a.name, Connections: len(a.clients), Total: a.total, Traffic: a.gone, SlowConsumers: a.slow,
		Subscriptions: int(x.Subs), Inserts: x.Inserts, Removes: x.Removes, Misses: a.misses.Load(),
	}
	clients := make([]*Client, 0, len(a.clients))
	for _, c := range a.clients {
		clients = append(clients, c)
	}
	a.mu.Unlock()
	for _, c := range clients {
		s.add(c.traffic())
	}
	return s
}

// EachSubscription calls f for each subscription of a client in the account until f
// returns false.
func (a *Account) EachSubscription(f func(SubInfo) bool) {
	more := true
	visit := func(s *Subscription) {
		if more && s.client != nil {
			more = f(s.info(a))
		}
	}
	a.index.Each(func(n *node) bool {
		one, l := n.Members()
		if one != nil {
			visit(one)
		}
		if l == nil {
			return more
		}
		for _, s := range l.Plain {
			visit(s)
		}
		for _, g := range l.Queues {
			for _, s := range g.Subs {
				visit(s)
			}
		}
		return more
	})
}

// MaxFanout returns how many receivers the pattern with most of them has, and how
// many patterns and receivers there are in all.
func (a *Account) MaxFanout() (most, receivers, patterns int) {
	a.index.Each(func(n *node) bool {
		one, l := n.Members()
		k := 0
		if one != nil {
			k = 1
		}
		if l != nil {
			k = len(l.Plain)
			for _, g := range l.Queues {
				k += len(g.Subs)
			}
		}
		most, receivers, patterns = max(most, k), receivers+k, patterns+1
		return true
	})
	return most, receivers, patterns
}
