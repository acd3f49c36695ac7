package jetstream

import (
	"archive/tar"
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
	"github.com/nats-broker/nats-broker/daemon/jetstream/archive"
	"github.com/nats-broker/nats-broker/daemon/stream"
)

// Older versions of nats-server send a snapshot as a tar of their files. What is in it:
//
//	meta.inf, meta.sum           the configuration; that of the request counts
//	msgs/<n>.blk                 messages, in the order of their sequences
//	msgs/index.db                an index of them (restore_old_index.go)
//	obs/<consumer>/meta.inf      the configuration of a consumer
//	obs/<consumer>/o.dat         where it is
//	errors.txt                   why there is no more
//
// A block is a sequence of records, little endian:
//
//	4 length of all of it, the highest bit: it has a header; 8 sequence; 8 time; 2 length of the subject; the subject;
//	4 length of the header, if it has one; the header; the payload; 8 sum
//
// The highest bit of a sequence says that the message was erased, the one below that the record says that a message, written before,
// was deleted. What was purged may still be there: where the stream begins, and how many messages it has, is in the request.

const (
	oldRecordHead = 22
	oldSum        = 8
	oldHeaderBit  = 1 << 31
	oldErased     = 1 << 63
	oldDeleted    = 1 << 62
	oldLargest    = 32 << 20
	oldMeta       = 1 << 20 // more than a configuration has
)

// readOld reads an archive of the old form; state is that of the request.
func (b *rebuilt) readOld(r io.Reader, state api.StreamState) error {
	b.state = state
	if err := b.sound(); err != nil {
		return err
	}
	if err := b.begin(); err != nil {
		return err
	}
	var gone []stream.Range
	consumers := map[string]*api.ArchivedConsumer{}
	t := tar.NewReader(r)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("%w: %w", archive.ErrForm, err)
		}
		if gone, err = b.oldFile(h.Name, t, gone, consumers); err != nil {
			return err
		}
	}
	return b.finishOld(gone, consumers)
}

// oldFile takes one file of the tar.
func (b *rebuilt) oldFile(name string, r io.Reader, gone []stream.Range, consumers map[string]*api.ArchivedConsumer) ([]stream.Range, error) {
	dir, file, _ := strings.Cut(name, "/")
	switch {
	case dir == "errors.txt":
		text, err := io.ReadAll(io.LimitReader(r, oldMeta))
		return gone, errors.Join(fmt.Errorf("the snapshot failed: %s", text), err)
	case dir == "msgs" && strings.HasSuffix(file, ".blk"):
		return b.oldBlock(bufio.NewReaderSize(r, 64<<10), gone)
	case dir == "msgs" && file == "index.db":
		text, err := io.ReadAll(r)
		if err != nil {
			return gone, err
		}
		more, err := oldIndex(text)
		return append(gone, more...), err
	case dir != "obs":
		return gone, nil
	}
	consumer, file, _ := strings.Cut(file, "/")
	c := consumers[consumer]
	if c == nil {
		c = new(api.ArchivedConsumer)
		consumers[consumer] = c
	}
	switch file {
	case "meta.inf":
		text, err := io.ReadAll(io.LimitReader(r, oldMeta))
		if err == nil {
			c.Config = new(api.ConsumerConfig)
			err = json.Unmarshal(text, c.Config)
		}
		return gone, err
	case "o.dat":
		text, err := io.ReadAll(r)
		if err == nil {
			c.State, err = oldConsumerState(text)
		}
		if err != nil {
			err = fmt.Errorf("consumer %q: %w", consumer, err)
		}
		return gone, err
	}
	return gone, nil
}

// oldBlock takes the messages of a block, and adds those that were deleted to gone.
func (b *rebuilt) oldBlock(r *bufio.Reader, gone []stream.Range) ([]stream.Range, error) {
	var head [oldRecordHead]byte
	for {
		if _, err := io.ReadFull(r, head[:]); errors.Is(err, io.EOF) {
			return gone, nil
		} else if err != nil {
			return gone, oldCut(err)
		}
		size := binary.LittleEndian.Uint32(head[:])
		withHeader := size&oldHeaderBit != 0
		size &^= oldHeaderBit
		named := int(binary.LittleEndian.Uint16(head[20:]))
		if size < oldRecordHead+oldSum || size > oldLargest || named > int(size)-oldRecordHead-oldSum {
			return gone, archive.ErrDamaged
		}
		body, err := io.ReadAll(io.LimitReader(r, int64(size-oldRecordHead)))
		if err == nil && len(body) < int(size-oldRecordHead) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return gone, oldCut(err)
		}
		seq := binary.LittleEndian.Uint64(head[4:])
		switch {
		case seq&oldDeleted != 0 && seq&oldErased == 0:
			gone = append(gone, stream.Range{From: seq &^ oldDeleted, To: seq &^ oldDeleted})
			continue
		case seq == 0, seq&oldErased != 0, seq < b.state.FirstSeq:
			continue
		case seq > b.state.LastSeq || seq <= b.log.State().Last:
			return gone, fmt.Errorf("message sequence %d out of order", seq)
		}
		if err := b.oldMessage(seq, int64(binary.LittleEndian.Uint64(head[12:])), body[:len(body)-oldSum], named, withHeader); err != nil {
			return gone, err
		}
	}
}

func oldCut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return archive.ErrCut
	}
	return err
}

func (b *rebuilt) oldMessage(seq uint64, at int64, body []byte, named int, withHeader bool) error {
	subj, rest := body[:named], body[named:]
	var header []byte
	if withHeader {
		if len(rest) < 4 || uint64(binary.LittleEndian.Uint32(rest)) > uint64(len(rest)-4) {
			return archive.ErrDamaged
		}
		n := binary.LittleEndian.Uint32(rest)
		header, rest = rest[4:4+n], rest[4+n:]
	}
	return b.store(&stream.Record{Seq: seq, Time: at, Subject: subj, Header: header, Payload: rest})
}

// finishOld brings the log to what the stream was.
func (b *rebuilt) finishOld(gone []stream.Range, consumers map[string]*api.ArchivedConsumer) error {
	for _, r := range gone {
		for seq, ok := b.log.Next(r.From, nil); ok && seq <= r.To; seq, ok = b.log.Next(seq+1, nil) {
			if _, err := b.log.Remove(seq); err != nil {
				return err
			}
		}
	}
	if b.log.State().Last < b.state.LastSeq {
		if err := b.log.Skip(b.state.LastSeq); err != nil {
			return err
		}
	}
	if n := b.log.State().Msgs; n != b.state.Msgs {
		return fmt.Errorf("the archive has %d messages, and its state says %d", n, b.state.Msgs)
	}
	names := make([]string, 0, len(consumers))
	for name := range consumers {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := b.addConsumer(name, consumers[name]); err != nil {
			return err
		}
	}
	return b.trim()
}

// oldConsumerState reads where a consumer is. Its sequences are given from the floor of acks on, its times in seconds before the
// latest, or, in the first version, behind the earliest.
func oldConsumerState(text []byte) (*api.ConsumerState, error) {
	const magic = 22
	if len(text) < 2 || text[0] != magic || text[1] != 1 && text[1] != 2 {
		return nil, archive.ErrDamaged
	}
	version := text[1]
	r := oldNumbers{b: text[2:]}
	s := new(api.ConsumerState)
	for _, n := range []*uint64{&s.AckFloor.Consumer, &s.AckFloor.Stream, &s.Delivered.Consumer, &s.Delivered.Stream} {
		*n = r.uint()
	}
	if version == 1 {
		s.Delivered.Consumer += max(s.AckFloor.Consumer, 1) - 1
		s.Delivered.Stream += max(s.AckFloor.Stream, 1) - 1
	}
	if n := r.uint(); n > 0 {
		base := r.int()
		s.Pending = map[uint64]api.PendingDelivery{}
		for ; n > 0 && !r.bad; n-- {
			seq, num := r.uint()+s.AckFloor.Stream, uint64(0)
			if version == 2 {
				num = r.uint() + s.AckFloor.Consumer
			}
			at := base - r.int()
			if version == 1 {
				at = 2*base - at
			}
			s.Pending[seq] = api.PendingDelivery{Sequence: num, Timestamp: at * 1e9}
		}
	}
	if n := r.uint(); n > 0 {
		s.Redelivered = map[uint64]uint64{}
		for ; n > 0 && !r.bad; n-- {
			seq := r.uint() + s.AckFloor.Stream
			s.Redelivered[seq] = r.uint()
		}
	}
	if r.bad || s.AckFloor.Stream > 1<<62 || s.Delivered.Stream > 1<<62 {
		return nil, archive.ErrDamaged
	}
	return s, nil
}

// oldNumbers takes varints from the front of a text.
type oldNumbers struct {
	b   []byte
	bad bool
}

func (r *oldNumbers) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *oldNumbers) int() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}
