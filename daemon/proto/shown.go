package proto

import "bytes"

// What a consumer delivers reaches clients by one subject and is shown to them under
// another. Between servers the subject to be shown stands behind the reply subject, which
// is that of the acknowledgement (nats-server 2.15.3):
//
//	$JS.ACK.<stream>.<consumer>.<five numbers>@<subject>

const ackLead = "$JS.ACK."

// ackDots is how many dots there are in front of what the first '@' may stand behind: names
// of streams and consumers may have some of their own.
const ackDots = 8

// AppendShown appends a reply subject with the subject to be shown to b. A reply subject of
// another kind is appended alone: who reads it could not tell.
func AppendShown(b, reply, shown []byte) []byte {
	b = append(b, reply...)
	if !bytes.HasPrefix(reply, []byte(ackLead)) || bytes.Count(reply, []byte{'.'}) < ackDots {
		return b
	}
	return append(append(b, '@'), shown...)
}

// CutShown splits a reply subject with a subject to be shown; shown is nil if there is none.
func CutShown(reply []byte) (ack, shown []byte) {
	if len(reply) < len(ackLead) || string(reply[:len(ackLead)]) != ackLead {
		return reply, nil
	}
	dots := 0
	for i, c := range reply {
		switch {
		case c == '.':
			dots++
		case c == '@' && dots >= ackDots && i+1 < len(reply):
			return reply[:i], reply[i+1:]
		case c == '@' && dots >= ackDots:
			return reply, nil
		}
	}
	return reply, nil
}
