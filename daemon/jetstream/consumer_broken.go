package jetstream

import (
	"errors"

	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
)

// A panic in the machine of a consumer costs that consumer: it is broken from then on. It delivers nothing, is told of as broken,
// can be deleted, and is kept as it was before the step that failed, so that the next start goes on with it.

var errBroken = errors.New("the consumer has failed, see the log; it goes on at the next start")

// guard calls a function that uses the machine, and reports whether it came to its end. mu is held.
func (c *Consumer) guard(use func()) (ok bool) {
	if c.broken {
		return false
	}
	defer func() {
		if p := recover(); p != nil {
			c.breakDown(p)
			ok = false
		}
	}()
	use()
	return true
}

// breakDown has the consumer rest for good. mu is held.
func (c *Consumer) breakDown(p any) {
	c.broken = true
	c.s.acc.srv.panicked("consumer '"+c.title()+"'", p)
	c.s.consumers.sated(c)
	if c.timer != nil {
		c.timer.Stop()
	}
}

// state is what is kept of the consumer; nil: nothing can be. What one that is broken had passed in the step that failed is
// delivered again. mu is held.
func (c *Consumer) state() (b []byte) {
	if !c.broken {
		c.writeChanges(nil)
		return c.m.State()
	}
	defer func() {
		if recover() != nil {
			b = nil
		}
	}()
	c.m.Rewind(c.before)
	return c.m.State()
}

// brokenInfo is what can be said of a consumer without its machine.
func (c *Consumer) brokenInfo() *api.ConsumerInfo {
	return &api.ConsumerInfo{
		Stream: c.s.Name(), Name: c.name, Created: c.created, Config: c.config.Load().Answered(),
		Now: utc(c.s.now()), Idle: "failed",
	}
}
