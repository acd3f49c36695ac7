package subjects

import (
	"encoding/binary"
	"hash/maphash"
)

// Totals is what is known of one subject's messages.
type Totals struct {
	First, Last uint64 // sequences
	Msgs        uint64
}

// MaxName is the longest name that a [Table] and a run take.
const MaxName = 1<<16 - 1

// Ref is the place of a subject in a [Table]. It holds until the subject is deleted or the
// table released or reset.
type Ref uint32

// Table knows the totals of subjects. Names and totals lie in an arena outside the heap, found
// by open addressing, about 55 bytes for a name of 20. It is not safe for use by several
// goroutines. The zero value is ready.
//
// An entry in the arena: first, last (8 bytes each), count, hash (4), length of the name (2),
// the name.
type Table struct {
	mem   arena
	index []byte // 4 bytes a slot: place + 1; 0: empty, gone: a deleted one
	tags  []byte // one byte of each slot's hash
	block []byte // both
	own   bool   // block is mapped
	slots int
	live  int // subjects
	dirty int // slots that are not empty: live and gone
	waste int // bytes of the arena of deleted ones
}

const (
	entryHead = 26
	gone      = ^uint32(0)
	minSlots  = 8
)

var seed = maphash.MakeSeed()

func hashOf(name []byte) uint32 { return uint32(maphash.Bytes(seed, name)) }

// Len returns the number of subjects.
func (t *Table) Len() int { return t.live }

// Bytes returns how much memory the table has.
func (t *Table) Bytes() int { return t.mem.bytes() + len(t.block) }

// Release gives the memory back; the table is empty then and may be used again. Names that it
// returned must not be used afterwards.
func (t *Table) Release() {
	t.mem.release()
	t.releaseIndex()
	*t = Table{}
}

func (t *Table) releaseIndex() {
	giveBack(t.block, t.own)
}

func (t *Table) slot(i int) uint32       { return binary.LittleEndian.Uint32(t.index[4*i:]) }
func (t *Table) setSlot(i int, v uint32) { binary.LittleEndian.PutUint32(t.index[4*i:], v) }

// Find returns the place of a subject.
func (t *Table) Find(name []byte) (Ref, bool) {
	if t.live == 0 {
		return 0, false
	}
	r, _, ok := t.find(name, hashOf(name))
	return r, ok
}

func (t *Table) find(name []byte, h uint32) (r Ref, slot int, ok bool) {
	mask := t.slots - 1
	tag := byte(h >> 24)
	for i := int(h) & mask; ; i = (i + 1) & mask {
		v := t.slot(i)
		if v == 0 {
			return 0, i, false
		}
		if v == gone || t.tags[i] != tag {
			continue
		}
		if e := t.mem.at(v - 1); binary.LittleEndian.Uint32(e[20:]) == h && string(nameOf(e)) == string(name) {
			return Ref(v - 1), i, true
		}
	}
}

func nameOf(e []byte) []byte {
	return e[entryHead : entryHead+int(binary.LittleEndian.Uint16(e[24:]))]
}

// Insert returns the place of a subject, which it makes if there is none. The name, at most
// [MaxName] bytes, is copied.
func (t *Table) Insert(name []byte) (r Ref, made bool) {
	if t.dirty*4 >= t.slots*3 {
		t.grow()
	}
	h := hashOf(name)
	r, slot, ok := t.find(name, h)
	if ok {
		return r, false
	}
	ref, e := t.mem.take(entryHead + len(name))
	clear(e[:20])
	binary.LittleEndian.PutUint32(e[20:], h)
	binary.LittleEndian.PutUint16(e[24:], uint16(len(name)))
	copy(e[entryHead:], name)
	t.setSlot(slot, ref+1)
	t.tags[slot] = byte(h >> 24)
	t.live++
	t.dirty++
	return Ref(ref), true
}

// Name returns the name at a place; it is the table's and must not be changed.
func (t *Table) Name(r Ref) []byte { return nameOf(t.mem.at(uint32(r))) }

// Totals returns what is known of the subject at a place.
func (t *Table) Totals(r Ref) Totals {
	e := t.mem.at(uint32(r))
	return Totals{
		First: binary.LittleEndian.Uint64(e),
		Last:  binary.LittleEndian.Uint64(e[8:]),
		Msgs:  uint64(binary.LittleEndian.Uint32(e[16:])),
	}
}

// Set replaces what is known of the subject at a place. More than 2³²-1 messages are taken
// for as many.
func (t *Table) Set(r Ref, v Totals) {
	e := t.mem.at(uint32(r))
	binary.LittleEndian.PutUint64(e, v.First)
	binary.LittleEndian.PutUint64(e[8:], v.Last)
	binary.LittleEndian.PutUint32(e[16:], uint32(min(v.Msgs, 1<<32-1)))
}

// Delete forgets a subject.
func (t *Table) Delete(name []byte) {
	if t.live == 0 {
		return
	}
	_, slot, ok := t.find(name, hashOf(name))
	if !ok {
		return
	}
	t.setSlot(slot, gone)
	t.live--
	t.waste += (entryHead + len(name) + 3) &^ 3
	if t.live == 0 {
		t.Release()
	}
}

// Range calls fn for every subject, in no order, until it returns false. The table must not be
// changed meanwhile, but for [Table.Set].
func (t *Table) Range(fn func(r Ref, name []byte) bool) {
	for i := range t.slots {
		if v := t.slot(i); v != 0 && v != gone && !fn(Ref(v-1), t.Name(Ref(v-1))) {
			return
		}
	}
}

// grow makes room in the index, or takes the deleted ones out of it; when a quarter of the
// arena is theirs, the others move to a new one. Places change then: so it is done by
// [Table.Insert] only where deletions came before.
func (t *Table) grow() {
	slots := max(minSlots, t.slots)
	for t.live*2 >= slots {
		slots *= 2
	}
	old := *t
	t.makeIndex(slots)
	compact := old.waste*4 > old.mem.bytes()
	if compact {
		t.mem, t.waste = arena{}, 0
	}
	mask := slots - 1
	for i := range old.slots {
		v := old.slot(i)
		if v == 0 || v == gone {
			continue
		}
		e := old.mem.at(v - 1)
		if compact {
			size := entryHead + len(nameOf(e))
			ref, b := t.mem.take(size)
			copy(b, e[:size])
			v = ref + 1
		}
		h := binary.LittleEndian.Uint32(e[20:])
		j := int(h) & mask
		for t.slot(j) != 0 {
			j = (j + 1) & mask
		}
		t.setSlot(j, v)
		t.tags[j] = byte(h >> 24)
	}
	old.releaseIndex()
	if compact {
		old.mem.release()
	}
}

// makeIndex gives the table an empty index; the tags lie behind the slots.
func (t *Table) makeIndex(slots int) {
	b, mapped := memory(5 * slots)
	t.index, t.tags, t.own = b[:4*slots], b[4*slots:], mapped
	t.block = b
	t.slots, t.dirty = slots, t.live
}
