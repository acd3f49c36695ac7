package broker

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-broker/nats-broker/daemon/transport"
)

// Prepare checks new options and returns what puts them into effect, for
// connections that are there already too. Nothing changes before commit is called;
// it cannot fail. The names of the server and the cluster stay what they are, see
// [Broker.SetClusterName], and an Authenticator that is
// nil lets everyone in, as in [New]. Who was let in by another authenticator is not
// asked again: see [Client.SetPermissions] and [Broker.Clients].
func (b *Broker) Prepare(o Options) (commit func(), err error) {
	old := b.opts.Load()
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.SystemAccount != old.SystemAccount && b.Account(o.SystemAccount) == nil {
		return nil, errors.New("the system account must exist")
	}
	o.ServerName = old.ServerName
	if o.Port <= 0 {
		o.Port = old.Port
	}
	if o.Authenticator == nil {
		o.Authenticator = everyone{}
	}
	return func() { b.commit(&o) }, nil
}

// maxFrame is the largest payload that a length of nine digits can announce.
const maxFrame = 999_999_999

func (b *Broker) commit(o *Options) {
	b.AddAccount(o.SystemAccount) // others are told of it, should it be new
	b.mu.Lock()
	old := b.opts.Load()
	o.Cluster = old.Cluster // which may have changed since Prepare
	b.opts.Store(o)
	b.front.Store(standardDoor(o))
	b.system = b.addAccount(o.SystemAccount)
	b.mu.Unlock()
	b.closed.resize(o.MaxClosedClients)
	b.refreshInfo()
	clients := b.snapshot()
	for _, c := range clients {
		c.applyLimits(o)
	}
	b.closeExcess(clients, o, old)
	if toldChanged(old, o) {
		b.tellAll()
	}
}

// closeExcess closes connections that would not come about with lowered limits and pinned certificates: of those beyond the
// number allowed the newest.
func (b *Broker) closeExcess(clients []*Client, o, old *Options) {
	slices.SortFunc(clients, func(c, d *Client) int { return cmp.Or(c.start.Compare(d.start), cmp.Compare(c.cid, d.cid)) })
	most := max(o.MaxConnections, 0)
	if n := len(clients); o.MaxConnections < old.MaxConnections && n > most {
		for _, c := range clients[most:] {
			c.errorLine(errTooMany.Error())
			c.Close(MaxConnectionsExceeded, errTooMany.Error())
		}
		b.log.Info(fmt.Sprintf("Closed %d connections to fall within max_connections", n-most))
		clients = clients[:most]
	}
	fewer := orUnlimited(o.MaxSubscriptions) < orUnlimited(old.MaxSubscriptions)
	pins := o.TLS != nil && old.TLS != nil && !slices.Equal(o.TLS.Options().Pinned, old.TLS.Options().Pinned)
	if !fewer && !pins {
		return
	}
	unpinned := 0
	for _, c := range clients {
		state := c.TLS()
		switch {
		case pins && state != nil && c.standard() && !o.TLS.PinAccepts(*state):
			unpinned++
			c.Close(TLSHandshakeError, "")
		case fewer && c.tooManySubscriptions():
			c.errorLine(errTooManySubs.Error())
			c.Close(MaxSubscriptionsExceeded, errTooManySubs.Error())
		}
	}
	if unpinned > 0 {
		b.log.Info(fmt.Sprintf("Disconnect %d clients due to pinned certs reload", unpinned))
	}
}

// standard reports whether the connection came by the door that the options describe.
func (c *Client) standard() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.by.door.standard
}

// Unpin closes connections of a type whose certificates are not among the pinned ones any more.
func (b *Broker) Unpin(kind string, t *transport.TLS) {
	unpinned := 0
	for _, c := range b.snapshot() {
		c.mu.Lock()
		state, of := c.tls, c.by.door.Type == kind
		c.mu.Unlock()
		if of && state != nil && !t.PinAccepts(*state) {
			unpinned++
			c.Close(TLSHandshakeError, "")
		}
	}
	if unpinned > 0 {
		b.log.Info(fmt.Sprintf("Disconnect %d clients due to pinned certs reload", unpinned))
	}
}

// tooManySubscriptions reports whether the connection has more subscriptions than it may have.
func (c *Client) tooManySubscriptions() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.subs.n > c.maxSubs
}

// SetClusterName changes the name of the cluster that clients are told.
func (b *Broker) SetClusterName(name string) {
	b.mu.Lock()
	o := *b.opts.Load()
	same := o.Cluster == name
	o.Cluster = name
	b.opts.Store(&o)
	b.mu.Unlock()
	if !same {
		b.refreshInfo()
		b.tellAll()
	}
}

// toldChanged reports whether clients should be sent INFO again.
func toldChanged(a, b *Options) bool {
	return a.MaxPayload != b.MaxPayload || a.Host != b.Host || a.Port != b.Port ||
		a.ClientAdvertise != b.ClientAdvertise || a.NoHeaders != b.NoHeaders
}

// applyLimits puts the limits of the options, or those of the user where they are
// tighter, into effect for a connection.
func (c *Client) applyLimits(o *Options) {
	c.Out.Limits(o.MaxPending, o.WriteDeadline)
	if o.KeepLate {
		c.Out.Forgive(c.overdue)
	} else {
		c.Out.Forgive(nil)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var payload, subs int
	if c.who != nil {
		payload, subs = c.who.MaxPayload, c.who.MaxSubscriptions
	}
	al := c.acc.Limits()
	c.maxSubs = min(lesser(o.MaxSubscriptions, subs), orUnlimited(al.Subscriptions))
	c.maxPayload.Store(int64(min(lesser(o.MaxPayload, payload), orUnlimited(al.Payload))))
	c.maxLine.Store(int64(o.MaxControlLine))
	interval := c.by.door.pingInterval(o)
	if p := &c.ping; p.timer != nil && c.has(flagConnected) && interval < p.interval {
		p.timer.Reset(interval)
	}
	c.ping.interval = interval
}
