package stream

import (
	"bytes"
	"math"
)

// Control is what the reply subject of a message of a fast batch says: PREFIX.ID.FLOW.GAPS.SEQUENCE.OPERATION.$FI
type Control struct {
	ID     []byte // part of the subject
	Flow   uint16 // after how many messages the publisher wants an ack at most
	GapsOK bool   // messages may be missing
	Seq    uint64 // in the batch, from 1
	Op     Op
}

// Op is what a message of a fast batch is for.
type Op uint8

// The operations. Their numbers are in subjects.
const (
	Start     Op = iota
	Add          // also what follows
	Commit       // the last one
	CommitEnd    // the batch ends, and this is not stored
	Ping         // asks how far the batch is
)

var controlEnd = []byte(".$FI")

// defaultFlow is where a publisher says no number.
const defaultFlow = 10

// IsControl reports whether a reply subject is one of a fast batch.
func IsControl(reply []byte) bool {
	return len(reply) > len(controlEnd) && bytes.HasSuffix(reply, controlEnd)
}

// ParseControl takes a reply subject apart. fast says that it is one of a fast batch, ok that it can be understood.
func ParseControl(reply []byte) (c Control, fast, ok bool) {
	if !IsControl(reply) {
		return c, false, false
	}
	rest := reply[:len(reply)-len(controlEnd)]
	var tokens [5][]byte // from the end: operation, sequence, gaps, flow, id
	for i := range tokens {
		dot := bytes.LastIndexByte(rest, '.')
		if dot < 0 {
			return c, true, false
		}
		tokens[i], rest = rest[dot+1:], rest[:dot]
	}
	op, valid := Number(tokens[0])
	if !valid || op > uint64(Ping) {
		return c, true, false
	}
	c.Op = Op(op)
	c.Seq, valid = Number(tokens[1])
	switch {
	case !valid, c.Seq == 0, c.Seq == math.MaxUint64, c.Seq == 1 && c.Op == CommitEnd, c.Op == Start && c.Seq != 1, c.Op == Add && c.Seq == 1:
		return c, true, false
	}
	switch string(tokens[2]) {
	case "ok":
		c.GapsOK = true
	case "fail":
	default:
		return c, true, false
	}
	c.Flow = defaultFlow
	if n, valid := Number(tokens[3]); valid && n > 0 {
		c.Flow = uint16(min(n, math.MaxUint16))
	}
	c.ID = tokens[4]
	return c, true, true
}

// Number reads a number of any size that fits.
func Number(v []byte) (n uint64, ok bool) {
	for _, d := range v {
		if d < '0' || d > '9' || n > (math.MaxUint64-uint64(d-'0'))/10 {
			return 0, false
		}
		n = n*10 + uint64(d-'0')
	}
	return n, len(v) > 0
}
