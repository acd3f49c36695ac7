package vfs_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nats-broker/nats-broker/daemon/vfs"
	"github.com/nats-broker/nats-broker/daemon/vfs/sim"
)

// TestSimulatedAndRealAgree does the same to both and compares what each call says.
func TestSimulatedAndRealAgree(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 0))
		real, simulated := player{t: t, fs: vfs.OS, root: t.TempDir()}, player{t: t, fs: sim.New(seed, sim.Options{}), root: "/"}
		for step := range 200 {
			op, a, b := rng.IntN(12), rng.IntN(4), rng.IntN(4)
			x, y := rng.Int64N(3*4096), rng.Int64N(2*4096)
			r, s := real.play(op, a, b, x, y), simulated.play(op, a, b, x, y)
			if r != s {
				t.Fatalf("seed %d, step %d: call %d with %d %d %d %d: the machine says %.200s, the simulation %.200s", seed, step, op, a, b, x, y, r, s)
			}
		}
		real.close()
		simulated.close()
	}
}

type player struct {
	t    *testing.T
	fs   vfs.FS
	root string
	open [4]vfs.File
}

func (p *player) close() {
	for _, f := range p.open {
		if f != nil {
			f.Close()
		}
	}
}

// names has a folder, so that calls meet the wrong kind of thing too.
func (p *player) name(i int) string { return filepath.Join(p.root, [4]string{"a", "b", "d", "d/c"}[i]) }

func (p *player) play(op, a, b int, x, y int64) string {
	said := func(v any, err error) string { return fmt.Sprint(v, cause(err)) }
	f := p.open[a]
	switch op {
	case 0, 1:
		if f != nil {
			f.Close()
		}
		how := vfs.Write
		if b > 0 {
			how |= vfs.Create
		}
		if b == 3 {
			how |= vfs.Exclusive
		}
		var err error
		if p.open[a], err = p.fs.Open(p.name(a), how, vfs.Other); err != nil {
			p.open[a] = nil
		}
		return said(nil, err)
	case 2:
		return said(nil, p.fs.Mkdir(p.name(a)))
	case 3:
		if a == 2 || b == 2 { // a folder under itself has an error of its own
			return ""
		}
		return said(nil, p.fs.Rename(p.name(a), p.name(b)))
	case 4:
		if a == 2 {
			return ""
		}
		return said(nil, p.fs.Link(p.name(a), p.name(b)))
	case 5:
		return said(nil, p.fs.Remove(p.name(a)))
	case 6:
		list, err := p.fs.ReadDir(p.name(a))
		for i := range list {
			list[i].Ino = 0
		}
		return said(list, err)
	case 7:
		e, err := p.fs.Stat(p.name(a))
		if e.Dir {
			e.Size = 0
		}
		e.Ino = 0
		return said(e, err)
	}
	if f == nil {
		return ""
	}
	switch op {
	case 8:
		return said(f.WriteAt(bytes.Repeat([]byte{byte(x)}, int(y)), x))
	case 9:
		return said(f.WriteVec([][]byte{bytes.Repeat([]byte{byte(x)}, int(y)), nil, []byte("tail")}, x))
	case 10:
		q := make([]byte, y)
		n, err := f.ReadAt(q, x)
		return said(fmt.Sprintf("%x", q[:n]), err)
	default:
		switch b {
		case 0:
			return said(nil, f.Truncate(x))
		case 1:
			return said(nil, f.Sync())
		case 2:
			return said(nil, f.Allocate(x, y+1))
		}
		return said(f.Size())
	}
}

// cause strips an error of its path.
func cause(err error) error {
	var p *fs.PathError
	var l *os.LinkError
	switch {
	case errors.As(err, &p):
		return p.Err
	case errors.As(err, &l):
		return l.Err
	}
	return err
}

func TestWriteVecOfManyPieces(t *testing.T) {
	f, err := vfs.OS.Open(filepath.Join(t.TempDir(), "a"), vfs.Write|vfs.Create, vfs.Other)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var list [][]byte
	var want []byte
	for i := range 3000 {
		p := bytes.Repeat([]byte{byte(i)}, i%5)
		list, want = append(list, p), append(want, p...)
	}
	if n, err := f.WriteVec(list, 3); err != nil || n != int64(len(want)) {
		t.Fatal(n, err)
	}
	got := make([]byte, len(want)+10)
	if n, err := f.ReadAt(got, 3); err != io.EOF || !bytes.Equal(got[:n], want) {
		t.Fatal(n, err)
	}
}

func TestCount(t *testing.T) {
	c := vfs.Count(sim.New(1, sim.Options{}))
	f, err := c.Open("/a", vfs.Write|vfs.Create, vfs.Segment)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		second(f.WriteAt([]byte("abc"), 0)), second(f.WriteVec([][]byte{[]byte("d"), []byte("e")}, 3)), f.Sync(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if n, err := f.ReadAt(make([]byte, 10), 0); n != 5 || err != io.EOF {
		t.Fatal(n, err)
	}
	n := c.Figures(vfs.Segment)
	n.SyncTime = 0
	if want := (vfs.Figures{Reads: 1, ReadBytes: 5, Writes: 2, WriteBytes: 5, Syncs: 1}); n != want {
		t.Errorf("%+v", n)
	}
	if n := c.Figures(vfs.Journal); n != (vfs.Figures{}) {
		t.Errorf("%+v", n)
	}
}

func second[T any](_ T, err error) error { return err }

// TestLockPasses asks that a lock is held as long as one copy of its descriptor is.
func TestLockPasses(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	l, err := vfs.OS.Lock(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := vfs.OS.Lock(name); !errors.Is(err, vfs.ErrLocked) {
		t.Fatal(err)
	}
	fd, err := dup(l.(*vfs.OSLock).File())
	if err != nil {
		t.Fatal(err)
	}
	next, err := vfs.InheritLock(fd)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Unlock(); err != nil {
		t.Fatal(err)
	}
	if _, err := vfs.OS.Lock(name); !errors.Is(err, vfs.ErrLocked) {
		t.Fatal("it is free although a copy is open:", err)
	}
	if err := next.Unlock(); err != nil {
		t.Fatal(err)
	}
	if l, err = vfs.OS.Lock(name); err != nil {
		t.Fatal(err)
	}
	l.Unlock()
}

func TestReadFileIsBounded(t *testing.T) {
	d := sim.New(1, sim.Options{})
	if err := vfs.Replace(d, "/a", vfs.Other, []byte("12"), []byte("34")); err != nil {
		t.Fatal(err)
	}
	if p, err := vfs.ReadFile(d, "/a", vfs.Other, 4); string(p) != "1234" || err != nil {
		t.Error(string(p), err)
	}
	if _, err := vfs.ReadFile(d, "/a", vfs.Other, 3); err == nil {
		t.Error("4 bytes where at most 3 were expected")
	}
	if list, err := d.ReadDir("/"); len(list) != 1 || err != nil {
		t.Error(list, err)
	}
}

func TestMkdirAll(t *testing.T) {
	d := sim.New(1, sim.Options{})
	if err := vfs.MkdirAll(d, "/a/b/c"); err != nil {
		t.Fatal(err)
	}
	if err := vfs.MkdirAll(d, "/a/b/c"); err != nil {
		t.Fatal(err)
	}
	if e, err := d.Cut(1, sim.Lost).Stat("/a/b/c"); err != nil || !e.Dir {
		t.Fatal("made and gone after a cut:", err)
	}
	// One that ended early has made it, and no more.
	d = sim.New(1, sim.Options{})
	for _, name := range []string{"/a", "/a/b"} {
		if err := d.Mkdir(name); err != nil {
			t.Fatal(err)
		}
	}
	if err := vfs.MkdirAll(d, "/a/b"); err != nil {
		t.Fatal(err)
	}
	if e, err := d.Cut(1, sim.Lost).Stat("/a/b"); err != nil || !e.Dir {
		t.Fatal("there and gone after a cut:", err)
	}
}

func dup(f *os.File) (*os.File, error) {
	c, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	var out *os.File
	err = errors.Join(c.Control(func(fd uintptr) {
		var n int
		if n, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0); err == nil {
			out = os.NewFile(uintptr(n), f.Name())
		}
	}), err)
	return out, err
}
