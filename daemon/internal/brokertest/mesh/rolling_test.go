package mesh

import (
	"fmt"
	"testing"
)

// TestReplace replaces the servers of a nats-server cluster by ours, one after
// another, and then each of ours by a new process. Clients know all servers and do
// nothing but reconnect. Only messages that one of those clients sends or receives
// that have to reconnect may be lost, and only meanwhile.
func TestReplace(t *testing.T) {
	needsRoot(t)
	if !whole() {
		t.Skip("part of the whole matrix only")
	}
	t.Parallel()
	c := newCluster(t, setup{makeUp: "nnn"})
	const clients = 6
	c.ledger = newLedger(clients, none)
	for id := range clients {
		var urls []string
		for i := range c.nodes {
			urls = append(urls, c.nodes[(id+i)%len(c.nodes)].url())
		}
		c.clients = append(c.clients, c.connect(id, nil, urls...))
	}
	c.begin()
	for range 2 {
		for i, n := range c.nodes {
			c.disturb(fmt.Sprintf("%v replaced by ours", n), c.clientsOf(n), 0,
				func() { n.Stop() }, func() { c.nodes[i] = c.start(i, true) })
		}
	}
	c.finish()
}

// clientsOf is what clients send and receive that are connected to a node now.
func (c *cluster) clientsOf(n *node) pairs {
	sends, receives := make([]bool, len(c.clients)), make([]bool, len(c.clients))
	for i, x := range c.clients {
		sends[i], receives[i] = x.out.ConnectedServerName() == n.name, x.in.ConnectedServerName() == n.name
	}
	return func(from, to int) bool { return sends[from] || receives[to] }
}
