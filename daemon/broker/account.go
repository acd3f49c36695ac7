package broker

import (
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/nats-broker/nats-broker/daemon/msgtrace"
	"github.com/nats-broker/nats-broker/daemon/sublist"
)

// Account is a space of subjects: what is published in one is received in the same
// one only. Its methods may be called from any goroutine.
type Account struct {
	name   string
	quoted []byte // the name as JSON
	broker *Broker
	index  *index

	mu      sync.Mutex
	clients map[uint64]*Client
	gone    Traffic // of connections that left
	total   uint64  // connections ever
	slow    int64   // slow consumers
	limits  AccountLimits
	remote  int // connections on other servers

	interestMu sync.Mutex // one change of who watches at a time; before the index
	interest   interestWatches

	shares     shares
	sampler    msgtrace.Sampler
	publishers publishers

	seq    atomic.Uint64 // messages of the broker's own
	misses atomic.Uint64 // plans made: look-ups that no sender's cache answered
}

// Nothing is the limit that allows nothing at all, where 0 means no limit.
const Nothing = -2

// AccountLimits bound an account. 0 means no limit.
type AccountLimits struct {
	Connections   int
	Subscriptions int // of a connection
	Payload       int // bytes
	Leafs         int // leaf node connections, which do not count as others: see [Account.LeafLimit]
}

// Traffic counts messages and bytes in both directions, as seen from the server.
type Traffic struct {
	InMsgs, InBytes, OutMsgs, OutBytes int64
}

func (t *Traffic) add(u Traffic) {
	t.InMsgs += u.InMsgs
	t.InBytes += u.InBytes
	t.OutMsgs += u.OutMsgs
	t.OutBytes += u.OutBytes
}

func (t *Traffic) subtract(u Traffic) {
	t.InMsgs -= u.InMsgs
	t.InBytes -= u.InBytes
	t.OutMsgs -= u.OutMsgs
	t.OutBytes -= u.OutBytes
}

func newAccount(b *Broker, name string) *Account {
	quoted, err := json.Marshal(name)
	if err != nil {
		panic("broker: a name cannot be encoded: " + err.Error()) // a string always can
	}
	return &Account{name: name, quoted: quoted, broker: b, index: sublist.New[Subscription, fanout](), clients: make(map[uint64]*Client)}
}

// Name returns the account's name.
func (a *Account) Name() string { return a.name }

// SetLimits changes the limits. Connections beyond the new one are not closed, see
// [Account.CloseExcess]; payloads and subscriptions are limited at once.
func (a *Account) SetLimits(l AccountLimits) {
	a.mu.Lock()
	a.limits = l
	clients := make([]*Client, 0, len(a.clients))
	for _, c := range a.clients {
		clients = append(clients, c)
	}
	a.mu.Unlock()
	o := a.broker.opts.Load()
	for _, c := range clients {
		c.applyLimits(o)
	}
}

// Limits returns the limits.
func (a *Account) Limits() AccountLimits {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.limits
}

var errAccountFull = errors.New("maximum account active connections exceeded")

// join adds a connection. What it carried before is not the account's.
func (a *Account) join(c *Client) error {
	before := c.traffic()
	a.mu.Lock()
	if len(a.clients)+a.remote >= orUnlimited(a.limits.Connections) {
		a.mu.Unlock()
		return errAccountFull
	}
	a.clients[c.cid] = c
	a.total++
	a.gone.subtract(before)
	a.mu.Unlock()
	a.tellCount()
	return nil
}

func (a *Account) leave(c *Client) {
	a.mu.Lock()
	was := a.clients[c.cid] == c
	if was {
		delete(a.clients, c.cid)
		a.gone.add(c.traffic())
	}
	a.mu.Unlock()
	if was {
		a.tellCount()
	}
}

// Clients returns how many connections the account has.
func (a *Account) Clients() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.clients)
}

// dropAccount takes an account off the list and tells of it; it returns nil if there is
// none that can be removed.
func (b *Broker) dropAccount(name string) *Account {
	b.coming.Lock()
	defer b.coming.Unlock()
	b.mu.Lock()
	a := b.accounts[name]
	if a == nil || a == b.global || a == b.system {
		b.mu.Unlock()
		return nil
	}
	delete(b.accounts, name)
	b.mu.Unlock()
	b.accountWent(a)
	return a
}

// RemoveAccount removes an account and closes its connections. The global and the
// system account stay.
func (b *Broker) RemoveAccount(name string) {
	a := b.dropAccount(name)
	if a == nil {
		return
	}
	a.share(nil)
	a.mu.Lock()
	clients := make([]*Client, 0, len(a.clients))
	for _, c := range a.clients {
		clients = append(clients, c)
	}
	a.mu.Unlock()
	for _, c := range clients {
		c.close(MissingAccount, nil)
	}
}
