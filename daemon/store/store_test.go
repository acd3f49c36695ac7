package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/vfs"
	"github.com/nats-broker/nats-broker/daemon/vfs/sim"
)

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, v vfs.FS, o Options) *Dir {
	t.Helper()
	d, err := Open(v, "/data", o)
	ok(t, err)
	return d
}

func TestIdentityStays(t *testing.T) {
	disk := sim.New(1, sim.Options{})
	d := open(t, disk, Options{})
	if !d.New || d.Identity == (Identity{}) {
		t.Fatalf("%+v", d)
	}
	again := open(t, disk.Cut(1, sim.Lost), Options{})
	if again.New || again.Identity != d.Identity {
		t.Fatalf("%+v, was %+v", again, d)
	}
}

func TestOneProcess(t *testing.T) {
	disk := sim.New(1, sim.Options{})
	d := open(t, disk, Options{})
	if _, err := Open(disk, "/data", Options{}); !errors.Is(err, vfs.ErrLocked) || !strings.Contains(err.Error(), "another process uses it") {
		t.Fatal(err)
	}
	next := open(t, disk, Options{Lock: d.Lock()}) // as after a hand-over
	ok(t, next.Close())
	ok(t, open(t, disk, Options{}).Close())
}

// TestLockIsHandedOver does so with a real descriptor.
func TestLockIsHandedOver(t *testing.T) {
	dir := t.TempDir()
	d, err := Open(vfs.OS, dir, Options{})
	ok(t, err)
	f := d.Lock().(*vfs.OSLock).File()
	fd, err := syscall.Dup(int(f.Fd()))
	ok(t, err)
	ok(t, d.Close())
	l, err := vfs.InheritLock(os.NewFile(uintptr(fd), f.Name()))
	ok(t, err)
	if _, err := Open(vfs.OS, dir, Options{}); !errors.Is(err, vfs.ErrLocked) {
		t.Fatal("there was a moment without a lock:", err)
	}
	next, err := Open(vfs.OS, dir, Options{Lock: l})
	ok(t, err)
	ok(t, next.Close())
}

func TestStoreOfNatsServer(t *testing.T) {
	disk := sim.New(1, sim.Options{})
	ok(t, vfs.MkdirAll(disk, "/data/jetstream"))
	ok(t, open(t, disk, Options{}).Close()) // nothing is in it
	disk = sim.New(1, sim.Options{})
	ok(t, vfs.MkdirAll(disk, "/data/jetstream/$G/streams"))
	_, err := Open(disk, "/data", Options{HowEmpty: "start with --x"})
	if !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), "start with --x") || !strings.Contains(err.Error(), "nats-broker-migrate(7)") {
		t.Fatal(err)
	}
	if list, err := disk.ReadDir("/data"); len(list) != 1 || err != nil {
		t.Fatal("a refused start left something:", list, err)
	}
	ok(t, open(t, disk, Options{Empty: true}).Close())
	ok(t, open(t, disk, Options{}).Close()) // once it is there no word is needed
	if list, err := disk.ReadDir("/data/jetstream"); len(list) != 1 || err != nil {
		t.Fatal("it was touched:", list, err)
	}
}

func TestStoreInAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	ok(t, os.WriteFile(file, nil, 0o600))
	if _, err := Open(vfs.OS, file, Options{}); err == nil || err.Error() != "store "+file+": storage directory is not a directory" {
		t.Fatal(err)
	}
}

func TestAStoreWithoutItsIdentity(t *testing.T) {
	disk := sim.New(1, sim.Options{})
	d := open(t, disk, Options{})
	ok(t, disk.Mkdir(d.Path("journal")))
	ok(t, disk.Remove(d.Path(nodeFile)))
	ok(t, d.Close())
	if _, err := Open(disk, "/data", Options{}); err == nil || !strings.Contains(err.Error(), "has journal and no file \"node\"") {
		t.Fatal(err)
	}
}

// TestFlips turns over each bit of each file in its turn: nothing is lost by one of them.
func TestFlips(t *testing.T) {
	disk := sim.New(1, sim.Options{})
	d := open(t, disk, Options{})
	c, err := d.Catalogue()
	ok(t, err)
	ok(t, c.Apply(7, AppendChanges(nil, Entry{Stream, "A.b", []byte("value")}, Entry{Consumer, "A.b.c", []byte("other")}), false))
	ok(t, c.Save(7))
	ok(t, d.Close())
	for _, name := range []string{nodeFile, catalogueFile} {
		e, err := disk.Stat(d.Path(name))
		ok(t, err)
		for bit := int64(0); bit < e.Size*8; bit++ {
			if bit/8%block > 256 && bit%97 != 0 { // of what is empty a part is enough
				continue
			}
			f := disk.Copy()
			ok(t, f.Flip(d.Path(name), bit))
			again := open(t, f, Options{})
			if again.Identity != d.Identity {
				t.Fatalf("%s, bit %d: another identity", name, bit)
			}
			c, err := again.Catalogue()
			ok(t, err)
			if v, _ := c.Get(Stream, "A.b"); string(v) != "value" || c.Len(Consumer) != 1 || c.upTo != 7 || len(c.Damaged()) > 0 {
				t.Fatalf("%s, bit %d: %q, %v", name, bit, v, c.Damaged())
			}
		}
	}
}

func TestBothCopiesDamaged(t *testing.T) {
	disk := sim.New(1, sim.Options{})
	d := open(t, disk, Options{})
	c, err := d.Catalogue()
	ok(t, err)
	var all []Entry
	for i := range 5 {
		all = append(all, Entry{Stream, fmt.Sprint(i), bytes.Repeat([]byte{'0' + byte(i)}, 10)})
	}
	ok(t, c.Apply(1, AppendChanges(nil, all...), false))
	ok(t, c.Save(1))
	b, err := vfs.ReadFile(disk, d.Path(catalogueFile), vfs.Catalogue, 1<<20)
	ok(t, err)
	// The third entry in one copy, the same and the fourth in the other: the third is lost.
	ok(t, disk.Flip(d.Path(catalogueFile), int64(bytes.Index(b, []byte("2222")))*8))
	ok(t, disk.Flip(d.Path(catalogueFile), int64(bytes.LastIndex(b, []byte("2222")))*8))
	ok(t, disk.Flip(d.Path(catalogueFile), int64(bytes.LastIndex(b, []byte("3333")))*8))
	c, err = d.Catalogue()
	ok(t, err)
	if list := c.List(Stream, ""); len(list) != 4 || list[2].Key != "3" {
		t.Fatal(list)
	}
	if len(c.Damaged()) != 3 || !strings.Contains(c.Damaged()[0].Error(), "catalogue: at ") {
		t.Fatal(c.Damaged())
	}
	// A format that is not ours is no damage.
	h := half(nodeMagic, FormatFirst, []byte("x"))
	h[4] = 9
	binary.LittleEndian.PutUint32(h[28:], crc32.Checksum(h[:28], castagnoli))
	ok(t, vfs.Replace(disk, d.Path(nodeFile), vfs.Catalogue, h, h))
	ok(t, d.Close())
	if _, err := Open(disk, "/data", Options{}); err == nil || !strings.Contains(err.Error(), "format 9: this version reads and writes format 2") {
		t.Fatal(err)
	}
}

// TestCatalogueOverCuts changes and saves, and cuts at any call: what was saved is there, with what
// the journal would give again.
func TestCatalogueOverCuts(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 0))
		disk := sim.New(seed, sim.Options{JournaledNames: seed%2 == 0})
		d := open(t, disk, Options{})
		c, err := d.Catalogue()
		ok(t, err)
		at := disk.Ops() + 1 + rng.IntN(40)
		disk.Hook(func(o sim.Op) sim.Fault { return sim.Fault{Cut: o.N >= at} })
		want, log := map[string]string{}, [][]byte{nil}
		saved := 0
		for commit := uint64(1); commit < 20; commit++ {
			e := Entry{Kind: Stream, Key: fmt.Sprint(rng.IntN(5))}
			if rng.IntN(3) > 0 {
				e.Value = []byte(fmt.Sprint(commit))
				want[e.Key] = string(e.Value)
			} else {
				delete(want, e.Key)
			}
			log = append(log, AppendChanges(nil, e))
			ok(t, c.Apply(commit, log[commit], false))
			if rng.IntN(4) == 0 && c.Save(commit) == nil {
				saved = int(commit)
			}
		}
		again, err := Open(disk.Cut(seed, sim.Any), "/data", Options{})
		ok(t, err)
		if c, err = again.Catalogue(); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if int(c.upTo) < saved {
			t.Fatalf("seed %d: saved up to %d, and %d is there", seed, saved, c.upTo)
		}
		for commit, body := range log {
			if commit > saved/2 { // what was released is not given again
				ok(t, c.Apply(uint64(commit), body, true))
			}
		}
		got := map[string]string{}
		for _, e := range c.List(Stream, "") {
			got[e.Key] = string(e.Value)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("seed %d: %v, want %v", seed, got, want)
		}
	}
}

func TestRoom(t *testing.T) {
	disk := sim.New(1, sim.Options{Capacity: 100 << 20}) // 5 MiB must be free
	d := open(t, disk, Options{})
	r := d.Room()
	f, err := disk.Open("/fill", vfs.Write|vfs.Create, vfs.Other)
	ok(t, err)
	for _, step := range []struct {
		fill            int64
		enough, changed bool
	}{
		{10 << 20, true, false},
		{96 << 20, false, true},
		{93 << 20, false, false}, // more than the headroom, not twice
		{89 << 20, true, true},
		{93 << 20, true, false},
	} {
		ok(t, f.Truncate(0))
		ok(t, f.Allocate(0, step.fill))
		changed, err := r.Look()
		ok(t, err)
		if r.Enough() != step.enough || changed != step.changed {
			t.Errorf("%d filled: enough %v, changed %v", step.fill, r.Enough(), changed)
		}
	}
	if Headroom(1<<50) != 1<<30 {
		t.Error("of a large disk a gibibyte is enough")
	}
}

func FuzzCatalogue(f *testing.F) {
	b := AppendChanges(make([]byte, 12), Entry{Stream, "a", []byte("b")}, Entry{Stream, "a", nil})
	f.Add(half(catalogueMagic, FormatFirst, b), true)
	f.Add(AppendChanges(nil, Entry{Account, "k", []byte("v")}), false)
	f.Add([]byte{}, true)
	f.Fuzz(func(t *testing.T, b []byte, file bool) {
		c := &Catalogue{entries: map[Kind]map[string][]byte{}}
		if !file {
			if c.Apply(1, b, true) == nil {
				again := AppendChanges(nil, append(c.List(Stream, ""), c.List(Account, "")...)...)
				ok(t, c.Apply(2, again, true))
			}
			return
		}
		disk := sim.New(1, sim.Options{})
		ok(t, vfs.Replace(disk, "/c", vfs.Catalogue, b))
		copies, _, _, err := readTwice(disk, "/c", catalogueMagic, 1<<20)
		if err != nil {
			if !strings.Contains(err.Error(), "/c: at ") {
				t.Fatalf("an error without file and place: %v", err)
			}
			return
		}
		for _, p := range copies {
			c.read(p)
		}
	})
}

func FuzzIdentity(f *testing.F) {
	disk := sim.New(1, sim.Options{})
	d, err := Open(disk, "/data", Options{})
	if err != nil {
		f.Fatal(err)
	}
	b, err := vfs.ReadFile(disk, filepath.Join(d.path, nodeFile), vfs.Catalogue, 1<<20)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		disk := sim.New(1, sim.Options{})
		ok(t, vfs.Replace(disk, "/node", vfs.Catalogue, b))
		if _, _, err := readIdentity(disk, "/node"); err != nil && !strings.Contains(err.Error(), "/node") {
			t.Fatal(err)
		}
	})
}

// TestRaise: a store has the first format until something needs a later one, which then is on the disk before Raise returns, through
// whatever cut; it does not go back.
func TestRaise(t *testing.T) {
	disk := sim.New(1, sim.Options{})
	d := open(t, disk, Options{})
	if d.Format() != FormatFirst {
		t.Fatal(d.Format())
	}
	ok(t, d.Raise(FormatPacked))
	ok(t, d.Raise(FormatFirst))
	for _, style := range []sim.Style{sim.Lost, sim.Torn} {
		cut := disk.Cut(1, style)
		found, err := Look(cut, "/data")
		ok(t, err)
		if found.Files[0].Format != FormatPacked {
			t.Errorf("%+v", found.Files)
		}
		again := open(t, cut, Options{})
		if again.Format() != FormatPacked || again.Identity != d.Identity {
			t.Errorf("format %d", again.Format())
		}
	}
	disk.Hook(func(o sim.Op) sim.Fault { return sim.Fault{Err: syscall.EIO} })
	other := open(t, sim.New(2, sim.Options{}), Options{})
	other.fs = disk
	if err := other.Raise(FormatPacked); err == nil || other.Format() != FormatFirst {
		t.Errorf("raised to %d on a disk that fails: %v", other.Format(), err)
	}
}
