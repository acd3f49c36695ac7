package segment

import "math/bits"

// bitset is a set of records' numbers in a run. nil is the empty one.
type bitset []uint64

func newBitset(n int) bitset { return make(bitset, (n+63)/64) }

func (b bitset) has(i uint32) bool { return b != nil && b[i>>6]&(1<<(i&63)) != 0 }

func (b bitset) set(i uint32) { b[i>>6] |= 1 << (i & 63) }

// mask returns the bits of word w that are in [from, to).
func mask(w int, from, to uint32) uint64 {
	m := ^uint64(0)
	if lo := uint32(w) << 6; from > lo {
		m &= ^uint64(0) << (from - lo)
	}
	if hi := uint32(w)<<6 + 64; to < hi {
		m &= ^uint64(0) >> (hi - to)
	}
	return m
}

// count returns how many of [from, to) are in the set.
func (b bitset) count(from, to uint32) int {
	if b == nil || from >= to {
		return 0
	}
	n := 0
	for w := int(from >> 6); w <= int((to-1)>>6); w++ {
		n += bits.OnesCount64(b[w] & mask(w, from, to))
	}
	return n
}

// spans calls fn for the ranges of numbers below n that are in the set: from through to.
func (b bitset) spans(n int, fn func(from, to uint32)) {
	for i := 0; i < n && b != nil; {
		in := b[i>>6] >> (i & 63)
		if in == 0 {
			i = (i | 63) + 1
			continue
		}
		i += bits.TrailingZeros64(in)
		from := i
		for i < n {
			if out := ^b[i>>6] >> (i & 63); out != 0 {
				i += bits.TrailingZeros64(out)
				break
			}
			i = (i | 63) + 1
		}
		fn(uint32(from), uint32(min(i, n)-1))
	}
}

// selection says which records of a run a filter asks for: all, or those in set, or in list.
// It does not change once made.
type selection struct {
	all  bool
	n    int // records
	list []uint32
	set  bitset
	msgs int
}

// newSelection makes one of numbers in any order, of a run of n records.
func newSelection(numbers []uint32, n int) *selection {
	s := &selection{n: n, msgs: len(numbers)}
	switch {
	case len(numbers) == n:
		s.all = true
	case len(numbers)*32 < n:
		s.list = append([]uint32(nil), numbers...)
		sortNumbers(s.list)
	default:
		s.set = newBitset(n)
		for _, i := range numbers {
			s.set.set(i)
		}
	}
	return s
}

func (s *selection) bytes() int { return 64 + 4*len(s.list) + 8*len(s.set) }

// next returns the first one at or behind from that is not dead.
func (s *selection) next(from uint32, dead bitset) (uint32, bool) {
	n := uint32(s.n)
	if s.msgs == 0 || from >= n {
		return 0, false
	}
	if s.list != nil {
		for _, i := range s.list[searchNumbers(s.list, from):] {
			if !dead.has(i) {
				return i, true
			}
		}
		return 0, false
	}
	for w := int(from >> 6); w < (s.n+63)/64; w++ {
		m := mask(w, from, n)
		if s.set != nil {
			m &= s.set[w]
		}
		if dead != nil {
			m &^= dead[w]
		}
		if m != 0 {
			return uint32(w<<6 + bits.TrailingZeros64(m)), true
		}
	}
	return 0, false
}

// prev returns the last one at or before from that is not dead.
func (s *selection) prev(from uint32, dead bitset) (uint32, bool) {
	if s.msgs == 0 || s.n == 0 {
		return 0, false
	}
	from = min(from, uint32(s.n-1))
	if s.list != nil {
		for i := searchNumbers(s.list, from+1) - 1; i >= 0; i-- {
			if !dead.has(s.list[i]) {
				return s.list[i], true
			}
		}
		return 0, false
	}
	for w := int(from >> 6); w >= 0; w-- {
		m := mask(w, 0, from+1)
		if s.set != nil {
			m &= s.set[w]
		}
		if dead != nil {
			m &^= dead[w]
		}
		if m != 0 {
			return uint32(w<<6 + 63 - bits.LeadingZeros64(m)), true
		}
	}
	return 0, false
}

// count returns how many of [from, to) are selected and not dead.
func (s *selection) count(from, to uint32, dead bitset) int {
	to = min(to, uint32(s.n))
	if s.msgs == 0 || from >= to {
		return 0
	}
	if s.list != nil {
		n := 0
		for _, i := range s.list[searchNumbers(s.list, from):] {
			if i >= to {
				break
			}
			if !dead.has(i) {
				n++
			}
		}
		return n
	}
	if s.all {
		return int(to-from) - dead.count(from, to)
	}
	n := 0
	for w := int(from >> 6); w <= int((to-1)>>6); w++ {
		m := s.set[w] & mask(w, from, to)
		if dead != nil {
			m &^= dead[w]
		}
		n += bits.OnesCount64(m)
	}
	return n
}
