package api

import "time"

// features checks which of the options go together.
func (k *checker) features() *Error {
	c := k.c
	if c.DenyPurge && c.AllowRollup {
		return invalid("roll-ups require the purge permission")
	}
	for _, step := range []func() *Error{k.counter, k.discardNewPer, k.marker, k.schedules, k.async} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (k *checker) counter() *Error {
	c := k.c
	switch {
	case !c.AllowCounter:
	case c.Discard == DiscardNew:
		return invalid("counter stream cannot use discard new")
	case c.AllowMsgTTL:
		return invalid("counter stream cannot use message TTLs")
	case c.AllowSchedules:
		return invalid("counter stream cannot use message schedules")
	case c.Retention != Limits:
		return invalid("counter stream can only use limits retention")
	}
	return nil
}

func (k *checker) discardNewPer() *Error {
	switch c := k.c; {
	case !c.DiscardNewPer:
	case c.Discard != DiscardNew:
		return invalid("discard new per subject requires discard new policy to be set")
	case c.MaxMsgsPerSubject <= 0:
		return invalid("discard new per subject requires max msgs per subject > 0")
	}
	return nil
}

// marker switches on what delete markers need.
func (k *checker) marker() *Error {
	c := k.c
	switch ttl := c.DeleteMarkerTTL; {
	case ttl == 0:
		return nil
	case ttl < 0:
		return invalid("subject delete marker TTL must not be negative")
	case ttl < time.Second:
		return invalid("subject delete marker TTL must be at least 1 second")
	}
	if !c.AllowMsgTTL {
		if k.pedantic {
			return invalid("subject delete marker cannot be set if message TTLs are disabled")
		}
		c.AllowMsgTTL = true
	}
	return k.needRollup("subject delete marker cannot be set if roll-ups are disabled")
}

// needRollup allows rollups for what cannot do without.
func (k *checker) needRollup(text string) *Error {
	if k.c.AllowRollup {
		return nil
	}
	if k.pedantic {
		return invalid("%s", text)
	}
	k.c.AllowRollup, k.c.DenyPurge = true, false
	return nil
}

func (k *checker) schedules() *Error {
	if !k.c.AllowSchedules {
		return nil
	}
	if k.c.Discard == DiscardNew {
		return invalid("message scheduling cannot use discard new")
	}
	return k.needRollup("message scheduling cannot be set if roll-ups are disabled")
}

func (k *checker) async() *Error {
	switch c := k.c; {
	case c.PersistMode != PersistAsync:
	case c.Storage != File:
		return invalid("async persist mode is only supported on file storage")
	case c.Replicas > 1:
		return invalid("async persist mode is not supported on replicated streams")
	case c.AllowAtomic:
		return invalid("async persist mode is not supported with atomic batch publish")
	}
	return nil
}

// Unbuilt says what of the configuration this version does not do. It is asked after [StreamConfig.Check].
func (c *StreamConfig) Unbuilt() *Error {
	for _, f := range []struct {
		asked bool
		what  string
	}{
		{c.PersistMode != PersistDefault, "persist_mode " + c.PersistMode.String()},
	} {
		if f.asked {
			return invalid("%s is not available in this version of nats-broker", f.what)
		}
	}
	return nil
}
