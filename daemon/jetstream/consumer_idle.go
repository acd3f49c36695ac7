package jetstream

import (
	"fmt"

	"github.com/nats-broker/nats-broker/daemon/consumer"
)

// stepped is what a consumer has stepped over since it was opened, since it cannot be read.
type stepped struct {
	times int
	last  uint64
}

// why says why the consumer delivers nothing; empty: it can. To what the machine knows comes what is the disk's. mu is held.
func (c *Consumer) why(i consumer.Idle) string {
	text := i.String()
	switch {
	case c.resting != "" && (i.Reason == consumer.NotIdle || i.Reason == consumer.IdleOthers):
		return "page unreadable, " + c.resting
	case i.Reason != consumer.IdleNothing:
		return text
	}
	if n := c.s.buffered.Load(); n > 0 {
		text += fmt.Sprintf("; waiting for commit: %d messages are taken and not committed yet", n)
	}
	if s := c.stepped; s.times > 0 {
		text += fmt.Sprintf("; page unreadable: %d messages were stepped over, sequence %d the last", s.times, s.last)
	}
	return text
}
