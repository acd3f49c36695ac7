package subjects

import (
	"encoding/binary"
	"math/bits"
)

// A bloom says of a name that it is not in a run, with ten bits a name: wrong once in a
// hundred times for a name that is not.
type bloom []byte

const (
	bloomBits  = 10
	bloomSteps = 7
)

func newBloom(names int) bloom {
	return make(bloom, (max(names, 1)*bloomBits+7)/8)
}

func (b bloom) add(h uint64) {
	n := uint64(len(b)) * 8
	step := h>>33 | 1
	for range bloomSteps {
		i := bitOf(h, n)
		b[i>>3] |= 1 << (i & 7)
		h += step * 0x9E3779B97F4A7C15
	}
}

// may reports whether the name with a hash may be in the run. One without bits does not know.
func (b bloom) may(h uint64) bool {
	if len(b) == 0 {
		return true
	}
	n := uint64(len(b)) * 8
	step := h>>33 | 1
	for range bloomSteps {
		i := bitOf(h, n)
		if b[i>>3]&(1<<(i&7)) == 0 {
			return false
		}
		h += step * 0x9E3779B97F4A7C15
	}
	return true
}

func bitOf(h, n uint64) uint64 {
	hi, _ := bits.Mul64(h, n)
	return hi
}

// Hash is the hash of a name that the blooms of runs are asked by. It is part of their format:
// the same on every machine and for ever.
func Hash(name []byte) uint64 {
	const k0, k1 = 0xa0761d6478bd642f, 0xe7037ed1a0b428db
	h := uint64(len(name)) ^ k0
	for len(name) >= 8 {
		h = mix(h^binary.LittleEndian.Uint64(name), k1)
		name = name[8:]
	}
	var last uint64
	for i, c := range name {
		last |= uint64(c) << (8 * i)
	}
	return mix(mix(h^last, k1), k0)
}

func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}
