package subjects

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"sort"
)

// A run is a sorted list of subjects with the numbers of their records, written once and read
// in small pieces. Numbers count the records of whatever the run belongs to, from 0.
//
//	leaf     entries, 16 of them from one restart to the next; then the restarts' offsets
//	         (2 bytes each) and their number (2); CRC32C of that (4); postings; their CRC32C (4)
//	entry    length shared with the entry before, length of the rest, rest, messages, first number,
//	         [last-first, bytes of postings]  if more than one message; all numbers uvarints
//	postings differences between the numbers from the second to the last but one; none if the
//	         numbers follow one another
//	head     names, records, leaves; of each leaf the first name, lengths of entries and postings,
//	         names; the bloom's length and bits
//
// The head is read as a whole, by whoever keeps the run and sums it; leaves carry their own sums.
type Run struct {
	src    Source
	names  int
	leaves []leaf
	bloom  bloom
}

type leaf struct {
	first    []byte
	off      int64
	entries  int // bytes with their CRC
	postings int // the same; 0: none
	names    int
}

// Source gives the bytes of a run. What View returns must not be changed and stays as it is.
type Source interface {
	View(off int64, n int) ([]byte, error)
}

// Bytes is a run in memory.
type Bytes []byte

// View implements [Source].
func (b Bytes) View(off int64, n int) ([]byte, error) {
	if off < 0 || n < 0 || off+int64(n) > int64(len(b)) {
		return nil, ErrDamaged
	}
	return b[off : off+int64(n)], nil
}

// ErrDamaged says that a run, or a part of it, is not what was written.
var ErrDamaged = errors.New("subject index damaged")

// Hit is what a run knows of one subject.
type Hit struct {
	Msgs        int
	First, Last uint32 // numbers of records

	leaf int32
	off  int32 // of the postings in the leaf's; n bytes. The postings of 2 and of numbers that follow one another are not there
	n    int32
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const (
	restartEach = 16
	leafBytes   = 8 << 10
	leafPosts   = 32 << 10
	// No leaf is longer but for one name of 64 KiB with all records of a segment.
	maxLeaf = 1 << 30
)

// OpenRun reads the head of a run whose leaves are in src. It keeps head.
func OpenRun(head []byte, src Source) (*Run, error) {
	d := decoder{b: head}
	r := &Run{src: src, names: d.int()}
	n := d.int()
	if d.bad || n > len(head) {
		return nil, fmt.Errorf("head: %w", ErrDamaged)
	}
	r.leaves = make([]leaf, 0, n)
	off, names := int64(0), 0
	for range n {
		l := leaf{first: d.bytes(d.int()), off: off, entries: d.int(), postings: d.int(), names: d.int()}
		if d.bad || l.entries > maxLeaf || l.postings > maxLeaf {
			return nil, fmt.Errorf("head: %w", ErrDamaged)
		}
		off += int64(l.entries) + int64(l.postings)
		names += l.names
		r.leaves = append(r.leaves, l)
	}
	r.bloom = bloom(d.bytes(d.int()))
	if d.bad || len(d.b) != 0 || names != r.names {
		return nil, fmt.Errorf("head: %w", ErrDamaged)
	}
	return r, nil
}

// Len returns the number of subjects.
func (r *Run) Len() int { return r.names }

// May reports whether a name with this [Hash] may be in the run, without reading anything.
func (r *Run) May(hash uint64) bool { return r.names > 0 && r.bloom.may(hash) }

// Find returns what the run knows of a subject.
func (r *Run) Find(name []byte) (Hit, bool, error) {
	if !r.May(Hash(name)) {
		return Hit{}, false, nil
	}
	it := Iter{r: r, leaf: -1}
	if !it.seek(name) || string(it.name) != string(name) {
		return Hit{}, false, it.err
	}
	return it.hit, true, nil
}

// leafFor returns the leaf in which a name would be.
func (r *Run) leafFor(name []byte) int {
	i := sort.Search(len(r.leaves), func(i int) bool { return string(r.leaves[i].first) > string(name) })
	return max(i-1, 0)
}

// Numbers appends the numbers of a hit's records to to, in order. n is how many records there are: a hit that says more
// is damaged.
func (r *Run) Numbers(h Hit, n int, to []uint32) ([]uint32, error) {
	if uint64(h.Last) >= uint64(n) {
		return to, fmt.Errorf("record %d of %d: %w", h.Last, n, ErrDamaged)
	}
	if h.Msgs == int(h.Last-h.First)+1 {
		for i := h.First; ; i++ {
			to = append(to, i)
			if i == h.Last {
				return to, nil
			}
		}
	}
	to = append(to, h.First)
	if h.Msgs > 2 {
		b, err := r.postings(h)
		if err != nil {
			return to, err
		}
		d, at := decoder{b: b}, h.First
		for range h.Msgs - 2 {
			at += uint32(d.uint())
			if d.bad || at >= h.Last {
				return to, fmt.Errorf("postings: %w", ErrDamaged)
			}
			to = append(to, at)
		}
	}
	return append(to, h.Last), nil
}

func (r *Run) postings(h Hit) ([]byte, error) {
	l := &r.leaves[h.leaf]
	b, err := r.src.View(l.off+int64(l.entries), l.postings)
	if err != nil {
		return nil, err
	}
	if b, err = checked(b); err != nil {
		return nil, err
	}
	if int(h.off)+int(h.n) > len(b) {
		return nil, fmt.Errorf("postings: %w", ErrDamaged)
	}
	return b[h.off : h.off+h.n], nil
}

// checked cuts the CRC off b if it is right.
func checked(b []byte) ([]byte, error) {
	n := len(b) - 4
	if n < 0 || crc32.Checksum(b[:n], castagnoli) != binary.LittleEndian.Uint32(b[n:]) {
		return nil, ErrDamaged
	}
	return b[:n], nil
}

// decoder reads uvarints and bytes; what does not fit makes it bad, and zero from then on.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}

// int reads a number that fits 31 bits.
func (d *decoder) int() int {
	v := d.uint()
	if v > 1<<31-1 {
		d.bad, d.b = true, nil
		return 0
	}
	return int(v)
}

func (d *decoder) bytes(n int) []byte {
	if n > len(d.b) {
		d.bad, d.b = true, nil
		return nil
	}
	b := d.b[:n:n]
	d.b = d.b[n:]
	return b
}

// Verify reads all leaves of the run from src, which holds the same bytes as the run's own
// source, and checks their sums.
func (r *Run) Verify(src Source) error {
	for i := range r.leaves {
		l := &r.leaves[i]
		b, err := src.View(l.off, l.entries)
		if err == nil {
			_, err = checked(b)
		}
		if err == nil && l.postings > 0 {
			if b, err = src.View(l.off+int64(l.entries), l.postings); err == nil {
				_, err = checked(b)
			}
		}
		if err != nil {
			return fmt.Errorf("leaf %d: %w", i, err)
		}
	}
	return nil
}
