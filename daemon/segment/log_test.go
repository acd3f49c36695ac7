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
	logtest.Run(t, logtest.Subject{
		Open: func(t *rapid.T) stream.Log {
			disk = sim.New(1, sim.Options{})
			o = small(t)
			return open(t, disk, o)
		},
		Reopen: func(t *rapid.T, l stream.Log) stream.Log {
			if !rapid.Bool().Draw(t, "reopen") {
				return l
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
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
