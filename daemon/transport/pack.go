package transport

import (
	"encoding/binary"
	"hash/crc32"
	"sync/atomic"
	"syscall"

	"github.com/klauspost/compress/s2"

	"github.com/nats-broker/nats-broker/daemon/batch"
)

// Packing is how hard a connection's output is compressed. All of them make the same
// stream, so that it may change between any two writes.
type Packing int32

// The kinds of packing, from cheap to thorough.
const (
	PackStored Packing = iota // framed and checked, but not compressed
	PackFast
	PackBetter
	PackBest
)

// The chunks of the framing format of Snappy, which S2 extends by a larger block:
// https://github.com/google/snappy/blob/main/framing_format.txt. Each begins with
// its type and the length, in three bytes, of what follows; data begin with a
// checksum of what they unpack to.
const (
	chunkPacked    = 0x00
	chunkStored    = 0x01
	chunkReserved  = 0x02 // from here on to chunkSkippable: a reader must give up
	chunkSkippable = 0x80 // from here on, but for chunkBegin: a reader skips it
	chunkBegin     = 0xff

	chunkHead = 4
	chunkSum  = 4
)

const streamBegin = "\xff\x06\x00\x00S2sTwO"

const (
	packPiece   = batch.Burst // the most that one chunk of ours holds
	packLeast   = 64          // less is not worth the try
	packShort   = 4 << 10     // up to here, PackBest gains nothing over PackBetter and takes 70 times as long
	maxUnpacked = 4 << 20     // the most that a chunk of a peer may hold, as S2 has it
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// chunkCheck is the checksum of a chunk's data: the format masks the CRC, so that
// the checksum of data that contain their own checksum stays a good one.
func chunkCheck(p []byte) uint32 {
	c := crc32.Checksum(p, castagnoli)
	return (c>>15 | c<<17) + 0xa282ead8
}

// packer is the filter that compresses. Below it is the descriptor or, with TLS,
// another filter.
type packer struct {
	fd    int
	below filter // nil: the descriptor
	how   atomic.Int32

	begun    bool
	blk      *batch.Block // of what is kept; nil while that is nothing
	from, to int
}

func (k *packer) piece() int { return packPiece }

// slow reports whether n bytes take so long to pack that whoever sends them should
// leave it to a goroutine: some 20 MB/s, against more than 600 of the others.
func (k *packer) slow(n int64) bool { return Packing(k.how.Load()) == PackBest && n > packShort }

// take packs p into one chunk.
func (k *packer) take(p []byte) error {
	head := 0
	if !k.begun {
		k.begun, head = true, len(streamBegin)
	}
	k.blk = batch.NewBlock(head + chunkHead + chunkSum + s2.MaxEncodedLen(len(p)))
	b := k.blk.Bytes()
	copy(b[:head], streamBegin)
	b = b[head:]
	kind, n := byte(chunkPacked), k.encode(b[chunkHead+chunkSum:], p)
	if n == 0 {
		kind, n = chunkStored, copy(b[chunkHead+chunkSum:], p)
	}
	binary.LittleEndian.PutUint32(b, uint32(n+chunkSum)<<8|uint32(kind))
	binary.LittleEndian.PutUint32(b[chunkHead:], chunkCheck(p))
	k.from, k.to = 0, head+chunkHead+chunkSum+n
	return nil
}

// encode compresses p into dst and returns the length, 0 if it is not worth it.
func (k *packer) encode(dst, p []byte) int {
	how := Packing(k.how.Load())
	if how == PackStored || len(p) < packLeast {
		return 0
	}
	f := s2.Encode
	switch {
	case how == PackBest && len(p) > packShort:
		f = s2.EncodeBest
	case how >= PackBetter:
		f = s2.EncodeBetter
	}
	if n := len(f(dst, p)); n < len(p)-len(p)/32 {
		return n
	}
	return 0
}

func (k *packer) flush() syscall.Errno {
	if k.below != nil {
		if errno := k.below.flush(); errno != 0 {
			return errno
		}
	}
	for k.from < k.to {
		if errno := k.push(); errno != 0 {
			return errno
		}
	}
	if k.blk != nil {
		k.blk.Release()
		k.blk, k.from, k.to = nil, 0, 0
	}
	return 0
}

// push passes some of what is kept on.
func (k *packer) push() syscall.Errno {
	p := k.blk.Bytes()[k.from:k.to]
	if k.below == nil {
		n, errno := writeNow(k.fd, p)
		k.from += n
		return errno
	}
	p = p[:min(len(p), k.below.piece())]
	if err := k.below.take(p); err != nil {
		return syscall.EPIPE
	}
	k.from += len(p)
	return k.below.flush()
}
