package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/nats-broker/nats-broker/daemon/vfs"
	"github.com/nats-broker/nats-broker/daemon/vfs/sim"
)

// fate of a frame.
type result struct {
	commit uint64
	err    error
}

// waiter sends what became of a frame.
type waiter chan result

func (w waiter) Done(_ *Frame, commit uint64, err error) { w <- result{commit, err} }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func begin(t *testing.T, v vfs.FS, o Options) *Journal {
	t.Helper()
	_, j, err := recovered(v, o)
	must(t, err)
	return j
}

func frame(stream, first uint64, size int, w Waiter) *Frame {
	return &Frame{Kind: 9, Stream: stream, First: first, Count: 1, Body: [][]byte{make([]byte, size)}, Waiter: w}
}

// TestManyAtOnce appends from many goroutines on a real disk, in both ways, while files fill and are
// released, and asks that each stream's frames are told in order and are all there afterwards.
// small is a disk that says it is small.
type small struct{ vfs.FS }

func (s small) Space(name string) (vfs.Space, error) {
	return vfs.Space{Total: 100 << 20, Free: 50 << 20, Block: 4096}, nil
}

func TestManyAtOnce(t *testing.T) {
	defer goleak.VerifyNone(t)
	dir := t.TempDir()
	var j *Journal
	released := uint64(0)
	j, err := Open(small{vfs.OS}, filepath.Join(dir, "journal"), testKey, Options{
		Checkpoint: func(upTo uint64) { released = upTo; j.Release(upTo) },
	})
	must(t, err)
	_, err = j.Recover(func(uint64, *Frame) error { return nil })
	must(t, err)
	j.Start()
	const streams, each = 8, 300
	var done sync.WaitGroup
	var last [streams]uint64 // commits
	for s := range uint64(streams) {
		done.Go(func() {
			w := make(waiter, 16)
			for i := range uint64(each) {
				f := frame(s, i+1, 5000, w)
				binary.LittleEndian.PutUint64(f.Body[0], i+1)
				if i%3 == 0 {
					j.Commit(f)
				} else {
					j.Append(f)
				}
				if i%16 == 15 || i == each-1 {
					for n := uint64(0); n <= i%16; n++ {
						r := <-w
						if r.err != nil || r.commit < last[s] {
							t.Error(r, last[s])
							return
						}
						last[s] = r.commit
					}
				}
			}
		})
	}
	done.Wait()
	must(t, j.Close())
	next := map[uint64]uint64{}
	j, err = Open(small{vfs.OS}, filepath.Join(dir, "journal"), testKey, Options{})
	must(t, err)
	r, err := j.Recover(func(commit uint64, f *Frame) error {
		if n := next[f.Stream]; n != 0 && f.First != n || binary.LittleEndian.Uint64(f.Body[0]) != f.First {
			return fmt.Errorf("stream %d: %d after %d", f.Stream, f.First, n-1)
		}
		next[f.Stream] = f.First + 1
		return nil
	})
	must(t, err)
	if !r.Clean || released == 0 {
		t.Errorf("%+v %v, released up to %d", r, next, released)
	}
	for s, commit := range last {
		if n := next[uint64(s)]; n != each+1 && commit > released {
			t.Errorf("stream %d ends at %d, its last commit was %d, released up to %d", s, int64(n)-1, commit, released)
		}
	}
	must(t, j.Close())
}

func TestAClosingCommitAfterASecond(t *testing.T) {
	for _, self := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			d := sim.New(1, sim.Options{})
			j := begin(t, d, Options{Now: time.Now})
			j.Start()
			w := make(waiter, 1)
			if self {
				j.Commit(frame(1, 1, 10, w))
			} else {
				j.Append(frame(1, 1, 10, w))
			}
			<-w
			synctest.Wait()
			if n := j.Stats().Commits; n != 1 {
				t.Fatal(n)
			}
			time.Sleep(2500 * time.Millisecond) // of the bubble
			synctest.Wait()
			if n := j.Stats().Commits; n != 2 {
				t.Fatal(n)
			}
			ops := d.Ops()
			time.Sleep(time.Hour)
			synctest.Wait()
			if d.Ops() != ops {
				t.Error("an idle journal uses the disk")
			}
			must(t, j.Close())
		})
	}
}

func TestAnIntervalIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := sim.New(1, sim.Options{Quiet: true})
		j := begin(t, d, Options{Mode: Interval, Interval: 10 * time.Second, Quiet: time.Hour, Now: time.Now})
		j.Start()
		w := make(waiter, 1)
		time.Sleep(11 * time.Second)
		j.Append(frame(1, 1, 10, w))
		<-w
		time.Sleep(9 * time.Second)
		synctest.Wait()
		if g, _, err := recovered(d.Copy(), Options{}); err != nil || len(g.frames) != 1 {
			t.Error("it is not even written:", g, err)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		d.Off()
		if g, _, err := recovered(d.Cut(1, sim.Lost), Options{}); err != nil || len(g.frames) != 1 {
			t.Error("11 seconds later it is not on the disk:", g, err)
		}
		_ = j.Close()
	})
}

func TestADiskThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := sim.New(1, sim.Options{})
		var reports []Report
		j := begin(t, d, Options{Now: time.Now, Report: func(r Report) { reports = append(reports, r) }})
		j.Start()
		synctest.Wait()
		back := make(chan bool)
		d.Hook(func(o sim.Op) sim.Fault {
			if o.Call == sim.Sync {
				<-back
			}
			return sim.Fault{}
		})
		w := make(waiter, 2)
		j.Append(frame(1, 1, 10, w))
		synctest.Wait()
		time.Sleep(time.Minute)
		j.Append(frame(1, 2, 10, w)) // nobody waits
		if s := j.Stats(); s.UnderWay < time.Minute || s.Waiting != 1 || len(w) != 0 {
			t.Errorf("%+v, %d told", s, len(w))
		}
		close(back)
		if r := <-w; r.err != nil {
			t.Error(r.err)
		}
		<-w
		synctest.Wait()
		if len(reports) != 1 || reports[0].What != SlowCommit || reports[0].Took < time.Minute {
			t.Errorf("%+v", reports)
		}
		must(t, j.Close())
	})
}

// TestReadOnly asks what is said when the file after the failed one fails too.
func TestReadOnly(t *testing.T) {
	d := sim.New(1, sim.Options{})
	var reports []Report
	j := begin(t, d, Options{Report: func(r Report) { reports = append(reports, r) }})
	j.Flush()
	bad := false
	d.Hook(func(o sim.Op) sim.Fault {
		if bad && o.Call == sim.Sync {
			return sim.Fault{Err: syscall.EIO}
		}
		return sim.Fault{}
	})
	w := make(waiter, 9)
	j.Append(frame(1, 1, 10, w))
	j.Flush()
	if r := <-w; r.err != nil {
		t.Fatal(r.err)
	}
	bad = true
	j.Append(frame(1, 2, 10, w))
	j.Flush()
	if r := <-w; !errors.Is(r.err, ErrUnknown) || !errors.Is(r.err, syscall.EIO) {
		t.Error(r.err)
	}
	j.Append(frame(1, 3, 10, w))
	if r := <-w; !errors.Is(r.err, ErrReadOnly) || errors.Is(r.err, ErrUnknown) || !errors.Is(r.err, syscall.EIO) {
		t.Error(r.err)
	}
	if err := j.Sync(); !errors.Is(err, ErrReadOnly) {
		t.Error(err)
	}
	if s := j.Stats(); !errors.Is(s.ReadOnly, syscall.EIO) {
		t.Errorf("%+v", s)
	}
	if n := len(reports); n < 2 || reports[0].What != FileGivenUp || reports[n-1].What != WentReadOnly {
		t.Errorf("%+v", reports)
	}
	if err := j.Close(); !errors.Is(err, ErrReadOnly) {
		t.Error(err)
	}
}

// TestCarriedOn asks that one failed sync costs nothing but the file.
func TestCarriedOn(t *testing.T) {
	d := sim.New(1, sim.Options{})
	j := begin(t, d, Options{})
	j.Flush()
	fails := 1
	d.Hook(func(o sim.Op) sim.Fault {
		if o.Call == sim.Sync && fails > 0 {
			fails--
			return sim.Fault{Err: syscall.EIO}
		}
		return sim.Fault{}
	})
	w := make(waiter, 9)
	was := j.current().name
	j.Append(frame(1, 1, 10, w))
	j.Flush()
	if r := <-w; r.err != nil {
		t.Fatal(r.err)
	}
	if j.current().name == was {
		t.Error("it goes on in the file whose sync failed")
	}
	d.Off()
	if g, _, err := recovered(d.Cut(1, sim.Lost), Options{}); err != nil || fmt.Sprint(g.frames) != "[1/1]" {
		t.Error(g.frames, err)
	}
}

// TestNeighbours counts how many bytes of a stream that writes all the time stand before the frame of
// one that writes now and then.
func TestNeighbours(t *testing.T) {
	var q queue
	add := func(stream uint64, size int) {
		f := frame(stream, 1, size, nil)
		f.measure()
		q.add(f)
	}
	for range 100 {
		add(1, 60<<10)
	}
	add(1, 64<<20)
	for s := range uint64(5) {
		add(10+s, 128)
	}
	of := func(list []piece) (n map[uint64]int64) {
		n = map[uint64]int64{}
		for _, p := range list {
			n[p.f.Stream] += p.len
		}
		return n
	}
	n := of(q.take(nil, maxCommit, maxCommit, minShare))
	if len(n) != 6 || n[1] > minShare {
		t.Errorf("%v", n)
	}
	if n := of(q.take(nil, maxCommit, maxCommit, minShare)); n[1] < maxCommit-128<<10 { // alone
		t.Errorf("%v", n)
	}
	for q.frames > 1 {
		q.take(nil, maxCommit, maxCommit, minShare)
	}
	add(2, 100) // beside a message of 64 MB: it goes in parts
	list := q.take(nil, maxCommit, maxCommit, minShare)
	if n := of(list); n[2] != 100 || n[1] == 0 || n[1] > minShare {
		t.Errorf("%v", n)
	}
	total, parts := int64(-1), uint32(0)
	for ; q.frames > 0; list = q.take(nil, maxCommit, maxCommit, minShare) {
		for _, p := range list {
			if p.f.Stream == 1 {
				if total < 0 { // some of it went while it was alone
					total, parts = p.off, p.part
				}
				if p.part != parts || p.off != total {
					t.Fatalf("part %d at %d, want %d at %d", p.part, p.off, parts, total)
				}
				total, parts = total+p.len, parts+1
			}
		}
	}
}

func TestPace(t *testing.T) {
	for _, c := range []struct {
		flush  time.Duration
		share  int64
		gather bool
	}{
		{50 * time.Microsecond, 64 << 10, false},
		{time.Millisecond, 209715, true},
		{10 * time.Millisecond, 1 << 20, true},
	} {
		var p pace
		for range 100 {
			p.took(c.flush, 4096, 10)
			p.took(time.Second, 4<<20, 10) // says nothing about a flush
		}
		frames, most := p.gather()
		if p.share() != c.share || (frames == 10 && most == c.flush/2) != c.gather {
			t.Errorf("%v: share %d, gather %d for %v", c.flush, p.share(), frames, most)
		}
	}
}

// TestSizes asks what a journal takes of a disk, from the first start until it is full.
func TestSizes(t *testing.T) {
	for _, c := range []struct {
		capacity int64
		file     int64 // the largest
		total    int64
	}{
		{40 << 20, 1 << 20, 2 << 20},
		{1 << 30, 5 << 20, 20 << 20},
		{1 << 50, 64 << 20, 256 << 20},
	} {
		s := sizesFor(vfs.Space{Total: uint64(c.capacity)})
		if s.file != c.file || s.total > c.total+1<<20 || s.total < c.total {
			t.Errorf("%d: %+v", c.capacity, s)
		}
	}
	d := sim.New(1, sim.Options{Capacity: 1 << 30})
	j := begin(t, d, Options{})
	j.Flush()
	if s := j.Stats(); s.Files != 2 || s.FileBytes != 2<<20 {
		t.Errorf("an empty journal: %+v", s)
	}
	if u := d.Used(); u > 2<<20 {
		t.Errorf("%d bytes on the disk", u)
	}
	asked := 0
	j.opts.Checkpoint = func(upTo uint64) { asked++; j.Release(upTo) }
	var most int64
	for i := range uint64(200) {
		j.Append(frame(1, i, 500<<10, nil))
		j.Flush()
		most = max(most, j.Stats().FileBytes)
	}
	if s := j.Stats(); most > 21<<20 || most < 15<<20 || asked < 3 || s.Blocked {
		t.Errorf("100 MB later: at most %d bytes, %d checkpoints, %+v", most, asked, s)
	}
}

// TestFull asks that a journal whose owner releases nothing stops and goes on.
func TestFull(t *testing.T) {
	d := sim.New(1, sim.Options{Capacity: 64 << 20})
	var reports []Report
	asked := uint64(0)
	j := begin(t, d, Options{Report: func(r Report) { reports = append(reports, r) }, Checkpoint: func(upTo uint64) { asked = upTo }})
	w := make(waiter, 100)
	for i := range uint64(10) {
		j.Append(frame(1, i, 400<<10, w))
		j.Flush()
	}
	n := len(w)
	if s := j.Stats(); !s.Blocked || s.Waiting == 0 || n == 0 || asked == 0 {
		t.Fatalf("%+v, %d told", s, n)
	}
	if len(reports) != 1 || reports[0].What != Full {
		t.Errorf("%+v", reports)
	}
	if err := j.Sync(); err == nil || !strings.Contains(err.Error(), "full") {
		t.Error(err)
	}
	for j.Stats().Waiting > 0 {
		j.Release(asked)
		before := j.Stats().Waiting
		j.Flush()
		if j.Stats().Waiting == before {
			t.Fatalf("it does not go on: %+v", j.Stats())
		}
	}
	must(t, j.Close())
}

// TestLargerThanTheJournal passes a frame that no number of files which the disk allows could hold,
// and one for which there is no room at all.
func TestLargerThanTheJournal(t *testing.T) {
	d := sim.New(1, sim.Options{Capacity: 64 << 20}) // 2 MiB for the journal
	j := begin(t, d, Options{})
	w := make(waiter, 9)
	j.Append(frame(1, 1, 20<<20, w))
	j.Append(frame(2, 1, 10, w))
	j.Flush()
	for range 2 {
		if r := <-w; r.err != nil {
			t.Fatal(r.err)
		}
	}
	g, _, err := recovered(d.Copy(), Options{})
	if err != nil || len(g.frames) != 2 {
		t.Error(g, err)
	}
	j.Release(j.Position())
	j.Append(frame(1, 2, 200<<20, w))
	j.Append(frame(1, 3, 10, w))
	j.Flush()
	if r := <-w; !errors.Is(r.err, ErrTooLarge) || !errors.Is(r.err, syscall.ENOSPC) {
		t.Error(r.err)
	}
	j.Release(j.Position())
	j.Flush()
	select {
	case r := <-w:
		must(t, r.err)
	default:
		t.Fatalf("what came behind it waits: %+v", j.Stats())
	}
	j.Release(j.Position())
	for i := range uint64(8) { // and the files above the measure go
		j.Append(frame(1, 4+i, 400<<10, w))
		j.Flush()
		j.Release(j.Position())
		j.Flush()
	}
	if s := j.Stats(); s.FileBytes > 4<<20 {
		t.Errorf("%+v", s)
	}
	must(t, j.Close())
}

// TestStartsOnAFullDisk asks that a start needs no room, however often it is repeated.
func TestStartsOnAFullDisk(t *testing.T) {
	d := sim.New(1, sim.Options{Capacity: 40 << 20})
	j := begin(t, d, Options{})
	j.Append(frame(1, 1, 100, nil))
	j.Flush()
	f, err := d.Open("/fill", vfs.Write|vfs.Create, vfs.Other)
	must(t, err)
	space, err := d.Space("/")
	must(t, err)
	must(t, f.Allocate(0, int64(space.Free)))
	for range 6 {
		d.Restart()
		g, _, err := recovered(d, Options{})
		if err != nil || fmt.Sprint(g.frames) != "[1/1]" || len(g.Lost) > 0 {
			t.Fatal(g, err)
		}
	}
}

func TestRecoveryErrors(t *testing.T) {
	d, list := sample(t, true)
	// Another store's key: the files are somebody else's, and are left alone.
	c := d.Copy()
	j, err := Open(c, "/journal", [16]byte{9}, Options{})
	must(t, err)
	if _, err = j.Recover(func(uint64, *Frame) error { return nil }); err == nil || !strings.Contains(err.Error(), "/journal: none of ") {
		t.Errorf("%v", err)
	}
	if g, _, err := recovered(c, Options{}); err != nil || len(g.frames) != len(all(list)) {
		t.Error(g, err)
	}
	// An error of the caller ends it.
	j, err = Open(d.Copy(), "/journal", testKey, Options{})
	must(t, err)
	if _, err = j.Recover(func(uint64, *Frame) error { return syscall.EDOM }); !errors.Is(err, syscall.EDOM) {
		t.Error(err)
	}
	// The end cannot be read: it may be there the next time.
	d, list = sample(t, false)
	last := list[len(list)-1]
	c = d.Copy()
	c.Hook(func(o sim.Op) sim.Fault {
		if o.Call == sim.Read && o.Name == last.file && o.Off+o.Len > last.at && o.Off <= last.at {
			return sim.Fault{Err: syscall.EIO}
		}
		return sim.Fault{}
	})
	if _, _, err := recovered(c, Options{}); !errors.Is(err, syscall.EIO) || !strings.Contains(err.Error(), fmt.Sprintf("%s at %d", last.file, last.at)) {
		t.Error(err)
	}
	g, _, err := recovered(c, Options{Force: true})
	if err != nil || len(g.Lost) != 1 || g.frames[len(g.frames)-1] != "?" {
		t.Error(g, err)
	}
	// In the middle it costs what is under it.
	c = d.Copy()
	mid := list[1]
	c.Hook(func(o sim.Op) sim.Fault {
		if o.Call == sim.Read && o.Name == mid.file && o.Off+o.Len > mid.at && o.Off <= mid.at {
			return sim.Fault{Err: syscall.EIO}
		}
		return sim.Fault{}
	})
	g, _, err = recovered(c, Options{})
	if err != nil || len(g.Lost) != 1 || !g.Lost[0].Unknown || g.Lost[0].From != mid.head.number || g.Lost[0].To != mid.head.number {
		t.Error(g, err)
	}
}

// TestWipe looks for the bytes of a message in every file, also when it is repeated after a cut at
// any call.
func TestWipe(t *testing.T) {
	secret := []byte("nobody shall read this any more")
	holds := func(d *sim.Disk) (in []string) {
		list, err := (*sim.Peeker)(d).ReadDir("/journal")
		must(t, err)
		for _, e := range list {
			b := make([]byte, e.Size)
			if (*sim.Peeker)(d).Peek("/journal/"+e.Name, b, 0); bytes.Contains(b, secret) {
				in = append(in, e.Name)
			}
		}
		return in
	}
	wipe := func(j *Journal) error {
		upTo, err := j.Roll()
		if err != nil {
			return err
		}
		j.Release(upTo)
		return j.Wipe()
	}
	for cutAt := 0; ; cutAt++ {
		d := sim.New(uint64(cutAt), sim.Options{})
		j := begin(t, d, Options{})
		f := frame(1, 1, 0, nil)
		f.Body = [][]byte{secret}
		j.Append(f)
		j.Flush()
		if len(holds(d)) != 1 {
			t.Fatal(holds(d))
		}
		at := d.Ops() + 1 + cutAt
		d.Hook(func(o sim.Op) sim.Fault { return sim.Fault{Cut: cutAt > 0 && o.N == at} })
		err := wipe(j)
		d.Hook(nil)
		if err == nil {
			if in := holds(d); len(in) > 0 {
				t.Fatalf("it is in %v", in)
			}
			j.Append(frame(1, 2, 10, nil))
			j.Flush()
			must(t, j.Sync())
		}
		d.Off()
		d = d.Cut(uint64(cutAt), sim.Any)
		g, j, e := recovered(d, Options{})
		if e != nil || len(g.Lost)+len(g.Quarantined) > 0 {
			t.Fatalf("cut at %d: %+v %v", cutAt, g, e)
		}
		if err != nil {
			must(t, wipe(j))
		}
		if in := holds(d); len(in) > 0 {
			t.Fatalf("cut at %d: it is in %v", cutAt, in)
		}
		if err == nil && cutAt > 0 {
			t.Logf("%d calls", cutAt)
			return // there are no more calls
		}
	}
}
