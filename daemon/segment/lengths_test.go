package segment

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"runtime"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/nats-broker/nats-broker/daemon/vfs"
)

// allocated returns how many bytes fn allocates.
func allocated(fn func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fn()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestLengthsAreNotBelieved: what a file says of lengths takes no memory beyond what is there.
func TestLengthsAreNotBelieved(t *testing.T) {
	const little = 8 << 20
	w := makeRotten(t)
	var reports []Report

	l := openRotten(t, w.disk.Copy(), &reports)
	if n := allocated(func() {
		if _, err := l.files[0].read(100, 1<<30); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Error(err)
		}
	}); n > little {
		t.Errorf("%d bytes for what a small file does not have", n)
	}
	for _, r := range l.runs {
		if r.unread {
			r.deadAt.size = 1 << 30
			if n := allocated(func() { _ = l.ready(r) }); n > little {
				t.Errorf("%d bytes for deletions of a small file", n)
			}
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}

	// A file of deletions in which a few bytes speak for a hundred million messages.
	disk := w.disk.Copy()
	var b []byte
	for i := range 50 {
		b = append(b, announcing(uint64(1+i%4), 1+uint64(i)*maxRecords, maxRecords, liveList)...)
	}
	b = append(b, b...)
	f, err := disk.Open("/log/00000000000000ff.del", vfs.Write|vfs.Create, vfs.Other)
	if err == nil {
		_, err = f.WriteAt(b, 0)
	}
	if err := errors.Join(err, f.Sync(), f.Close(), disk.SyncDir("/log"), disk.Remove("/log/state")); err != nil {
		t.Fatal(err)
	}
	var got []uint64
	if n := allocated(func() { got = w.madeAnew(t, disk) }); n > 256<<20 {
		t.Errorf("%d bytes for deletions that are announced in %d", n, len(b))
	}
	if err := w.disk.Remove("/log/state"); err != nil {
		t.Fatal(err)
	}
	if want := w.madeAnew(t, w.disk); !slices.Equal(got, want) {
		t.Errorf("%d messages for %d, since more than there are were said to be gone", len(got), len(want))
	}
}

// announcing is a record of deletions of n messages, whose list is empty.
func announcing(file, first uint64, n int, kind byte) []byte {
	b := make([]byte, 8)
	for _, v := range []uint64{file, first, first + uint64(n) - 1, uint64(n)} {
		b = binary.AppendUvarint(b, v)
	}
	b = append(b, kind, 0)
	binary.LittleEndian.PutUint32(b, uint32(len(b)-8))
	binary.LittleEndian.PutUint32(b[4:], crc32.Checksum(b[8:], castagnoli))
	return b
}

// TestSpans compares the ranges of a set with its numbers one by one.
func TestSpans(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 300).Draw(t, "n")
		set := newBitset(n)
		var want []uint32
		for i := range uint32(n) {
			if rapid.IntRange(0, 9).Draw(t, "in") < rapid.SampledFrom([]int{1, 9}).Draw(t, "often") {
				set.set(i)
				want = append(want, i)
			}
		}
		var got []uint32
		before := -1
		set.spans(n, func(from, to uint32) {
			if int(from) <= before+1 && before >= 0 {
				t.Fatalf("%d follows %d", from, before)
			}
			before = int(to)
			for i := from; i <= to; i++ {
				got = append(got, i)
			}
		})
		if !slices.Equal(got, want) {
			t.Fatalf("%v, want %v", got, want)
		}
	})
}
