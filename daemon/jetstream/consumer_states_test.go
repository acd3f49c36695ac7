package jetstream

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"
)

func statesFile(states map[uint64]consumerState) []byte {
	var b []byte
	for _, id := range []uint64{1, 2, 3} {
		if s, ok := states[id]; ok {
			b = appendState(b, id, s.number, s.state)
		}
	}
	head := binary.LittleEndian.AppendUint32(nil, consumersMagic)
	head = binary.LittleEndian.AppendUint64(head, uint64(len(b)))
	head = binary.LittleEndian.AppendUint32(head, crc32.Checksum(head, castagnoli))
	return bytes.Join([][]byte{head, b, head, b}, nil)
}

// No single bit costs a consumer its state, and none gives it another one.
func TestStatesOutliveEveryFlip(t *testing.T) {
	want := map[uint64]consumerState{1: {7, []byte("first")}, 2: {1 << 40, nil}, 3: {9, bytes.Repeat([]byte{3}, 100)}}
	file := statesFile(want)
	for bit := range len(file) * 8 {
		b := bytes.Clone(file)
		b[bit/8] ^= 1 << (bit % 8)
		got, whole := parseStates(b)
		if !whole {
			t.Fatalf("bit %d: not whole", bit)
		}
		for id, s := range want {
			if got[id].number != s.number || !bytes.Equal(got[id].state, s.state) {
				t.Fatalf("bit %d: consumer %d is %+v", bit, id, got[id])
			}
		}
		if len(got) != len(want) {
			t.Fatalf("bit %d: %d consumers", bit, len(got))
		}
	}
	if states, whole := parseStates(file[:len(file)/2-1]); whole || len(states) > len(want) {
		t.Error("half a file is whole")
	}
}

func FuzzStates(f *testing.F) {
	f.Add(statesFile(map[uint64]consumerState{1: {7, []byte("first")}, 2: {8, nil}}))
	f.Add([]byte{})
	f.Fuzz(func(_ *testing.T, b []byte) { parseStates(b) })
}
