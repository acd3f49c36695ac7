package broker

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"time"
)

// newNonce makes the text a client signs to prove that it has a key.
func newNonce() string {
	var raw [11]byte
	_, _ = rand.Read(raw[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

// unasked handles a connection that must authenticate and sends something else
// first.
func (c *Client) unasked() error {
	opts := defaultConnect()
	id, err := c.authenticate(&opts, true)
	if err != nil {
		return c.authViolation(err)
	}
	c.mu.Lock()
	c.ping.authenticated()
	c.mu.Unlock()
	return c.admitCurrent(id, &opts, true)
}

// processConnect handles CONNECT. What takes stack or time runs on a goroutine of
// its own, so that this one's stack stays small.
func (c *Client) processConnect(arg []byte) error {
	var id *Identity
	opts := defaultConnect()
	err := c.aside(func() error {
		err := readConnect(arg, &opts)
		if err == nil {
			if complete := c.by.door.Complete; complete != nil {
				complete(c.by.note, &opts)
			}
			c.beginConnect(&opts)
			id, err = c.authenticate(&opts, false)
		}
		return err
	})
	if err != nil {
		var denied *Denied
		if errors.As(err, &denied) {
			return c.authViolation(err)
		}
		var ended *closeError
		if errors.As(err, &ended) {
			return err
		}
		return &closeError{ProtocolViolation, err}
	}
	if opts.NewAccount || opts.Account != "" {
		c.mu.Lock()
		c.who = id
		c.mu.Unlock()
		return c.authViolation(&Denied{})
	}
	if err := c.admitCurrent(id, &opts, false); err != nil {
		return err
	}
	if opts.Protocol < 0 || opts.Protocol > ProtocolLevel {
		c.sendErr("invalid client protocol")
		return &closeError{BadClientProtocolVersion, errors.New("invalid client protocol")}
	}
	if opts.NoResponders && !c.has(flagHeaders) {
		c.sendErr("no responders requires headers support")
		return &closeError{NoRespondersRequiresHeaders, errors.New("no responders requires headers support")}
	}
	if opts.Verbose {
		c.sendOK()
	}
	return nil
}

// beginConnect notes what a CONNECT says, whether or not it is accepted.
func (c *Client) beginConnect(o *ConnectOptions) {
	c.mu.Lock()
	defer c.mu.Unlock()
	again := c.has(flagConnected)
	c.connect = o
	c.ping.connected(c, again)
}

// authenticate asks the authenticator.
func (c *Client) authenticate(o *ConnectOptions, implicit bool) (*Identity, error) {
	opts := c.broker.opts.Load()
	ctx := newPatience(c.by.door.authTimeout(opts))
	defer ctx.cancel()
	return opts.Authenticator.Authenticate(ctx, &AuthRequest{
		CID: c.cid, Connect: o, Nonce: c.nonce, Remote: c.remote, TLS: c.TLS(), Implicit: implicit,
		Connection: c.by.door.Connection, Type: c.by.door.Type, Note: c.by.note,
	})
}

// authViolation refuses the connection.
func (c *Client) authViolation(err error) error {
	reason, line := c.violation(err)
	c.sendErr(refusalOf(err))
	c.tellRefused(reason)
	return &closeError{reason, line}
}

// refusalOf is what a client is told that is not let in.
func refusalOf(err error) string {
	if d := (*Denied)(nil); errors.As(err, &d) && d.Late {
		return "Authentication Timeout"
	}
	return "Authorization Violation"
}

// admitCurrent admits, and asks again if the authenticator's verdict was overtaken
// by a change: whoever changed it may have looked for connections to review before
// this one was among them.
func (c *Client) admitCurrent(id *Identity, o *ConnectOptions, implicit bool) error {
	for {
		if err := c.admit(id, o); err != nil {
			return err
		}
		if id.Stale == nil || !id.Stale() {
			if !implicit {
				for _, o := range c.broker.observers() {
					o.Joined(c)
				}
			}
			return nil
		}
		err := c.aside(func() (err error) {
			id, err = c.authenticate(o, implicit)
			return err
		})
		if err != nil {
			return c.authViolation(err)
		}
	}
}

// admit binds the connection to an account.
func (c *Client) admit(id *Identity, o *ConnectOptions) error {
	acc := c.broker.Account(id.Account)
	if acc == nil {
		return c.authViolation(&Denied{})
	}
	if acc != c.acc || c.has(flagConnected) {
		c.dropAll()
	}
	if old := c.acc; acc != old {
		old.leave(c)
		c.mu.Lock()
		c.acc = acc
		c.mu.Unlock()
		if err := acc.join(c); err != nil {
			c.sendErr(err.Error())
			return &closeError{MaxAccountConnectionsExceeded, err}
		}
	}
	opts := c.broker.opts.Load()
	c.mu.Lock()
	c.who, c.connect, c.ping.admitted = id, o, time.Now()
	c.named = true
	c.setPermissions(id.Permissions)
	c.ping.expire(c, id.Expires)
	c.mu.Unlock()
	c.applyLimits(opts)
	c.readLimits() // the rest of the batch is held to them already
	s := &c.sender
	s.acc, s.echo = acc, o.Echo
	s.forget()
	c.awaiting = false
	c.set(flagHeaders, o.Headers && !opts.NoHeaders)
	c.set(flagVerbose, o.Verbose)
	c.set(flagPedantic, o.Pedantic)
	c.set(flagNoResponders, o.NoResponders)
	c.set(flagAsyncInfo, o.Protocol >= 1)
	c.set(flagConnected, true)
	if id.Note != "" {
		c.debug("%s", id.Note)
	}
	if c.overSubscribed() {
		c.errorLine(errTooManySubs.Error())
		c.sendErr(errTooManySubs.Error())
		return &closeError{reason: MaxSubscriptionsExceeded}
	}
	return nil
}

// lesser returns the smaller of two limits, of which 0 and less mean none.
func lesser(a, b int) int { return min(orUnlimited(a), orUnlimited(b)) }
