package segment

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math/bits"
)

// Deletions are kept apart from the records, in files of their own: of each run whose deletions
// changed since the last sync all of them, one behind the other, and the whole once more, so
// that a flipped bit costs nothing.
//
//	length of what follows (4), CRC32C of it (4); file, first and last sequence and records of the
//	run, kind; numbers of the dead as differences (kind 0), or of the living (1), or bits (2)
const (
	deadList = iota
	liveList
	deadBits
)

var errDead = errors.New("deletions damaged")

// deadPlace is where a run's deletions are; file 0: there are none.
type deadPlace struct {
	file uint64
	off  int64
	size int
}

// deadRecord is one run's deletions as they are read.
type deadRecord struct {
	file        uint64
	first, last uint64
	n           int
	dead        bitset
}

func appendDead(b []byte, file, first, last uint64, n int, dead bitset) []byte {
	at := len(b)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0)
	b = binary.AppendUvarint(b, file)
	b = binary.AppendUvarint(b, first)
	b = binary.AppendUvarint(b, last)
	b = binary.AppendUvarint(b, uint64(n))
	gone := dead.count(0, uint32(n))
	switch {
	case gone < n/16:
		b = appendNumbers(append(b, deadList), dead, n, gone, false)
	case n-gone < n/16:
		b = appendNumbers(append(b, liveList), dead, n, n-gone, true)
	default:
		b = append(b, deadBits)
		for _, w := range dead {
			b = binary.LittleEndian.AppendUint64(b, w)
		}
	}
	binary.LittleEndian.PutUint32(b[at:], uint32(len(b)-at-8))
	binary.LittleEndian.PutUint32(b[at+4:], crc32.Checksum(b[at+8:], castagnoli))
	return b
}

// appendNumbers appends the numbers of the dead, or of the living, as differences.
func appendNumbers(b []byte, dead bitset, n, count int, living bool) []byte {
	b = binary.AppendUvarint(b, uint64(count))
	before := 0
	for w := range dead {
		m := dead[w]
		if living {
			m = ^m & mask(w, 0, uint32(n))
		}
		for ; m != 0; m &= m - 1 {
			i := w<<6 + bits.TrailingZeros64(m)
			b = binary.AppendUvarint(b, uint64(i-before))
			before = i
		}
	}
	return b
}

// readDead reads the deletions of one run, which stand at the beginning of b; size is how much
// of b they are, also after an error if that is known. most says how many records of a file there may be: a list is shorter
// than the records it is of, so that their number is bounded by what is there of them.
func readDead(b []byte, most func(file uint64) int) (r deadRecord, size int, err error) {
	if len(b) < 8 {
		return r, 0, errDead
	}
	n := int(binary.LittleEndian.Uint32(b))
	if n > len(b)-8 || crc32.Checksum(b[8:8+n], castagnoli) != binary.LittleEndian.Uint32(b[4:]) {
		return r, 0, errDead
	}
	d := decoder{b: b[8 : 8+n]}
	r = deadRecord{file: d.uint(), first: d.uint(), last: d.uint(), n: d.int()}
	kind := d.bytes(1)
	if d.bad || r.n > most(r.file) || r.last < r.first || r.last-r.first < uint64(r.n)-1 {
		return r, 8 + n, errDead
	}
	r.dead = newBitset(r.n)
	switch kind[0] {
	case deadBits:
		if len(d.b) != 8*len(r.dead) {
			return r, 8 + n, errDead
		}
		for w := range r.dead {
			r.dead[w] = binary.LittleEndian.Uint64(d.b[8*w:])
			if r.dead[w]&^mask(w, 0, uint32(r.n)) != 0 {
				return r, 8 + n, errDead
			}
		}
	case deadList, liveList:
		at := 0
		for range d.length(1) {
			at += d.int()
			if d.bad || at >= r.n {
				return r, 8 + n, errDead
			}
			r.dead.set(uint32(at))
		}
		if kind[0] == liveList {
			for w := range r.dead {
				r.dead[w] = ^r.dead[w] & mask(w, 0, uint32(r.n))
			}
		}
	default:
		return r, 8 + n, errDead
	}
	return r, 8 + n, nil
}

// maxRecords bounds the records of a run.
const maxRecords = 1 << 27
