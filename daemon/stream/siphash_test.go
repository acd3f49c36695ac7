package stream

import (
	"encoding/binary"
	"testing"
)

// TestSipHash has two values of the reference's table for SipHash-2-4-128: key 00 01 … 0f, input 00 01 … of each length.
func TestSipHash(t *testing.T) {
	k := Key{0x0706050403020100, 0x0f0e0d0c0b0a0908}
	for n, want := range map[int]string{
		0: "\xa3\x81\x7f\x04\xba\x25\xa8\xe6\x6d\xf6\x72\x14\xc7\x55\x02\x93",
		1: "\xda\x87\xc1\xd8\x6b\x99\xaf\x44\x34\x76\x59\x11\x9b\x22\xfc\x45",
	} {
		in := make([]byte, n)
		for i := range in {
			in[i] = byte(i)
		}
		h := k.hash(in)
		got := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, h[0]), h[1])
		if string(got) != want {
			t.Errorf("%d bytes: %x; want %x", n, got, want)
		}
	}
}
