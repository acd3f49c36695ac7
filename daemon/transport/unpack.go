package transport

import (
	"encoding/binary"
	"errors"

	"github.com/klauspost/compress/s2"

	"github.com/nats-broker/nats-broker/daemon/batch"
)

// What is wrong with a stream that should be compressed.
var (
	errUnpackBegin = errors.New("s2: not a compressed stream")
	errUnpackChunk = errors.New("s2: corrupt chunk")
	errUnpackSize  = errors.New("s2: chunk larger than 4 MiB")
	errUnpackCheck = errors.New("s2: wrong checksum")
)

// unpacker is the source of what a peer has compressed. A read without data fails
// with os.ErrDeadlineExceeded, as in cipherWire.
//
// Its memory is bounded, whatever the peer sends: a chunk may hold 4 MiB at most, and
// the next one is looked at when that was read. While a connection is idle it holds
// nothing.
type unpacker struct {
	intake
	begun bool
	skip  int // bytes of a chunk that means nothing

	plain *batch.Block // what did not fit into the reader's buffer
	at    int
	end   int
}

func (u *unpacker) Read(p []byte) (int, error) {
	for {
		if u.plain != nil {
			return u.drain(p), nil
		}
		n, need, err := u.next(p)
		if n > 0 || err != nil {
			return n, err
		}
		if need == 0 { // a chunk without data, or one that left more in plain
			continue
		}
		if err := u.fill(need); err != nil {
			return 0, err
		}
	}
}

func (u *unpacker) drain(p []byte) int {
	n := copy(p, u.plain.Bytes()[u.at:u.end])
	if u.at += n; u.at == u.end {
		u.plain.Release()
		u.plain = nil
	}
	return n
}

// next unpacks the next chunk into p, or into plain if it does not fit. need is how
// much input there must be before it makes sense to call again; 0: at once.
func (u *unpacker) next(p []byte) (n, need int, err error) {
	if k := min(u.skip, u.to-u.from); k > 0 {
		u.skip -= k
		u.from += k
	}
	in := u.input()
	if u.skip > 0 || len(in) < chunkHead {
		return 0, chunkHead, nil
	}
	word := binary.LittleEndian.Uint32(in)
	kind, size := byte(word), int(word>>8)
	switch {
	case kind == chunkBegin:
		return u.begin(in, size)
	case !u.begun:
		return 0, 0, errUnpackBegin
	case kind >= chunkSkippable:
		u.from += chunkHead
		u.skip = size
		return 0, 0, nil
	case kind >= chunkReserved, size < chunkSum:
		return 0, 0, errUnpackChunk
	case size > chunkSum+s2.MaxEncodedLen(maxUnpacked):
		return 0, 0, errUnpackSize
	case len(in) < chunkHead+size:
		return 0, chunkHead + size, nil
	}
	u.from += chunkHead + size
	n, err = u.unpack(p, kind, in[chunkHead:chunkHead+size])
	return n, 0, err
}

// begin handles the chunk that says what the stream is; it may come again.
func (u *unpacker) begin(in []byte, size int) (n, need int, err error) {
	const whole = len(streamBegin)
	switch {
	case size != whole-chunkHead:
		return 0, 0, errUnpackBegin
	case len(in) < whole:
		return 0, whole, nil
	}
	if body := string(in[chunkHead:whole]); body != streamBegin[chunkHead:] && body != "sNaPpY" {
		return 0, 0, errUnpackBegin
	}
	u.begun = true
	u.from += whole
	return 0, 0, nil
}

func (u *unpacker) unpack(p []byte, kind byte, data []byte) (int, error) {
	check, data := binary.LittleEndian.Uint32(data), data[chunkSum:]
	size := len(data)
	if kind == chunkPacked {
		var err error
		if size, err = s2.DecodedLen(data); err != nil {
			return 0, errUnpackChunk
		}
	}
	if size > maxUnpacked {
		return 0, errUnpackSize
	}
	dst := p
	if size > len(p) {
		u.plain, u.at, u.end = batch.NewBlock(size), 0, size
		dst = u.plain.Bytes()
	}
	dst = dst[:size]
	if kind == chunkStored {
		copy(dst, data)
	} else if _, err := s2.Decode(dst, data); err != nil {
		return 0, errUnpackChunk
	}
	if chunkCheck(dst) != check {
		return 0, errUnpackCheck
	}
	if u.plain != nil {
		return 0, nil
	}
	return size, nil
}

// close gives back what the unpacker holds.
func (u *unpacker) close() {
	u.intake.close()
	if u.plain != nil {
		u.plain.Release()
		u.plain = nil
	}
}
