package broker

import (
	"sync"

	"github.com/nats-broker/nats-broker/daemon/sublist"
)

// Account is a space of subjects: what is published in one is received in the same
// one only. Its methods may be called from any goroutine.
type Account struct {
	name   string
	broker *Broker
	index  *index

	mu      sync.Mutex
	clients map[uint64]*Client
	gone    Traffic // of connections that left
	total   uint64  // connections ever
	slow    int64   // slow consumers
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

func newAccount(b *Broker, name string) *Account {
	return &Account{name: name, broker: b, index: sublist.New[Subscription, fanout](), clients: make(map[uint64]*Client)}
}

// Name returns the account's name.
func (a *Account) Name() string { return a.name }

func (a *Account) join(c *Client) {
	a.mu.Lock()
	a.clients[c.cid] = c
	a.total++
	a.mu.Unlock()
}

func (a *Account) leave(c *Client) {
	a.mu.Lock()
	delete(a.clients, c.cid)
	a.gone.add(c.traffic())
	a.mu.Unlock()
}
