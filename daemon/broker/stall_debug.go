//go:build stallhook

package broker

// Stall locks the broker for ever, as a deadlock would. It is in no build that is
// shipped: with it the test of the watchdog makes the core hang.
func (b *Broker) Stall() { b.mu.Lock() }
