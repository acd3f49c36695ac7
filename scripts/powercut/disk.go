package main

import (
	"context"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

const (
	blockSize  = 4096
	sectorSize = 512
)

type block [blockSize]byte

// disk is a disk with a volatile cache: what is written lies in the cache until a flush.
type disk struct {
	size int64

	mu      sync.Mutex // guards what follows
	durable map[int64]*block
	cache   map[int64]*cached
	dead    bool

	writes, flushes atomic.Int64
	cutAt           atomic.Int64 // writes and flushes until the power goes; 0: it stays
}

// cached is a block of which some sectors were written since the last flush.
type cached struct {
	data block
	mask uint8
}

func newDisk(size int64, durable map[int64]*block) *disk {
	d := &disk{size: size, durable: map[int64]*block{}, cache: map[int64]*cached{}}
	for n, b := range durable { // blocks are not changed, but replaced
		d.durable[n] = b
	}
	return d
}

func (d *disk) block(n int64) *block {
	if c := d.cache[n]; c != nil {
		return &c.data
	}
	return d.durable[n]
}

func (d *disk) read(p []byte, off int64) syscall.Errno {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead {
		return syscall.EIO
	}
	for len(p) > 0 {
		n, lo := off/blockSize, off%blockSize
		l := min(blockSize-lo, int64(len(p)))
		if b := d.block(n); b != nil {
			copy(p[:l], b[lo:])
		} else {
			clear(p[:l])
		}
		p, off = p[l:], off+l
	}
	return 0
}

// tick counts towards the end of the power; mu is held.
func (d *disk) tick() bool {
	if n := d.cutAt.Load(); n > 0 && d.cutAt.Add(-1) == 0 {
		d.dead = true
	}
	return d.dead
}

func (d *disk) write(p []byte, off int64) syscall.Errno {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead {
		return syscall.EIO
	}
	d.writes.Add(1)
	for len(p) > 0 {
		n, lo := off/blockSize, off%blockSize
		l := min(blockSize-lo, int64(len(p)))
		c := d.cache[n]
		if c == nil {
			c = &cached{}
			if b := d.durable[n]; b != nil {
				c.data = *b
			}
			d.cache[n] = c
		}
		copy(c.data[lo:], p[:l])
		for s := lo / sectorSize; s*sectorSize < lo+l; s++ {
			c.mask |= 1 << s
		}
		p, off = p[l:], off+l
	}
	if d.tick() { // it has written, or will have
		return syscall.EIO
	}
	return 0
}

func (d *disk) flush() syscall.Errno {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead || d.tick() {
		return syscall.EIO
	}
	d.flushes.Add(1)
	for n, c := range d.cache {
		b := c.data
		d.durable[n] = &b
	}
	clear(d.cache)
	return 0
}

// off takes the power away.
func (d *disk) off() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead = true
}

// How much of the cache an image has.
const (
	lost   = "all lost"
	chance = "by chance" // each block is there, or is not
	torn   = "torn"      // each sector is
)

// image writes what may be on the disk after the cut.
func (d *disk) image(name, style string, seed uint64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	rng := rand.New(rand.NewPCG(seed, 0))
	keep := []float64{0.1, 0.5, 0.9}[rng.IntN(3)]
	blocks := map[int64]*block{}
	for n, b := range d.durable {
		blocks[n] = b
	}
	order := make([]int64, 0, len(d.cache))
	for n := range d.cache {
		order = append(order, n)
	}
	slices.Sort(order)
	for _, n := range order {
		c := d.cache[n]
		var b block
		if old := d.durable[n]; old != nil {
			b = *old
		}
		whole := style == chance && rng.Float64() < keep
		for s := range blockSize / sectorSize {
			if c.mask>>s&1 == 1 && (whole || style == torn && rng.Float64() < keep) {
				copy(b[s*sectorSize:(s+1)*sectorSize], c.data[s*sectorSize:])
			}
		}
		blocks[n] = &b
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(d.size); err != nil {
		return err
	}
	for n, b := range blocks {
		if _, err := f.WriteAt(b[:], n*blockSize); err != nil {
			return err
		}
	}
	return f.Close()
}

// file is the disk as a file of a FUSE file system. The kernel caches nothing of it.
type file struct {
	fs.Inode
	d *disk
}

var (
	_ fs.NodeOpener    = (*file)(nil)
	_ fs.NodeReader    = (*file)(nil)
	_ fs.NodeWriter    = (*file)(nil)
	_ fs.NodeFsyncer   = (*file)(nil)
	_ fs.NodeGetattrer = (*file)(nil)
	_ fs.NodeSetattrer = (*file)(nil)
)

func (f *file) Open(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	return nil, fuse.FOPEN_DIRECT_IO, 0
}

func (f *file) Read(_ context.Context, _ fs.FileHandle, p []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	p = p[:max(0, min(int64(len(p)), f.d.size-off))]
	return fuse.ReadResultData(p), f.d.read(p, off)
}

func (f *file) Write(_ context.Context, _ fs.FileHandle, p []byte, off int64) (uint32, syscall.Errno) {
	return uint32(len(p)), f.d.write(p, off)
}

func (f *file) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno { return f.d.flush() }

func (f *file) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.Mode, out.Size, out.Blksize = syscall.S_IFREG|0o600, uint64(f.d.size), blockSize
	return 0
}

func (f *file) Setattr(ctx context.Context, h fs.FileHandle, _ *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	return f.Getattr(ctx, h, out)
}

// root is the folder that the file is in.
type root struct {
	fs.Inode
	d *disk
}

func (r *root) OnAdd(ctx context.Context) {
	r.AddChild("disk", r.NewPersistentInode(ctx, &file{d: r.d}, fs.StableAttr{Mode: syscall.S_IFREG}), true)
}

// serve shows a disk as dir/disk, until unmount is called.
func serve(d *disk, dir string) (unmount func() error, err error) {
	s, err := fs.Mount(dir, &root{d: d}, &fs.Options{MountOptions: fuse.MountOptions{
		DirectMount: true, MaxWrite: 1 << 20, FsName: "powercut", Name: "powercut",
	}})
	if err != nil {
		return nil, err
	}
	return s.Unmount, nil
}
