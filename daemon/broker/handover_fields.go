package broker

import (
	"encoding/binary"
	"errors"
)

// The state of a handover is written in fields: a key, which is a tag times two plus
// the kind, and a number (kind 0) or a length and so many bytes (kind 1), all numbers
// as unsigned varints. A reader passes over fields whose tags it does not know, and
// fields that are not there are zero: so versions of the program that are not the same
// read each other's state. A tag is never used again for something else.

// fieldWriter appends fields.
type fieldWriter struct{ b []byte }

func (w *fieldWriter) number(tag int, v uint64) {
	if v != 0 {
		w.b = binary.AppendUvarint(w.b, uint64(tag)<<1)
		w.b = binary.AppendUvarint(w.b, v)
	}
}

func (w *fieldWriter) flag(tag int, on bool) {
	if on {
		w.number(tag, 1)
	}
}

// announce begins a field of n bytes, which the caller writes.
func (w *fieldWriter) announce(tag, n int) {
	w.b = binary.AppendUvarint(w.b, uint64(tag)<<1|1)
	w.b = binary.AppendUvarint(w.b, uint64(n))
}

func (w *fieldWriter) text(tag int, s string) {
	if s != "" {
		w.announce(tag, len(s))
		w.b = append(w.b, s...)
	}
}

func (w *fieldWriter) bytes(tag int, p []byte) {
	if len(p) > 0 {
		w.announce(tag, len(p))
		w.b = append(w.b, p...)
	}
}

// group writes the fields that f writes as one field.
func (w *fieldWriter) group(tag int, f func(*fieldWriter)) {
	var in fieldWriter
	f(&in)
	w.announce(tag, len(in.b))
	w.b = append(w.b, in.b...)
}

// field is one that was read. data refers to what it was read from.
type field struct {
	tag    int
	number uint64
	data   []byte
}

func (f *field) text() string { return string(f.data) }
func (f *field) flag() bool   { return f.number != 0 }

var errFields = errors.New("the state is damaged")

// readFields calls f for each field of b, which is f's until it returns.
func readFields(b []byte, f func(*field) error) error {
	var fd field // one for all: it is on the heap, and a state has many
	for len(b) > 0 {
		key, n := binary.Uvarint(b)
		if n <= 0 || key>>1 > 1<<20 {
			return errFields
		}
		b = b[n:]
		v, n := binary.Uvarint(b)
		if n <= 0 {
			return errFields
		}
		b = b[n:]
		fd = field{tag: int(key >> 1)}
		if key&1 == 0 {
			fd.number = v
		} else {
			if v > uint64(len(b)) {
				return errFields
			}
			fd.data, b = b[:v:v], b[v:]
		}
		if err := f(&fd); err != nil {
			return err
		}
	}
	return nil
}
