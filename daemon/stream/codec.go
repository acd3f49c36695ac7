package stream

import (
	"encoding/binary"
	"errors"
)

// AppendChange writes down a change that is no message.
func AppendChange(b []byte, c Change) []byte {
	b = append(b, byte(c.Kind))
	switch c.Kind {
	case Remove:
		b = binary.AppendUvarint(b, uint64(len(c.Seqs)))
		last := uint64(0)
		for _, seq := range c.Seqs {
			b, last = binary.AppendUvarint(b, seq-last), seq
		}
		return b
	case Skip:
		b = binary.AppendUvarint(binary.AppendUvarint(b, c.Seq), uint64(c.Time))
		if c.next == 0 {
			b = append(b, byte(c.rollup))
			break
		}
		b = append(b, byte(c.rollup)|named)
		b = binary.AppendVarint(b, c.next)
		b = append(binary.AppendUvarint(b, uint64(len(c.scheduler))), c.scheduler...)
	default:
		b = binary.AppendUvarint(binary.AppendUvarint(b, c.Seq), c.Keep)
	}
	return append(b, c.Filter...)
}

// named, beside what a message that is not stored replaces, says that it names a schedule.
const named = 4

var errChange = errors.New("stream: a change is damaged")

// ParseChange reads what AppendChange has written.
func ParseChange(b []byte) (c Change, err error) {
	if len(b) < 2 {
		return c, errChange
	}
	c.Kind = Kind(b[0])
	r := numbers{b: b[1:]}
	switch c.Kind {
	case Remove:
		c.Seqs = r.sequences()
		if len(r.b) > 0 {
			return c, errChange
		}
	case Skip:
		c.Seq, c.Time = r.next(), int64(r.next())
		kind := r.next()
		if kind&^named > uint64(rollupAll) {
			return c, errChange
		}
		c.rollup = rollupKind(kind &^ named)
		if kind&named != 0 {
			c.next, c.scheduler = r.signed(), r.text()
			if c.next == 0 || c.next < over {
				return c, errChange
			}
		}
	case Purge, Delete, Truncate:
		c.Seq, c.Keep = r.next(), r.next()
	default:
		return c, errChange
	}
	if r.bad {
		return c, errChange
	}
	c.Filter = string(r.b)
	return c, nil
}

// numbers takes varints from the front of a text.
type numbers struct {
	b   []byte
	bad bool
}

func (r *numbers) next() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *numbers) signed() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

// text reads a text behind its length.
func (r *numbers) text() string {
	n := r.next()
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return ""
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

// sequences reads a list. Its memory grows with the text, not with what it announces.
func (r *numbers) sequences() (seqs []uint64) {
	var last uint64
	for n := r.next(); n > 0 && !r.bad; n-- {
		d := r.next()
		if d == 0 || last+d < last {
			r.bad = true
		}
		last += d
		seqs = append(seqs, last)
	}
	return seqs
}
