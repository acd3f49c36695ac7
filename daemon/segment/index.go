package segment

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"sort"

	"github.com/nats-broker/nats-broker/daemon/subjects"
)

func sortNumbers(n []uint32) { slices.Sort(n) }

// searchNumbers returns the first place in n whose number is at least v.
func searchNumbers(n []uint32, v uint32) int {
	return sort.Search(len(n), func(i int) bool { return n[i] >= v })
}

// An index says where the records of a run are and which subjects they have. It stands behind
// the run's pages, or at the end of a segment for all of them:
//
//	body   a run of subjects (see package subjects): its leaves
//	head   magic (4), version (1), 0 (3), bytes of the body (8), keyed sum of the whole head (8);
//	       records, pages; of each page offset, size, records, sequences and times; of pages with gaps the
//	       sequences; the head of the run of subjects
//
// The head is read as a whole when the run is used for the first time, leaves as they are needed.
const (
	indexMagic   = 0x7869424e // "NBix"
	indexHead    = 24
	indexVersion = 1
)

// pagePlace is a page in an index.
type pagePlace struct {
	off              int64
	size             uint32
	number           uint32 // of its first record in the run
	n                uint32
	first, last      uint64 // sequences
	minTime, maxTime int64
	deltas           []uint32 // sequences from the first one; nil if there are no gaps
}

// index is an index whose head was read.
type index struct {
	pages []pagePlace
	n     int
	names *subjects.Run
	bytes int
}

// appendHead appends the head of an index that will stand at off in a file.
func appendHead(b []byte, pages []pagePlace, body int, names []byte, k *key, file uint64, off int64) []byte {
	at := len(b)
	b = binary.LittleEndian.AppendUint32(b, indexMagic)
	b = append(b, indexVersion, 0, 0, 0)
	b = binary.LittleEndian.AppendUint64(b, uint64(body))
	b = binary.LittleEndian.AppendUint64(b, 0)
	n := uint32(0)
	for i := range pages {
		n += pages[i].n
	}
	b = binary.AppendUvarint(b, uint64(n))
	b = binary.AppendUvarint(b, uint64(len(pages)))
	var end int64
	var seq uint64
	var t int64
	for i := range pages {
		p := &pages[i]
		b = binary.AppendUvarint(b, uint64(p.off-end))
		b = binary.AppendUvarint(b, uint64(p.size))
		b = binary.AppendUvarint(b, uint64(p.n))
		b = binary.AppendUvarint(b, p.first-seq)
		b = binary.AppendUvarint(b, p.last-p.first)
		b = binary.AppendVarint(b, p.minTime-t)
		b = binary.AppendUvarint(b, uint64(p.maxTime-p.minTime))
		if p.last-p.first+1 != uint64(p.n) {
			for j := 1; j < len(p.deltas); j++ {
				b = binary.AppendUvarint(b, uint64(p.deltas[j]-p.deltas[j-1]))
			}
		}
		end, seq, t = p.off+int64(p.size), p.last, p.maxTime
	}
	b = append(b, names...)
	binary.LittleEndian.PutUint64(b[at+16:], k.sum(file, off, b[at:at+16], b[at+indexHead:]))
	return b
}

// readHead reads the head of an index, which is all of b and stands at off in a file. leaves
// are where the body is. The index keeps b.
func readHead(b []byte, k *key, file uint64, off int64, leaves subjects.Source) (*index, error) {
	if len(b) < indexHead || binary.LittleEndian.Uint32(b) != indexMagic {
		return nil, fmt.Errorf("index: %w", subjects.ErrDamaged)
	}
	if b[4] != indexVersion {
		return nil, fmt.Errorf("index of version %d: %w", b[4], errUnknown)
	}
	if k.sum(file, off, b[:16], b[indexHead:]) != binary.LittleEndian.Uint64(b[16:]) {
		return nil, fmt.Errorf("index: %w", subjects.ErrDamaged)
	}
	return parseHead(b[indexHead:], leaves, len(b))
}

func parseHead(b []byte, leaves subjects.Source, size int) (*index, error) {
	d := decoder{b: b}
	x := &index{n: d.int()}
	x.pages = make([]pagePlace, 0, d.length(7))
	var end int64
	var seq uint64
	var t int64
	number := 0
	for range cap(x.pages) {
		p := pagePlace{off: end + d.place(), size: uint32(d.int()), number: uint32(number), n: uint32(d.int())}
		step, span := d.uint(), d.uint()
		p.first = seq + step
		p.last = p.first + span
		p.minTime = t + d.signed()
		p.maxTime = p.minTime + int64(d.uint())
		if d.bad || p.n == 0 || step == 0 || p.last < p.first || span > math.MaxUint32 || span < uint64(p.n-1) {
			return nil, fmt.Errorf("index: pages: %w", subjects.ErrDamaged)
		}
		if span+1 != uint64(p.n) {
			if int(p.n) > len(d.b)+1 {
				return nil, fmt.Errorf("index: pages: %w", subjects.ErrDamaged)
			}
			p.deltas = make([]uint32, p.n)
			at := uint64(0)
			for i := 1; i < int(p.n); i++ {
				step := d.uint()
				at += step
				if step == 0 || at > span {
					d.fail()
					break
				}
				p.deltas[i] = uint32(at)
			}
			if d.bad || at != span {
				return nil, fmt.Errorf("index: pages: %w", subjects.ErrDamaged)
			}
		}
		number += int(p.n)
		size += 4 * len(p.deltas)
		end, seq, t = p.off+int64(p.size), p.last, p.maxTime
		x.pages = append(x.pages, p)
	}
	if d.bad || number != x.n {
		return nil, fmt.Errorf("index: pages: %w", subjects.ErrDamaged)
	}
	var err error
	if x.names, err = subjects.OpenRun(d.b, leaves); err != nil {
		return nil, err
	}
	x.bytes = size + 96*len(x.pages) + 200
	return x, nil
}

// page returns the page that holds the record with a number.
func (x *index) page(number uint32) *pagePlace {
	i := sort.Search(len(x.pages), func(i int) bool { return x.pages[i].number > number })
	return &x.pages[i-1]
}

// seq returns the sequence of the record with a number.
func (x *index) seq(number uint32) uint64 {
	p := x.page(number)
	return p.seq(number - p.number)
}

// seq returns the sequence of the record with a number in the page.
func (p *pagePlace) seq(i uint32) uint64 {
	if p.deltas == nil {
		return p.first + uint64(i)
	}
	return p.first + uint64(p.deltas[i])
}

// at returns the number of the first record at or behind seq; x.n: there is none.
func (x *index) at(seq uint64) uint32 {
	i := sort.Search(len(x.pages), func(i int) bool { return x.pages[i].last >= seq })
	if i == len(x.pages) {
		return uint32(x.n)
	}
	p := &x.pages[i]
	switch {
	case seq <= p.first:
		return p.number
	case p.deltas == nil:
		return p.number + uint32(seq-p.first)
	}
	return p.number + uint32(searchNumbers(p.deltas, uint32(seq-p.first)))
}

// exact returns the number of the record with a sequence.
func (x *index) exact(seq uint64) (uint32, bool) {
	n := x.at(seq)
	return n, n < uint32(x.n) && x.seq(n) == seq
}
