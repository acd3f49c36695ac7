package record

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
)

const testSuite = uint16(tls.TLS_AES_128_GCM_SHA256)

func ends(t testing.TB) (*Sealer, *Opener) {
	t.Helper()
	k := Keys{Secret: bytes.Repeat([]byte{7}, 32)}
	s, err := NewSealer(testSuite, k)
	if err != nil {
		t.Fatal(err)
	}
	o, err := NewOpener(testSuite, k)
	if err != nil {
		t.Fatal(err)
	}
	return s, o
}

// inner seals a TLSInnerPlaintext as it stands.
func (s *Sealer) inner(t testing.TB, p []byte) []byte {
	t.Helper()
	if err := s.number(); err != nil {
		t.Fatal(err)
	}
	n := len(p) + tagLen
	head := []byte{typeApplication, 3, 3, byte(n >> 8), byte(n)}
	return s.aead.Seal(head, s.nonce[:], p, head)
}

// openAll opens records one by one, as they came.
func openAll(o *Opener, in []byte) (data []byte, err error) {
	for len(in) > 0 {
		n, err := o.Next(in)
		if err != nil {
			return data, err
		}
		if n == 0 || n > len(in) {
			return data, io.ErrUnexpectedEOF
		}
		p, err := o.Open(nil, in[:n])
		data = append(data, p...)
		if err != nil {
			return data, err
		}
		in = in[n:]
	}
	return data, nil
}

// What is not as it should be ends the session with the right alert, and nothing that
// follows is opened; what came before was.
func TestRefusals(t *testing.T) {
	join := func(recs ...[]byte) []byte { return slices.Concat(recs...) }
	for _, c := range []struct {
		name string
		want Alert
		make func(s *Sealer) []byte
	}{
		{"changed", BadRecordMAC, func(s *Sealer) []byte {
			r := s.inner(t, []byte("b\x17"))
			r[HeaderLen] ^= 1
			return r
		}},
		{"changed tag", BadRecordMAC, func(s *Sealer) []byte {
			r := s.inner(t, []byte("b\x17"))
			r[len(r)-1] ^= 0x80
			return r
		}},
		{"cut short", BadRecordMAC, func(s *Sealer) []byte {
			r := s.inner(t, []byte("bcd\x17"))
			r[4]--
			return r[:len(r)-1]
		}},
		{"no room for a tag", BadRecordMAC, func(*Sealer) []byte { return []byte{23, 3, 3, 0, 3, 1, 2, 3} }},
		{"empty", BadRecordMAC, func(*Sealer) []byte { return []byte{23, 3, 3, 0, 0} }},
		{"replayed", BadRecordMAC, func(s *Sealer) []byte {
			r := s.inner(t, []byte("b\x17"))
			return join(r, r)
		}},
		{"out of order", BadRecordMAC, func(s *Sealer) []byte {
			first, second := s.inner(t, []byte("1\x17")), s.inner(t, []byte("2\x17"))
			return join(second, first)
		}},
		{"one is missing", BadRecordMAC, func(s *Sealer) []byte {
			s.inner(t, []byte("1\x17"))
			return s.inner(t, []byte("2\x17"))
		}},
		{"under the key before", BadRecordMAC, func(s *Sealer) []byte {
			before, _ := NewSealer(testSuite, Keys{s.Keys().Secret, 2})
			u, _ := s.Update(nil, false)
			return join(u, before.inner(t, []byte("b\x17")))
		}},
		{"too long", RecordOverflow, func(*Sealer) []byte { return []byte{23, 3, 3, 0x41, 1} }},
		{"too much in it", RecordOverflow, func(s *Sealer) []byte {
			return s.inner(t, append(make([]byte, MaxPlain+1), typeApplication))
		}},
		{"too much padding", RecordOverflow, func(s *Sealer) []byte {
			return s.inner(t, append([]byte{'b', typeApplication}, make([]byte, MaxPlain)...))
		}},
		{"nothing but padding", UnexpectedMessage, func(s *Sealer) []byte { return s.inner(t, make([]byte, 100)) }},
		{"nothing", UnexpectedMessage, func(s *Sealer) []byte { return s.inner(t, nil) }},
		{"in plain", UnexpectedMessage, func(*Sealer) []byte { return []byte("PING\r\n") }},
		{"a plain alert", UnexpectedMessage, func(*Sealer) []byte { return []byte{21, 3, 3, 0, 2, 1, 0} }},
		{"change_cipher_spec", UnexpectedMessage, func(*Sealer) []byte { return []byte{20, 3, 3, 0, 1, 1} }},
		{"change_cipher_spec inside", UnexpectedMessage, func(s *Sealer) []byte { return s.inner(t, []byte{1, 20}) }},
		{"another version", ProtocolVersion, func(*Sealer) []byte { return []byte{23, 3, 4, 0, 30} }},
		{"an unknown type", UnexpectedMessage, func(s *Sealer) []byte { return s.inner(t, []byte{1, 99}) }},
		{"a certificate", UnexpectedMessage, func(s *Sealer) []byte { return s.inner(t, []byte{11, 0, 0, 0, typeHandshake}) }},
		{"no message", UnexpectedMessage, func(s *Sealer) []byte { return s.inner(t, []byte{typeHandshake}) }},
		{"half a KeyUpdate", UnexpectedMessage, func(s *Sealer) []byte { return s.inner(t, []byte{24, 0, 0, typeHandshake}) }},
		{"two KeyUpdates", UnexpectedMessage, func(s *Sealer) []byte {
			return s.inner(t, []byte{24, 0, 0, 1, 0, 24, 0, 0, 1, 0, typeHandshake})
		}},
		{"a longer KeyUpdate", UnexpectedMessage, func(s *Sealer) []byte { return s.inner(t, []byte{24, 0, 0, 2, 0, typeHandshake}) }},
		{"a KeyUpdate of no kind", IllegalParameter, func(s *Sealer) []byte { return s.inner(t, []byte{24, 0, 0, 1, 2, typeHandshake}) }},
		{"half an alert", DecodeError, func(s *Sealer) []byte { return s.inner(t, []byte{1, typeAlert}) }},
		{"too many without data", UnexpectedMessage, func(s *Sealer) (all []byte) {
			for range maxIdle + 1 {
				all = append(all, s.inner(t, []byte{typeApplication})...)
			}
			return all
		}},
		{"too many KeyUpdates", UnexpectedMessage, func(s *Sealer) (all []byte) {
			for range maxIdle + 1 {
				all, _ = s.Update(all, true)
			}
			return all
		}},
	} {
		s, o := ends(t)
		in := s.inner(t, []byte("a\x17"))
		in = append(in, c.make(s)...)
		in = append(in, s.inner(t, []byte("later\x17"))...)
		data, err := openAll(o, in)
		var e *ProtocolError
		if !errors.As(err, &e) || e.Alert != c.want {
			t.Errorf("%s: ended with %v, want alert %d", c.name, err, c.want)
		}
		if !bytes.HasPrefix(data, []byte("a")) || bytes.Contains(data, []byte("later")) {
			t.Errorf("%s: opened %q", c.name, data)
		}
		s, _ = ends(t)
		if _, again := o.Open(nil, s.inner(t, []byte("a\x17"))); again != err {
			t.Errorf("%s: afterwards %v", c.name, again)
		}
		if _, again := o.Next(s.inner(t, []byte("a\x17"))); again != err {
			t.Errorf("%s: afterwards %v", c.name, again)
		}
	}
}

// What is in order is taken, whatever its form.
func TestForms(t *testing.T) {
	s, o := ends(t)
	var in []byte
	in = append(in, s.inner(t, append([]byte("padded\x17"), make([]byte, 300)...))...)
	in = append(in, s.inner(t, append(bytes.Repeat([]byte{0}, MaxPlain), typeApplication))...)
	for range 5 {
		for range maxIdle {
			in = append(in, s.inner(t, []byte{typeApplication})...)
		}
		in = append(in, s.inner(t, []byte("x\x17"))...)
	}
	in = append(in, s.inner(t, []byte{1, byte(userCanceled), typeAlert})...)
	in, _ = s.Update(in, true)
	in = append(in, s.inner(t, []byte("end\x17"))...)
	want := "padded" + string(make([]byte, MaxPlain)) + "xxxxx" + "end"
	if got, err := openAll(o, in); err != nil || string(got) != want {
		t.Errorf("opened %d bytes of %d, %v", len(got), len(want), err)
	}
	if !o.Asked() || o.Asked() {
		t.Error("that the peer asks for a key is not said once")
	}
	for a, want := range map[Alert]string{CloseNotify: io.EOF.Error(), BadRecordMAC: "tls: the peer sent alert 20"} {
		s, o := ends(t)
		in, _ := s.Alert(nil, a)
		in, _ = s.Seal(in, []byte("later"))
		if data, err := openAll(o, in); fmt.Sprint(err) != want || len(data) > 0 {
			t.Errorf("alert %d: %q, %v", a, data, err)
		}
	}
}

// Sealing and opening cost no memory.
func TestNothingIsAllocated(t *testing.T) {
	s, o := ends(t)
	data := make([]byte, 3*MaxPlain)
	rec := make([]byte, 0, Room(len(data)))
	dst := make([]byte, 0, MaxRecord)
	if n := testing.AllocsPerRun(100, func() {
		in, err := s.Seal(rec, data)
		for len(in) > 0 && err == nil {
			var n int
			if n, err = o.Next(in); err == nil {
				_, err = o.Open(dst, in[:n])
			}
			in = in[n:]
		}
		if err != nil {
			t.Error(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// Whatever is sealed comes out or ends the session; whatever comes unsealed ends it.
func FuzzOpen(f *testing.F) {
	f.Add([]byte("data\x17"), []byte{}, uint16(0))
	f.Add([]byte{24, 0, 0, 1, 1, typeHandshake}, []byte{}, uint16(0))
	f.Add([]byte{1, 0, typeAlert}, []byte{23, 3, 3, 0, 17}, uint16(1))
	f.Add([]byte("padded\x17\x00\x00"), []byte{23, 3, 3, 0x40, 0xff}, uint16(7))
	f.Add([]byte{}, []byte{21, 3, 3, 0, 2, 1, 0}, uint16(3))
	f.Fuzz(func(t *testing.T, inner, raw []byte, flip uint16) {
		if len(inner) > maxSealed-tagLen {
			return
		}
		s, o := ends(t)
		rec := s.inner(t, inner)
		good := slices.Clone(rec)
		if flip > 0 {
			rec[int(flip)%len(rec)] ^= byte(flip>>8) | 1
		}
		in := append(slices.Clone(rec), raw...)
		data, err := openAll(o, slices.Clone(in))
		var e *ProtocolError
		var a RemoteAlert
		switch {
		case len(data) > 0 && !bytes.HasPrefix(inner, data):
			t.Errorf("opened %x of %x", data, inner)
		case !bytes.Equal(rec, good) && len(data) > 0:
			t.Errorf("%x was opened", rec)
		case err == nil && len(raw) > 0:
			t.Errorf("%x was opened", raw)
		case err != nil && err != io.EOF && err != io.ErrUnexpectedEOF && !errors.As(err, &e) && !errors.As(err, &a):
			t.Errorf("ended with %v", err)
		}
	})
}
