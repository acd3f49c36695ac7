package jetstream

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"strings"

	"github.com/nats-broker/nats-broker/daemon/batch"
	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/subject"
)

// A record is a message as it is staged for a stream, and as it stands in the ledger: four lengths of four bytes, little
// endian, of subject, reply, header and payload; then these. The highest bit of the last length says that header and payload,
// being large, lie in the segment that follows. Behind the reply subject of a message of a fast batch that came by an import there
// are a blank and the one that it was published with.

const (
	recordHead  = 16
	apart       = 1 << 31
	requestInfo = "Nats-Request-Info"
)

// raw is a record taken apart. Its slices are parts of segments.
type raw struct {
	subject, reply, header, payload []byte
	control                         []byte // the reply subject that the message was published with
	piece                           []byte // all of it, but what lies apart
	apart                           []byte // the segment with header and payload, nil if they are in piece
}

// stage writes a message into a lane, under a subject.
func stage(l *batch.Lane, m *broker.Message, subj []byte) {
	header := withoutInfo(m.Header)
	said := publishedReply(m)
	n := recordHead + len(subj) + len(m.Reply) + len(said)
	small := len(header)+len(m.Payload) < batch.KeepFrom || len(header) != len(m.Header)
	if small {
		n += len(header) + len(m.Payload)
	}
	b := l.Reserve(n)[:0]
	b = binary.LittleEndian.AppendUint32(b, uint32(len(subj)))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(m.Reply)+len(said)))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(header)))
	size := uint32(len(m.Payload))
	if !small {
		size |= apart
	}
	b = binary.LittleEndian.AppendUint32(b, size)
	b = append(append(append(b, subj...), m.Reply...), said...)
	switch {
	case small:
		_ = append(append(b, header...), m.Payload...)
	case !m.Refer(l):
		s := m.Hold()
		l.Share(s.Block, s.From, s.To)
		s.Release()
	}
	l.Msgs++
}

// publishedReply returns a blank and the reply subject that a message was published with, if that is one of a fast batch and imports
// have put another one in its place: they tell it to the stream.
func publishedReply(m *broker.Message) []byte {
	if len(m.Header) == 0 || !bytes.HasPrefix(m.Reply, serviceReply) || !bytes.Contains(m.Header, batchReply) {
		return nil
	}
	text, _ := api.Header(m.Header, requestInfo)
	var info broker.ClientInfo
	if json.Unmarshal(text, &info) != nil || !stream.IsControl([]byte(info.Reply)) || strings.ContainsAny(info.Reply, " \r\n") {
		return nil
	}
	return []byte(" " + info.Reply)
}

var (
	serviceReply = []byte(subject.ServiceReply)
	batchReply   = []byte(`.$FI"`) // the end of the one that is told
)

// appendRecord writes down a message that is accepted, without a reply subject.
func appendRecord(b []byte, r *stream.Record) []byte {
	for _, p := range [][]byte{r.Subject, nil, r.Header, r.Payload} {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(p)))
	}
	return append(append(append(b, r.Subject...), r.Header...), r.Payload...)
}

// withoutInfo takes out of a header what an import has told of who asks: that is not stored.
func withoutInfo(header []byte) []byte {
	kept := header
	for {
		i := bytes.Index(kept, []byte("\r\n"+requestInfo+":"))
		if i < 0 {
			return kept
		}
		end := bytes.Index(kept[i+2:], []byte("\r\n"))
		if end < 0 {
			return kept
		}
		rest := kept[i+2+end:]
		if i == len("NATS/1.0") && len(rest) == len("\r\n\r\n") {
			return nil // there was nothing else
		}
		kept = append(append(make([]byte, 0, i+len(rest)), kept[:i]...), rest...)
	}
}

var errRecord = errors.New("a record is cut off")

// next takes the first record off segments; at is the place in the first of them.
func next(segs []batch.Segment, at int) (r raw, rest []batch.Segment, to int, err error) {
	b := segs[0].Bytes()[at:]
	if len(b) < recordHead {
		return r, nil, 0, errRecord
	}
	var n [4]int
	for i := range n {
		n[i] = int(binary.LittleEndian.Uint32(b[4*i:]))
	}
	large := n[3]&apart != 0
	n[3] &^= apart
	size := recordHead + n[0] + n[1]
	if !large {
		size += n[2] + n[3]
	}
	if len(b) < size {
		return r, nil, 0, errRecord
	}
	r.piece = b[:size]
	body := r.piece[recordHead+n[0]+n[1]:]
	r.subject, r.reply = cut(r.piece[recordHead:], n[0]), cut(r.piece[recordHead+n[0]:], n[1])
	r.control = r.reply
	if stream.IsControl(r.reply) {
		if i := bytes.IndexByte(r.reply, ' '); i >= 0 {
			r.reply, r.control = cut(r.reply, i), r.reply[i+1:]
		}
	}
	rest, to = segs, at+size
	if to == segs[0].To-segs[0].From {
		rest, to = segs[1:], 0
	}
	if large {
		if len(rest) == 0 || to != 0 || rest[0].To-rest[0].From != n[2]+n[3] {
			return r, nil, 0, errRecord
		}
		r.apart = rest[0].Bytes()
		body, rest = r.apart, rest[1:]
	}
	if n[2] > 0 {
		r.header = cut(body, n[2])
	}
	r.payload = cut(body[n[2]:], n[3])
	return r, rest, to, nil
}

func cut(b []byte, n int) []byte { return b[:n:n] }
