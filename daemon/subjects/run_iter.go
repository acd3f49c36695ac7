package subjects

import (
	"encoding/binary"
	"fmt"
	"sort"
)

// Iter goes through the subjects of a run that a filter asks for, sorted bytewise.
type Iter struct {
	r      *Run
	f      *Filter
	leaf   int // the one that is open; -1: none
	blk    []byte
	rest   decoder // entries behind the one that stands here
	starts []byte  // offsets of the restarts
	posts  int     // bytes of postings before the next entry's
	left   int     // entries of the leaf that have not been read
	name   []byte
	to     []byte
	hit    Hit
	begun  bool
	err    error
}

// Iter returns an iterator that stands before the first subject.
func (r *Run) Iter(f *Filter) *Iter { return &Iter{r: r, f: f, leaf: -1} }

// Next goes to the next subject that is asked for and reports whether there is one. When it
// returns false, [Iter.Err] says whether the run has been read to its end.
func (it *Iter) Next() bool {
	if it.err != nil {
		return false
	}
	var ok bool
	if !it.begun {
		it.begun = true
		if to, from := it.f.start(it.to); from {
			it.to = to
			ok = it.seek(to)
		} else {
			ok = it.open(0) && it.step()
		}
	} else {
		ok = it.step()
	}
	for ok {
		to, match, more := it.f.seek(it.name, it.to)
		if match {
			return true
		}
		if it.to = to; !more {
			return false
		}
		ok = it.forward(to)
	}
	return false
}

// near is how many entries are looked at one by one before a search: where nearly every name
// begins a new token, the next that may match is the next one.
const near = 8

// forward is seek for a name behind the one that stands here.
func (it *Iter) forward(to []byte) bool {
	for range min(near, it.left) {
		if !it.step() {
			return false
		}
		if string(it.name) >= string(to) {
			return true
		}
	}
	return it.seek(to)
}

// Name returns the subject that the iterator stands at; it is valid until the next call of Next.
func (it *Iter) Name() []byte { return it.name }

// Hit returns what the run knows of it.
func (it *Iter) Hit() Hit { return it.hit }

// Err returns what kept the iterator from reading on.
func (it *Iter) Err() error { return it.err }

func (it *Iter) fail(err error) bool {
	it.err = err
	return false
}

// open begins with leaf i; false: there is none, or it cannot be read.
func (it *Iter) open(i int) bool {
	if i >= len(it.r.leaves) {
		it.left = 0
		return false
	}
	l := &it.r.leaves[i]
	if it.leaf != i {
		b, err := it.r.src.View(l.off, l.entries)
		if err != nil {
			return it.fail(err)
		}
		if b, err = checked(b); err != nil {
			return it.fail(fmt.Errorf("leaf %d: %w", i, err))
		}
		n := len(b) - 2
		if n < 0 {
			return it.fail(fmt.Errorf("leaf %d: %w", i, ErrDamaged))
		}
		restarts := int(binary.LittleEndian.Uint16(b[n:])) * restartSize
		if restarts > n || restarts == 0 {
			return it.fail(fmt.Errorf("leaf %d: %w", i, ErrDamaged))
		}
		it.leaf, it.blk, it.starts = i, b[:n-restarts], b[n-restarts:n]
	}
	it.restart(0)
	return true
}

// restartSize: the offset of the entry (4 bytes) and of its postings (4).
const restartSize = 8

// restart goes before the entry at a restart.
func (it *Iter) restart(i int) {
	s := it.starts[i*restartSize:]
	off := binary.LittleEndian.Uint32(s)
	it.posts = int(binary.LittleEndian.Uint32(s[4:]))
	it.left = it.r.leaves[it.leaf].names - i*restartEach
	it.name = it.name[:0]
	if int(off) > len(it.blk) {
		it.rest = decoder{bad: true}
		return
	}
	it.rest = decoder{b: it.blk[off:]}
}

// step reads the next entry.
func (it *Iter) step() bool {
	for it.left <= 0 {
		if it.leaf < 0 || !it.open(it.leaf+1) {
			return false
		}
	}
	it.left--
	d := &it.rest
	shared, rest := d.int(), d.int()
	tail := d.bytes(rest)
	h := Hit{Msgs: d.int(), First: uint32(d.int()), leaf: int32(it.leaf)}
	h.Last = h.First
	if h.Msgs > 1 {
		h.Last += uint32(d.int())
		h.off, h.n = int32(it.posts), int32(d.int())
		it.posts += int(h.n)
	}
	if d.bad || shared > len(it.name) || h.Msgs == 0 || h.Msgs-1 > int(h.Last-h.First) {
		return it.fail(fmt.Errorf("leaf %d: %w", it.leaf, ErrDamaged))
	}
	it.name = append(it.name[:shared], tail...)
	it.hit = h
	return true
}

// seek goes to the first subject at or behind to.
func (it *Iter) seek(to []byte) bool {
	if len(it.r.leaves) == 0 {
		return false
	}
	// The leaf that is open is the right one as long as the next one begins behind.
	i := it.leaf
	if i < 0 || i+1 < len(it.r.leaves) && string(it.r.leaves[i+1].first) <= string(to) || string(it.r.leaves[i].first) > string(to) {
		i = it.r.leafFor(to)
	}
	if !it.open(i) {
		return false
	}
	n := len(it.starts) / restartSize
	j := sort.Search(n, func(j int) bool { return string(it.nameAt(j)) > string(to) })
	it.restart(max(j-1, 0))
	for it.step() {
		if string(it.name) >= string(to) {
			return true
		}
	}
	return false
}

// nameAt returns the name at a restart, which shares nothing with the one before.
func (it *Iter) nameAt(i int) []byte {
	off := int(binary.LittleEndian.Uint32(it.starts[i*restartSize:]))
	if off > len(it.blk) {
		return nil
	}
	d := decoder{b: it.blk[off:]}
	d.uint()
	return d.bytes(d.int())
}
