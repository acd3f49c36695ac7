package fields

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// Record is something whose fields can be written and read. Fields calls the codec for
// each of them, in the order of the tags, and does the same whether it is written or
// read, but for what it may do when all is read ([Codec.Reading]). The record is zero
// before it is read.
type Record interface{ Fields(*Codec) }

// ErrDamaged means that bytes are no state, or hold what cannot be.
var ErrDamaged = errors.New("the state is damaged")

const (
	kindNumber = 0
	kindBytes  = 1

	maxTag = 1 << 20
)

// Codec writes a record or reads one. It belongs to one goroutine.
type Codec struct {
	b       []byte // written so far; or the record that is read
	reading bool
	last    int // the tag before this one
	err     error

	at      int  // of the next field to be read, if ordered
	ordered bool // the tags of what is read ascend

	gap  int // where bytes are missing in b, see Codec.Gap; -1: nowhere
	away int // how many
}

// Append writes a record to the end of dst.
func Append(dst []byte, r Record) []byte {
	c := Codec{b: dst, gap: -1}
	r.Fields(&c)
	if c.away != 0 {
		panic("fields: a record with a gap needs AppendGap")
	}
	return c.b
}

// AppendGap is Append for a record that may have a gap ([Codec.Gap]): away bytes belong
// at place gap of the result, which the caller writes there when it writes the rest. No
// gap is one of no bytes at the end.
func AppendGap(dst []byte, r Record) (b []byte, gap, away int) {
	c := Codec{b: dst, gap: -1}
	r.Fields(&c)
	if c.gap < 0 {
		return c.b, len(c.b), 0
	}
	return c.b, c.gap, c.away
}

// Announce writes the beginning of a field of n bytes, which the caller writes.
func Announce(dst []byte, tag, n int) []byte {
	dst = binary.AppendUvarint(dst, uint64(tag)<<1|kindBytes)
	return binary.AppendUvarint(dst, uint64(n))
}

// Read reads a record. What it holds of bytes refers to b; texts are copies. An error is
// [ErrDamaged] or what a record failed with; the record is of no use then.
func Read(b []byte, r Record) error {
	c := Codec{reading: true, gap: -1}
	if c.begin(b); c.err == nil {
		r.Fields(&c)
	}
	return c.err
}

// Each calls f for each field as it stands: a number, or data, which refers to b.
func Each(b []byte, f func(tag int, number uint64, data []byte)) error {
	for at := 0; at < len(b); {
		key, v, data, next := parse(b, at)
		if next < 0 {
			return ErrDamaged
		}
		f(int(key>>1), v, data)
		at = next
	}
	return nil
}

// parse takes the field at a place apart. next is negative if it is damaged.
func parse(b []byte, at int) (key, number uint64, data []byte, next int) {
	key, n := binary.Uvarint(b[at:])
	if n <= 0 || key>>1 > maxTag || key>>1 == 0 {
		return 0, 0, nil, -1
	}
	at += n
	number, n = binary.Uvarint(b[at:])
	if n <= 0 {
		return 0, 0, nil, -1
	}
	at += n
	if key&1 == kindNumber {
		return key, number, nil, at
	}
	if number > uint64(len(b)-at) {
		return 0, 0, nil, -1
	}
	end := at + int(number)
	return key, 0, b[at:end:end], end
}

// begin looks a record over before it is read.
func (c *Codec) begin(b []byte) {
	c.b, c.at, c.last, c.ordered = b, 0, 0, true
	before := uint64(0)
	for at := 0; at < len(b); {
		key, _, _, next := parse(b, at)
		if next < 0 {
			c.Fail(ErrDamaged)
			return
		}
		c.ordered = c.ordered && key>>1 >= before
		before, at = key>>1, next
	}
}

// Reading reports whether the record is read, not written.
func (c *Codec) Reading() bool { return c.reading }

// Fail ends reading with an error: the record holds what cannot be. The first one counts.
func (c *Codec) Fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

// step goes on to a tag.
func (c *Codec) step(tag int) {
	if tag <= c.last || tag > maxTag {
		panic(fmt.Sprintf("fields: tag %d after %d: tags ascend, and are never used twice", tag, c.last))
	}
	c.last = tag
}

// each calls f for the fields of a tag that were written. f may read records that lie in
// them.
func (c *Codec) each(tag int, kind uint64, f func(number uint64, data []byte)) {
	at := 0
	if c.ordered {
		at = c.at
	}
	for c.err == nil && at < len(c.b) {
		key, number, data, next := parse(c.b, at)
		if key>>1 == uint64(tag) {
			if key&1 != kind {
				c.Fail(ErrDamaged)
				return
			}
			f(number, data)
		} else if c.ordered && key>>1 > uint64(tag) {
			break
		}
		at = next
	}
	if c.ordered {
		c.at = at
	}
}

// count is how many fields of a tag were written.
func (c *Codec) count(tag int) (n int) {
	at := 0
	if c.ordered {
		at = c.at
	}
	for at < len(c.b) {
		key, _, _, next := parse(c.b, at)
		if key>>1 == uint64(tag) {
			n++
		} else if c.ordered && key>>1 > uint64(tag) {
			break
		}
		at = next
	}
	return n
}

// inside reads a record that lies in another one.
func (c *Codec) inside(data []byte, r Record) {
	if c.err != nil {
		return
	}
	b, at, last, ordered := c.b, c.at, c.last, c.ordered
	if c.begin(data); c.err == nil {
		r.Fields(c)
	}
	c.b, c.at, c.last, c.ordered = b, at, last, ordered
}

// group writes a record as a field; always says that it is written even if it has no
// fields.
func (c *Codec) group(tag int, r Record, always bool) {
	before := len(c.b)
	c.b = binary.AppendUvarint(c.b, uint64(tag)<<1|kindBytes)
	start, last, gap, away := len(c.b), c.last, c.gap, c.away
	c.last = 0
	r.Fields(c)
	c.last = last
	n := len(c.b) - start + c.away - away
	if n == 0 && !always {
		c.b = c.b[:before]
		return
	}
	var length [binary.MaxVarintLen64]byte
	k := binary.PutUvarint(length[:], uint64(n))
	c.b = slices.Insert(c.b, start, length[:k]...)
	if gap < 0 && c.gap >= 0 {
		c.gap += k
	}
}

func (c *Codec) number(tag int, v uint64) {
	if v != 0 {
		c.b = binary.AppendUvarint(c.b, uint64(tag)<<1|kindNumber)
		c.b = binary.AppendUvarint(c.b, v)
	}
}
