package consumer

import (
	"math"
	"strconv"
)

// decimal is a number as text, for numbers of which most are the one before, or one more or less.
type decimal struct {
	n      uint64
	digits [20]byte // the last ones
	size   int      // of them; 0: none yet
}

// text returns the digits of a number. They are valid until the next call.
func (d *decimal) text(n uint64) []byte {
	if d.size == 0 || !d.step(n) {
		var b [20]byte
		d.size = len(strconv.AppendUint(b[:0], n, 10))
		copy(d.digits[len(b)-d.size:], b[:d.size])
	}
	d.n = n
	return d.digits[len(d.digits)-d.size:]
}

// step goes from the number there is to n; false: it is too far, or has another number of digits.
func (d *decimal) step(n uint64) bool {
	first := len(d.digits) - d.size
	switch {
	case n == d.n:
		return true
	case n == d.n+1 && n != 0:
		for i := len(d.digits) - 1; i >= first; i-- {
			if d.digits[i]++; d.digits[i] <= '9' {
				return true
			}
			d.digits[i] = '0'
		}
	case n == d.n-1 && n != math.MaxUint64:
		for i := len(d.digits) - 1; i >= first; i-- {
			if d.digits[i]--; d.digits[i] >= '0' {
				return d.digits[first] != '0' || d.size == 1
			}
			d.digits[i] = '9'
		}
	}
	return false
}
