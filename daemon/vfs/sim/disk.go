package sim

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/nats-broker/nats-broker/daemon/vfs"
)

// Errors of a disk whose power is cut, or whose process has ended.
var (
	ErrCut    = errors.New("simulated power cut")
	ErrKilled = errors.New("simulated end of the process")
)

// Options say what kind of disk it is.
type Options struct {
	// Capacity is the room in bytes; 0: no end.
	Capacity int64
	// JournaledNames says that changes of names reach the disk in the order in which they were
	// made, and all of them with any sync of a folder. Otherwise each is on its own.
	JournaledNames bool
	// Quiet says that nothing is written back before a sync. Otherwise the kernel brings a block
	// to the disk now and then, so that an older version of it may be what a cut leaves.
	Quiet bool
}

// Disk is a simulated disk. It is a vfs.FS.
type Disk struct {
	opts Options

	mu      sync.Mutex // guards everything below; leaf lock, not held while the hook runs
	hook    func(Op) Fault
	rng     *rand.Rand
	root    *node
	nextIno uint64
	pending []*change // of names, not on the disk yet, in order
	ops     int
	dead    bool
	killed  bool  // the process has ended
	life    int   // counts processes
	used    int64 // bytes that are allocated
	locks   map[*node]bool
}

// New returns an empty disk with the folder "/".
func New(seed uint64, o Options) *Disk {
	d := &Disk{opts: o, rng: rand.New(rand.NewPCG(seed, 0x6469736b)), locks: map[*node]bool{}}
	d.root = d.newNode(true)
	return d
}

// Hook sets what is asked before each call, before the disk is used; nil: nothing. It is called
// without a lock and may use the disk, which asks it again.
func (d *Disk) Hook(h func(Op) Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hook = h
}

// Kill ends the process that uses the disk, as SIGKILL does: every call fails from now on, until
// another process begins ([Disk.Restart]). What was written is there.
func (d *Disk) Kill() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.killed = true
}

// Restart begins another process: what the one before had open is of no use any more, and its
// locks are free.
func (d *Disk) Restart() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.killed = false
	d.life++
	clear(d.locks)
}

// Ops returns how many calls there were.
func (d *Disk) Ops() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ops
}

// Used returns how many bytes are allocated.
func (d *Disk) Used() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.used
}

// Off takes the power away: every call fails from now on. See [Disk.Cut].
func (d *Disk) Off() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead = true
}

// Call says what an Op does.
type Call string

// The calls.
const (
	Open     Call = "open"
	Create   Call = "create" // an open that makes the file
	Read     Call = "read"
	WriteTo  Call = "write"
	Sync     Call = "sync"
	Truncate Call = "truncate"
	Allocate Call = "allocate"
	Rename   Call = "rename"
	Link     Call = "link"
	Remove   Call = "remove"
	Mkdir    Call = "mkdir"
	ReadDir  Call = "readdir"
	SyncDir  Call = "syncdir"
	Stat     Call = "stat"
	Space    Call = "space"
	LockIt   Call = "lock"
)

// Changes reports whether a call changes what is, or will be, on the disk.
func (c Call) Changes() bool {
	switch c {
	case Open, Read, ReadDir, Stat, Space, LockIt:
		return false
	}
	return true
}

// Op is one call.
type Op struct {
	N    int // the how many-th of this disk, from 1
	Call Call
	Name string // of the file; the new name of a Rename or Link
	Kind vfs.Kind
	Off  int64
	Len  int64
}

// Fault is what becomes of a call. The zero value lets it be.
type Fault struct {
	// Err is returned. A write or sync that fails has done some of its work.
	Err error
	// Cut takes the power away while the call runs.
	Cut bool
}

// begin asks the hook. It returns with d.mu held; if err is not nil the call shall return it, if
// fault is not nil it shall do some of its work and return that.
func (d *Disk) begin(o Op) (fault, err error) {
	d.mu.Lock()
	d.ops++
	o.N = d.ops
	if err := d.gone(); err != nil {
		return nil, failed(o, err)
	}
	h := d.hook
	if h == nil {
		return nil, nil
	}
	d.mu.Unlock()
	f := h(o)
	d.mu.Lock()
	if err := d.gone(); err != nil { // by somebody else, while this one waited
		return nil, failed(o, err)
	}
	switch {
	case f.Cut:
		d.dead = true
		return failed(o, ErrCut), nil
	case f.Err != nil:
		return failed(o, f.Err), nil
	}
	return nil, nil
}

// gone returns why there is no disk any more; mu is held.
func (d *Disk) gone() error {
	switch {
	case d.dead:
		return ErrCut
	case d.killed:
		return ErrKilled
	}
	return nil
}

func failed(o Op, err error) error { return &fs.PathError{Op: string(o.Call), Path: o.Name, Err: err} }

func first(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// split returns the elements of a path.
func split(name string) []string {
	name = path.Clean("/" + name)
	if name == "/" {
		return nil
	}
	return strings.Split(name[1:], "/")
}

// find returns the node that has a name.
func (d *Disk) find(name string) (*node, error) {
	n := d.root
	for _, e := range split(name) {
		if !n.dir {
			return nil, syscall.ENOTDIR
		}
		next := n.names[e]
		if next == nil {
			return nil, syscall.ENOENT
		}
		n = next
	}
	return n, nil
}

// parent returns the folder of a name and the name in it.
func (d *Disk) parent(name string) (*node, string, error) {
	list := split(name)
	if len(list) == 0 {
		return nil, "", syscall.EINVAL
	}
	dir, err := d.find(strings.Join(list[:len(list)-1], "/"))
	if err != nil {
		return nil, "", err
	}
	if !dir.dir {
		return nil, "", syscall.ENOTDIR
	}
	return dir, list[len(list)-1], nil
}

// Open opens a file.
func (d *Disk) Open(name string, how vfs.Flag, kind vfs.Kind) (vfs.File, error) {
	o := Op{Call: Open, Name: name, Kind: kind}
	d.mu.Lock()
	if n, _ := d.find(name); n == nil && how&vfs.Create != 0 {
		o.Call = Create
	}
	d.mu.Unlock()
	fault, err := d.begin(o)
	defer d.mu.Unlock()
	if err != nil {
		return nil, err
	}
	dir, base, err := d.parent(name)
	if err != nil {
		return nil, failed(o, err)
	}
	n := dir.names[base]
	switch {
	case n == nil && how&vfs.Create == 0:
		return nil, failed(o, syscall.ENOENT)
	case n == nil:
		if fault != nil && !d.dead {
			return nil, fault
		}
		n = d.newNode(false)
		d.change(&change{dir: dir, name: base, node: n})
		if fault != nil {
			return nil, fault
		}
	case fault != nil:
		return nil, fault
	case how&vfs.Exclusive != 0 && how&vfs.Create != 0:
		return nil, failed(o, syscall.EEXIST)
	case n.dir:
		return nil, failed(o, syscall.EISDIR)
	}
	n.opens++
	return &file{d: d, n: n, life: d.life, name: name, kind: kind, write: how&vfs.Write != 0}, nil
}

// named runs a call that changes names. do makes the change, or says why not.
func (d *Disk) named(o Op, do func() error) error {
	fault, err := d.begin(o)
	defer d.mu.Unlock()
	if err != nil {
		return err
	}
	if fault != nil && !d.dead {
		return fault // it has not happened
	}
	if err := do(); err != nil {
		return failed(o, err)
	}
	return fault
}

// Rename gives a file or folder another name.
func (d *Disk) Rename(old, new string) error {
	return d.named(Op{Call: Rename, Name: new}, func() error {
		from, oldBase, err := d.parent(old)
		if err != nil {
			return err
		}
		to, newBase, err := d.parent(new)
		if err != nil {
			return err
		}
		n, there := from.names[oldBase], to.names[newBase]
		switch {
		case n == nil:
			return syscall.ENOENT
		case there != nil && there.dir:
			return syscall.EEXIST
		case there == n:
			return nil
		case there != nil && n.dir:
			return syscall.ENOTDIR
		}
		d.change(&change{dir: to, name: newBase, node: n, from: from, fromName: oldBase})
		return nil
	})
}

// Link gives a file one more name.
func (d *Disk) Link(old, new string) error {
	return d.named(Op{Call: Link, Name: new}, func() error {
		n, err := d.find(old)
		if err != nil {
			return err
		}
		to, base, err := d.parent(new)
		if err != nil {
			return err
		}
		switch {
		case to.names[base] != nil:
			return syscall.EEXIST
		case n.dir:
			return vfs.ErrUnsupported
		}
		d.change(&change{dir: to, name: base, node: n})
		return nil
	})
}

// Remove takes away a name.
func (d *Disk) Remove(name string) error {
	return d.named(Op{Call: Remove, Name: name}, func() error {
		dir, base, err := d.parent(name)
		if err != nil {
			return err
		}
		n := dir.names[base]
		switch {
		case n == nil:
			return syscall.ENOENT
		case n.dir && len(n.names) > 0:
			return syscall.ENOTEMPTY
		}
		d.change(&change{from: dir, fromName: base, node: n})
		return nil
	})
}

// Mkdir makes a folder.
func (d *Disk) Mkdir(name string) error {
	return d.named(Op{Call: Mkdir, Name: name}, func() error {
		dir, base, err := d.parent(name)
		if err != nil {
			return err
		}
		if dir.names[base] != nil {
			return syscall.EEXIST
		}
		d.change(&change{dir: dir, name: base, node: d.newNode(true)})
		return nil
	})
}

// ReadDir lists a folder.
func (d *Disk) ReadDir(name string) ([]vfs.Entry, error) {
	o := Op{Call: ReadDir, Name: name}
	fault, err := d.begin(o)
	defer d.mu.Unlock()
	if err != nil || fault != nil {
		return nil, first(err, fault)
	}
	n, err := d.find(name)
	if err == nil && !n.dir {
		err = syscall.ENOTDIR
	}
	if err != nil {
		return nil, failed(o, err)
	}
	var out []vfs.Entry
	for base, e := range n.names {
		out = append(out, vfs.Entry{Name: base, Dir: e.dir, Ino: e.ino})
	}
	slices.SortFunc(out, func(a, b vfs.Entry) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// Stat says what a name is.
func (d *Disk) Stat(name string) (vfs.Entry, error) {
	o := Op{Call: Stat, Name: name}
	fault, err := d.begin(o)
	defer d.mu.Unlock()
	if err != nil || fault != nil {
		return vfs.Entry{}, first(err, fault)
	}
	n, err := d.find(name)
	if err != nil {
		return vfs.Entry{}, failed(o, err)
	}
	return vfs.Entry{Name: path.Base(name), Dir: n.dir, Size: n.size, Ino: n.ino}, nil
}

// Space says how much room there is.
func (d *Disk) Space(name string) (vfs.Space, error) {
	o := Op{Call: Space, Name: name}
	fault, err := d.begin(o)
	defer d.mu.Unlock()
	if err != nil || fault != nil {
		return vfs.Space{}, first(err, fault)
	}
	total := d.opts.Capacity
	if total == 0 {
		total = 1 << 40
	}
	return vfs.Space{Total: uint64(total), Free: uint64(max(total-d.used, 0)), Block: blockSize}, nil
}

// Lock takes a lock on a file.
func (d *Disk) Lock(name string) (vfs.Lock, error) {
	f, err := d.Open(name, vfs.Write|vfs.Create, vfs.Other)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // never fails
	o := Op{Call: LockIt, Name: name}
	fault, err := d.begin(o)
	defer d.mu.Unlock()
	if err != nil || fault != nil {
		return nil, first(err, fault)
	}
	n := f.(*file).n
	if d.locks[n] {
		return nil, failed(o, vfs.ErrLocked)
	}
	d.locks[n] = true
	return &lock{d, n}, nil
}

type lock struct {
	d *Disk
	n *node
}

func (l *lock) Unlock() error {
	l.d.mu.Lock()
	defer l.d.mu.Unlock()
	delete(l.d.locks, l.n)
	return nil
}
