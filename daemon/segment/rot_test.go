package segment

import (
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/subjects"
	"github.com/nats-broker/nats-broker/daemon/vfs"
	"github.com/nats-broker/nats-broker/daemon/vfs/sim"
)

// rotten is a log on a disk, closed, with everything that a log can have: several files, one of
// them with one index for several runs, deletions in it, gaps.
type rotten struct {
	disk   *sim.Disk
	want   map[uint64]stream.Record
	last   uint64
	places []place
}

// place is a range of a file, and the messages that a flipped bit in it may cost.
type place struct {
	file     string
	from, to int64
	what     string
	costs    []uint64
}

func rotOptions(reports *[]Report) Options {
	return Options{
		Tail: 1500, Segment: 6000, Rewrite: 0.01,
		Random: func(b []byte) { copy(b, "0123456789abcdef") },
		Report: func(r Report) { *reports = append(*reports, r) },
	}
}

func makeRotten(t *testing.T) *rotten {
	var reports []Report
	w := &rotten{disk: sim.New(3, sim.Options{}), want: map[uint64]stream.Record{}}
	l, err := Open(w.disk, "/log", rotOptions(&reports))
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for n := range uint64(12) {
		l.Begin(n + 1)
		for range 20 {
			w.last += 1 + uint64(rng.IntN(8)/7)
			r := stream.Record{Seq: w.last, Time: int64(1000 + w.last), Subject: fmt.Appendf(nil, "s.%d.v", rng.IntN(5)), Payload: []byte(strings.Repeat(string(rune('a'+n)), rng.IntN(60)))}
			if err := l.Append(&r); err != nil {
				t.Fatal(err)
			}
			w.want[w.last] = r
		}
		for range 4 {
			seq := 1 + uint64(rng.IntN(int(w.last)))
			delete(w.want, seq)
			if _, err := l.Remove(seq); err != nil {
				t.Fatal(err)
			}
		}
		if n%4 == 3 {
			if err := l.Sync(); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.place(t, l)
	if err := l.Close(); err != nil || len(reports) != 0 {
		t.Fatal(err, reports)
	}
	return w
}

// place lists what is where.
func (w *rotten) place(t *testing.T, l *Log) {
	indexed := map[*file]int64{}
	for _, r := range l.runs {
		x, err := l.index(r)
		if err != nil {
			t.Fatal(err)
		}
		for i := range x.pages {
			p := &x.pages[i]
			pg, err := l.readPage(r, p)
			if err != nil {
				t.Fatal(err)
			}
			var all []uint64
			data := p.off + int64(p.size) - int64(len(pg.data))
			for j := range pg.entries {
				e := &pg.entries[j]
				all = append(all, e.seq)
				w.places = append(w.places, place{r.file.name, data + int64(e.off), data + int64(e.off) + int64(e.size()), "record", []uint64{e.seq}})
			}
			w.places = append(w.places, place{r.file.name, p.off, p.off + pageHead, "page's head", all}, place{r.file.name, p.off + pageHead, data, "page's list", all})
		}
		w.places = append(w.places, place{r.file.name, r.off, r.off + int64(r.body), "index's body", nil}, place{r.file.name, r.off + int64(r.body), r.off + int64(r.body+r.head), "index's head", nil})
		indexed[r.file]++
	}
	if len(indexed) < 3 || len(l.runs) < 4 {
		t.Fatalf("%d files, %d runs: the test wants several", len(indexed), len(l.runs))
	}
	for f := range indexed {
		w.places = append(w.places, place{f.name, 0, fileHead, "file's head", nil})
	}
	dead := false
	for _, e := range w.entries(t) {
		kind := map[string]string{".del": "deletions", "": "state"}[path.Ext(e.Name)]
		if kind != "" {
			w.places = append(w.places, place{path.Join("/log", e.Name), 0, e.Size, kind, nil})
			dead = dead || kind == "deletions"
		}
	}
	if !dead {
		t.Fatal("no deletions on the disk")
	}
}

func (w *rotten) entries(t *testing.T) (list []vfs.Entry) {
	entries, err := w.disk.ReadDir("/log")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e, err = w.disk.Stat(path.Join("/log", e.Name)); err != nil {
			t.Fatal(err)
		}
		list = append(list, e)
	}
	return list
}

// TestRot flips bits at every kind of place in every kind of file. What is lost is what the place may
// cost, is said to be lost, and stays the same when the log goes on.
func TestRot(t *testing.T) {
	w := makeRotten(t)
	rng := rand.New(rand.NewPCG(5, 6))
	flips := map[string]int{}
	for _, p := range w.places {
		step := (p.to - p.from) / 3 // records and their pages are many, of the others there are few
		if !strings.HasPrefix(p.what, "record") && !strings.HasPrefix(p.what, "page") {
			step = (p.to - p.from) / 12
		}
		for off := p.from; off < p.to; off += 1 + int64(rng.IntN(int(step+1))) {
			flips[p.what]++
			w.flip(t, p, off*8+int64(rng.IntN(8)))
			if t.Failed() {
				return
			}
		}
	}
	t.Log(flips)
	for _, kind := range []string{"record", "page's head", "page's list", "index's body", "index's head", "file's head", "deletions", "state"} {
		if flips[kind] < 10 {
			t.Errorf("%d flips in %s", flips[kind], kind)
		}
	}
}

func (w *rotten) flip(t *testing.T, p place, bit int64) {
	t.Helper()
	disk := w.disk.Copy()
	if err := disk.Flip(p.file, bit); err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("bit %d of %s, in a %s", bit, p.file, p.what)
	var reports []Report
	l, err := Open(disk, "/log", rotOptions(&reports))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	before := w.check(t, name, l, p.costs)
	if len(before) > 0 && len(reports) == 0 {
		t.Fatalf("%s: lost %v and said nothing", name, before)
	}
	// It goes on: what can be read can be read after a rewriting, a sync and a start.
	l.Begin(1000)
	for i := range uint64(30) {
		if err := l.Append(&stream.Record{Seq: w.last + 1 + i, Time: 9999, Subject: []byte("new"), Payload: make([]byte, 100)}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	l.o.Rewrite = 0.99
	if err := l.Sync(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l, err = Open(disk, "/log", rotOptions(&reports))
	if err != nil {
		t.Fatalf("%s: again: %v", name, err)
	}
	if n := l.Count(nil, w.last+1, w.last+100); n != 30 {
		t.Fatalf("%s: %d new messages, want 30", name, n)
	}
	if after := w.check(t, name+", again", l, p.costs); !slices.Equal(before, after) {
		t.Fatalf("%s: lost %v, later %v", name, before, after)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// check reads everything and returns what cannot be read.
func (w *rotten) check(t *testing.T, name string, l *Log, costs []uint64) (lost []uint64) {
	t.Helper()
	var r stream.Record
	for seq := uint64(1); seq <= w.last; seq++ {
		want, there := w.want[seq]
		err := l.Load(seq, &r)
		switch {
		case !there && errors.Is(err, stream.ErrNoMessage):
		case there && err == nil && r.Time == want.Time && string(r.Subject) == string(want.Subject) && string(r.Payload) == string(want.Payload):
		case there && errors.Is(err, stream.ErrUnreadable) && slices.Contains(costs, seq):
			lost = append(lost, seq)
		default:
			t.Fatalf("%s: message %d: %v, %+v; was there: %v", name, seq, err, r, there)
		}
		if next, ok := l.Next(seq, nil); there && (!ok || next != seq) {
			t.Fatalf("%s: Next(%d) = %d, %v", name, seq, next, ok)
		}
	}
	if st := l.State(); st.Last < w.last || l.Count(nil, 1, w.last) != uint64(len(w.want)) {
		t.Fatalf("%s: state %+v, want %d messages through %d", name, st, len(w.want), w.last)
	}
	said := l.Lost()
	for _, seq := range lost {
		if !covered(said, seq, seq) {
			t.Fatalf("%s: message %d is lost, which is not said: %v", name, seq, said)
		}
	}
	for _, r := range said {
		for seq := r.From; seq <= r.To; seq++ {
			if !slices.Contains(costs, seq) {
				t.Fatalf("%s: message %d is said to be lost: %v", name, seq, said)
			}
		}
	}
	return lost
}

// TestStateIsGone takes the state away, or both its copies: the log is made anew from the
// messages, gets what the journal has, and is what it was. What was there is in quarantine.
func TestStateIsGone(t *testing.T) {
	for _, how := range []string{"removed", "damaged"} {
		for seed := range uint64(10) {
			h := &history{rng: rand.New(rand.NewPCG(seed, 8)), first: 1, keys: 7}
			disk := sim.New(seed, sim.Options{})
			l, err := Open(disk, "/log", cutOptions(t, how))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := live(h, l); err != nil {
				t.Fatal(err)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if how == "removed" {
				err = disk.Remove("/log/state")
			} else {
				e, _ := disk.Stat("/log/state")
				err = errors.Join(disk.Flip("/log/state", 8*20), disk.Flip("/log/state", 8*(e.Size/2+20)))
			}
			if err != nil {
				t.Fatal(err)
			}
			l, err = Open(disk, "/log", cutOptions(t, how))
			if err != nil {
				t.Fatalf("seed %d, %s: %v", seed, how, err)
			}
			upTo := uint64(len(h.commits))
			if err := h.apply(l, 1, upTo); err != nil {
				t.Fatalf("seed %d, %s: %v", seed, how, err)
			}
			compareLogs(t, fmt.Sprintf("seed %d, %s", seed, how), h, l, upTo)
			if e, err := disk.ReadDir("/log/quarantine"); err != nil || len(e) == 0 {
				t.Fatalf("quarantine: %v, %v", e, err)
			}
		}
	}
}

// TestPayloadsAreNotStructure stores pages, indexes and states of a log as payloads of another
// with the same file numbers: when its state is gone and the files are searched, nothing of them is
// taken for its own.
func TestPayloadsAreNotStructure(t *testing.T) {
	w := makeRotten(t)
	disk := sim.New(9, sim.Options{})
	var reports []Report
	o := rotOptions(&reports)
	o.Random = func(b []byte) { copy(b, "another key.....") }
	l, err := Open(disk, "/log", o)
	if err != nil {
		t.Fatal(err)
	}
	seq := uint64(0)
	var all [][]byte
	for _, e := range w.entries(t) {
		b, err := vfs.ReadFile(w.disk, path.Join("/log", e.Name), vfs.Other, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b)
	}
	for range 2 {
		for _, b := range all {
			for _, cut := range []int{0, 64, len(b) / 2} {
				seq++
				l.Begin(seq)
				if err := l.Append(&stream.Record{Seq: seq, Subject: []byte("evil"), Payload: b[cut:]}); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := l.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(l.Close(), disk.Remove("/log/state")); err != nil {
		t.Fatal(err)
	}
	l, err = Open(disk, "/log", o)
	if err != nil {
		t.Fatal(err)
	}
	if st := l.State(); st.Msgs != seq || st.Last != seq || st.Subjects != 1 || len(l.Lost()) != 0 {
		t.Fatalf("%+v, lost %v; want %d messages", st, l.Lost(), seq)
	}
}

// TestForgedPage: a client who knows where its payload will stand in which file writes a page into
// it, with all but the key. When the page around it rots and the file is searched, it is not found.
func TestForgedPage(t *testing.T) {
	for _, k := range []string{"0123456789abcdef", "no idea........."} { // the log's own key shows that the test can fail
		var at int64
		for round := range 2 {
			payload := make([]byte, 3000)
			if round == 1 {
				var w pageWriter
				var forger key
				copy(forger[:], k)
				w.add(1, 1, 1, 1, 0, 1, crc32.Checksum([]byte("xy"), castagnoli), []byte("xy"))
				copy(payload, w.appendTo(nil, &forger, 1, at, 0, false))
			}
			disk := sim.New(1, sim.Options{})
			var reports []Report
			l, err := Open(disk, "/log", rotOptions(&reports))
			if err != nil {
				t.Fatal(err)
			}
			l.Begin(1)
			for seq := range uint64(3) {
				l.Begin(seq + 1)
				if err := l.Append(&stream.Record{Seq: seq + 1, Subject: []byte("s"), Payload: payload}); err != nil {
					t.Fatal(err)
				}
				if err := l.Sync(); err != nil {
					t.Fatal(err)
				}
			}
			x, err := l.index(l.runs[0])
			if err != nil {
				t.Fatal(err)
			}
			p := x.pages[0]
			at = p.off + int64(p.size) - int64(len(payload))
			if round == 0 {
				continue
			}
			if err := errors.Join(l.Close(), disk.Remove("/log/state"), disk.Flip("/log/0000000000000001.seg", p.off*8+100)); err != nil {
				t.Fatal(err)
			}
			l, err = Open(disk, "/log", rotOptions(&reports))
			if err != nil {
				t.Fatal(err)
			}
			var r stream.Record
			forged := l.Load(1, &r) == nil && string(r.Subject) == "x"
			if own := k == "0123456789abcdef"; forged != own {
				t.Fatalf("key %q: forged message found: %v", k, forged)
			}
		}
	}
}

// TestFileIsGone takes a whole segment away: its messages cannot be read, which is said, nobody passes
// over them without learning it, and the others are there. Without descriptors nothing is lost.
func TestFileIsGone(t *testing.T) {
	for _, cause := range []error{nil, syscall.EMFILE} {
		w := makeRotten(t)
		var reports []Report
		l, err := Open(w.disk, "/log", rotOptions(&reports))
		if err != nil {
			t.Fatal(err)
		}
		gone := l.runs[1]
		costs := map[uint64]bool{}
		for seq := range w.want {
			if r := l.runAt(l.runs, seq); r != nil && r.file == gone.file {
				costs[seq] = true
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if cause == nil {
			err = w.disk.Remove(gone.file.name)
		} else {
			w.disk.Hook(func(o sim.Op) sim.Fault {
				if o.Call == sim.Open && o.Name == gone.file.name {
					return sim.Fault{Err: cause}
				}
				return sim.Fault{}
			})
		}
		if err != nil {
			t.Fatal(err)
		}
		l, err = Open(w.disk, "/log", rotOptions(&reports))
		if err != nil {
			t.Fatal(err)
		}
		f := subjects.NewFilter("s.3.v")
		var r stream.Record
		for seq := uint64(1); seq <= w.last; seq++ {
			want, there := w.want[seq]
			err := l.Load(seq, &r)
			if there && costs[seq] != errors.Is(err, stream.ErrUnreadable) || there && !costs[seq] && err != nil {
				t.Fatalf("message %d: %v", seq, err)
			}
			if next, ok := l.Next(seq, f); there && (costs[seq] || f.Match(want.Subject)) && (!ok || next > seq) {
				t.Fatalf("Next(%d) passes over it to %d", seq, next)
			}
			if cause == nil && there && costs[seq] && !covered(l.Lost(), seq, seq) {
				t.Fatalf("message %d is not said to be lost", seq)
			}
		}
		if len(costs) == 0 || cause != nil && len(l.Lost()) != 0 {
			t.Fatal(costs, l.Lost())
		}
		if st := l.State(); st.Msgs != uint64(len(w.want)) {
			t.Fatalf("%+v", st)
		}
		w.disk.Hook(nil)
		if cause != nil {
			for seq := range w.want {
				if err := l.Load(seq, &r); err != nil {
					t.Fatalf("message %d, with descriptors again: %v", seq, err)
				}
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestScrub flips a bit at each kind of place: a scrub finds it before anybody asks, whatever the
// cache holds; an index that is damaged is written anew by the next sync.
func TestScrub(t *testing.T) {
	w := makeRotten(t)
	done := map[string]int{}
	for _, p := range w.places {
		if done[p.what]++; done[p.what] > 25 || p.to == p.from || p.what == "state" || p.what == "deletions" || p.what == "file's head" {
			continue
		}
		disk := w.disk.Copy()
		var reports []Report
		l, err := Open(disk, "/log", rotOptions(&reports))
		if err != nil {
			t.Fatal(err)
		}
		scrub := func() (calls int) {
			for from, more := uint64(0), true; more; calls++ {
				from, more = l.Scrub(from, 2000)
			}
			return calls
		}
		if calls := scrub(); calls < 3 || len(reports) != 0 {
			t.Fatalf("%d calls, %v", calls, reports)
		}
		if err := disk.Flip(p.file, (p.from+p.to)/2*8+3); err != nil {
			t.Fatal(err)
		}
		scrub()
		var want []uint64
		for _, seq := range p.costs {
			if _, there := w.want[seq]; there {
				want = append(want, seq)
			}
		}
		var got []uint64
		for _, r := range l.Lost() {
			for seq := r.From; seq <= r.To; seq++ {
				got = append(got, seq)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%s in %s: lost %v, want %v", p.what, p.file, got, want)
		}
		index := strings.HasPrefix(p.what, "index")
		if (len(want) > 0 || index) != (len(reports) > 0) {
			t.Fatalf("%s in %s: reported %v", p.what, p.file, reports)
		}
		if index {
			l.Begin(1000)
			cur := l.cur
			if err := l.Skip(w.last + 1); err != nil {
				t.Fatal(err)
			}
			if err := l.Sync(); err != nil {
				t.Fatal(err)
			}
			if _, err := disk.Stat(p.file); (cur == nil || cur.name != p.file) == (err == nil) {
				t.Fatalf("%s in %s: not written anew: %v", p.what, p.file, err)
			}
			if lost := w.check(t, p.what, l, nil); len(lost) != 0 {
				t.Fatal(lost)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
