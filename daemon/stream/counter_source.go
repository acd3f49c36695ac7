package stream

import (
	"encoding/json"
	"math/big"
	"strings"
)

// countSource makes the next value of its subject's counter of a message of another counter, in a stream of counters: what that has
// come to since the message before it is added. What was known of each other counter goes on in the header.
func (s *Stream) countSource(c *conditions, r *Record, q Quota) Reason {
	if len(c.incr) == 0 {
		return CounterMissing
	}
	f := strings.Split(string(c.source), " ")
	of, subj := f[0], string(r.Subject)
	if len(f) >= 5 {
		subj = f[4]
	}
	there, ok := counterValue(r.Payload)
	if !ok {
		return CounterBroken
	}
	last, found, v := s.latest(r.Subject, nil)
	if v != Accepted {
		return v
	}
	sum, sources := new(big.Int), map[string]map[string]string{}
	if found {
		if sum, ok = counterValue(last.Payload); !ok {
			return CounterBroken
		}
		if known, ok := lineOf(last.Header, counterSources); ok && len(known) > 0 && json.Unmarshal(known, &sources) != nil {
			return CounterBroken
		}
	}
	more := new(big.Int)
	if before, ok := new(big.Int).SetString(sources[of][subj], 10); ok {
		more.Sub(there, before)
	} else {
		more.Set(there)
	}
	if sources[of] == nil {
		sources[of] = map[string]string{}
	}
	sources[of][subj] = there.String()
	known, err := json.Marshal(sources)
	if err != nil {
		return CounterBroken
	}
	h := WithLine(WithoutLine(r.Header, counterIncr), counterIncr, []byte(more.String()))
	r.Header = WithLine(WithoutLine(h, counterSources), counterSources, known)
	r.Payload = []byte(`{"val":"` + sum.Add(sum, more).String() + `"}`)
	if q != nil && len(r.Header)+len(r.Payload) > q.Payload() {
		return MessageTooLarge
	}
	return s.fits(r, s.log.Size(len(r.Subject), len(r.Header), len(r.Payload)))
}

const counterIncr = "Nats-Incr"
