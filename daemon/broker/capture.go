package broker

import (
	"github.com/nats-broker/nats-broker/daemon/batch"
	"github.com/nats-broker/nats-broker/daemon/proto"
)

// A capture is a subscription of a part of this server that works in the batches of
// those who publish: their plans have a step that stages each message for the part, and
// at the end of a batch the part is given all of them at once. So it has one lock for
// many messages, and each is copied once, into what the part keeps.

// Sink takes what a capture matches.
type Sink interface {
	// Outlet leads to what is given the lanes: see [batch.Destination]. It is always the
	// same.
	Outlet() *batch.Outlet

	// Stage puts a message into a lane, in whatever form the destination wants, and
	// reports whether the message is taken: who sent a request that nobody takes is told
	// so. It runs on the goroutine of whoever publishes, on many at the same time, each
	// with a lane of its own: it must be quick, wait for nothing, and publish nothing.
	Stage(l *batch.Lane, m *Message) (taken bool)
}

// capture is a Sink in use. It is a step of plans.
type capture struct {
	acc    *Account
	sink   Sink
	outlet *batch.Outlet
}

// Capture has what is published on a pattern staged for a sink, whoever publishes it:
// clients, parts of this server, and other servers, which are told of the interest as
// of a client's; by the account's mappings, and by its imports of streams and services,
// as for a client's subscription.
func (a *Account) Capture(pattern string, to Sink) (*InternalSubscription, error) {
	sub := newSubscription(nil, asBytes(pattern), nil, nil)
	sub.kind = kindService
	sub.more.Store(&subExtra{capture: &capture{a, to, to.Outlet()}})
	if _, err := a.index.Insert(sub); err != nil {
		return nil, err
	}
	a.shares.mu.Lock()
	defer a.shares.mu.Unlock()
	if a.shares.captures == nil {
		a.shares.captures = make(map[*Subscription]struct{})
	}
	a.shares.captures[sub] = struct{}{}
	if sh := a.shares.now.Load(); sh != nil {
		a.castShadowsOf(sh, sub)
	}
	return &InternalSubscription{a, sub}, nil
}

// recastCaptures makes the shadows of captures, after imports have changed and all
// shadows were dropped.
func (a *Account) recastCaptures(sh *sharing) {
	a.shares.mu.Lock()
	defer a.shares.mu.Unlock()
	for sub := range a.shares.captures {
		if len(a.shares.shadows[sub]) == 0 {
			a.castShadowsOf(sh, sub)
		}
	}
}

// releaseCapture drops what there is of a capture beside its subscription.
func (a *Account) releaseCapture(sub *Subscription) {
	a.shares.mu.Lock()
	delete(a.shares.captures, sub)
	a.shares.mu.Unlock()
	a.dropShadows(sub)
}

func (c *capture) deliver(s *sender, subject []byte, f *proto.Frame) bool {
	if s.trail != nil {
		return c.traced(s, subject, f)
	}
	return c.sink.Stage(s.in.Batch.Lane(c.outlet), s.message(c.acc, subject, f))
}

// capturedShadow is the step of a capture that gets a message by an import of a stream.
type capturedShadow struct {
	of      *capture
	im      *streamImport
	subject string // in the account of the capture
}

func (c *capturedShadow) deliver(s *sender, _ []byte, f *proto.Frame) bool {
	if s.trail != nil {
		return c.traced(s, func() bool { return c.pass(s, f) })
	}
	return c.pass(s, f)
}

func (c *capturedShadow) pass(s *sender, f *proto.Frame) bool {
	if s.entry != AsMessage || f.Hdr <= 0 {
		return c.of.deliver(s, asBytes(c.subject), f)
	}
	was, foreign := *f, s.foreign
	s.nest().dropInfo(f) // as for a client: see toShadow
	s.foreign = true
	taken := c.of.deliver(s, asBytes(c.subject), f)
	*f, s.foreign = was, foreign
	return taken
}
