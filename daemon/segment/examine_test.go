package segment

import (
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/vfs"
	"github.com/nats-broker/nats-broker/daemon/vfs/sim"
)

// TestExamine flips a bit at each kind of place: who looks at the files finds that something is wrong, and
// as many messages lost as a log that is opened and scrubbed; everything else is given by Each; and nothing is changed.
func TestExamine(t *testing.T) {
	w := makeRotten(t)
	rng := rand.New(rand.NewPCG(4, 5))
	var clean []Report
	read := int64(0)
	x, err := Examine(w.disk, "/log", rotOptions(&clean), func(n int64) { read += n })
	if err != nil || len(clean) != 0 || x.Messages != uint64(len(w.want)) || x.Last != w.last || x.Unstated || len(x.Lost) != 0 || read < 2000 || x.Pages < 4 {
		t.Fatalf("%+v, %v, %v, %d bytes", x, err, clean, read)
	}
	for _, p := range w.places {
		d := w.disk.Copy()
		bit := p.from*8 + rng.Int64N((p.to-p.from)*8)
		if err := d.Flip(p.file, bit); err != nil {
			t.Fatal(err)
		}
		changes := 0
		d.Hook(func(o sim.Op) sim.Fault {
			if o.Call.Changes() {
				changes++
			}
			return sim.Fault{}
		})
		var reports []Report
		x, err := Examine(d, "/log", rotOptions(&reports), nil)
		if err != nil {
			t.Fatalf("%s in %s, bit %d: %v", p.what, p.file, bit, err)
		}
		costs := slices.ContainsFunc(p.costs, func(seq uint64) bool { _, there := w.want[seq]; return there })
		filled := p.what == "file's head" && bit/8 >= 36 || zeroOnDisk(t, d, p.file, bit/8)
		if len(reports) == 0 && !filled && (costs || len(p.costs) == 0) {
			t.Errorf("%s in %s, bit %d: nothing is said", p.what, p.file, bit)
		}
		got := map[uint64]bool{}
		if _, err := Each(d, "/log", rotOptions(&reports), 0, func(r *stream.Record) bool {
			if want := w.want[r.Seq]; string(want.Payload) != string(r.Payload) || string(want.Subject) != string(r.Subject) || want.Time != r.Time {
				t.Errorf("%s, bit %d: message %d is %+v, want %+v", p.what, bit, r.Seq, r, want)
			}
			got[r.Seq] = true
			return true
		}); err != nil {
			t.Fatalf("%s in %s, bit %d: %v", p.what, p.file, bit, err)
		}
		for seq := range w.want {
			if lost := covered(x.Lost, seq, seq); lost == got[seq] || lost && !slices.Contains(p.costs, seq) {
				t.Errorf("%s in %s, bit %d: message %d: lost %v, given %v", p.what, p.file, bit, seq, lost, got[seq])
			}
		}
		if changes != 0 {
			t.Errorf("%s: %d calls changed something", p.what, changes)
		}
	}
}

// TestExamineWithoutState looks at a log whose state is damaged in both copies: the pages are counted, and nothing changes.
func TestExamineWithoutState(t *testing.T) {
	w := makeRotten(t)
	e, err := w.disk.Stat("/log/state")
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int64{20, e.Size/2 + 20} {
		if err := w.disk.Flip("/log/state", at*8); err != nil {
			t.Fatal(err)
		}
	}
	var reports []Report
	x, err := Examine(w.disk, "/log", rotOptions(&reports), nil)
	if err != nil || !x.Unstated || x.Messages < uint64(len(w.want)) || x.Last != w.last || len(reports) != 1 {
		t.Fatalf("%+v, %v, %v", x, err, reports)
	}
	got := 0
	if _, err := Each(w.disk, "/log", rotOptions(&reports), 0, func(r *stream.Record) bool {
		if string(w.want[r.Seq].Payload) != string(r.Payload) {
			t.Errorf("message %d: %q", r.Seq, r.Payload)
		}
		got++
		return true
	}); err != nil || got < len(w.want)/2 { // what comes behind a gap and nothing vouches for, a start takes from the journal
		t.Fatalf("%d of %d, %v", got, len(w.want), err)
	}
	for _, e := range w.entries(t) {
		if e.Dir {
			t.Errorf("%s was made", e.Name)
		}
	}
}

// zeroOnDisk reports whether a byte lies where nothing is read: what fills up a half of the state.
func zeroOnDisk(t *testing.T, d *sim.Disk, name string, at int64) bool {
	f, err := d.Open(name, 0, vfs.Index)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, at); err != nil {
		t.Fatal(err)
	}
	return name == "/log/state" && bits.OnesCount8(b[0]) == 1
}
