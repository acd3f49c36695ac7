package vfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// OS is the machine's file system.
var OS FS = osFS{}

type osFS struct{}

func atEnd(err error) bool { return err == io.EOF }

func (osFS) Open(name string, how Flag, _ Kind) (File, error) {
	flag := os.O_RDONLY
	if how&Write != 0 {
		flag = os.O_RDWR
	}
	if how&Create != 0 {
		flag |= os.O_CREATE
	}
	if how&Exclusive != 0 {
		flag |= os.O_EXCL
	}
	f, err := os.OpenFile(name, flag, 0o640)
	if err != nil {
		return nil, err
	}
	return &osFile{f}, nil
}

func (osFS) Rename(old, new string) error { return os.Rename(old, new) }
func (osFS) Remove(name string) error     { return os.Remove(name) }
func (osFS) Mkdir(name string) error      { return os.Mkdir(name, 0o750) }

func (osFS) Link(old, new string) error {
	err := os.Link(old, new)
	// EPERM: "the file system does not support the creation of hard links", link(2).
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EOPNOTSUPP) {
		return &os.LinkError{Op: "link", Old: old, New: new, Err: ErrUnsupported}
	}
	return err
}

func (osFS) ReadDir(name string) ([]Entry, error) {
	list, err := os.ReadDir(name)
	if err != nil {
		return nil, err
	}
	out := make([]Entry, len(list))
	for i, e := range list {
		out[i] = Entry{Name: e.Name(), Dir: e.IsDir()}
	}
	return out, nil
}

func (osFS) SyncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	defer d.Close() //nolint:errcheck // opened for reading only
	return d.Sync()
}

func (osFS) Stat(name string) (Entry, error) {
	i, err := os.Stat(name)
	if err != nil {
		return Entry{}, err
	}
	e := Entry{Name: filepath.Base(name), Dir: i.IsDir(), Size: i.Size()}
	if s, ok := i.Sys().(*syscall.Stat_t); ok {
		e.Ino = s.Ino
	}
	return e, nil
}

func (osFS) Space(name string) (Space, error) {
	var s unix.Statfs_t
	for {
		switch err := unix.Statfs(name, &s); err {
		case nil:
			size := uint64(s.Frsize)
			if size == 0 {
				size = uint64(s.Bsize)
			}
			return Space{Total: s.Blocks * size, Free: s.Bavail * size, Block: uint32(size)}, nil
		case unix.EINTR:
		default:
			return Space{}, &fs.PathError{Op: "statfs", Path: name, Err: err}
		}
	}
}

// osFile is an open file of the machine.
type osFile struct{ f *os.File }

func (o *osFile) Name() string { return o.f.Name() }
func (o *osFile) Close() error { return o.f.Close() }

func (o *osFile) ReadAt(p []byte, off int64) (int, error)  { return o.f.ReadAt(p, off) }
func (o *osFile) WriteAt(p []byte, off int64) (int, error) { return o.f.WriteAt(p, off) }
func (o *osFile) Truncate(size int64) error                { return o.f.Truncate(size) }

func (o *osFile) Size() (int64, error) {
	i, err := o.f.Stat()
	if err != nil {
		return 0, err
	}
	return i.Size(), nil
}

// maxVec is how many pieces the system takes in one call (IOV_MAX).
const maxVec = 1024

func (o *osFile) WriteVec(p [][]byte, off int64) (int64, error) {
	var done int64
	skip := 0 // bytes of the first piece that are written
	for len(p) > 0 {
		if len(p[0]) == skip {
			p, skip = p[1:], 0
			continue
		}
		var n int
		var err error
		if skip > 0 {
			n, err = o.f.WriteAt(p[0][skip:], off+done)
		} else {
			n, err = unix.Pwritev(int(o.f.Fd()), p[:min(len(p), maxVec)], off+done)
		}
		if n > 0 {
			done += int64(n)
		}
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			var path *fs.PathError
			if !errors.As(err, &path) {
				err = &fs.PathError{Op: "pwritev", Path: o.f.Name(), Err: err}
			}
			return done, err
		case n <= 0:
			return done, &fs.PathError{Op: "pwritev", Path: o.f.Name(), Err: io.ErrShortWrite}
		}
		for n > 0 {
			if rest := len(p[0]) - skip; n >= rest {
				n -= rest
				p, skip = p[1:], 0
			} else {
				skip += n
				n = 0
			}
		}
	}
	return done, nil
}

func (o *osFile) Sync() error    { return o.sync("fdatasync", unix.Fdatasync) }
func (o *osFile) SyncAll() error { return o.sync("fsync", unix.Fsync) }

func (o *osFile) sync(name string, call func(int) error) error {
	for {
		switch err := call(int(o.f.Fd())); err {
		case nil:
			return nil
		case unix.EINTR: // it was not begun, or it goes on: asked again it waits for the same pages
		default:
			return &fs.PathError{Op: name, Path: o.f.Name(), Err: err}
		}
	}
}

func (o *osFile) Allocate(off, n int64) error {
	for {
		switch err := unix.Fallocate(int(o.f.Fd()), 0, off, n); err {
		case nil:
			return nil
		case unix.EINTR:
		case unix.EOPNOTSUPP, unix.ENOSYS:
			return &fs.PathError{Op: "fallocate", Path: o.f.Name(), Err: ErrUnsupported}
		default:
			return &fs.PathError{Op: "fallocate", Path: o.f.Name(), Err: err}
		}
	}
}

func (o *osFile) Forget(off, n int64) {
	_ = unix.Fadvise(int(o.f.Fd()), off, n, unix.FADV_DONTNEED) // a hint: nothing depends on it
}
