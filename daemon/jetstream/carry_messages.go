package jetstream

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"

	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/stream/memlog"
)

// A message in the file that goes with what is carried is six numbers, little endian: sequence and time of eight bytes, the lengths
// of subject, header and payload of four, and nothing of four; then these.
const carriedHead = 32

var errCarried = errors.New("messages that were handed over are damaged")

// writeMessages writes all messages of a log.
func writeMessages(to io.Writer, log stream.Log) (msgs uint64, size int64, err error) {
	var r stream.Record
	var head [carriedHead]byte
	for seq, ok := log.Next(0, nil); ok; seq, ok = log.Next(seq+1, nil) {
		if err := log.Load(seq, &r); err != nil {
			return msgs, size, err
		}
		binary.LittleEndian.PutUint64(head[0:], seq)
		binary.LittleEndian.PutUint64(head[8:], uint64(r.Time))
		binary.LittleEndian.PutUint32(head[16:], uint32(len(r.Subject)))
		binary.LittleEndian.PutUint32(head[20:], uint32(len(r.Header)))
		binary.LittleEndian.PutUint32(head[24:], uint32(len(r.Payload)))
		for _, b := range [][]byte{head[:], r.Subject, r.Header, r.Payload} {
			n, err := to.Write(b)
			if size += int64(n); err != nil {
				return msgs, size, err
			}
		}
		msgs++
	}
	return msgs, size, nil
}

// readMessages makes a log of what writeMessages has written, and nothing else. Memory grows with what there is.
func readMessages(from *io.SectionReader, msgs uint64) (*memlog.Log, error) {
	log := memlog.New()
	in := bufio.NewReaderSize(from, 1<<16)
	left := from.Size()
	var head [carriedHead]byte
	var body []byte
	for range msgs {
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return nil, errCarried
		}
		left -= carriedHead
		subj, header := int64(binary.LittleEndian.Uint32(head[16:])), int64(binary.LittleEndian.Uint32(head[20:]))
		size := subj + header + int64(binary.LittleEndian.Uint32(head[24:]))
		if size > left || subj == 0 {
			return nil, errCarried
		}
		left -= size
		if int64(cap(body)) < size {
			body = make([]byte, size)
		}
		body = body[:size]
		if _, err := io.ReadFull(in, body); err != nil {
			return nil, errCarried
		}
		r := stream.Record{Seq: binary.LittleEndian.Uint64(head[0:]), Time: int64(binary.LittleEndian.Uint64(head[8:])),
			Subject: body[:subj], Header: body[subj : subj+header], Payload: body[subj+header:]}
		if err := log.Append(&r); err != nil {
			return nil, errCarried
		}
	}
	if left != 0 {
		return nil, errCarried
	}
	return log, nil
}
