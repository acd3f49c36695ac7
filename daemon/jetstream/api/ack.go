package api

import (
	"encoding/json"
	"strconv"
)

// Acks makes the answers to publishes into one stream.
type Acks struct {
	stream string
	domain string
	prefix []byte // through "seq":
}

// NewAcks returns those of a stream; domain may be empty.
func NewAcks(stream, domain string) *Acks {
	p := append(strconv.AppendQuote([]byte(`{"stream":`), stream), ',')
	if domain != "" {
		p = append(strconv.AppendQuote(append(p, `"domain":`...), domain), ',')
	}
	return &Acks{stream, domain, append(p, `"seq":`...)}
}

// Append appends the ack of a stored message to b.
func (a *Acks) Append(b []byte, seq uint64) []byte {
	return append(strconv.AppendUint(append(b, a.prefix...), seq, 10), '}')
}

// AppendCounter appends the ack of a message that has counted, with the value.
func (a *Acks) AppendCounter(b []byte, seq uint64, value string) []byte {
	b = append(strconv.AppendUint(append(b, a.prefix...), seq, 10), `,"val":"`...)
	return append(append(b, value...), `"}`...)
}

// AppendDuplicate appends the ack of a message whose id is known, stored as seq.
func (a *Acks) AppendDuplicate(b []byte, seq uint64) []byte {
	return append(strconv.AppendUint(append(b, a.prefix...), seq, 10), `,"duplicate": true}`...)
}

// Refusal is the answer to a publish that is not stored.
func (a *Acks) Refusal(err *Error) []byte {
	b, e := json.Marshal(struct {
		Error  *Error `json:"error"`
		Stream string `json:"stream"`
		Seq    uint64 `json:"seq"`
	}{err, a.stream, 0})
	if e != nil {
		panic("api: an error cannot be encoded: " + e.Error()) // texts and numbers only
	}
	return b
}

// Batch returns the ack of a batch whose last message is stored as seq, and that has so many.
func (a *Acks) Batch(seq uint64, duplicate bool, id string, count uint64) []byte {
	b := strconv.AppendUint(append([]byte(nil), a.prefix...), seq, 10)
	if duplicate {
		b = append(b, `,"duplicate": true`...)
	}
	quoted, err := json.Marshal(id)
	if err != nil {
		panic("api: a text cannot be encoded: " + err.Error())
	}
	b = append(append(b, `,"batch":`...), quoted...)
	return append(strconv.AppendUint(append(b, `,"count":`...), count, 10), '}')
}

// FlowAck tells a fast publisher that its messages are stored up to seq, and after how many it is told again.
func FlowAck(seq, every uint64) []byte {
	b := strconv.AppendUint([]byte(`{"type":"ack","seq":`), seq, 10)
	return append(strconv.AppendUint(append(b, `,"msgs":`...), every, 10), '}')
}

// FlowGap tells a fast publisher that messages are missing: one came, and another was expected.
func FlowGap(expected, came uint64) []byte {
	b := strconv.AppendUint([]byte(`{"type":"gap","last_seq":`), expected, 10)
	return append(strconv.AppendUint(append(b, `,"seq":`...), came, 10), '}')
}
