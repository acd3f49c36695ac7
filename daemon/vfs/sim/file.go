package sim

import (
	"io"
	"syscall"

	"github.com/nats-broker/nats-broker/daemon/vfs"
)

// file is an open file.
type file struct {
	d      *Disk
	n      *node
	name   string
	kind   vfs.Kind
	life   int // of the disk when it was opened
	write  bool
	closed bool
}

func (f *file) Name() string { return f.name }

func (f *file) op(c Call, off, n int64) Op {
	return Op{Call: c, Name: f.name, Kind: f.kind, Off: off, Len: n}
}

// begin is Disk.begin for an open file; changes says that it must be open for writing.
func (f *file) begin(o Op, changes bool) (fault, err error) {
	fault, err = f.d.begin(o)
	switch {
	case err != nil:
	case f.closed, f.life != f.d.life:
		err = failed(o, syscall.EBADF)
	case changes && !f.write:
		err = failed(o, syscall.EBADF)
	case o.Off < 0 || o.Len < 0:
		err = failed(o, syscall.EINVAL)
	}
	return fault, err
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	fault, err := f.begin(f.op(Read, off, int64(len(p))), false)
	defer f.d.mu.Unlock()
	if err := first(err, fault); err != nil {
		return 0, err
	}
	if len(f.n.astray) > 0 && f.d.rng.IntN(2) == 0 {
		f.n.evict()
	}
	n := int(min(int64(len(p)), max(f.n.size-off, 0)))
	f.n.get(p[:n], off)
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.WriteVec([][]byte{p}, off)
	return int(n), err
}

func (f *file) WriteVec(list [][]byte, off int64) (int64, error) {
	var total int64
	for _, p := range list {
		total += int64(len(p))
	}
	o := f.op(WriteTo, off, total)
	fault, err := f.begin(o, true)
	defer f.d.mu.Unlock()
	if err != nil {
		return 0, err
	}
	f.background()
	room := total
	if fault != nil && !f.d.dead {
		room = f.d.rng.Int64N(total + 1) // some of it
	}
	var done int64
	for _, p := range list {
		for len(p) > 0 && done < room {
			l := min(int64(len(p)), room-done, blockSize-(off+done)%blockSize)
			if !f.allocate((off + done) / blockSize) {
				return done, failed(o, syscall.ENOSPC)
			}
			f.n.put(p[:l], off+done)
			p, done = p[l:], done+l
		}
	}
	return done, fault
}

// background does what the kernel does on its own: it writes a block back.
func (f *file) background() {
	if f.d.opts.Quiet || len(f.n.dirty) == 0 || f.d.rng.IntN(4) != 0 {
		return
	}
	list := f.n.dirtyBlocks()
	b := list[f.d.rng.IntN(len(list))]
	f.n.shrinkDisk()
	f.n.writeBack(b, f.n.dirty[b])
	// The size follows with the inode, later: what lies behind it is not seen after a cut.
}

// allocate finds room for a block.
func (f *file) allocate(b int64) bool {
	if f.n.alloc[b] {
		return true
	}
	if c := f.d.opts.Capacity; c > 0 && f.d.used+blockSize > c {
		return false
	}
	f.n.alloc[b] = true
	f.d.used += blockSize
	return true
}

func (f *file) Sync() error {
	fault, err := f.begin(f.op(Sync, 0, 0), false)
	defer f.d.mu.Unlock()
	switch {
	case err != nil:
		return err
	case fault == nil:
		f.n.settle()
		if f.d.opts.JournaledNames && f.d.rng.IntN(2) == 0 {
			f.d.settle(func(*change) bool { return true })
		}
		return nil
	case f.d.dead: // some of it is done, the cut decides how much
		return fault
	}
	f.n.shrinkDisk()
	for _, b := range f.n.dirtyBlocks() {
		mask := f.n.dirty[b]
		done := mask & uint8(f.d.rng.Uint32())
		f.n.writeBack(b, done)
		if left := mask &^ done; left != 0 {
			f.n.astray[b] |= left
		}
	}
	clear(f.n.dirty)
	if f.d.rng.IntN(2) == 0 {
		f.n.keptSize, f.n.low = f.n.size, f.n.size
	}
	if f.d.rng.IntN(2) == 0 {
		f.n.evict()
	}
	return fault
}

func (f *file) SyncAll() error { return f.Sync() }

func (f *file) Truncate(size int64) error {
	fault, err := f.begin(f.op(Truncate, size, 0), true)
	defer f.d.mu.Unlock()
	if err != nil || fault != nil && !f.d.dead {
		return first(err, fault)
	}
	if size < f.n.size {
		f.n.cutOff(size)
		for b := range f.n.alloc {
			if b*blockSize >= size {
				delete(f.n.alloc, b)
				f.d.used -= blockSize
			}
		}
	}
	f.n.size = size
	return fault
}

func (f *file) Allocate(off, n int64) error {
	o := f.op(Allocate, off, n)
	fault, err := f.begin(o, true)
	defer f.d.mu.Unlock()
	if err != nil || fault != nil && !f.d.dead {
		return first(err, fault)
	}
	for b := off / blockSize; b*blockSize < off+n; b++ {
		if !f.allocate(b) {
			return failed(o, syscall.ENOSPC)
		}
	}
	f.n.size = max(f.n.size, off+n)
	return fault
}

func (f *file) Size() (int64, error) {
	o := f.op(Stat, 0, 0)
	fault, err := f.begin(o, false)
	defer f.d.mu.Unlock()
	return f.n.size, first(err, fault)
}

// Forget lets go of memory, which shows what a failed sync lost.
func (f *file) Forget(_, _ int64) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	f.n.evict()
}

func (f *file) Close() error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.closed {
		return failed(f.op("close", 0, 0), syscall.EBADF)
	}
	f.closed = true
	f.n.opens--
	f.d.unused(f.n)
	return nil
}
