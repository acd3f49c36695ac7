package vfs

import (
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// OSLock is a lock of the machine's file system: flock(2) on an open file. The lock belongs to
// what was opened and not to the process: it is held until the last copy of the descriptor is
// closed. So it passes to another process with the descriptor, without a moment in which
// nobody has it.
type OSLock struct{ f *os.File }

func (osFS) Lock(name string) (Lock, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil, err
	}
	l, err := InheritLock(f)
	if err != nil {
		f.Close() //nolint:errcheck // the first error is the one to tell
		return nil, err
	}
	return l, nil
}

// InheritLock takes over a lock from the process that left its descriptor. It takes the lock
// anew if it was not held. After an error f is still the caller's.
func InheritLock(f *os.File) (*OSLock, error) {
	for {
		switch err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err {
		case nil:
			return &OSLock{f}, nil
		case unix.EINTR:
		case unix.EWOULDBLOCK:
			return nil, &fs.PathError{Op: "lock", Path: f.Name(), Err: ErrLocked}
		default:
			return nil, &fs.PathError{Op: "lock", Path: f.Name(), Err: err}
		}
	}
}

// File returns the descriptor to pass on. It stays the lock's.
func (l *OSLock) File() *os.File { return l.f }

// Unlock gives the lock back, unless a copy of its descriptor is still open somewhere.
func (l *OSLock) Unlock() error { return l.f.Close() }
