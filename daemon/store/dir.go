package store

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"

	"github.com/nats-broker/nats-broker/daemon/vfs"
)

// Format is the version of the folder: of the files of this package, of what lies where, and of the journal and the
// streams' files in it: it rises with whatever a version before could not read, so that [Check] knows of all of it. A store
// keeps the lowest one that says what is in it, so that versions before can read it as long as they could: [Dir.Raise].
//
//	1  as it began
//	2  pages of streams may be compressed
const Format = FormatPacked

// The formats.
const (
	FormatFirst  = 1
	FormatPacked = 2
)

// Folder is the name of ours in the storage directory, Foreign that of nats-server's.
const (
	Folder  = "nats-broker"
	Foreign = "jetstream"
)

// Options say how a store is opened.
type Options struct {
	// Empty allows to begin with an empty store beside one of nats-server.
	Empty bool
	// HowEmpty says how an operator asks for that: "start with --x".
	HowEmpty string
	// Lock is the lock of the process before, nil: it is taken. It is the store's, unless Open
	// fails.
	Lock vfs.Lock
	// NewIdentity makes the identity of a new store; nil: by crypto/rand.
	NewIdentity func() (Identity, error)
}

// ErrForeign is the cause when there is a store of nats-server and none of ours.
var ErrForeign = errors.New("it holds a store of nats-server and none of nats-broker")

// Dir is an opened store.
type Dir struct {
	Identity Identity
	// New says that the store was made by this start.
	New bool

	fs   vfs.FS
	path string
	lock vfs.Lock

	raising sync.Mutex
	format  uint32 // of raising
}

// Open opens the store in a storage directory and takes its lock; what is missing is made.
func Open(v vfs.FS, storeDir string, o Options) (*Dir, error) {
	d := &Dir{fs: v, path: filepath.Join(storeDir, Folder)}
	if e, err := v.Stat(storeDir); err == nil && !e.Dir {
		return nil, fmt.Errorf("store %s: storage directory is not a directory", storeDir) // in the words of nats-server
	}
	_, err := v.Stat(filepath.Join(d.path, nodeFile))
	fresh := errors.Is(err, fs.ErrNotExist)
	if err != nil && !fresh {
		return nil, fmt.Errorf("store %s: %w", storeDir, err)
	}
	if fresh && !o.Empty {
		if err := foreign(v, storeDir, o.HowEmpty); err != nil {
			return nil, fmt.Errorf("store %s: %w", storeDir, err)
		}
	}
	if err := d.open(o); err != nil {
		return nil, fmt.Errorf("store %s: %w", storeDir, err)
	}
	return d, nil
}

// foreign returns an error if there is a store of nats-server: a folder with something in it.
func foreign(v vfs.FS, storeDir, how string) error {
	list, err := v.ReadDir(filepath.Join(storeDir, Foreign))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case len(list) == 0:
		return nil
	}
	if how != "" {
		how = "; to begin with an empty one beside it " + how
	}
	return fmt.Errorf("%w: it would be left alone, and its messages would not be served%s (see nats-broker-migrate(7))", ErrForeign, how)
}

func (d *Dir) open(o Options) error {
	if err := vfs.MkdirAll(d.fs, d.path); err != nil {
		return err
	}
	// A process that ended early may have made a folder and not made it last.
	if err := d.fs.SyncDir(filepath.Dir(d.path)); err != nil {
		return err
	}
	d.lock = o.Lock
	if d.lock == nil {
		l, err := d.fs.Lock(filepath.Join(d.path, "lock"))
		if errors.Is(err, vfs.ErrLocked) {
			return fmt.Errorf("another process uses it: %w", err)
		}
		if err != nil {
			return err
		}
		d.lock = l
	}
	err := d.identify(o)
	if err != nil && o.Lock == nil {
		err = errors.Join(err, d.lock.Unlock())
	}
	return err
}

// identify reads who the store is, or makes it somebody.
func (d *Dir) identify(o Options) error {
	id, format, err := readIdentity(d.fs, d.Path(nodeFile))
	if err == nil {
		d.Identity, d.format = id, format
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// Without an identity what lies in the folder cannot be read: it has lost its file.
	list, err := d.fs.ReadDir(d.path)
	if err != nil {
		return err
	}
	for _, e := range list {
		if e.Name != "lock" && e.Name != nodeFile+".new" {
			return fmt.Errorf("%s has %s and no file %q: without it nothing of it can be read", d.path, e.Name, nodeFile)
		}
	}
	make := o.NewIdentity
	if make == nil {
		make = NewIdentity
	}
	if d.Identity, err = make(); err != nil {
		return err
	}
	d.New, d.format = true, FormatFirst
	return writeIdentity(d.fs, d.Path(nodeFile), d.Identity, d.format)
}

// Format returns the store's format.
func (d *Dir) Format() uint32 {
	d.raising.Lock()
	defer d.raising.Unlock()
	return d.format
}

// Raise brings the store to a format, unless it has it or a later one. Once it has returned nil a version that does not know
// the format refuses the store; only then may there be something that the format is for.
func (d *Dir) Raise(format uint32) error {
	d.raising.Lock()
	defer d.raising.Unlock()
	if d.format >= format {
		return nil
	}
	if err := writeIdentity(d.fs, d.Path(nodeFile), d.Identity, format); err != nil {
		return err
	}
	d.format = format
	return nil
}

// Path returns the path of something in the store.
func (d *Dir) Path(elem ...string) string {
	return filepath.Join(append([]string{d.path}, elem...)...)
}

// FS returns what the store lies on.
func (d *Dir) FS() vfs.FS { return d.fs }

// Lock returns the lock, to be handed to the next process: after the last commit, and before that
// one reads the store. It stays this store's until Close.
func (d *Dir) Lock() vfs.Lock { return d.lock }

// Close gives the lock back, unless a copy of it was handed over.
func (d *Dir) Close() error { return d.lock.Unlock() }
