package jetstream

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
)

// index is one of the second version with two blocks, the first of which has lost a message.
func index() []byte {
	u, i := binary.AppendUvarint, binary.AppendVarint
	b := []byte{11, 2}
	b = i(u(i(u(u(u(b, 7), 100), 3), 50), 20), 9)
	b = u(b, 2)
	b = u(u(append(u(b, 1), 'a'), 1), 1)
	b = u(u(u(append(u(b, 3), "b.c"...), 6), 1), 2)
	b = u(b, 2)
	b = u(u(i(u(i(u(u(u(b, 1), 50), 3), 0), 9), 5), 1), 0)
	b = append(b, 22, 2)
	b = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(b, 1), 1)
	b = binary.LittleEndian.AppendUint64(b, 0)
	b = binary.LittleEndian.AppendUint64(b, 1<<5)
	b = append(b, make([]byte, 31*8+2)...)
	return u(u(i(u(i(u(u(u(b, 2), 50), 12), 0), 20), 5), 0), 0)
}

func TestOldIndex(t *testing.T) {
	gone, err := oldIndex(index())
	if err != nil || fmt.Sprint(gone) != "[{5 5} {10 11}]" {
		t.Error(gone, err)
	}
	for n := range index() {
		if _, err := oldIndex(index()[:n]); err == nil {
			t.Fatalf("%d bytes of it are taken", n)
		}
	}
}

// state is one of the second version: a floor of 4 and 10, two pending, one of them delivered twice.
func state() []byte {
	u, i := binary.AppendUvarint, binary.AppendVarint
	b := []byte{22, 2}
	b = u(u(u(u(b, 4), 10), 7), 15)
	b = i(u(b, 2), 1000)
	b = i(u(u(b, 2), 1), 0)
	b = i(u(u(b, 5), 3), 7)
	return u(u(u(b, 1), 2), 1)
}

func TestOldConsumerState(t *testing.T) {
	s, err := oldConsumerState(state())
	want := api.ConsumerState{
		AckFloor: api.SequenceInfo{Consumer: 4, Stream: 10}, Delivered: api.SequenceInfo{Consumer: 7, Stream: 15},
		Pending: map[uint64]api.PendingDelivery{12: {Sequence: 5, Timestamp: 1000e9}, 15: {Sequence: 7, Timestamp: 993e9}}, Redelivered: map[uint64]uint64{12: 1},
	}
	if err != nil || fmt.Sprint(*s) != fmt.Sprint(want) {
		t.Errorf("%+v, %v", s, err)
	}
	// The first version has no sequences of the consumer, times from the first one on, and counts from the floor.
	u, i := binary.AppendUvarint, binary.AppendVarint
	b := i(u(u(u(u(u([]byte{22, 1}, 4), 10), 3), 5), 1), 1000)
	s, err = oldConsumerState(u(i(u(b, 2), 7), 0))
	if err != nil || s.Delivered.Stream != 14 || s.Delivered.Consumer != 6 || s.Pending[12].Timestamp != 1007e9 {
		t.Errorf("%+v, %v", s, err)
	}
}

func FuzzOldParts(f *testing.F) {
	f.Add(index())
	f.Add(state())
	f.Fuzz(func(t *testing.T, b []byte) {
		if gone, err := oldIndex(bytes.Clone(b)); err == nil && len(gone) > 8*len(b)+8 {
			t.Fatalf("%d of %d bytes", len(gone), len(b))
		}
		if s, err := oldConsumerState(b); err == nil && len(s.Pending)+len(s.Redelivered) > len(b) {
			t.Fatal("more than there are bytes")
		}
	})
}
