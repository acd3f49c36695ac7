package proto

import (
	"bytes"
	"encoding/binary"
)

// The verbs by their first four letters, upper case, as a little-endian word.
const (
	wordPUB_ = 'P' | 'U'<<8 | 'B'<<16 | ' '<<24
	wordHPUB = 'H' | 'P'<<8 | 'U'<<16 | 'B'<<24
)

// Next parses the frame that buf begins with into f and returns its length. It
// returns 0 without an error if the frame is not complete; need is then the
// length it will have if that is known, 0 if not. Errors are found as early as
// they can be known, also in an incomplete frame.
func Next(buf []byte, lim *Limits, f *Frame) (n, need int, err error) {
	if len(buf) >= 8 {
		switch w := binary.LittleEndian.Uint32(buf); w {
		case wordPUB_:
			return nextPub(buf, 4, lim, f)
		case wordHPUB:
			if buf[4] == ' ' {
				return nextPub(buf, 5, lim, f)
			}
		}
	}
	return nextAny(buf, lim, f)
}

// verbs are what a line may begin with. A verb with arg is followed by an argument,
// and most of those by a blank or a tab before it; behind the others the rest of the
// line is ignored.
var verbs = []struct {
	name  string
	op    Op
	arg   bool
	blank bool
}{
	{"PUB", Pub, true, true},
	{"HPUB", HPub, true, true},
	{"SUB", Sub, true, true},
	{"UNSUB", Unsub, true, true},
	{"PING", Ping, false, false},
	{"PONG", Pong, false, false},
	{"CONNECT", Connect, true, false},
	{"INFO", Info, true, false},
	{"+OK", OK, false, false},
	{"-ERR", Err, true, true},
}

// nextAny parses any frame, in any spelling.
func nextAny(buf []byte, lim *Limits, f *Frame) (n, need int, err error) {
	if len(buf) == 0 {
		return 0, 0, nil
	}
	for i := range verbs {
		v := &verbs[i]
		m := samePrefix(buf, v.name)
		if m < len(v.name) {
			if m == len(buf) {
				return 0, 0, nil // could still become this verb
			}
			continue
		}
		f.Op = v.op
		if !v.arg {
			eol := bytes.IndexByte(buf[m:], '\n')
			if eol < 0 {
				return 0, 0, overlong(buf[m:], lim)
			}
			return m + eol + 1, 0, nil
		}
		return nextArg(buf, m, v.blank, lim, f)
	}
	return 0, 0, ErrUnknownOp
}

// overlong refuses to wait for the end of a line that is longer than any may be.
func overlong(line []byte, lim *Limits) error {
	n := len(line)
	if n > 0 && line[n-1] == '\r' {
		n-- // belongs to the end of the line, most likely
	}
	if lim.ControlLine > 0 && n > lim.ControlLine {
		return ErrControlLine
	}
	return nil
}

// samePrefix returns how many letters of the verb, in either case, buf begins with.
func samePrefix(buf []byte, verb string) int {
	i := 0
	for i < len(verb) && i < len(buf) {
		c := buf[i]
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		if c != verb[i] {
			break
		}
		i++
	}
	return i
}

// nextArg parses a frame whose verb ends at verb and has an argument, with a blank
// before it.
func nextArg(buf []byte, verb int, withBlank bool, lim *Limits, f *Frame) (n, need int, err error) {
	if verb == len(buf) {
		return 0, 0, nil
	}
	if withBlank && !blank(buf[verb]) {
		return 0, 0, ErrUnknownOp
	}
	if f.Op == Pub || f.Op == HPub {
		return nextPub(buf, verb+1, lim, f)
	}
	start := skipBlanks(buf, verb)
	arg, n, err := line(buf, start, lim)
	if n == 0 || err != nil {
		return 0, 0, err
	}
	f.Arg = arg
	switch f.Op {
	case Sub:
		err = f.parseSub()
	case Unsub:
		err = f.parseUnsub()
	}
	if err != nil {
		return 0, 0, err
	}
	return n, 0, nil
}

func blank(c byte) bool { return c == ' ' || c == '\t' }

func skipBlanks(buf []byte, i int) int {
	for i < len(buf) && blank(buf[i]) {
		i++
	}
	return i
}

// line returns the argument that begins at start, and where the next line begins;
// n is 0 if the line is not complete. The first byte belongs to the argument
// whatever it is, so that an empty argument swallows the next line: nats-server
// reads it so.
func line(buf []byte, start int, lim *Limits) (arg []byte, n int, err error) {
	if start >= len(buf) {
		return nil, 0, nil
	}
	eol := bytes.IndexByte(buf[start+1:], '\n')
	if eol < 0 {
		return nil, 0, overlong(buf[start:], lim)
	}
	end := start + 1 + eol
	n = end + 1
	if bytes.IndexByte(buf[start+1:end], '\r') >= 0 {
		end--
	}
	arg = buf[start:end]
	if lim.ControlLine > 0 && len(arg) > lim.ControlLine {
		err = ErrControlLine
	}
	return arg, n, err
}

// fields cuts arg at blanks and tabs into at most len(to) fields; n is how many
// there are, len(to)+1 if they are more.
func fields(arg []byte, to [][]byte) (n int) {
	i := 0
	for {
		for i < len(arg) && space(arg[i]) {
			i++
		}
		if i == len(arg) {
			return n
		}
		if n == len(to) {
			return n + 1
		}
		start := i
		for i < len(arg) && !space(arg[i]) {
			i++
		}
		to[n] = arg[start:i]
		n++
	}
}

func space(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

func (f *Frame) parseSub() error {
	var a [3][]byte
	switch fields(f.Arg, a[:]) {
	case 2:
		f.Subject, f.Queue, f.SID = a[0], nil, a[1]
	case 3:
		f.Subject, f.Queue, f.SID = a[0], a[1], a[2]
	default:
		return argError("processSub Parse Error", f.Arg)
	}
	return nil
}

func (f *Frame) parseUnsub() error {
	var a [2][]byte
	switch fields(f.Arg, a[:]) {
	case 1:
		f.SID, f.Max = a[0], -1
	case 2:
		f.SID, f.Max = a[0], Size(a[1])
	default:
		return argError("processUnsub Parse Error", f.Arg)
	}
	return nil
}

// Size reads a number of at most nine digits; -1 if it is none.
func Size(b []byte) int {
	if len(b) == 0 || len(b) > 9 {
		return -1
	}
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	return n
}
