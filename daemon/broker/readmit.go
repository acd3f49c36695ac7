package broker

import (
	"errors"
	"fmt"

	"github.com/nats-broker/nats-broker/daemon/logging"
)

// AuthRequest returns what the authenticator is asked about the connection, for
// asking it again; nil while it has not been let in.
func (c *Client) AuthRequest() *AuthRequest {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.who == nil || c.connect == nil {
		return nil
	}
	return &AuthRequest{CID: c.cid, Connect: c.connect, Nonce: c.nonce, Remote: c.remote, TLS: c.tls,
		Connection: c.by.door.Connection, Type: c.by.door.Type, Note: c.by.note}
}

// Readmit replaces what the authenticator said of the connection. The account must
// be the same. Subscriptions that are no longer allowed are taken from it.
func (c *Client) Readmit(id *Identity) {
	c.mu.Lock()
	same := c.who != nil && c.who.Permissions == id.Permissions
	moved := c.who == nil || !c.who.Expires.Equal(id.Expires)
	c.who = id
	c.named = c.connect != nil
	if moved {
		c.ping.expire(c, id.Expires)
	}
	c.mu.Unlock()
	c.applyLimits(c.broker.opts.Load())
	if !same {
		c.SetPermissions(id.Permissions)
	}
}

// Revoke closes a connection that has lost the right to be there, as one that never
// had it: err says what monitoring shows, see [Denied].
func (c *Client) Revoke(err error) {
	if c.has(flagClosed) {
		return
	}
	reason, line := c.violation(err)
	c.tellErr(refusalOf(err))
	c.tellRefused(reason)
	c.close(reason, line)
}

// violation gives the reason and the log line of a refusal.
func (c *Client) violation(err error) (Reason, error) {
	reason := AuthenticationViolation
	var d *Denied
	if errors.As(err, &d) {
		if d.Reason != 0 {
			reason = d.Reason
		}
		c.note(d)
	}
	line := errors.New("authentication error")
	if who := c.claims(); who != "" {
		line = fmt.Errorf("authentication error - %s", who)
	}
	return reason, line
}

// note logs what there is to say about a refusal beyond it.
func (c *Client) note(d *Denied) {
	switch {
	case d.Note == "":
	case d.Level == logging.Error:
		c.errorLine(d.Note)
	default:
		c.debug("%s", d.Note)
	}
}

// claims says who the client says it is, for log lines; empty if it does not.
func (c *Client) claims() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.connect
	if o == nil {
		return ""
	}
	if text := o.Claims(); text != "" || o.JWT == "" || c.who == nil {
		return text
	}
	return fmt.Sprintf("JWT User %q", c.who.User)
}

// Claims says who a CONNECT says that it is, for log lines: empty if it does not, or by a JWT, by which nobody is known before it is
// accepted.
func (o *ConnectOptions) Claims() string {
	switch {
	case o.Nkey != "":
		return fmt.Sprintf("Nkey %q", logging.RedactPayload([]byte(o.Nkey)))
	case o.User != "":
		return fmt.Sprintf("User %q", o.User)
	case o.JWT != "":
		return ""
	case o.Token != "":
		return `Token "[REDACTED]"`
	}
	return ""
}
