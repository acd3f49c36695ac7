package jetstream

import (
	"time"

	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
	"github.com/nats-broker/nats-broker/daemon/subject"
)

// Streams here and on other servers that take over what a stream holds have consumers of it. They say who they are, and are
// told which stream it is: one that was deleted and made again has the old one's name.

// identity tells the stream from another one that had its name.
func (s *Stream) identity() string {
	return subject.NameHash(s.created.UTC().Format(time.RFC3339Nano))
}

// sourcing makes a request for a consumer of another stream what it asks for, and reports whether it may be so. Nobody but its
// owner sees such a consumer of a stream that keeps its messages; otherwise it must outlive who uses it, and messages go when they
// are stored there.
func (a *account) sourcing(r *request, s *Stream, c *api.ConsumerConfig) bool {
	if !c.Direct && !c.Sourcing {
		return true
	}
	if c.Direct && c.Sourcing && c.Name != "" {
		if s.config.Load().Retention != api.Limits {
			c.Direct, c.Durable, c.AckPolicy = false, c.Name, api.AckFlowControl
			c.AckWait, c.MaxDeliver, c.InactiveThreshold = 0, 0, 0
		} else {
			c.Name += "-" + consumerName() // whoever uses it asks under the same name again before the old one is gone
		}
	}
	ident := s.identity()
	if v, ok := api.Header(r.header, api.StreamIdentityHeader); ok && len(v) > 0 && string(v) != ident {
		a.fail(r, api.IdentityMismatch.Error(ident))
		return false
	}
	r.extra = header(nil).add(api.StreamIdentityHeader, ident)
	if o := s.consumers.get(c.Durable); o != nil && c.Sourcing && c.Durable != "" {
		was := o.config.Load()
		c.DeliverPolicy, c.StartSeq, c.StartTime = was.DeliverPolicy, was.StartSeq, was.StartTime
	}
	return true
}

// forStreams reports whether a consumer is one of another stream, which limits and rules of other consumers are not about.
func forStreams(c *api.ConsumerConfig) bool { return c.Direct || c.Sourcing }

// limited is how many consumers count against a limit.
func (x *consumerSet) limited() (n int) {
	for _, c := range x.all() {
		if !forStreams(c.config.Load()) {
			n++
		}
	}
	return n
}
