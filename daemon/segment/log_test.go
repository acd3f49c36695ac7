package segment

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/stream/logtest"
	"github.com/nats-broker/nats-broker/daemon/vfs/sim"
)

// small has everything happen soon: runs of a few records, files of a few runs.
func small(t *rapid.T) Options {
	return Options{
		Node:    NewNode(NodeOptions{Cache: rapid.SampledFrom([]int64{1, 20_000, 1 << 20}).Draw(t, "cache"), Files: rapid.IntRange(1, 4).Draw(t, "files")}),
		Tail:    rapid.SampledFrom([]int{600, 3000, 20_000}).Draw(t, "tail"),
		Segment: rapid.SampledFrom([]int64{2000, 10_000, 100_000}).Draw(t, "segment"),
		Report:  func(r Report) { t.Errorf("reported: %+v", r) },
		Random:  func(b []byte) { copy(b, "0123456789abcdef") },
	}
}

// TestLog asks for what every log must do, with files that are opened again after each sync.
func TestLog(t *testing.T) {
	var disk *sim.Disk
	var o Options
	var used [2]int64 // as it was told: tail, table
	logtest.Run(t, logtest.Subject{
		Open: func(t *rapid.T) stream.Log {
			used = [2]int64{}
			disk = sim.New(1, sim.Options{})
			o = small(t)
			o.Changed = func(tail, table int64) { used = [2]int64{tail, table} }
			return open(t, disk, o)
		},
		Reopen: func(t *rapid.T, l stream.Log) stream.Log {
			switch rapid.IntRange(0, 3).Draw(t, "then") {
			case 0:
				return l
			case 1: // memory is short
				l.(*Log).DropTable()
				o.Node.Shrink(0)
				return l
			}
			if tail := l.(*Log).tail.bytes(); used[0] != int64(tail) || used[1] != int64(l.(*Log).table.Bytes()) {
				t.Fatalf("said to use %v, uses %d and %d", used, tail, l.(*Log).table.Bytes())
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if used != [2]int64{} {
				t.Fatalf("closed, and %v are in use", used)
			}
			return open(t, disk, o)
		},
	})
}

type fataler interface {
	Helper()
	Fatal(...any)
}

func open(t fataler, disk *sim.Disk, o Options) *Log {
	t.Helper()
	l, err := Open(disk, "/log", o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}
