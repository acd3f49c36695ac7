package broker

import (
	"fmt"

	"github.com/nats-broker/nats-broker/daemon/proto"
	"github.com/nats-broker/nats-broker/daemon/subject"
)

// SystemQueue is a queue group only servers may join.
const SystemQueue = "_sys_"

// subscribe handles SUB. An error is told to the client, which may go on.
func (c *Client) subscribe(f *proto.Frame) {
	var filter bool
	p := c.permissions()
	if p != nil || f.Queue != nil {
		ok := string(f.Queue) != SystemQueue
		if p != nil && ok {
			ok, filter = p.CanSubscribe(string(f.Subject), string(f.Queue))
		}
		if !ok {
			c.refuseSubscription(f)
			return
		}
	}
	if n := c.broker.opts.Load().MaxSubTokens; n > 0 && subject.Tokens(f.Subject) > n {
		c.sendErr(fmt.Sprintf("Permissions Violation for Subscription to %q, too many tokens", f.Subject))
		c.deniedLine(string(f.Subject), fmt.Sprintf("Subscription Violation Too Many Tokens - Subject %q, SID %s", f.Subject, f.SID))
		return
	}
	if !filter {
		p = nil
	}
	switch c.addSubscription(f, p) {
	case errTooManySubs:
		c.errorLine(errTooManySubs.Error())
		c.sendErr(errTooManySubs.Error())
	case nil:
		if c.has(flagVerbose) {
			c.sendOK()
		}
	default:
		c.sendErr("Invalid Subject")
	}
}

var errTooManySubs = fmt.Errorf("maximum subscriptions exceeded")

func (c *Client) refuseSubscription(f *proto.Frame) {
	to := fmt.Sprintf("Permissions Violation for Subscription to %q", f.Subject)
	line := fmt.Sprintf("Subscription Violation - Subject %q, SID %s", f.Subject, f.SID)
	if f.Queue != nil {
		to = fmt.Sprintf("Permissions Violation for Subscription to %q using queue %q", f.Subject, f.Queue)
		line = fmt.Sprintf("Subscription Violation - Subject %q, Queue: %q, SID %s", f.Subject, f.Queue, f.SID)
	}
	c.sendErr(to)
	c.deniedLine(string(f.Subject), line)
}

// addSubscription adds a subscription. A sid that is in use stays what it is.
func (c *Client) addSubscription(f *proto.Frame, filter Permissions) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.subs.n >= c.maxSubs {
		return errTooManySubs
	}
	if c.subs.get(asString(f.SID)) != nil {
		return nil
	}
	var queue *string
	if f.Queue != nil {
		if c.queue == nil || *c.queue != string(f.Queue) {
			q := string(f.Queue)
			c.queue = &q
		}
		queue = c.queue
	}
	sub := newSubscription(c, f.Subject, f.SID, queue)
	if filter != nil || c.answers != nil {
		sub.more.Store(&subExtra{filter: filter, answers: c.answers})
	}
	n, err := c.acc.index.Insert(sub)
	if err != nil {
		return err
	}
	sub.started(n)
	c.subs.add(sub)
	c.acc.castShadows(sub)
	return nil
}

// unsubscribe handles UNSUB.
func (c *Client) unsubscribe(f *proto.Frame) {
	c.sender.settle()
	var ended *Subscription
	c.mu.Lock()
	if sub := c.subs.get(asString(f.SID)); sub != nil {
		got := sub.delivered(c.acc.index)
		if int64(f.Max) > got {
			x := &subExtra{max: int64(f.Max)}
			x.got.Store(got)
			if old := sub.more.Load(); old != nil {
				x.filter, x.answers = old.filter, old.answers
			}
			sub.more.Store(x)
			c.acc.index.Touch(sub.Subject())
			c.acc.touchShadows(sub)
		} else {
			c.subs.remove(sub)
			c.acc.remove(sub)
			ended = sub
		}
	}
	c.mu.Unlock()
	if ended != nil {
		c.traceEnd(ended)
	}
	if c.has(flagVerbose) {
		c.sendOK()
	}
}

// removeSubscription ends a subscription that has had its messages. It may be
// called from any goroutine.
func (c *Client) removeSubscription(sub *Subscription) {
	c.mu.Lock()
	if c.subs.remove(sub) {
		c.acc.remove(sub)
	}
	c.mu.Unlock()
}

// remove takes a client's subscription, with its shadows, out of the account.
func (a *Account) remove(sub *Subscription) {
	a.index.Remove(sub)
	a.dropShadows(sub)
	a.lost(sub.Subject())
}
