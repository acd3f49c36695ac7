package sim

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"syscall"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/vfs"
)

// must returns v, or fails the test.
func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, f vfs.File, p []byte, off int64) {
	t.Helper()
	if n, err := f.WriteAt(p, off); err != nil || n != len(p) {
		t.Fatal(n, err)
	}
}

func content(t *testing.T, d *Disk, name string) []byte {
	t.Helper()
	return must(vfs.ReadFile(d, name, vfs.Other, 1<<30))(t)
}

const create = vfs.Write | vfs.Create

func TestSyncedLasts(t *testing.T) {
	for seed := range uint64(200) {
		d := New(seed, Options{JournaledNames: seed%2 == 0})
		f := must(d.Open("/a", create, vfs.Other))(t)
		old := bytes.Repeat([]byte("synced.."), 2048) // four blocks
		write(t, f, old, 0)
		ok(t, f.Sync())
		ok(t, d.SyncDir("/"))
		fresh := bytes.Repeat([]byte("unsynced"), 1024)
		write(t, f, fresh, 2*blockSize)
		write(t, f, fresh, 4*blockSize)
		for again := range uint64(5) {
			got := content(t, d.Cut(seed*10+again, Any), "/a")
			if !bytes.Equal(got[:2*blockSize], old[:2*blockSize]) {
				t.Fatalf("seed %d: synced blocks that nobody wrote to are not what they were", seed)
			}
			if len(got) < len(old) || len(got) > 6*blockSize {
				t.Fatalf("seed %d: size %d", seed, len(got))
			}
		}
	}
}

// TestWhatACutMayLeave asks that each outcome there is does occur.
func TestWhatACutMayLeave(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(2000) {
		d := New(seed, Options{})
		f := must(d.Open("/a", create, vfs.Other))(t)
		old := bytes.Repeat([]byte{'o'}, blockSize)
		write(t, f, old, 0)
		ok(t, f.Sync())
		ok(t, d.SyncDir("/"))
		fresh := bytes.Repeat([]byte{'f'}, 2*sectorSize)
		write(t, f, fresh, 0)
		write(t, f, bytes.Repeat([]byte{'g'}, 2*sectorSize), 0)
		must(d.Open("/b", create, vfs.Other))(t)
		c := d.Cut(seed, Any)
		got := content(t, c, "/a")
		what := "anything"
		switch first, second, rest := got[0], got[sectorSize], got[2*sectorSize:]; {
		case !bytes.Equal(rest, old[2*sectorSize:]):
			what = "a neighbour in the block is gone"
		case first == 'o' && second == 'o':
			what = "old"
		case first == 'g' && second == 'g':
			what = "new"
		case first == 'f' && second == 'f':
			what = "between"
		case first != second:
			what = "torn"
		}
		seen[what]++
		if _, err := c.Stat("/b"); err == nil {
			seen["name there"]++
		} else {
			seen["name not there"]++
		}
	}
	for _, w := range []string{"a neighbour in the block is gone", "old", "new", "between", "torn", "name there", "name not there"} {
		if seen[w] < 20 {
			t.Errorf("%q was seen %d times of 2000: %v", w, seen[w], seen)
		}
	}
}

func TestStyles(t *testing.T) {
	d := New(1, Options{Quiet: true})
	f := must(d.Open("/a", create, vfs.Other))(t)
	ok(t, d.SyncDir("/"))
	write(t, f, []byte("one"), 0)
	if got := content(t, d.Copy(), "/a"); string(got) != "one" {
		t.Errorf("copy: %q", got)
	}
	if got := content(t, d.Cut(1, Lost), "/a"); len(got) != 0 {
		t.Errorf("lost: %q", got)
	}
	if got := content(t, d.Cut(1, Whole), "/a"); string(got) != "one" {
		t.Errorf("whole: %q", got)
	}
	if _, err := f.WriteAt([]byte("x"), 0); !errors.Is(err, ErrCut) {
		t.Errorf("a write without power: %v", err)
	}
}

func TestNames(t *testing.T) {
	// One replaces a file as it must be done: after a cut the name has one content or the other.
	for seed := range uint64(300) {
		d := New(seed, Options{JournaledNames: seed%2 == 0})
		ok(t, vfs.Replace(d, "/a", vfs.Other, []byte("old")))
		at := d.Ops() + 1 + int(seed%6)
		d.Hook(func(o Op) Fault { return Fault{Cut: o.N == at} })
		err := vfs.Replace(d, "/a", vfs.Other, []byte("new"))
		c := d.Cut(seed, Any)
		switch got := string(content(t, c, "/a")); {
		case got == "new", got == "old" && err != nil:
		default:
			t.Fatalf("seed %d: %q, the replacement said %v", seed, got, err)
		}
	}
	// Without a sync of the folder either may be there, but never neither.
	seen := map[string]bool{}
	for seed := range uint64(300) {
		d := New(seed, Options{})
		ok(t, d.Mkdir("/x"))
		ok(t, vfs.Replace(d, "/a", vfs.Other, []byte("old")))
		ok(t, d.SyncDir("/"))
		ok(t, d.Rename("/a", "/x/b"))
		c := d.Cut(seed, Any)
		_, errA := c.Stat("/a")
		_, errB := c.Stat("/x/b")
		if (errA == nil) == (errB == nil) {
			t.Fatalf("seed %d: %v, %v", seed, errA, errB)
		}
		seen[fmt.Sprint(errA == nil)] = true
	}
	if len(seen) != 2 {
		t.Error("a rename that was not synced always ends alike")
	}
}

func TestAJournalOfNamesKeepsTheirOrder(t *testing.T) {
	for seed := range uint64(300) {
		d := New(seed, Options{JournaledNames: true})
		for i := range 5 {
			must(d.Open(fmt.Sprintf("/%d", i), create, vfs.Other))(t)
		}
		list := must(d.Cut(seed, Any).ReadDir("/"))(t)
		for i, e := range list {
			if e.Name != fmt.Sprint(i) {
				t.Fatalf("seed %d: %v", seed, list)
			}
		}
	}
}

func TestAFailedSyncIsNotMadeGood(t *testing.T) {
	lost := 0
	for seed := range uint64(100) {
		d := New(seed, Options{})
		f := must(d.Open("/a", create, vfs.Other))(t)
		write(t, f, bytes.Repeat([]byte{'o'}, 2*blockSize), 0)
		ok(t, f.Sync())
		ok(t, d.SyncDir("/"))
		write(t, f, bytes.Repeat([]byte{'n'}, 2*blockSize), 0)
		d.Hook(func(o Op) Fault {
			if o.Call == Sync {
				return Fault{Err: syscall.EIO}
			}
			return Fault{}
		})
		if err := f.Sync(); !errors.Is(err, syscall.EIO) {
			t.Fatal(err)
		}
		d.Hook(nil)
		ok(t, f.Sync()) // as Linux has it
		if bytes.ContainsRune(content(t, d.Cut(seed, Whole), "/a"), 'o') {
			lost++
		}
	}
	if lost < 90 {
		t.Errorf("of 100 failed syncs %d lost something", lost)
	}
}

func TestFull(t *testing.T) {
	d := New(1, Options{Capacity: 4 * blockSize})
	a := must(d.Open("/a", create, vfs.Other))(t)
	ok(t, a.Allocate(0, 2*blockSize))
	b := must(d.Open("/b", create, vfs.Other))(t)
	n, err := b.WriteAt(make([]byte, 3*blockSize), 0)
	if n != 2*blockSize || !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(n, err)
	}
	write(t, a, make([]byte, 2*blockSize), 0) // it has its room
	if s := must(d.Space("/"))(t); s.Free != 0 || s.Total != 4*blockSize {
		t.Errorf("%+v", s)
	}
	ok(t, d.Remove("/b"))
	if s := must(d.Space("/"))(t); s.Free != 0 {
		t.Error("room of a file that is open was given back")
	}
	ok(t, b.Close())
	if s := must(d.Space("/"))(t); s.Free != 2*blockSize {
		t.Errorf("%+v", s)
	}
}

func TestKillLocksAndFlip(t *testing.T) {
	d := New(1, Options{})
	must(d.Lock("/lock"))(t)
	if _, err := d.Lock("/lock"); !errors.Is(err, vfs.ErrLocked) {
		t.Error(err)
	}
	f := must(d.Open("/a", create, vfs.Other))(t)
	write(t, f, []byte("ab"), 0)
	d.Kill()
	if _, err := f.WriteAt([]byte("x"), 0); !errors.Is(err, ErrKilled) {
		t.Error(err)
	}
	if _, err := d.Open("/c", create, vfs.Other); !errors.Is(err, ErrKilled) {
		t.Error(err)
	}
	d.Restart()
	if _, err := f.WriteAt([]byte("x"), 0); !errors.Is(err, syscall.EBADF) {
		t.Error(err)
	}
	must(d.Lock("/lock"))(t)
	ok(t, d.Flip("/a", 9))
	if got := content(t, d, "/a"); string(got) != "a`" {
		t.Errorf("%q", got)
	}
	if err := d.Flip("/a", 16); !errors.Is(err, syscall.EINVAL) {
		t.Error(err)
	}
}

func TestTheSameSeedDoesTheSame(t *testing.T) {
	run := func() []byte {
		d := New(7, Options{})
		f := must(d.Open("/a", create, vfs.Other))(t)
		ok(t, d.SyncDir("/"))
		for i := range 50 {
			write(t, f, bytes.Repeat([]byte{byte(i)}, 3000), int64(i%7)*1000)
		}
		return content(t, d.Cut(3, Torn), "/a")
	}
	if !bytes.Equal(run(), run()) {
		t.Error("two runs of one seed differ")
	}
}

func TestHookWaits(t *testing.T) {
	d := New(1, Options{})
	f := must(d.Open("/a", create, vfs.Other))(t)
	waiting, power := make(chan bool), make(chan bool)
	d.Hook(func(o Op) Fault {
		if o.Call == Sync {
			close(waiting)
			<-power
		}
		return Fault{}
	})
	done := make(chan error)
	go func() { done <- f.Sync() }()
	<-waiting
	write(t, f, []byte("x"), 0) // others are not in the way
	d.Off()
	close(power)
	if err := <-done; !errors.Is(err, ErrCut) {
		t.Error(err)
	}
	if _, err := f.ReadAt(make([]byte, 1), 0); !errors.Is(err, ErrCut) || err == io.EOF {
		t.Error(err)
	}
}

// TestToCutABlockIsToWriteIt: what is left of a block in which a file was cut off may become anything, until it is synced;
// at the border of two blocks nothing is written.
func TestToCutABlockIsToWriteIt(t *testing.T) {
	old := bytes.Repeat([]byte{'o'}, 2*blockSize)
	changed := map[int64]int{}
	for _, size := range []int64{blockSize, blockSize + 100} {
		for seed := range uint64(200) {
			d := New(seed, Options{})
			f := must(d.Open("/a", create, vfs.Other))(t)
			write(t, f, old, 0)
			ok(t, f.Sync())
			ok(t, d.SyncDir("/"))
			ok(t, f.Truncate(size))
			if got := content(t, d.Cut(seed, Any), "/a"); !bytes.Equal(got[:size], old[:size]) {
				changed[size]++
			}
			ok(t, f.Close())
		}
	}
	if changed[blockSize] != 0 || changed[blockSize+100] < 10 {
		t.Errorf("synced bytes have changed in %v of 200 cuts", changed)
	}
}
