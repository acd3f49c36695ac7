package segment

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"path"
	"strings"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/vfs/sim"
)

// packedLog writes messages of which some pages are compressed and some are not, and returns what was written.
func packedLog(t *testing.T, d *sim.Disk, o Options, large int) map[uint64]stream.Record {
	t.Helper()
	o.Compress, o.Tail, o.Segment = true, 20_000, 60_000
	l, err := Open(d, "/log", o)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(8, 9))
	want := map[uint64]stream.Record{}
	for seq := uint64(1); seq <= 300; seq++ {
		if seq%75 == 0 {
			l.SetCompress(seq%2 == 0)
		}
		r := stream.Record{Seq: seq, Time: int64(seq), Subject: fmt.Appendf(nil, "s.%d", seq%5), Payload: bytes.Repeat([]byte{byte(seq)}, 300)}
		if seq%20 > 15 { // what cannot be compressed
			for i := range r.Payload {
				r.Payload[i] = byte(rng.Uint32())
			}
		}
		if seq == 150 {
			r.Payload = make([]byte, large)
		}
		l.Begin(seq)
		if err := l.Append(&r); err != nil {
			t.Fatal(err)
		}
		want[seq] = r
	}
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return want
}

func sizeOf(t *testing.T, d *sim.Disk) (n int64) {
	list, err := d.ReadDir("/log")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if path.Ext(e.Name) == ".seg" {
			e, err := d.Stat("/log/" + e.Name)
			if err != nil {
				t.Fatal(err)
			}
			n += e.Size
		}
	}
	return n
}

// TestPacked: what was written compressed is read, beside what was not; it takes less; and a log made anew from its pages, as the
// state is lost, has the same.
func TestPacked(t *testing.T) {
	var reports []Report
	d := sim.New(1, sim.Options{})
	want := packedLog(t, d, rotOptions(&reports), maxPacked+1) // one is not compressed
	if n := sizeOf(t, d); n > maxPacked+60_000 {               // 300 times 300 bytes would be 90,000 and their indexes
		t.Errorf("%d bytes in files", n)
	}
	check := func(what string, l *Log) {
		t.Helper()
		var r stream.Record
		for seq, w := range want {
			if err := l.Load(seq, &r); err != nil || !bytes.Equal(r.Payload, w.Payload) || !bytes.Equal(r.Subject, w.Subject) {
				t.Fatalf("%s: message %d: %v", what, seq, err)
			}
		}
	}
	l, err := Open(d, "/log", rotOptions(&reports))
	if err != nil {
		t.Fatal(err)
	}
	check("opened", l)
	if err := l.Close(); err != nil || len(reports) != 0 {
		t.Fatal(err, reports)
	}
	if err := d.Remove("/log/state"); err != nil {
		t.Fatal(err)
	}
	if l, err = Open(d, "/log", rotOptions(&reports)); err != nil {
		t.Fatal(err)
	}
	check("made anew", l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestPackedRot flips bits all over files with compressed pages: never is a message wrong, never is more lost than the page, and what is
// lost is said.
func TestPackedRot(t *testing.T) {
	var reports []Report
	clean := sim.New(1, sim.Options{})
	want := packedLog(t, clean, rotOptions(&reports), 100)
	rng := rand.New(rand.NewPCG(3, 1))
	list, err := clean.ReadDir("/log")
	if err != nil {
		t.Fatal(err)
	}
	hit := 0
	for _, e := range list {
		e, err := clean.Stat("/log/" + e.Name)
		if err != nil {
			t.Fatal(err)
		}
		if path.Ext(e.Name) != ".seg" {
			continue
		}
		for range 60 {
			d := clean.Copy()
			if err := d.Flip("/log/"+e.Name, rng.Int64N(e.Size*8)); err != nil {
				t.Fatal(err)
			}
			reports = nil
			l, err := Open(d, "/log", rotOptions(&reports))
			if err != nil {
				t.Fatal(err)
			}
			for from, more := uint64(0), true; more; {
				from, more = l.Scrub(from, 1<<20)
			}
			lost := 0
			var r stream.Record
			for seq, w := range want {
				switch err := l.Load(seq, &r); {
				case err == nil && bytes.Equal(r.Payload, w.Payload) && bytes.Equal(r.Subject, w.Subject):
				case err == nil:
					t.Fatalf("message %d is wrong", seq)
				case !covered(l.Lost(), seq, seq):
					t.Fatalf("message %d cannot be read and is not lost: %v", seq, err)
				default:
					lost++
				}
			}
			if lost > 220 || lost > 0 && len(reports) == 0 {
				t.Fatalf("%d messages lost by a bit, reported %v", lost, reports)
			}
			hit += min(lost, 1)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if hit == 0 {
		t.Error("no flip has cost anything")
	}
}

// TestPackedIsRewritten: a file of which little lives is written anew though what lives was larger before it was compressed.
func TestPackedIsRewritten(t *testing.T) {
	d := sim.New(1, sim.Options{})
	l, err := Open(d, "/log", Options{Compress: true, Segment: 4000, Tail: 20_000})
	if err != nil {
		t.Fatal(err)
	}
	for seq := uint64(1); seq <= 1000; seq++ {
		l.Begin(seq)
		if err := l.Append(&stream.Record{Seq: seq, Subject: []byte("s"), Payload: []byte(strings.Repeat("x", 300))}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	before := sizeOf(t, d)
	for seq := uint64(1); seq <= 1000; seq++ {
		if seq%10 != 0 {
			l.Begin(1000 + seq)
			if _, err := l.Remove(seq); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 2 { // the second one removes what the first one has written anew
		l.Begin(3000)
		if err := l.Sync(); err != nil {
			t.Fatal(err)
		}
		l.Begin(3001)
		if err := l.Skip(1001); err != nil {
			t.Fatal(err)
		}
	}
	if after := sizeOf(t, d); after > before/2 {
		t.Errorf("%d bytes in files, there were %d", after, before)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}
