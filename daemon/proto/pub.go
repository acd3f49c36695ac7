package proto

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// nextPub parses PUB and HPUB; start is where the line goes on behind the verb
// and one blank, and the verb is HPUB if that is 5. The usual spelling, single
// blanks and "\r\n", is read in one pass; any other goes through [slowPub].
func nextPub(buf []byte, start int, lim *Limits, f *Frame) (n, need int, err error) {
	i := fieldEnd(buf, start)
	if i == start || i+1 >= len(buf) || buf[i] != ' ' {
		return slowPub(buf, start, lim, f)
	}
	f.Subject = buf[start:i]
	tail := i + 1
	// One to three fields follow; the last one or two are sizes.
	var ends [3]int
	var sizes [3]int
	k := 0
	for i = tail; ; k++ {
		size, from := 0, i
		for i < len(buf) && buf[i] > ' ' {
			if d := buf[i] - '0'; d <= 9 && size >= 0 && i-from < 9 {
				size = size*10 + int(d)
			} else {
				size = -1
			}
			i++
		}
		if i == from || i >= len(buf) || k == 3 {
			return slowPub(buf, start, lim, f)
		}
		ends[k], sizes[k] = i, size
		if buf[i] != ' ' {
			break
		}
		i++
	}
	if buf[i] != '\r' || i+1 >= len(buf) || buf[i+1] != '\n' {
		return slowPub(buf, start, lim, f)
	}
	line := i + 2
	hpub := start == 5
	f.Reply = nil
	switch {
	case !hpub && k == 0, hpub && k == 1:
	case !hpub && k == 1, hpub && k == 2:
		f.Reply = buf[tail:ends[0]]
	default:
		return slowPub(buf, start, lim, f)
	}
	f.Size = sizes[k]
	if hpub {
		f.Op, f.Hdr = HPub, sizes[k-1]
		from := tail
		if k == 2 {
			from = ends[0] + 1
		}
		f.HdrText, f.SizeText = buf[from:ends[k-1]], buf[ends[k-1]+1:ends[k]]
	} else {
		f.Op, f.Hdr = Pub, -1
		from := tail
		if k == 1 {
			from = ends[0] + 1
		}
		f.SizeText = buf[from:ends[k]]
	}
	if uint(f.Size) > uint(max(lim.Payload, 0)) || i-start > lim.ControlLine || f.Hdr > f.Size || hpub && f.Hdr < 0 {
		return slowPub(buf, start, lim, f)
	}
	n = line + f.Size + 2
	if n > len(buf) {
		return 0, n, badEnd(buf, line+f.Size)
	}
	if buf[n-2] != '\r' || buf[n-1] != '\n' {
		return 0, 0, ErrUnknownOp
	}
	f.Arg = buf[start:i]
	f.Tail, f.Body = buf[tail:n], buf[line:n]
	if f.Hdr == 0 {
		f.Tail = nil // goes out as MSG
	}
	return n, 0, nil
}

// fieldEnd returns where the field that begins at i ends: at a blank, a control
// character or the end of buf. It looks at eight bytes at a time: (x - 0x21…) & ^x has
// the high bit of the lowest byte below 0x21 set, and of none before it.
func fieldEnd(buf []byte, i int) int {
	const each, high = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(buf); i += 8 {
		x := binary.LittleEndian.Uint64(buf[i:])
		if found := (x - each*(' '+1)) & ^x & high; found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for i < len(buf) && buf[i] > ' ' {
		i++
	}
	return i
}

// badEnd reports a payload of which the end is here but is not "\r\n"; end is
// where the payload ends.
func badEnd(buf []byte, end int) error {
	if end < len(buf) && buf[end] != '\r' {
		return ErrUnknownOp
	}
	return nil
}

// slowPub parses PUB and HPUB in any spelling, complete or not.
func slowPub(buf []byte, start int, lim *Limits, f *Frame) (n, need int, err error) {
	hpub := start == 5
	f.Op = Pub
	if hpub {
		f.Op = HPub
	}
	start = skipBlanks(buf, start)
	arg, next, err := line(buf, start, lim)
	if next == 0 || err != nil {
		return 0, 0, err
	}
	f.Arg = arg
	if hpub {
		err = f.parseHPub()
	} else {
		err = f.parsePub()
	}
	if err != nil {
		return 0, 0, err
	}
	if lim.Payload != 0 && f.Size > max(lim.Payload, 0) {
		return 0, 0, ErrPayload
	}
	n = next + f.Size + 2
	if n > len(buf) {
		return 0, n, badEnd(buf, next+f.Size)
	}
	if buf[n-2] != '\r' || buf[n-1] != '\n' {
		return 0, 0, ErrUnknownOp
	}
	f.Tail, f.Body = nil, buf[next:n]
	return n, 0, nil
}

func (f *Frame) parsePub() error {
	var a [3][]byte
	switch fieldsOfPub(f.Arg, a[:]) {
	case 2:
		f.Subject, f.Reply, f.SizeText = a[0], nil, a[1]
	case 3:
		f.Subject, f.Reply, f.SizeText = a[0], a[1], a[2]
	default:
		return argError("processPub Parse Error", f.Arg)
	}
	f.Hdr, f.Size = -1, Size(f.SizeText)
	if f.Size < 0 {
		return argError("processPub Bad or Missing Size", f.Arg)
	}
	return nil
}

func (f *Frame) parseHPub() error {
	var a [4][]byte
	switch fieldsOfPub(f.Arg, a[:]) {
	case 3:
		f.Subject, f.Reply, f.HdrText, f.SizeText = a[0], nil, a[1], a[2]
	case 4:
		f.Subject, f.Reply, f.HdrText, f.SizeText = a[0], a[1], a[2], a[3]
	default:
		return argError("processHeaderPub Parse Error", f.Arg)
	}
	f.Hdr, f.Size = Size(f.HdrText), Size(f.SizeText)
	switch {
	case f.Hdr < 0:
		return argError("processHeaderPub Bad or Missing Header Size", f.Arg)
	case f.Size < 0:
		return argError("processHeaderPub Bad or Missing Total Size", f.Arg)
	case f.Hdr > f.Size:
		return argError("processHeaderPub Header Size larger then TotalSize", f.Arg)
	}
	return nil
}

// fieldsOfPub is fields, but only blanks and tabs separate.
func fieldsOfPub(arg []byte, to [][]byte) int {
	if bytes.IndexByte(arg, '\r') < 0 && bytes.IndexByte(arg, '\n') < 0 {
		return fields(arg, to)
	}
	n, start := 0, -1
	for i := 0; i <= len(arg); i++ {
		if i < len(arg) && !blank(arg[i]) {
			if start < 0 {
				start = i
			}
			continue
		}
		if start >= 0 {
			if n == len(to) {
				return n + 1
			}
			to[n] = arg[start:i]
			n, start = n+1, -1
		}
	}
	return n
}
