package broker

import (
	"fmt"
	"time"

	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

// overdue is told when a client takes in what waits for it, but not in time, and when it
// has caught up after all: see [transport.Outbound.Forgive].
func (c *Client) overdue(e *transport.DeadlineError, took time.Duration) {
	if took > 0 {
		c.broker.log.Info(fmt.Sprintf("%s - Slow Consumer Recovered: Flush took %.3fs with %d chunks of %d total bytes.",
			c.name(), took.Seconds(), e.Chunks, e.Bytes), c.fields()...)
		return
	}
	c.broker.counts.slow.Add(1)
	c.mu.Lock()
	acc := c.acc
	c.mu.Unlock()
	acc.mu.Lock()
	acc.slow++
	acc.mu.Unlock()
	c.broker.log.Info(c.name()+" - "+e.Error(), append(c.fields(), logging.String(logging.FieldReason, e.Error()))...)
}
