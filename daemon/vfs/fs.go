package vfs

import "errors"

// Flag says how a file is opened. Every file can be read.
type Flag uint8

const (
	Write     Flag = 1 << iota // it will be written
	Create                     // it is made if it is not there; with Write
	Exclusive                  // with Create: it is an error if it is there
)

// ErrUnsupported is returned by Allocate and Link where the file system cannot do it.
var ErrUnsupported = errors.ErrUnsupported

// FS is a file system. Names are paths as the system has them. All methods may be called
// by many goroutines at once. Errors are *fs.PathError or *os.LinkError around the cause, so
// that errors.Is finds fs.ErrNotExist, syscall.ENOSPC and so on.
type FS interface {
	// Open opens a file; files it makes have mode 0640. Kind is for counting.
	Open(name string, how Flag, kind Kind) (File, error)
	// Rename gives a file or folder another name, in place of the file that had it. A folder
	// that has it is in the way.
	Rename(old, new string) error
	// Link gives a file one more name, which must be free. See [ErrUnsupported].
	Link(old, new string) error
	// Remove takes away the name of a file, or of an empty folder.
	Remove(name string) error
	// Mkdir makes one folder with mode 0750. It is an error if the name is taken.
	Mkdir(name string) error
	// ReadDir returns what is in a folder, sorted by name.
	ReadDir(name string) ([]Entry, error)
	// SyncDir makes the names in a folder last: those made, changed and taken away before.
	SyncDir(name string) error
	// Stat returns what is known of a name.
	Stat(name string) (Entry, error)
	// Space returns what the file system that holds a name has room for.
	Space(name string) (Space, error)
	// Lock takes a lock on a file, made if it is not there, that nobody else can take until it
	// is given back or the process has ended. If somebody has it: an error that is [ErrLocked].
	Lock(name string) (Lock, error)
}

// File is an open file. ReadAt may be called beside anything; WriteAt and Sync by several
// goroutines for what they know does not overlap; Close when nothing else is called any more.
type File interface {
	Name() string
	// ReadAt fills p from off, or returns what there was and io.EOF or another error.
	ReadAt(p []byte, off int64) (int, error)
	// WriteAt writes all of p at off, or says how much of it and why no more.
	WriteAt(p []byte, off int64) (int, error)
	// WriteVec writes several pieces one behind the other, in one call to the system as far as
	// it takes them, or says how many bytes and why no more. It does not change the list.
	WriteVec(p [][]byte, off int64) (int64, error)
	// Sync returns when everything written so far, and the size, is on the disk (fdatasync). An
	// error is final: see the package comment.
	Sync() error
	// SyncAll is Sync and brings also what is known of the file to the disk (fsync): where its bytes
	// lie, above all. Sync should do so where it matters, and does not on every file system: once,
	// when a file is complete, this makes sure.
	SyncAll() error
	// Truncate sets the size.
	Truncate(size int64) error
	// Allocate reserves room on the disk and makes the file at least off+n long; what was never
	// written reads as zeros. On some file systems it promises nothing, see [ErrUnsupported].
	Allocate(off, n int64) error
	Size() (int64, error)
	// Forget says that a range will not be read soon, so that it need not stay in memory. Only a
	// hint, and only for what is synced.
	Forget(off, n int64)
	Close() error
}

// Entry is what a folder, or Stat, says of a name.
type Entry struct {
	Name string // without its folder
	Dir  bool
	Size int64 // of a file; not from ReadDir
	Ino  uint64
}

// Space is the room of a file system in bytes.
type Space struct {
	Total uint64
	Free  uint64 // for users without privileges
	Block uint32 // unit of allocation
}

// ErrLocked is what a lock's error is when somebody else has it.
var ErrLocked = errors.New("locked by another process")

// Lock is a lock that is held.
type Lock interface {
	Unlock() error
}
