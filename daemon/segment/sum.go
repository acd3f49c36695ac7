package segment

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"hash/crc32"
	"sync"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// key is 128 random bits of a log. Whatever can be found by looking through a file (pages and
// heads of indexes) is summed with it, with the file's number and its place there, so that
// what a client has sent, and what stood elsewhere, is never taken for it.
type key [16]byte

type hasher struct {
	h   hash.Hash
	out [sha256.Size]byte
	in  [16]byte
}

var hashers = sync.Pool{New: func() any { return &hasher{h: sha256.New()} }}

// sum returns the keyed sum of what stands at off in the file with a number.
func (k *key) sum(file uint64, off int64, pieces ...[]byte) uint64 {
	h := hashers.Get().(*hasher)
	defer hashers.Put(h)
	h.h.Reset()
	copy(h.in[:], k[:])
	h.h.Write(h.in[:])
	binary.LittleEndian.PutUint64(h.in[:], file)
	binary.LittleEndian.PutUint64(h.in[8:], uint64(off))
	h.h.Write(h.in[:])
	for _, p := range pieces {
		h.h.Write(p)
	}
	return binary.LittleEndian.Uint64(h.h.Sum(h.out[:0]))
}

// decoder reads what was written with varints; what does not fit makes it bad, and zero from
// then on.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) fail() {
	d.bad, d.b = true, nil
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

// int reads a number that fits 31 bits.
func (d *decoder) int() int {
	v := d.uint()
	if v > 1<<31-1 {
		d.fail()
		return 0
	}
	return int(v)
}

// place reads an offset or a size in a file.
func (d *decoder) place() int64 {
	v := d.uint()
	if v > 1<<56 {
		d.fail()
		return 0
	}
	return int64(v)
}

func (d *decoder) signed() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) fixed32() uint32 {
	if len(d.b) < 4 {
		d.fail()
		return 0
	}
	v := binary.LittleEndian.Uint32(d.b)
	d.b = d.b[4:]
	return v
}

func (d *decoder) bytes(n int) []byte {
	if n < 0 || n > len(d.b) {
		d.fail()
		return nil
	}
	b := d.b[:n:n]
	d.b = d.b[n:]
	return b
}

// length reads how many of something follow that takes at least size bytes each: what was
// announced allocates no more than what is there.
func (d *decoder) length(size int) int {
	n := d.int()
	if n*size > len(d.b) {
		d.fail()
		return 0
	}
	return n
}
