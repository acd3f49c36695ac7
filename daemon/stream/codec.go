package stream

import (
	"encoding/binary"
	"errors"
)

// AppendChange writes down a change that is no message.
func AppendChange(b []byte, c Change) []byte {
	b = append(b, byte(c.Kind))
	b = binary.AppendUvarint(b, c.Seq)
	b = binary.AppendUvarint(b, c.Keep)
	return append(b, c.Filter...)
}

var errChange = errors.New("stream: a change is damaged")

// ParseChange reads what AppendChange has written.
func ParseChange(b []byte) (c Change, err error) {
	if len(b) < 3 {
		return c, errChange
	}
	c.Kind = Kind(b[0])
	if c.Kind != Purge && c.Kind != Delete && c.Kind != Truncate {
		return c, errChange
	}
	b = b[1:]
	for _, n := range []*uint64{&c.Seq, &c.Keep} {
		v, used := binary.Uvarint(b)
		if used <= 0 {
			return c, errChange
		}
		*n, b = v, b[used:]
	}
	c.Filter = string(b)
	return c, nil
}
