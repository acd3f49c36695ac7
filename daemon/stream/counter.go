package stream

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/big"
)

// counts says which headers a message that counts may not have.
func (c *conditions) counts(r *Record, allowed bool) Reason {
	switch {
	case len(c.incr) == 0:
		return Accepted
	case !isInteger(c.incr):
		return CounterInvalid
	case !allowed:
		return CounterDisabled
	case len(r.Payload) > 0:
		return CounterPayload
	case len(c.rollup) > 0, len(c.stream) > 0, len(c.lastID) > 0, len(c.lastSubjectOf) > 0, len(c.last) > 0, len(c.lastSubject) > 0:
		return CounterInvalid
	}
	return Accepted
}

// count makes the next value of its subject's counter of a message, in a stream of counters. d is the batch that it belongs
// to, nil for none. The value is the payload, and returned; what the counter sums up of other streams goes on to be told.
func (s *Stream) count(c *conditions, r *Record, q Quota, d *draft) (value string, _ Reason) {
	if len(c.incr) == 0 {
		return "", CounterMissing
	}
	last, found, v := s.latest(r.Subject, d)
	if v != Accepted {
		return "", v
	}
	sum, ok := new(big.Int).SetString(string(c.incr), 10)
	if !ok {
		return "", CounterInvalid
	}
	header := r.Header
	if found {
		before, ok := counterValue(last.Payload)
		if !ok {
			return "", CounterBroken
		}
		sum.Add(sum, before)
		if sources, ok := lineOf(last.Header, counterSources); ok && len(sources) > 0 {
			if !json.Valid(sources) {
				return "", CounterBroken
			}
			header = WithLine(WithoutLine(header, counterSources), counterSources, sources)
		}
	}
	value = sum.String()
	r.Header, r.Payload = header, []byte(`{"val":"`+value+`"}`)
	if q != nil && len(r.Header)+len(r.Payload) > q.Payload() {
		return "", MessageTooLarge
	}
	return value, s.fits(r, s.log.Size(len(r.Subject), len(r.Header), len(r.Payload)))
}

const counterSources = "Nats-Counter-Sources"

// counterValue reads what a message of a counter says.
func counterValue(payload []byte) (*big.Int, bool) {
	var body struct {
		Value string `json:"val"`
	}
	if json.Unmarshal(payload, &body) != nil || body.Value == "" || !isInteger([]byte(body.Value)) {
		return nil, false
	}
	return new(big.Int).SetString(body.Value, 10)
}

// latest returns header and payload of the last message on a subject: of those that the batch d has so far, of those that are
// pending, or stored. They are valid until something else is read.
func (s *Stream) latest(subj []byte, d *draft) (r Record, found bool, _ Reason) {
	if t, ok := d.of(subj); ok {
		return *t.newest, true, Accepted
	}
	seq, v := s.lastOf(subj)
	if v != Accepted || seq == 0 {
		return r, false, v
	}
	if p, ok := s.over.record(seq); ok {
		return *p, true, Accepted
	}
	switch err := s.log.Load(seq, &s.batched); {
	case errors.Is(err, ErrNoMessage), err == nil && !bytes.Equal(s.batched.Subject, subj):
		return r, false, Accepted
	case err != nil:
		return r, false, Unread
	}
	return s.batched, true, Accepted
}
