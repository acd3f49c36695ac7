package websocket

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// frame writes a frame as a peer does, bit by bit, so that the tests do not rest on what they test.
func frame(b0 byte, masked bool, lengthForm int, payload string) []byte {
	b := []byte{b0}
	mask := byte(0)
	if masked {
		mask = 0x80
	}
	switch lengthForm {
	case 7:
		b = append(b, mask|byte(len(payload)))
	case 16:
		b = binary.BigEndian.AppendUint16(append(b, mask|126), uint16(len(payload)))
	case 64:
		b = binary.BigEndian.AppendUint64(append(b, mask|127), uint64(len(payload)))
	}
	if !masked {
		return append(b, payload...)
	}
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	b = append(b, key[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^key[i%4])
	}
	return b
}

// read gives everything to a reader, in pieces of n bytes, and says what came of it.
func read(r *Reader, in []byte, n int) (events []string, err error) { return readAs("%q", r, in, n) }

// readAs is read with data in another form.
func readAs(form string, r *Reader, in []byte, n int) (events []string, err error) {
	var data []byte
	flush := func() {
		if data != nil {
			events = append(events, fmt.Sprintf("data "+form, data))
			data = nil
		}
	}
	for len(in) > 0 {
		part := bytes.Clone(in[:min(n, len(in))])
		in = in[len(part):]
		for len(part) > 0 {
			used, p, err := r.Next(part, part)
			if err != nil {
				flush()
				return events, err
			}
			switch p.Kind {
			case Data:
				data = append(data, part[:p.N]...)
				if p.Packed && p.N > 0 {
					flush()
					events[len(events)-1] += " packed"
				}
				if p.Final {
					flush()
					events = append(events, "final")
				}
			case IsPing, IsPong, IsClose:
				flush()
				events = append(events, fmt.Sprintf("%s %q", [...]string{IsPing: "ping", IsPong: "pong", IsClose: "close"}[p.Kind], p.Data))
			}
			if used == 0 {
				return events, errors.New("stuck")
			}
			part = part[used:]
		}
	}
	flush()
	return events, nil
}

func join(frames ...[]byte) []byte { return bytes.Join(frames, nil) }

// TestFrames is section 5 of RFC 6455: each opcode, form of length, fragmentation and reserved bit, whole and split
// everywhere.
func TestFrames(t *testing.T) {
	long := strings.Repeat("0123456789abcdef!", 20)
	for _, c := range []struct {
		name     string
		in       []byte
		unmasked bool
		deflate  bool
		want     string
		err      string
	}{
		{name: "text and binary", in: join(frame(0x81, true, 7, "PING\r\n"), frame(0x82, true, 7, "PONG\r\n")), want: `data "PING\r\n" final data "PONG\r\n" final`},
		{name: "16 bits", in: frame(0x82, true, 16, long), want: fmt.Sprintf("data %q final", long)},
		{name: "64 bits, more than needed", in: frame(0x82, true, 64, "abc"), want: `data "abc" final`},
		{name: "nothing", in: frame(0x82, true, 7, ""), want: "final"},
		{name: "fragments, and a ping between them", in: join(frame(0x02, true, 7, "PI"), frame(0x89, true, 7, "hi"), frame(0x00, true, 7, ""), frame(0x80, true, 7, "NG")),
			want: `data "PI" ping "hi" data "NG" final`},
		{name: "pong, close", in: join(frame(0x8A, true, 7, ""), frame(0x88, true, 7, "\x03\xe8bye")), want: `pong "" close "\x03\xe8bye"`},
		{name: "the longest ping", in: frame(0x89, true, 7, long[:125]), want: fmt.Sprintf("ping %q", long[:125])},
		{name: "no mask, agreed", in: join(frame(0x82, false, 7, "abc"), frame(0x82, true, 7, "def")), unmasked: true, want: `data "abc" final data "def" final`},
		{name: "no mask", in: frame(0x82, false, 7, "abc"), err: "mask bit missing"},
		{name: "RSV2", in: frame(0xA2, true, 7, "a"), err: "RSV2 and RSV3 must be clear"},
		{name: "RSV3", in: frame(0x92, true, 7, "a"), err: "RSV2 and RSV3 must be clear"},
		{name: "RSV1", in: frame(0xC2, true, 7, "a"), err: "compressed frame received without negotiated permessage-deflate"},
		{name: "compressed ping", in: frame(0xC9, true, 7, "a"), deflate: true, err: "control frame must not be compressed"},
		{name: "compressed continuation", in: join(frame(0x42, true, 7, "a"), frame(0xC0, true, 7, "b")), deflate: true, want: `data "a" packed`, err: "invalid continuation frame"},
		{name: "compressed fragments", in: join(frame(0x42, true, 7, "a"), frame(0x80, true, 7, "b"), frame(0x82, true, 7, "c")), deflate: true,
			want: `data "a" packed data "b" packed final data "c" final`},
		{name: "long ping", in: frame(0x89, true, 16, long), err: "control frame length bigger than maximum allowed of 125 bytes"},
		{name: "fragmented ping", in: frame(0x09, true, 7, "a"), err: "control frame does not have final bit set"},
		{name: "continuation of nothing", in: frame(0x80, true, 7, "a"), err: "invalid continuation frame"},
		{name: "message in a message", in: join(frame(0x02, true, 7, "a"), frame(0x82, true, 7, "b")), want: `data "a"`, err: "new message started before final frame for previous message was received"},
		{name: "opcode 3", in: frame(0x83, true, 7, "a"), err: "unknown opcode 3"},
		{name: "opcode 7", in: frame(0x87, true, 7, "a"), err: "unknown opcode 7"},
		{name: "opcode 11", in: frame(0x8B, true, 7, "a"), err: "unknown opcode 11"},
		{name: "opcode 15", in: frame(0x8F, true, 7, "a"), err: "unknown opcode 15"},
		{name: "63 bits", in: []byte{0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4}, err: "invalid 64-bit payload length"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for n := 1; n <= len(c.in); n++ {
				got, err := read(&Reader{Unmasked: c.unmasked, Deflate: c.deflate}, c.in, n)
				text := strings.Join(got, " ")
				if n < len(c.in) { // data comes in more pieces
					text = strings.ReplaceAll(text, `" packed data "`, "")
					if !strings.Contains(c.want, "packed") && text != c.want {
						t.Fatalf("in pieces of %d: %s, want %s", n, text, c.want)
					}
				} else if text != c.want {
					t.Fatalf("%s, want %s", text, c.want)
				}
				if fmt.Sprint(err) != c.err && (err != nil || c.err != "") {
					t.Fatalf("in pieces of %d: error %v, want %s", n, err, c.err)
				}
				var pe *ProtocolError
				if err != nil && (!errors.As(err, &pe) || pe.Code != CloseProtocolError) {
					t.Fatalf("closes with %v", err)
				}
			}
		})
	}
}

// TestReaderMoves: after each byte the state can go to another process.
func TestReaderMoves(t *testing.T) {
	in := join(frame(0x02, true, 7, "PU"), frame(0x89, true, 7, "hello"), frame(0x00, true, 16, "B x 2\r\n"), frame(0x80, true, 64, "ok\r\n"), frame(0x88, true, 7, "\x03\xe8"))
	want, err := read(&Reader{}, in, len(in))
	if err != nil {
		t.Fatal(err)
	}
	for cut := range in {
		first, second := &Reader{}, &Reader{}
		a, err := read(first, in[:cut], cut+1)
		if err != nil {
			t.Fatal(err)
		}
		if !second.Resume(first.State()) {
			t.Fatalf("the state after %d bytes is not taken: %+v", cut, first.State())
		}
		b, err := read(second, in[cut:], len(in))
		got := strings.ReplaceAll(strings.Join(append(a, b...), " "), `" data "`, "")
		if err != nil || got != strings.ReplaceAll(strings.Join(want, " "), `" data "`, "") {
			t.Fatalf("cut at %d: %s %v, want %s", cut, got, err, want)
		}
	}
}

// TestStateThatIsNone: what another process says is not believed.
func TestStateThatIsNone(t *testing.T) {
	for _, s := range []State{
		{Head: make([]byte, 14)},
		{Control: make([]byte, 126), InFrame: true, Op: Ping},
		{InFrame: true, Op: Ping, Left: 120, Control: make([]byte, 6)},
		{InFrame: true, Op: Binary, Left: 1 << 63},
		{InFrame: true, Op: Binary, Left: 1, Head: []byte{0x82}},
	} {
		if (&Reader{}).Resume(s) {
			t.Errorf("%+v is taken", s)
		}
	}
}

func TestHeaders(t *testing.T) {
	for _, n := range []int{0, 1, 125, 126, 65535, 65536, 1 << 20} {
		h := AppendHeader(nil, Binary, n == 126, n)
		if len(h) != HeaderLen(n) || len(h) > MaxHeader {
			t.Errorf("%d bytes: a header of %d, said to be %d", n, len(h), HeaderLen(n))
		}
		r := Reader{Unmasked: true, Deflate: true}
		used, _, err := r.Next(nil, h)
		if err != nil || used != len(h) || (n > 0 && r.State().Left != uint64(n)) {
			t.Errorf("%d bytes: %v, %d used of % x, %d to come", n, err, used, h, r.State().Left)
		}
	}
}

// TestUnmask: all lengths, also onto memory that begins before.
func TestUnmask(t *testing.T) {
	const key = 0x04030201
	for n := range 100 {
		for _, back := range []int{0, 1, 3, 8, 31} {
			mem := make([]byte, back+n)
			for i := range n {
				mem[back+i] = byte(i) ^ []byte{1, 2, 3, 4}[i%4]
			}
			next := unmask(mem[:n], mem[back:], key)
			for i := range n {
				if mem[i] != byte(i) {
					t.Fatalf("%d bytes, %d back: byte %d is %d", n, back, i, mem[i])
				}
			}
			want := []uint32{0x04030201, 0x01040302, 0x02010403, 0x03020104}[n%4]
			if next != want {
				t.Fatalf("%d bytes: goes on with %08x, want %08x", n, next, want)
			}
		}
	}
}

func TestAnswerClose(t *testing.T) {
	long := "\x03\xe8" + strings.Repeat("x", 123)
	for _, c := range []struct{ in, want, err string }{
		{"", "", ""},
		{"\x03\xe8", "\x03\xe8", ""},
		{long, long, ""},
		{"\x0b\xb8own", "\x0b\xb8own", ""},
		{"\x13\x87", "\x13\x87", ""},
		{"x", "", "close frame payload cannot be 1 byte"},
		{"\x03\xe7", "", "invalid close status code 999"},
		{"\x03\xec", "", "invalid close status code 1004"},
		{"\x03\xed", "", "invalid close status code 1005"},
		{"\x03\xee", "", "invalid close status code 1006"},
		{"\x03\xf7", "", "invalid close status code 1015"},
		{"\x03\xf8", "", "invalid close status code 1016"},
		{"\x0b\xb7", "", "invalid close status code 2999"},
		{"\x13\x88", "", "invalid close status code 5000"},
		{"\x03\xe8\xff", "\x03\xefinvalid utf8 body in close frame", ""},
	} {
		got, err := AnswerClose([]byte(c.in))
		if string(got) != c.want || fmt.Sprint(err) != c.err && (err != nil || c.err != "") {
			t.Errorf("%q: %q, %v", c.in, got, err)
		}
	}
}

func TestAppendClose(t *testing.T) {
	if got := AppendClose(nil, 1000, "bye"); string(got) != "\x03\xe8bye" {
		t.Errorf("%q", got)
	}
	got := AppendClose(nil, 1000, strings.Repeat("ä", 100))
	if len(got) > MaxControl || !strings.HasSuffix(string(got), "ä...") {
		t.Errorf("%d bytes, %q", len(got), got)
	}
}

func TestAcceptKey(t *testing.T) {
	if got := AcceptKey("dGhlIHNhbXBsZSBub25jZQ=="); got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" { // RFC 6455, section 1.3
		t.Error(got)
	}
	for key, want := range map[string]bool{"dGhlIHNhbXBsZSBub25jZQ==": true, "": false, "dGhl": false, "????": false} {
		if ValidKey(key) != want {
			t.Errorf("%q", key)
		}
	}
}

// TestChooseDeflate is section 7.1 of RFC 7692.
func TestChooseDeflate(t *testing.T) {
	const both, ours = "permessage-deflate; server_no_context_takeover; client_no_context_takeover", "permessage-deflate; client_no_context_takeover"
	for _, c := range []struct{ offers, want string }{
		{"", ""},
		{"permessage-bzip2", ""},
		{"permessage-deflate", ours},
		{"Permessage-Deflate; Server_No_Context_Takeover", both},
		{"permessage-deflate; client_max_window_bits", ours},
		{"permessage-deflate; client_max_window_bits=10; server_no_context_takeover", both},
		{"permessage-deflate; server_max_window_bits=15", ours},
		{`permessage-deflate; server_max_window_bits="15"`, ours},
		{"permessage-deflate; server_max_window_bits=9", ""},
		{"permessage-deflate; server_max_window_bits", ""},
		{"permessage-deflate; server_max_window_bits=9, permessage-deflate", ours},
		{"permessage-deflate; client_max_window_bits=7", ""},
		{"permessage-deflate; client_max_window_bits=016", ""},
		{"permessage-deflate; server_no_context_takeover=1", ""},
		{"permessage-deflate; client_no_context_takeover; client_no_context_takeover", ""},
		{"permessage-deflate; other", ""},
		{"x-webkit-deflate-frame, permessage-deflate;client_no_context_takeover", ours},
	} {
		got := ""
		if d, ok := ChooseDeflate([]string{c.offers}); ok {
			got = d.Answer()
		}
		if got != c.want {
			t.Errorf("%q: %q, want %q", c.offers, got, c.want)
		}
	}
}

func TestHasToken(t *testing.T) {
	if !HasToken([]string{"keep-alive,\tUPGRADE "}, "Upgrade") || HasToken([]string{"Upgraded"}, "Upgrade") || HasToken(nil, "Upgrade") {
		t.Error("tokens are not told apart")
	}
}

// FuzzReader: however the bytes are cut, the same comes of them; and each moved state is taken.
func FuzzReader(f *testing.F) {
	f.Add(join(frame(0x02, true, 7, "PU"), frame(0x89, true, 7, "hi"), frame(0x80, true, 16, "B x 0\r\n\r\n")), uint8(3), uint8(0))
	f.Add(join(frame(0x42, false, 7, "packed"), frame(0x80, false, 7, "more")), uint8(1), uint8(3))
	f.Add(frame(0x88, true, 7, "\x03\xe8bye"), uint8(2), uint8(1))
	f.Fuzz(func(t *testing.T, in []byte, n, how uint8) {
		settings := Reader{Unmasked: how&1 != 0, Deflate: how&2 != 0}
		whole, cut := settings, settings
		const hex = `"%x"`
		a, errA := readAs(hex, &whole, in, len(in)+1)
		b, errB := readAs(hex, &cut, in, int(n%16)+1)
		strip := strings.NewReplacer(`" packed data "`, "", `" data "`, "")
		if fmt.Sprint(errA) != fmt.Sprint(errB) || strip.Replace(strings.Join(a, " ")) != strip.Replace(strings.Join(b, " ")) {
			t.Fatalf("%q %v, in pieces %q %v", a, errA, b, errB)
		}
		if moved := (&Reader{}); errB == nil && !moved.Resume(cut.State()) {
			t.Fatalf("%+v is not taken", cut.State())
		}
	})
}
