package journal

import (
	"encoding/binary"
	"testing"
)

// The vectors of the paper's reference code: key 00..0f, input 00..n-1.
func TestSipHash(t *testing.T) {
	var b [16]byte
	for i := range b {
		b[i] = byte(i)
	}
	k := keyOf(b)
	var in []byte
	for i, want := range map[int]string{
		0:  "\x31\x0e\x0e\xdd\x47\xdb\x6f\x72",
		1:  "\xfd\x67\xdc\x93\xc5\x39\xf8\x74",
		7:  "\x37\xd1\x01\x8b\xf5\x00\x02\xab",
		8:  "\x62\x24\x93\x9a\x79\xf5\xf5\x93",
		15: "\xe5\x45\xbe\x49\x61\xca\x29\xa1",
		63: "\x72\x45\x06\xeb\x4c\x32\x8a\x95",
	} {
		in = in[:0]
		for n := range i {
			in = append(in, byte(n))
		}
		if got := k.sum(in); got != binary.LittleEndian.Uint64([]byte(want)) {
			t.Errorf("%d bytes: %x, want % x", i, got, want)
		}
	}
}
