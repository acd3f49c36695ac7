package journal

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// Format is the version of the files.
const Format = 1

// Block is what a commit begins at and fills: no sector that the disk writes anew for one
// commit holds a byte of another.
const Block = 4096

const (
	headerSize = 128
	headSize   = 96
	entrySize  = 48
	tailSize   = entrySize + headSize // parity and tail

	headerMagic = 0x6a62_6e01 // "nbj", and a byte no text has
	headMagic   = 0x6362_6e01
	tailMagic   = 0x7462_6e01
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func crc(p []byte) uint32 { return crc32.Checksum(p, castagnoli) }

// mark names a commit and what it was: its number and its keyed sum.
type mark struct{ number, sum uint64 }

// header is what a file begins and ends with.
type header struct {
	file       uint64 // how many-th use of a file this is; 0: none, it is filled with zeros
	generation uint64 // how many-th start
	salt       [16]byte
	size       int64  // of the file
	first      uint64 // number of the first commit in it
	after      mark   // the last commit that counts, of those in files before
	oldest     uint64 // files of lower numbers are not needed any more
}

// append writes a header; k is the store's.
func (h *header) append(b []byte, k key) []byte {
	at := len(b)
	b = append(b, make([]byte, headerSize)...)
	p := b[at:]
	le := binary.LittleEndian
	le.PutUint32(p[0:], headerMagic)
	le.PutUint32(p[4:], Format)
	le.PutUint64(p[8:], h.file)
	le.PutUint64(p[16:], h.generation)
	copy(p[24:], h.salt[:])
	le.PutUint64(p[40:], uint64(h.size))
	le.PutUint64(p[48:], h.first)
	le.PutUint64(p[56:], h.after.number)
	le.PutUint64(p[64:], h.after.sum)
	le.PutUint64(p[72:], h.oldest)
	le.PutUint64(p[headerSize-8:], k.sum(p[:headerSize-8]))
	return b
}

// errFormat means that a file is of a version that this one does not know.
type errFormat uint32

func (e errFormat) Error() string {
	return fmt.Sprintf("format %d: this version reads and writes format %d", uint32(e), Format)
}

// parse reads a header and reports whether it is one. A header of another version is an error.
func (h *header) parse(p []byte, k key) (bool, error) {
	le := binary.LittleEndian
	if len(p) < headerSize || le.Uint32(p) != headerMagic ||
		!mutated("sum ignored") && le.Uint64(p[headerSize-8:]) != k.sum(p[:headerSize-8]) {
		return false, nil
	}
	if v := le.Uint32(p[4:]); v != Format {
		return false, errFormat(v)
	}
	h.file, h.generation = le.Uint64(p[8:]), le.Uint64(p[16:])
	copy(h.salt[:], p[24:])
	h.size, h.first = int64(le.Uint64(p[40:])), le.Uint64(p[48:])
	h.after = mark{le.Uint64(p[56:]), le.Uint64(p[64:])}
	h.oldest = le.Uint64(p[72:])
	return true, nil
}

// Flags of a commit.
const (
	flagClosing = 1 << iota // it has no frames and is there to vouch
	flagClean               // the journal was closed behind it
)

// head is what a commit begins with, and is repeated at its end.
type head struct {
	flags   uint32
	number  uint64
	place   uint64 // its first byte in the file
	bytes   uint64 // of the commit, a multiple of Block
	frames  uint32
	table   uint32 // CRC32C of the table
	bodies  uint64 // bytes of all bodies
	before  mark   // the commit that it follows
	durable uint64 // the last commit known to be on the disk when this one was made
	oldest  uint64 // files of lower numbers are not needed any more
	sum     uint64
}

// append writes a head, or a tail; k is that of the use of the file. It fills in h.sum if it is a
// head.
func (h *head) append(b []byte, magic uint32, k key) []byte {
	at := len(b)
	b = append(b, make([]byte, headSize)...)
	p := b[at:]
	le := binary.LittleEndian
	le.PutUint32(p[0:], magic)
	le.PutUint32(p[4:], h.flags)
	le.PutUint64(p[8:], h.number)
	le.PutUint64(p[16:], h.place)
	le.PutUint64(p[24:], h.bytes)
	le.PutUint32(p[32:], h.frames)
	le.PutUint32(p[36:], h.table)
	le.PutUint64(p[40:], h.before.number)
	le.PutUint64(p[48:], h.before.sum)
	le.PutUint64(p[56:], h.durable)
	le.PutUint64(p[64:], h.oldest)
	le.PutUint64(p[72:], h.bodies)
	if magic == tailMagic {
		le.PutUint64(p[80:], h.sum)
	}
	sum := k.sum(p[:headSize-8])
	le.PutUint64(p[headSize-8:], sum)
	if magic == headMagic {
		h.sum = sum
	}
	return b
}

// parse reads a head or tail and reports whether it is one.
func (h *head) parse(p []byte, magic uint32, k key) bool {
	le := binary.LittleEndian
	if len(p) < headSize || le.Uint32(p) != magic {
		return false
	}
	sum := le.Uint64(p[headSize-8:])
	if sum != k.sum(p[:headSize-8]) && !mutated("sum ignored") {
		return false
	}
	if magic == tailMagic {
		sum = le.Uint64(p[80:])
	}
	*h = head{
		flags: le.Uint32(p[4:]), number: le.Uint64(p[8:]), place: le.Uint64(p[16:]), bytes: le.Uint64(p[24:]),
		frames: le.Uint32(p[32:]), table: le.Uint32(p[36:]), before: mark{le.Uint64(p[40:]), le.Uint64(p[48:])},
		durable: le.Uint64(p[56:]), oldest: le.Uint64(p[64:]), bodies: le.Uint64(p[72:]), sum: sum,
	}
	return h.bodies < 1<<40 && h.frames < 1<<24 && h.bytes == commitSize(int(h.frames), int64(h.bodies))
}

func (h *head) mark() mark { return mark{h.number, h.sum} }

// commitSize is how many bytes a commit takes.
func commitSize(frames int, bodies int64) uint64 {
	n := uint64(headSize) + uint64(frames)*entrySize + uint64(bodies) + tailSize
	return (n + Block - 1) / Block * Block
}

// Flags of an entry.
const (
	flagPart = 1 << iota // one of several parts
	flagLast             // the last of them
)

// entry is what a commit's table says of a frame, or of a part of one.
type entry struct {
	body   uint32 // CRC32C
	length uint32
	count  uint32
	stream uint64
	first  uint64
	time   int64
	kind   Kind
	flags  uint8
	part   uint32 // from 0
}

func (e *entry) append(b []byte) []byte {
	at := len(b)
	b = append(b, make([]byte, entrySize)...)
	p := b[at:]
	le := binary.LittleEndian
	le.PutUint32(p[4:], e.body)
	le.PutUint32(p[8:], e.length)
	le.PutUint32(p[12:], e.count)
	le.PutUint64(p[16:], e.stream)
	le.PutUint64(p[24:], e.first)
	le.PutUint64(p[32:], uint64(e.time))
	p[40], p[41] = byte(e.kind), e.flags
	le.PutUint32(p[44:], e.part)
	le.PutUint32(p, crc(p[4:]))
	return b
}

// parse reads an entry of entrySize bytes and reports whether its sum is right.
func (e *entry) parse(p []byte) bool {
	le := binary.LittleEndian
	*e = entry{
		body: le.Uint32(p[4:]), length: le.Uint32(p[8:]), count: le.Uint32(p[12:]), stream: le.Uint64(p[16:]),
		first: le.Uint64(p[24:]), time: int64(le.Uint64(p[32:])), kind: Kind(p[40]), flags: p[41], part: le.Uint32(p[44:]),
	}
	return le.Uint32(p) == crc(p[4:entrySize])
}

// xor adds an entry to a parity.
func xor(parity, entry []byte) {
	for i := range parity {
		parity[i] ^= entry[i]
	}
}
