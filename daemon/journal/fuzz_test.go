package journal

import (
	"encoding/binary"
	"reflect"
	"strings"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/vfs"
	"github.com/nats-broker/nats-broker/daemon/vfs/sim"
)

// FuzzRecover changes a journal at some places and reads it. If seal is set the sums are made right
// again, so that what they protect is read too: what a header or a table says may be anything.
func FuzzRecover(f *testing.F) {
	le := binary.LittleEndian
	edit := func(file byte, at uint32, v byte) []byte { return append(le.AppendUint32([]byte{file}, at), v) }
	f.Add([]byte{}, false)
	f.Add(edit(0, 8, 9), true)
	f.Add(edit(0, Block+24, 0xff), true)                               // bytes of a commit
	f.Add(edit(0, Block+32, 0xff), true)                               // its frames
	f.Add(append(edit(0, Block+8, 9), edit(0, Block+200, 1)...), true) // its number, a body
	f.Add(edit(1, 48, 0), true)                                        // first commit
	f.Add(edit(1, Block+headSize+9, 0xff), true)                       // a length
	f.Add(edit(1, Block+headSize+41, 1), true)                         // a part
	d, files, k := fuzzed(f)
	f.Fuzz(func(t *testing.T, edits []byte, seal bool) {
		d := d.Copy()
		for n := 0; len(edits) >= 6 && n < 64; n, edits = n+1, edits[6:] {
			name := files[int(edits[0])%len(files)]
			change(t, d, name, int64(le.Uint32(edits[1:]))%(1<<20), edits[5], k, seal)
		}
		looked, refused := Inspect(d, "/journal", testKey, false, func(uint64, *Frame) error { return nil })
		g, j, err := recovered(d, Options{})
		if (err == nil) != (refused == nil) || err == nil && !reflect.DeepEqual(looked.Recovery.Lost, g.Lost) ||
			err == nil && (looked.End != g.End || looked.Frames != g.Frames || looked.Clean != g.Clean) {
			t.Fatalf("a look found %+v, %v; a start %+v, %v", looked, refused, g, err)
		}
		if err != nil {
			if !strings.Contains(err.Error(), "/journal/00") {
				t.Fatalf("an error without the file: %v", err)
			}
			return
		}
		for _, l := range g.Lost {
			if l.File == "" || l.From > l.To {
				t.Fatalf("%+v", l)
			}
		}
		if j.Append(frame(1, 1, 10, nil)); j.Close() != nil {
			t.Fatal("it cannot be used")
		}
	})
}

func fuzzed(f *testing.F) (*sim.Disk, []string, key) {
	d := sim.New(1, sim.Options{Capacity: 64 << 20})
	_, j, err := recovered(d, Options{})
	if err != nil {
		f.Fatal(err)
	}
	j.Append(frame(1, 1, 100, nil))
	j.Append(frame(2, 1, 100, nil))
	j.Flush()
	j.Append(frame(1, 2, 1500<<10, nil)) // in parts, into the next file
	j.Flush()
	j.Append(frame(1, 3, 100, nil))
	if err := j.Close(); err != nil {
		f.Fatal(err)
	}
	return d, []string{"/journal/000001.journal", "/journal/000002.journal"}, j.key
}

// change writes a byte, and makes the sums of what it lies in right.
func change(t *testing.T, d *sim.Disk, name string, at int64, v byte, store key, seal bool) {
	f, err := d.Open(name, vfs.Write, vfs.Journal)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte{v}, at); err != nil {
		t.Fatal(err)
	}
	if !seal {
		return
	}
	var b [Block]byte
	block := at / Block * Block
	if _, err := f.ReadAt(b[:], block); err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	switch le.Uint32(b[:]) {
	case headerMagic:
		le.PutUint64(b[headerSize-8:], store.sum(b[:headerSize-8]))
		for _, at := range []int64{0, 1<<20 - Block} {
			if _, err := f.WriteAt(b[:], at); err != nil {
				t.Fatal(err)
			}
		}
		return
	case headMagic:
		var salt [16]byte
		if _, err := f.ReadAt(salt[:], 24); err != nil {
			t.Fatal(err)
		}
		n := min(int(le.Uint32(b[32:])), (Block-headSize)/entrySize)
		for i := range n {
			e := b[headSize+i*entrySize:][:entrySize]
			le.PutUint32(e, crc(e[4:]))
		}
		le.PutUint32(b[36:], crc(b[headSize:headSize+n*entrySize]))
		le.PutUint64(b[headSize-8:], store.with(salt).sum(b[:headSize-8]))
	}
	if _, err := f.WriteAt(b[:], block); err != nil {
		t.Fatal(err)
	}
}
