package api

import (
	"reflect"
	"time"
)

// Update returns what is in the way of making a consumer another; nil: nothing. new has passed
// [ConsumerConfig.Check]. bound says that somebody listens where it delivers now.
func (c *ConsumerConfig) Update(new *ConsumerConfig, bound bool) *Error {
	no := func(what string) *Error { return ConsumerCreate.Error(what + " can not be updated") }
	switch {
	case c.DeliverPolicy != new.DeliverPolicy:
		return no("deliver policy")
	case c.MemoryStorage != new.MemoryStorage:
		return no("storage type")
	case c.Direct != new.Direct:
		return no("direct")
	case c.Sourcing != new.Sourcing:
		return no("sourcing")
	case c.StartSeq != new.StartSeq:
		return no("start sequence")
	case !sameTime(c.StartTime, new.StartTime):
		return no("start time")
	case c.AckPolicy != new.AckPolicy:
		return no("ack policy")
	case c.ReplayPolicy != new.ReplayPolicy:
		return no("replay policy")
	case c.Heartbeat != new.Heartbeat:
		return no("heart beats")
	case c.FlowControl != new.FlowControl:
		return no("flow control")
	case c.DeliverSubject == new.DeliverSubject:
	case !c.Push():
		return ConsumerCreate.Error("can not update pull consumer to push based")
	case !new.Push():
		return ConsumerCreate.Error("can not update push consumer to pull based")
	case bound:
		return ConsumerNameInUse.Error()
	}
	if c.MaxWaiting != new.MaxWaiting {
		return no("max waiting")
	}
	return nil
}

func sameTime(a, b *time.Time) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Equal(*b)
}

// SameAs reports whether a consumer that exists is what the request asks for. What the server wrote into
// metadata does not count, nor until when it rests.
func (c *ConsumerConfig) SameAs(stored *ConsumerConfig) bool {
	return reflect.DeepEqual(c.bare(), stored.bare())
}

func (c *ConsumerConfig) bare() *ConsumerConfig {
	n := c.Clone()
	for _, k := range []string{metaRequired, metaVersion, metaLevel} {
		delete(n.Metadata, k)
	}
	if len(n.Metadata) == 0 {
		n.Metadata = nil
	}
	for _, t := range []*time.Time{n.StartTime, n.PauseUntil} {
		if t != nil {
			*t = t.UTC()
		}
	}
	return n
}

// requiredLevel is the API level that a configuration needs.
func (c *ConsumerConfig) requiredLevel() int {
	switch {
	case c.AckPolicy == AckFlowControl:
		return 4
	case c.PauseUntil != nil && !c.PauseUntil.IsZero(), c.PriorityPolicy != PriorityNone:
		return 1
	}
	return 0
}

// Stamp puts the level that the configuration needs into its metadata.
func (c *ConsumerConfig) Stamp() {
	c.Metadata = stamped(c.Metadata, c.requiredLevel())
}

// Answered returns the configuration as create and info show it.
func (c *ConsumerConfig) Answered() *ConsumerConfig {
	n := *c
	n.Metadata = answered(c.Metadata)
	return &n
}
