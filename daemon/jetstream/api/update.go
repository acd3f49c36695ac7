package api

import "reflect"

// Update returns what a stream becomes when it is asked to be another, or what is in the way. new has
// passed [StreamConfig.Check].
func (c *StreamConfig) Update(new *StreamConfig) (*StreamConfig, *Error) {
	n := new.Clone()
	switch {
	case n.Name != c.Name:
		return nil, invalid("stream configuration name must match original")
	case n.Replicas > 1:
		return nil, ReplicasNotSupported.Error()
	case n.Storage != c.Storage:
		return nil, invalid("stream configuration update can not change storage type")
	case n.Retention != c.Retention && (n.Retention == WorkQueue || c.Retention == WorkQueue):
		return nil, invalid("stream configuration update can not change retention policy to/from workqueue")
	case c.Sealed && !n.Sealed:
		return nil, invalid("stream configuration update can not unseal a sealed stream")
	case c.DenyDelete && !n.DenyDelete:
		return nil, invalid("stream configuration update can not cancel deny message deletes")
	case c.DenyPurge && !n.DenyPurge:
		return nil, invalid("stream configuration update can not cancel deny purge")
	case n.Mirror != nil && !reflect.DeepEqual(n.Mirror, c.Mirror):
		return nil, MirrorNotUpdatable.Error()
	case c.AllowMsgTTL && !n.AllowMsgTTL:
		return nil, invalid("message TTL status can not be disabled")
	case c.AllowCounter != n.AllowCounter:
		return nil, invalid("stream configuration update can not change message counter setting")
	case c.AllowSchedules && !n.AllowSchedules:
		return nil, invalid("message schedules can not be disabled")
	case c.PersistMode != n.PersistMode:
		return nil, invalid("stream configuration update can not change persist mode")
	}
	if n.Sealed {
		n.MaxAge, n.Discard, n.DenyDelete, n.DenyPurge, n.AllowRollup = 0, DiscardNew, true, true, false
	}
	return n, nil
}
