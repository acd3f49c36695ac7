package broker

import (
	"github.com/nats-broker/nats-broker/daemon/sublist"
)

// Interested reports whether anybody would receive a message on a subject: a client,
// a part of the broker, or another server. It takes no lock.
func (a *Account) Interested(subject string) bool {
	var room [8]*node
	to := asBytes(subject)
	for _, n := range a.index.Match(to, sublist.Hash(to), room[:0]) {
		one, l := n.Members()
		if one != nil || l != nil && len(l.Plain)+len(l.Queues) > 0 {
			return true
		}
	}
	return false
}
