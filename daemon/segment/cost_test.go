package segment

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/vfs"
	"github.com/nats-broker/nats-broker/daemon/vfs/sim"
)

// written returns the bytes that were written to files of any kind.
func written(c *vfs.Counted) (n uint64) {
	for k := range vfs.Kinds {
		n += c.Figures(k).WriteBytes
	}
	return n
}

func reads(c *vfs.Counted) (n uint64) {
	for k := range vfs.Kinds {
		n += c.Figures(k).Reads
	}
	return n
}

// TestBytesWrittenOfLimits: a stream that keeps its last messages writes each byte once, and the
// journal once more.
func TestBytesWrittenOfLimits(t *testing.T) {
	fs := vfs.Count(vfs.OS)
	l, err := Open(fs, filepath.Join(t.TempDir(), "log"), Options{Segment: 4 << 20, Tail: 256 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	const messages, keep = 300_000, 60_000
	stored := uint64(0)
	payload := make([]byte, 128)
	for seq := uint64(1); seq <= messages; seq++ {
		l.Begin(seq)
		s := fmt.Appendf(nil, "orders.%d.new", seq%50)
		stored += l.Size(len(s), 0, len(payload))
		if err := l.Append(&stream.Record{Seq: seq, Time: int64(seq) * 1e6, Subject: s, Payload: payload}); err != nil {
			t.Fatal(err)
		}
		if seq > keep {
			if err := l.Truncate(seq - keep + 1); err != nil {
				t.Fatal(err)
			}
		}
		if seq%30_000 == 0 {
			if err := l.Sync(); err != nil {
				t.Fatal(err)
			}
		}
	}
	rate := 1 + float64(written(fs))/float64(stored)
	t.Logf("%.2f bytes written for a byte stored, the journal's included", rate)
	if rate > 2.2 {
		t.Fatalf("%.2f bytes written for a byte stored", rate)
	}
}

// TestBytesWrittenOfKeys: a stream with one message a subject, written in any order, writes a
// byte at most 3.2 times, the journal's included, and its files stay below 2.2 times what lives.
func TestBytesWrittenOfKeys(t *testing.T) {
	for _, skewed := range []bool{false, true} {
		fs := vfs.Count(vfs.OS)
		dir := filepath.Join(t.TempDir(), "log")
		l, err := Open(fs, dir, Options{Segment: 1 << 20, Tail: 128 << 10})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		rng := rand.New(rand.NewPCG(1, 2))
		zipf := rand.NewZipf(rng, 1.2, 10, 19_999)
		stored, base := uint64(0), uint64(0)
		payload := make([]byte, 200)
		for seq := uint64(1); seq <= 220_000; seq++ {
			if seq == 20_001 { // all keys are there
				if err := l.Sync(); err != nil {
					t.Fatal(err)
				}
				stored, base = 0, written(fs)
			}
			key := seq
			switch {
			case seq <= 20_000:
			case skewed:
				key = 1 + zipf.Uint64()
			default:
				key = 1 + rng.Uint64N(20_000)
			}
			l.Begin(seq)
			s := fmt.Appendf(nil, "$KV.bucket.key%06d", key)
			before, _ := l.Subject(s)
			stored += l.Size(len(s), 0, len(payload))
			if err := l.Append(&stream.Record{Seq: seq, Time: int64(seq) * 1e6, Subject: s, Payload: payload}); err != nil {
				t.Fatal(err)
			}
			if before.Msgs > 0 {
				if _, err := l.Remove(before.Last); err != nil {
					t.Fatal(err)
				}
			}
			if seq%20_000 == 0 {
				if err := l.Sync(); err != nil {
					t.Fatal(err)
				}
			}
		}
		st := l.State()
		if st.Subjects != 20_000 || st.Msgs != 20_000 {
			t.Fatalf("%+v", st)
		}
		var size int64
		for _, f := range l.files {
			size += f.size
		}
		rate, space := 1+float64(written(fs)-base)/float64(stored), float64(size)/float64(st.Bytes)
		t.Logf("skewed %v: %.2f bytes written for a byte stored, the journal's included; %.2f on the disk for one that lives", skewed, rate, space)
		if rate > 3.2 || space > 2.2 {
			t.Fatalf("%.2f bytes written for a byte stored, %.2f on the disk for one that lives", rate, space)
		}
	}
}

// TestOpenReadsTheSame: however much is stored, opening makes the same few reads.
func TestOpenReadsTheSame(t *testing.T) {
	var first uint64
	for i, messages := range []uint64{100, 2_000, 40_000} {
		disk := sim.New(1, sim.Options{Quiet: true})
		l, err := Open(disk, "/log", Options{Segment: 1 << 20, Tail: 64 << 10})
		if err != nil {
			t.Fatal(err)
		}
		l.Begin(1)
		for seq := uint64(1); seq <= messages; seq++ {
			if err := l.Append(&stream.Record{Seq: seq, Time: int64(seq), Subject: fmt.Appendf(nil, "s.%d", seq%1000), Payload: make([]byte, 100)}); err != nil {
				t.Fatal(err)
			}
			if seq%7 == 0 {
				if _, err := l.Remove(seq / 2); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := l.Sync(); err != nil {
			t.Fatal(err)
		}
		want := l.State()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		fs := vfs.Count(disk)
		l, err = Open(fs, "/log", Options{})
		if err != nil {
			t.Fatal(err)
		}
		n := reads(fs)
		if i == 0 {
			first = n
		}
		if n != first || n > 2 {
			t.Fatalf("%d reads for %d messages, %d for 100", n, messages, first)
		}
		if got := l.State(); got != want {
			t.Fatalf("%+v, want %+v", got, want)
		}
	}
}

// TestQuietLogIsSmall: a log with a few messages that nobody uses takes little memory, opened or
// just synced.
func TestQuietLogIsSmall(t *testing.T) {
	const logs = 60
	dir := t.TempDir()
	node := NewNode(NodeOptions{})
	for _, again := range []bool{false, true} {
		var open []*Log
		before := heap()
		for i := range logs {
			l, err := Open(vfs.OS, filepath.Join(dir, fmt.Sprint(i)), Options{Node: node})
			if err != nil {
				t.Fatal(err)
			}
			open = append(open, l)
			for seq := uint64(1); seq <= 3 && !again; seq++ {
				l.Begin(seq)
				if err := l.Append(&stream.Record{Seq: seq, Subject: fmt.Append(nil, "orders.", seq), Payload: make([]byte, 100)}); err != nil {
					t.Fatal(err)
				}
			}
			if !again {
				if err := l.Sync(); err != nil {
					t.Fatal(err)
				}
			}
		}
		per := (heap() - before) / logs
		t.Logf("%d bytes a log, opened again: %v", per, again)
		if per > 4096 {
			t.Errorf("%d bytes a log, opened again: %v", per, again)
		}
		for _, l := range open {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
