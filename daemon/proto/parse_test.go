package proto

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

var limits = Limits{ControlLine: 64, Payload: 100}

func TestNext(t *testing.T) {
	for _, c := range []struct {
		in   string
		want Frame // without Arg and slices that follow from it
		n    int
	}{
		{"PUB foo 5\r\nhello\r\n", Frame{Op: Pub, Subject: []byte("foo"), Hdr: -1, Size: 5, Tail: []byte("5\r\nhello\r\n"), Body: []byte("hello\r\n")}, 18},
		{"PUB foo re.ply 0\r\n\r\n+", Frame{Op: Pub, Subject: []byte("foo"), Reply: []byte("re.ply"), Hdr: -1, Tail: []byte("re.ply 0\r\n\r\n"), Body: []byte("\r\n")}, 20},
		{"pub\tfoo   1 \r\nx\r\n", Frame{Op: Pub, Subject: []byte("foo"), Hdr: -1, Size: 1, Body: []byte("x\r\n")}, 17},
		{"PUB foo 1\nx\r\n", Frame{Op: Pub, Subject: []byte("foo"), Hdr: -1, Size: 1, Body: []byte("x\r\n")}, 13},
		{"PUB foo 007\r\nseven77\r\n", Frame{Op: Pub, Subject: []byte("foo"), Hdr: -1, Size: 7, Tail: []byte("007\r\nseven77\r\n"), Body: []byte("seven77\r\n")}, 22},
		{"HPUB foo 12 14\r\nNATS/1.0\r\n\r\nhi\r\n", Frame{Op: HPub, Subject: []byte("foo"), Hdr: 12, Size: 14, Tail: []byte("12 14\r\nNATS/1.0\r\n\r\nhi\r\n"), Body: []byte("NATS/1.0\r\n\r\nhi\r\n")}, 32},
		{"HPUB foo r 0 2\r\nhi\r\n", Frame{Op: HPub, Subject: []byte("foo"), Reply: []byte("r"), Size: 2, Body: []byte("hi\r\n")}, 20},
		{"SUB foo.* 90\r\n", Frame{Op: Sub, Subject: []byte("foo.*"), SID: []byte("90")}, 14},
		{"sub foo q 1\n", Frame{Op: Sub, Subject: []byte("foo"), Queue: []byte("q"), SID: []byte("1")}, 12},
		{"UNSUB 1 5\r\n", Frame{Op: Unsub, SID: []byte("1"), Max: 5}, 11},
		{"UNSUB 1\r\n", Frame{Op: Unsub, SID: []byte("1"), Max: -1}, 9},
		{"UNSUB 1 x\r\n", Frame{Op: Unsub, SID: []byte("1"), Max: -1}, 11},
		{"PING\r\n", Frame{Op: Ping}, 6},
		{"Ping anything\n", Frame{Op: Ping}, 14},
		{"PONG\r\n", Frame{Op: Pong}, 6},
		{"+OK\r\n", Frame{Op: OK}, 5},
		{"-ERR 'x'\r\n", Frame{Op: Err}, 10},
		{"CONNECT {}\r\n", Frame{Op: Connect}, 12},
		{"CONNECT{}\r\n", Frame{Op: Connect}, 11},
	} {
		var f Frame
		n, _, err := Next([]byte(c.in), &limits, &f)
		if err != nil || n != c.n {
			t.Errorf("%q: %d, %v, want %d", c.in, n, err, c.n)
			continue
		}
		f.Arg, f.SizeText, f.HdrText = nil, nil, nil
		if f.Op != c.want.Op || !bytes.Equal(f.Subject, c.want.Subject) || !bytes.Equal(f.Reply, c.want.Reply) ||
			!bytes.Equal(f.Tail, c.want.Tail) || !bytes.Equal(f.Body, c.want.Body) || f.Hdr != c.want.Hdr ||
			f.Size != c.want.Size || !bytes.Equal(f.Queue, c.want.Queue) || !bytes.Equal(f.SID, c.want.SID) || f.Max != c.want.Max {
			t.Errorf("%q: got %+v, want %+v", c.in, f, c.want)
		}
	}
}

func TestNextErrors(t *testing.T) {
	for _, c := range []struct {
		in   string
		want error
		text string
	}{
		{"FOO", ErrUnknownOp, ""},
		{"PUX", ErrUnknownOp, ""},
		{"SUBx", ErrUnknownOp, ""},
		{"\r\n", ErrUnknownOp, ""},
		{"+OX", ErrUnknownOp, ""},
		{"PUB foo 101\r\n", ErrPayload, ""},
		{"PUB foo 1\r\nxy", ErrUnknownOp, ""},
		{"PUB foo 1\r\nx\r\r", ErrUnknownOp, ""},
		{"SUB " + strings.Repeat("a", 65), ErrControlLine, ""},
		{"PUB " + strings.Repeat("a", 63) + " 1\r\n", ErrControlLine, ""},
		{"PING" + strings.Repeat(" ", 70), ErrControlLine, ""},
		{"SUB a b c d\r\n", nil, `processSub Parse Error: "a b c d"`},
		{"SUB a\r\n", nil, `processSub Parse Error: "a"`},
		{"UNSUB a b c\r\n", nil, `processUnsub Parse Error: "a b c"`},
		{"PUB a\r\n", nil, `processPub Parse Error: "a"`},
		{"PUB a b c d\r\n", nil, `processPub Parse Error: "a b c d"`},
		{"PUB a -1\r\n", nil, `processPub Bad or Missing Size: "a -1"`},
		{"PUB a 9223372036854775808\r\n", nil, `processPub Bad or Missing Size: "a 9223372036854775808"`},
		{"HPUB a 1\r\n", nil, `processHeaderPub Parse Error: "a 1"`},
		{"HPUB a x 1\r\n", nil, `processHeaderPub Bad or Missing Header Size: "a x 1"`},
		{"HPUB a 1 x\r\n", nil, `processHeaderPub Bad or Missing Total Size: "a 1 x"`},
		{"HPUB a 2 1\r\n", nil, `processHeaderPub Header Size larger then TotalSize: "a 2 1"`},
	} {
		var f Frame
		n, _, err := Next([]byte(c.in), &limits, &f)
		var ae *ArgError
		switch {
		case n != 0 || err == nil:
			t.Errorf("%q: taken for a frame of %d bytes", c.in, n)
		case c.want != nil && !errors.Is(err, c.want):
			t.Errorf("%q: %v, want %v", c.in, err, c.want)
		case c.want == nil && (!errors.As(err, &ae) || ae.Reason != c.text):
			t.Errorf("%q: %v, want %s", c.in, err, c.text)
		}
	}
}

// FuzzNext: whatever comes, a frame ends within the buffer, is found only when all
// of it is there, and is the same for the parser of repeated messages.
func FuzzNext(f *testing.F) {
	for _, s := range []string{
		"PUB foo 5\r\nhello\r\nPING\r\n", "PUB foo bar 5\r\nhello\r\n", "HPUB foo 12 14\r\nNATS/1.0\r\n\r\nhi\r\n", "hpub foo  0 2\nhi\r\n",
		"PUB foo 2\r\nab\r\nPUB foo 2\r\ncd\r\nPUB foo 2\r\nefgPUB foo 2\r\nhi\r\n", "sub foo.* q 90\r\n", "UNSUB 90 5\r\n", "CONNECT {\"verbose\":false}\r\n", "+OK\r\n", "-ERR 'x'\r\n", "INFO {}\r\n", "PUB \r\n 1\r\nx\r\n",
		"HPUB f 12 12\r\nNATS/1.0\r\n\r\n\r\nHPUB f 12 12\r\nNATS/1.0\r\n\r\n\r\nHPUB f 12 13\r\n", "PUB a 999999999\r\n", "PUB \x00 1\r\nx\r\n", "SUB \nfoo 1\r\n", "PUB foo\r bar 1\r\nx\r\n",
	} {
		f.Add([]byte(s))
	}
	lim := Limits{ControlLine: 4096, Payload: 1 << 20}
	f.Fuzz(func(t *testing.T, in []byte) {
		var fr Frame
		for rest := in; len(rest) > 0; {
			n, need, err := Next(rest, &lim, &fr)
			if err != nil && n != 0 {
				t.Fatalf("%q: both an error and a frame", rest)
			}
			if n > len(rest) || n < 0 || need != 0 && need <= len(rest) {
				t.Fatalf("%q: a frame of %d bytes, %d needed", rest, n, need)
			}
			if n == 0 {
				return
			}
			if (fr.Op == Pub || fr.Op == HPub) && (len(fr.Body) != fr.Size+2 || fr.Hdr > fr.Size || len(fr.Subject) == 0) {
				t.Fatalf("%q: %+v", rest[:n], fr)
			}
			if len(rest) <= 200 {
				whole(t, rest, n, &lim)
			}
			if (fr.Op == Pub || fr.Op == HPub) && fr.Tail != nil && fr.Reply == nil {
				g := Frame{Hdr: -7}
				if m := Again(rest, PubLead+string(fr.Subject)+" ", lim.Payload, &g); m != 0 &&
					(m != n || g.Size != fr.Size || g.Hdr != fr.Hdr || g.Op != fr.Op || string(g.HdrText) != string(fr.HdrText) || string(g.SizeText) != string(fr.SizeText) || !bytes.Equal(g.Tail, fr.Tail) || !bytes.Equal(g.Body, fr.Body)) {
					t.Fatalf("%q: %+v, again %+v", rest[:n], fr, g)
				}
				if m, line, size := Skip(rest, PubLead+string(fr.Subject)+" ", lim.Payload); m != 0 &&
					(m != n || size != fr.Size || line != n-len(fr.Body) || fr.Op != Pub) {
					t.Fatalf("%q: %+v, skipped %d with a line of %d and a payload of %d", rest[:n], fr, m, line, size)
				}
				repeated(t, rest, n, &fr, &lim)
			}
			rest = rest[n:]
		}
	})
}

// repeated checks that what is said to repeat the first frame, f of n bytes, is what
// parsing frame by frame finds.
func repeated(t *testing.T, buf []byte, n int, f *Frame, lim *Limits) {
	k := Repeats(buf, n, n-len(f.Body))
	for i := 1; i <= k; i++ {
		var g Frame
		at := buf[i*n:]
		if m, _, err := Next(at, lim, &g); m != n || err != nil || g.Op != f.Op || !bytes.Equal(g.Subject, f.Subject) ||
			g.Hdr != f.Hdr || len(g.Tail) != len(f.Tail) || len(g.Body) != len(f.Body) || g.Reply != nil {
			t.Fatalf("%q is said to repeat %q: %d, %v, %+v", at, buf[:n], m, err, g)
		}
	}
}

// whole checks that a frame of n bytes is not found in less of it.
func whole(t *testing.T, buf []byte, n int, lim *Limits) {
	for k := range n {
		var f Frame
		if got, _, err := Next(buf[:k], lim, &f); got != 0 || err != nil {
			t.Fatalf("%q is a frame of %d bytes; %q is one of %d, %v", buf, n, buf[:k], got, err)
		}
	}
}

func BenchmarkNext(b *testing.B) {
	buf := []byte("PUB orders.eu.new 16\r\n0123456789abcdef\r\n")
	lim := Limits{ControlLine: 4096, Payload: 1 << 20}
	head := PubLead + "orders.eu.new "
	var f Frame
	b.Run("next", func(b *testing.B) {
		for b.Loop() {
			_, _, _ = Next(buf, &lim, &f)
		}
	})
	b.Run("again", func(b *testing.B) {
		for b.Loop() {
			_ = Again(buf, head, 1<<20, &f)
		}
	})
}
