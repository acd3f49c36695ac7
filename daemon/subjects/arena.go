package subjects

import (
	"golang.org/x/sys/unix"
)

// An arena hands out memory that holds no pointers and is given back as a whole. Its chunks
// lie outside the heap once they are large: the collector neither scans them nor lets the heap
// grow by a share of them, and what is released is the system's at once. Small arenas are
// on the heap, since a mapping takes whole pages and their number is limited.
//
// A place in it is an offset in units of four bytes, so that 32 bits reach 16 GiB.
type arena struct {
	chunks [][]byte
	mapped []bool
	used   int // bytes of the last chunk that are taken
}

const (
	chunkBits  = 18 // 256 KiB
	chunkSize  = 1 << chunkBits
	smallChunk = 256
	mapFrom    = 64 << 10 // from this size on memory is mapped
)

// memory returns n zeroed bytes, outside the heap if they are many.
func memory(n int) (b []byte, mapped bool) {
	if n >= mapFrom {
		b, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
		if err == nil {
			return b, true
		}
	}
	return make([]byte, n), false
}

// giveBack ends the use of what memory returned.
func giveBack(b []byte, mapped bool) {
	if mapped {
		_ = unix.Munmap(b) // fails only for what was never mapped
	}
}

// take returns n bytes and their place. n is at most [chunkSize].
func (a *arena) take(n int) (ref uint32, b []byte) {
	n = (n + 3) &^ 3
	last := len(a.chunks) - 1
	if last < 0 || a.used+n > len(a.chunks[last]) {
		a.more(n)
		last = len(a.chunks) - 1
	}
	b = a.chunks[last][a.used : a.used+n]
	ref = uint32((last<<chunkBits + a.used) >> 2)
	a.used += n
	return ref, b
}

// more makes room for n bytes: the first chunk grows until it has the full size.
func (a *arena) more(n int) {
	if len(a.chunks) == 1 && len(a.chunks[0]) < chunkSize {
		size := len(a.chunks[0])
		for size < a.used+n && size < chunkSize {
			size *= 2
		}
		if size >= a.used+n {
			b, mapped := memory(size)
			copy(b, a.chunks[0][:a.used])
			giveBack(a.chunks[0], a.mapped[0])
			a.chunks[0], a.mapped[0] = b, mapped
			return
		}
		// What does not fit goes into a chunk of its own; the first one must keep its place.
		b, mapped := memory(chunkSize)
		copy(b, a.chunks[0][:a.used])
		giveBack(a.chunks[0], a.mapped[0])
		a.chunks[0], a.mapped[0] = b, mapped
	}
	size := chunkSize
	if len(a.chunks) == 0 {
		for size = smallChunk; size < n; size *= 2 {
		}
	}
	b, mapped := memory(size)
	a.chunks, a.mapped, a.used = append(a.chunks, b), append(a.mapped, mapped), 0
}

// at returns the memory from a place to the end of its chunk.
func (a *arena) at(ref uint32) []byte {
	off := int(ref) << 2
	return a.chunks[off>>chunkBits][off&(chunkSize-1):]
}

// bytes returns how much memory the arena has.
func (a *arena) bytes() int {
	switch n := len(a.chunks); n {
	case 0:
		return 0
	default:
		return len(a.chunks[0]) + (n-1)*chunkSize
	}
}

// release gives everything back. No slice of the arena may be used afterwards.
func (a *arena) release() {
	for i, c := range a.chunks {
		giveBack(c, a.mapped[i])
	}
	*a = arena{}
}
