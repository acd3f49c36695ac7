package segment

import (
	"syscall"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/vfs/sim"
)

// TestTidyEnds: what is left of a file may be so little that its heads are most of the file it is written into. That one
// is not written anew again.
func TestTidyEnds(t *testing.T) {
	disk := sim.New(1, sim.Options{})
	var reports []Report
	o := rotOptions(&reports)
	o.Rewrite = 0.33
	l, err := Open(disk, "/log", o)
	if err != nil {
		t.Fatal(err)
	}
	l.Begin(1)
	seq := uint64(0)
	put := func(n, size int) {
		for range n {
			seq++
			if err := l.Append(&stream.Record{Seq: seq, Subject: []byte("s"), Payload: make([]byte, size)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	put(1, 7000) // a file that lives
	put(1, 10)   // one of which this will be all
	put(8, 1000)
	put(1, 7000)
	put(1, 7000)
	for gone := uint64(3); gone <= 10; gone++ {
		if _, err := l.Remove(gone); err != nil {
			t.Fatal(err)
		}
	}
	made := 0
	disk.Hook(func(op sim.Op) sim.Fault {
		if op.Call == sim.Create {
			if made++; made > 20 {
				return sim.Fault{Err: syscall.EIO}
			}
		}
		return sim.Fault{}
	})
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	disk.Hook(nil)
	if made == 0 || made > 20 || len(reports) > 0 {
		t.Fatalf("%d files were made, and reported is %v", made, reports)
	}
	var r stream.Record
	if err := l.Load(2, &r); err != nil || len(r.Payload) != 10 {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}
