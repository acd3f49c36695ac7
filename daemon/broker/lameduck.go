package broker

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/nats-broker/nats-broker/daemon/logging"
)

// LameDuck stops accepting clients, tells those that are connected to go
// elsewhere, and after a grace period closes them one by one, spread over the
// configured duration. It returns when all are closed and the broker is stopped, or
// when [Broker.Stop] cuts it short.
func (b *Broker) LameDuck() {
	b.mu.Lock()
	if b.state != running {
		b.mu.Unlock()
		return
	}
	b.state = lameDuck
	b.log.Event(logging.Info, logging.LameDuckEntered, "Entering lame duck mode, stop accepting new clients")
	listeners := make([]*Listener, 0, len(b.listeners))
	for l := range b.listeners {
		listeners = append(listeners, l)
	}
	b.mu.Unlock()
	for _, l := range listeners {
		l.Close()
	}
	clients := b.snapshot()
	if len(clients) > 0 {
		b.tellLameDuck(clients)
		b.closeSlowly(clients)
	}
	b.Stop()
}

// snapshot returns the clients connected now.
func (b *Broker) snapshot() []*Client {
	b.mu.RLock()
	defer b.mu.RUnlock()
	clients := make([]*Client, 0, len(b.clients))
	for _, c := range b.clients {
		clients = append(clients, c)
	}
	return clients
}

func (b *Broker) tellLameDuck(clients []*Client) {
	for _, c := range clients {
		b.tellOne(c)
	}
}

// tellOne tells one client that the server is about to go, if it takes INFO at any
// time.
func (b *Broker) tellOne(c *Client) {
	if !c.has(flagAsyncInfo) {
		return
	}
	i := b.info()
	i.LameDuck = true
	b.mu.RLock()
	i.ConnectURLs = b.otherURLs
	b.mu.RUnlock()
	c.sendInfo(i)
}

// closeSlowly waits for the grace period and then closes the clients in random
// order over what is left of the duration.
func (b *Broker) closeSlowly(clients []*Client) {
	o := b.opts.Load()
	if !b.pause(o.LameDuckGrace) {
		return
	}
	b.log.Info("Closing existing clients")
	closeSpread(clients, o.LameDuckDuration-o.LameDuckGrace, b.pause)
}

// closeSpread closes clients in random order over the time. wait waits, and reports whether to go on.
func closeSpread(clients []*Client, spread time.Duration, wait func(time.Duration) bool) {
	if len(clients) == 0 {
		return
	}
	if spread <= 0 {
		spread = time.Second
	}
	step, batch := spread/time.Duration(len(clients)), 1
	switch {
	case step < 1:
		step, batch = 1, len(clients)/int(spread)
	case step > time.Second:
		step = time.Second
	}
	rand.Shuffle(len(clients), func(i, j int) { clients[i], clients[j] = clients[j], clients[i] })
	for i, c := range clients {
		c.close(ServerShutdown, nil)
		if i == len(clients)-1 || i%batch != 0 {
			continue
		}
		if !wait(max(time.Duration(rand.Int64N(int64(step))), step/2)) {
			return
		}
	}
}

// pause waits and reports whether the broker goes on.
func (b *Broker) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-b.stopping:
		return false
	}
}

// IsLameDuck reports whether the broker is about to go.
func (b *Broker) IsLameDuck() bool {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.state == lameDuck
}

// Client returns the connection with an id, nil if there is none.
func (b *Broker) Client(cid uint64) *Client {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.clients[cid]
}

// Kick closes a connection. It reports whether there was one with that id.
func (b *Broker) Kick(cid uint64) bool {
	c := b.Client(cid)
	if c != nil {
		c.close(Kicked, nil)
	}
	return c != nil
}

// Errors of LameDuckClient.
var (
	errNoClient = errors.New("no such client id")
	errNotReady = errors.New("client does not support Lame Duck Mode or is not ready to receive the notification")
)

// LameDuckClient asks one client to go elsewhere, without closing it.
func (b *Broker) LameDuckClient(cid uint64) error {
	c := b.Client(cid)
	switch {
	case c == nil:
		return errNoClient
	case !c.has(flagAsyncInfo):
		return errNotReady
	}
	b.tellOne(c)
	return nil
}
