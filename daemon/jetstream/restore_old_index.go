package jetstream

import (
	"encoding/binary"
	"math/bits"

	"github.com/nats-broker/nats-broker/daemon/jetstream/archive"
	"github.com/nats-broker/nats-broker/daemon/stream"
)

// The index of an old archive (msgs/index.db) knows of deletions that the blocks do not have. It holds, behind the numbers 11 and of
// its version, as varints, times signed: messages, bytes, first sequence, first time, last sequence, last time; the number of subjects, and of
// each its length, itself, messages, first block, and last block if there is another one; the number of blocks, and of each its number, bytes,
// first sequence, first time, last sequence, last time, how many were deleted, how many have an age, how many are schedules, and, if some were
// deleted, a set of sequences.

// oldIndex returns the sequences that are in no block, or deleted in one, as ranges.
func oldIndex(text []byte) (gone []stream.Range, err error) {
	if len(text) < 2 || text[0] != 11 || text[1] < 1 || text[1] > 4 {
		return nil, archive.ErrDamaged
	}
	version := text[1]
	r := &oldNumbers{b: text[2:]}
	r.uint() // messages
	r.uint() // bytes
	r.uint() // first
	r.int()
	r.uint() // last
	r.int()
	for n := r.uint(); n > 0 && !r.bad; n-- {
		size := r.uint()
		if size == 0 || size > uint64(len(r.b)) {
			return nil, archive.ErrDamaged
		}
		r.b = r.b[size:]
		msgs := r.uint()
		r.uint()
		if msgs > 1 || version >= 4 {
			r.uint()
		}
	}
	behind := uint64(0) // the last sequence of the block before
	for n := r.uint(); n > 0 && !r.bad; n-- {
		r.uint() // number
		r.uint() // bytes
		first := r.uint()
		r.int()
		last := r.uint()
		r.int()
		deleted := r.uint()
		for v := byte(2); v <= min(version, 3); v++ {
			r.uint() // messages with an age, schedules
		}
		if first > behind+1 && behind > 0 {
			gone = append(gone, stream.Range{From: behind + 1, To: first - 1})
		}
		behind = max(behind, last)
		if deleted > 0 && !r.bad {
			if gone, err = r.sequences(gone); err != nil {
				return nil, err
			}
		}
	}
	if r.bad {
		return nil, archive.ErrDamaged
	}
	return gone, nil
}

// sequences reads a set: behind the numbers 22 and of its version how many nodes it has and how many sequences, of four bytes, and for
// each node where it begins, a bit for each sequence from there on, and two bytes that are not needed.
func (r *oldNumbers) sequences(to []stream.Range) ([]stream.Range, error) {
	b := r.b
	if len(b) < 10 || b[0] != 22 || b[1] != 1 && b[1] != 2 {
		return nil, archive.ErrDamaged
	}
	words := 64
	if b[1] == 2 {
		words = 32
	}
	nodes, size := uint64(binary.LittleEndian.Uint32(b[2:])), 8*(words+1)+2
	b = b[10:]
	if nodes > uint64(len(b)/size) {
		return nil, archive.ErrDamaged
	}
	for ; nodes > 0; nodes-- {
		base := binary.LittleEndian.Uint64(b)
		for i := range words {
			for w := binary.LittleEndian.Uint64(b[8*(i+1):]); w != 0; w &= w - 1 {
				seq := base + uint64(64*i+bits.TrailingZeros64(w))
				to = append(to, stream.Range{From: seq, To: seq})
			}
		}
		b = b[size:]
	}
	r.b = b
	return to, nil
}
