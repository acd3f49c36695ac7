package stream

import (
	"encoding/binary"
	"math/bits"
)

// Key makes the hashes of message ids unpredictable for whoever sends them: 128 random bits.
type Key [2]uint64

// hash is SipHash-2-4 with 128 bits of result (Aumasson and Bernstein, 2012).
func (k Key) hash(b []byte) idHash {
	v := [4]uint64{k[0] ^ 0x736f6d6570736575, k[1] ^ 0x646f72616e646f6d ^ 0xee, k[0] ^ 0x6c7967656e657261, k[1] ^ 0x7465646279746573}
	tail := uint64(len(b)) << 56
	for ; len(b) >= 8; b = b[8:] {
		m := binary.LittleEndian.Uint64(b)
		v[3] ^= m
		sipRound(&v)
		sipRound(&v)
		v[0] ^= m
	}
	for i, c := range b {
		tail |= uint64(c) << (8 * i)
	}
	v[3] ^= tail
	sipRound(&v)
	sipRound(&v)
	v[0] ^= tail
	v[2] ^= 0xee
	lo := sipEnd(&v)
	v[1] ^= 0xdd
	return idHash{lo, sipEnd(&v)}
}

func sipEnd(v *[4]uint64) uint64 {
	for range 4 {
		sipRound(v)
	}
	return v[0] ^ v[1] ^ v[2] ^ v[3]
}

func sipRound(v *[4]uint64) {
	v[0] += v[1]
	v[1] = bits.RotateLeft64(v[1], 13) ^ v[0]
	v[0] = bits.RotateLeft64(v[0], 32)
	v[2] += v[3]
	v[3] = bits.RotateLeft64(v[3], 16) ^ v[2]
	v[0] += v[3]
	v[3] = bits.RotateLeft64(v[3], 21) ^ v[0]
	v[2] += v[1]
	v[1] = bits.RotateLeft64(v[1], 17) ^ v[2]
	v[2] = bits.RotateLeft64(v[2], 32)
}
