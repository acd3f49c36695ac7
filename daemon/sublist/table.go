package sublist

import "sync/atomic"

// table is an open-addressing hash table of pointers with one writer at a time
// and readers that take no lock. It grows by publishing a larger copy; a reader
// that still probes the old one sees a state that was true when it began.
type table[V any] struct {
	slots atomic.Pointer[slots[V]]
	live  int // entries
	used  int // entries and tombstones
	tomb  *V  // stands where an entry was, so that probing goes on
}

type slots[V any] struct {
	mask uint64
	at   []atomic.Pointer[V]
}

const minSlots = 8

func (t *table[V]) init() {
	t.tomb = new(V)
	t.slots.Store(newSlots[V](minSlots))
}

func newSlots[V any](n int) *slots[V] {
	return &slots[V]{mask: uint64(n - 1), at: make([]atomic.Pointer[V], n)}
}

// insert adds v, which must not be in the table. hash tells the hash of any
// entry, for moving them.
func (t *table[V]) insert(h uint64, v *V, hash func(*V) uint64) {
	s := t.slots.Load()
	if (t.used+1)*8 > len(s.at)*5 {
		s = t.rebuild(hash)
	}
	for i := h & s.mask; ; i = (i + 1) & s.mask {
		switch s.at[i].Load() {
		case nil:
			t.used++
		case t.tomb:
		default:
			continue
		}
		s.at[i].Store(v)
		t.live++
		return
	}
}

// remove takes v out, if it is there.
func (t *table[V]) remove(h uint64, v *V, hash func(*V) uint64) {
	s := t.slots.Load()
	for i := h & s.mask; ; i = (i + 1) & s.mask {
		switch s.at[i].Load() {
		case nil:
			return
		case v:
			if s.at[(i+1)&s.mask].Load() == nil {
				s.at[i].Store(nil) // ends its probe sequence: no tombstone needed
				t.used--
			} else {
				s.at[i].Store(t.tomb)
			}
			t.live--
			if len(s.at) > minSlots && t.live*8 < len(s.at) {
				t.rebuild(hash)
			}
			return
		}
	}
}

// rebuild publishes a copy of the right size without tombstones.
func (t *table[V]) rebuild(hash func(*V) uint64) *slots[V] {
	n := minSlots
	for n*5 < (t.live+1)*12 { // after rebuilding, at most 5/12 full
		n *= 2
	}
	old, s := t.slots.Load(), newSlots[V](n)
	for i := range old.at {
		v := old.at[i].Load()
		if v == nil || v == t.tomb {
			continue
		}
		j := hash(v) & s.mask
		for s.at[j].Load() != nil {
			j = (j + 1) & s.mask
		}
		s.at[j].Store(v)
	}
	t.used = t.live
	t.slots.Store(s)
	return s
}

// each calls f for every entry until it returns false.
func (t *table[V]) each(f func(*V) bool) {
	s := t.slots.Load()
	for i := range s.at {
		if v := s.at[i].Load(); v != nil && v != t.tomb && !f(v) {
			return
		}
	}
}
