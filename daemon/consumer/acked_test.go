package consumer

import (
	"fmt"
	"testing"
)

// What is not waited for any more is told of once, whatever kind of acks there is.
func TestAcked(t *testing.T) {
	say := func(c *talk) string { return fmt.Sprint(c.Acked()) }
	for _, x := range []struct {
		name string
		ack  AckPolicy
		do   func(c *talk)
		want string
	}{
		{"none", AckNone, func(*talk) {}, "[1 2 3]"},
		{"explicit", AckExplicit, func(c *talk) { c.Ack(c.told(3, 3), c.now); c.Ack(c.told(1, 1), c.now); c.Ack(c.told(1, 1), c.now) }, "[1 3]"},
		{"nak", AckExplicit, func(c *talk) { c.Nak(c.told(2, 2), 0, false, c.now) }, "[]"},
		{"term", AckExplicit, func(c *talk) { c.Term(c.told(2, 2), "", c.now) }, "[2]"},
		{"all", AckAll, func(c *talk) { c.Ack(c.told(2, 2), c.now); c.Ack(c.told(1, 1), c.now) }, "[1 2]"},
		{"not delivered", AckExplicit, func(c *talk) { c.Ack(c.told(5, 5), c.now) }, "[]"},
	} {
		c := newTalk(Config{Ack: x.ack, AckWait: 1000 * ms}, stream("a", "b", "c", "d", "e"))
		c.Report(true)
		c.Request("x", Request{Batch: 3}, c.now)
		c.run()
		x.do(c)
		if got := say(c); got != x.want {
			t.Errorf("%s: %s; want %s", x.name, got, x.want)
		}
		if got := say(c); got != "[]" {
			t.Errorf("%s: %s is told of twice", x.name, got)
		}
	}
	c := newTalk(Config{Ack: AckExplicit, AckWait: 10 * ms, MaxDeliver: 1}, stream("a"))
	c.Report(true)
	c.Request("x", Request{Batch: 1}, c.now)
	c.run()
	c.pass(20 * ms)
	if got := say(c); got != "[]" {
		t.Errorf("%s after it was delivered as often as allowed", got)
	}
	c.Ack(c.told(1, 1), c.now)
	if got := say(c); got != "[1]" {
		t.Errorf("%s after a late ack", got)
	}
}
