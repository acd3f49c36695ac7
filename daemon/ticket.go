package daemon

import (
	"crypto/rand"
	"crypto/subtle"
	"sync"
	"time"

	"github.com/nats-broker/nats-broker/daemon/auth"
	"github.com/nats-broker/nats-broker/daemon/broker"
)

// ticketUser is the user name of a health check that was let in by a ticket.
const ticketUser = "_health"

const (
	ticketLife = 10 * time.Second
	maxTickets = 64
)

// ticket lets one connection in, once, soon, for one subject: the health check
// of a broker whose clients need credentials. It is handed out on the control
// socket, to those who may stop the broker anyway.
type ticket struct {
	secret  string
	subject string
	expires time.Time
	lasts   time.Duration // how long the connection may, beyond that
}

// tickets are those not yet used.
type tickets struct {
	mu   sync.Mutex // leaf lock
	open []ticket
}

// issue makes a ticket. lasts is how long its connection may last, beyond the life of the ticket itself.
func (t *tickets) issue(lasts time.Duration) ticket {
	n := ticket{secret: rand.Text(), subject: "_HEALTH." + rand.Text(), expires: time.Now().Add(ticketLife), lasts: lasts}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.open) >= maxTickets {
		t.open = t.open[1:]
	}
	t.open = append(t.open, n)
	return n
}

// redeem uses up the ticket that a connection presents; nil if it presents
// none that is good.
func (t *tickets) redeem(r *broker.AuthRequest) *broker.Identity {
	if r.Connect.User != ticketUser {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, n := range t.open {
		if subtle.ConstantTimeCompare([]byte(n.secret), []byte(r.Connect.Pass)) != 1 {
			continue
		}
		t.open = append(t.open[:i:i], t.open[i+1:]...)
		if time.Now().After(n.expires) {
			return nil
		}
		only := []string{n.subject}
		rules, err := auth.NewPermissions(&auth.Rules{PublishAllow: only, SubscribeAllow: only})
		if err != nil {
			return nil
		}
		return &broker.Identity{Account: broker.GlobalAccount, User: ticketUser, Permissions: rights{rules}, Expires: n.expires.Add(n.lasts)}
	}
	return nil
}
