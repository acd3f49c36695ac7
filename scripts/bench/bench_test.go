package main

import (
	"encoding/binary"
	"strings"
	"testing"
)

// A generator that does not notice what goes wrong measures nothing.
func TestReceiverNoticesEveryFault(t *testing.T) {
	spec := pair(128, false)(1)
	good := func() []byte {
		ring := newRing(spec.subjects, []int{0}, spec.payload, 0, 1, false, false)
		ring.fill(0, 0)
		payload := ring.data[len("PUB bench.pair 128\r\n"):]
		return append([]byte("MSG bench.pair 1 128\r\n"), payload...)
	}
	head := len("MSG bench.pair 1 128\r\n")
	for _, c := range []struct {
		name  string
		spoil func(b []byte) []byte
		want  string // of the error; "" for none
	}{
		{"nothing", func(b []byte) []byte { return b }, ""},
		{"twice", func(b []byte) []byte { return append(b, b...) }, "message 0 of publisher 0 came when 1 was next"},
		{"lost", func(b []byte) []byte { return numbered(b, head, 1) }, "message 1 of publisher 0 came when 0 was next"},
		{"torn", func(b []byte) []byte { b[head+120]++; return b }, "torn"},
		{"changed", func(b []byte) []byte { b[head+60]++; return b }, "bytes of message 0 changed"},
		{"other publisher", func(b []byte) []byte { b[head+8] = 1; return b }, "wrong subscriber"},
		{"other subject", func(b []byte) []byte { b[4] = 'B'; return b }, `got "MSG Bench.pair`},
		{"other sid", func(b []byte) []byte { b[15] = '2'; return b }, `got "MSG bench.pair 2`},
		{"no CRLF", func(b []byte) []byte { b[len(b)-1] = 'x'; return b }, "no CRLF"},
		{"error", func(b []byte) []byte { return []byte("-ERR 'Slow Consumer'\r\n") }, "Slow Consumer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &receiver{flow: &flow{flowSpec: spec}, ordered: true, from: everything, next: make([]uint64, 1)}
			b := c.spoil(good())
			n, err := r.take(b)
			switch {
			case c.want == "" && (err != nil || n != len(b) || r.got != 1):
				t.Errorf("a good message: %d bytes, %d messages, %v", n, r.got, err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

// numbered gives the message another number, in both places.
func numbered(b []byte, head int, seq uint64) []byte {
	binary.LittleEndian.PutUint64(b[head:], seq)
	binary.LittleEndian.PutUint64(b[head+120:], seq)
	return b
}

// A message split over reads anywhere is one message.
func TestReceiverResumes(t *testing.T) {
	spec := pair(16, true)(1)
	ring := newRing(spec.subjects, []int{0}, spec.payload, 0, 1, true, false)
	ring.fill(0, 0)
	frame := append([]byte("HMSG bench.pair 1 89 105\r\n"), ring.data[len("HPUB bench.pair 89 105\r\n"):]...)
	for cut := range frame {
		r := &receiver{flow: &flow{flowSpec: spec}, ordered: true, headers: true, from: everything, next: make([]uint64, 1)}
		n, err := r.take(frame[:cut])
		if n != 0 || err != nil {
			t.Fatalf("%d bytes of a frame: %d used, %v", cut, n, err)
		}
		if n, err = r.take(frame); n != len(frame) || err != nil {
			t.Fatalf("whole frame after %d bytes: %d used, %v", cut, n, err)
		}
	}
}

func TestFreshSubjectsAreNumbered(t *testing.T) {
	spec := freshSubjects(1)
	ring := newRing(spec.subjects, []int{0}, spec.payload, 0, 1, false, true)
	ring.fill(0, 987654321)
	if want := "PUB bench.fresh.000987654321 128\r\n"; !strings.HasPrefix(string(ring.data), want) {
		t.Errorf("frame %.40q, want %q", ring.data, want)
	}
}

func TestSpread(t *testing.T) {
	if s, _ := spreadOf([]float64{3, 1, 2}); s != (spread{2, 1, 3}) {
		t.Error(s)
	}
	if s, _ := spreadOf([]float64{4, 1, 2, 3}); s.median != 2.5 {
		t.Error(s)
	}
}
