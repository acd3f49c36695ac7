package inspect

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/nats-broker/nats-broker/daemon/store"
	"github.com/nats-broker/nats-broker/daemon/vfs"
)

// ErrInUse is the cause when a broker runs on the store.
var ErrInUse = errors.New("a broker runs on it")

// Folder is the name of the store's folder in a storage directory.
const Folder = store.Folder

// storeDirOf returns the storage directory that somebody means who names it, or the folder in it.
func storeDirOf(dir string) string {
	if filepath.Base(filepath.Clean(dir)) != store.Folder {
		return dir
	}
	if _, err := os.Stat(filepath.Join(dir, store.Folder)); err == nil {
		return dir // the storage directory has the same name
	}
	return filepath.Dir(filepath.Clean(dir))
}

// keepOut takes the lock of a store, so that no broker runs on it meanwhile; on a file system that can only be read too. Nothing is
// made: where there is no lock nobody was ever there.
func keepOut(storeDir string) (release func(), err error) {
	f, err := os.Open(filepath.Join(storeDir, store.Folder, "lock"))
	if errors.Is(err, fs.ErrNotExist) {
		return func() {}, nil
	}
	if err != nil {
		return nil, err
	}
	l, err := vfs.InheritLock(f)
	if err != nil {
		f.Close() //nolint:errcheck // opened for reading only
		if errors.Is(err, vfs.ErrLocked) {
			err = fmt.Errorf("%s: %w: %w", storeDir, ErrInUse, err)
		}
		return nil, err
	}
	return func() { _ = l.Unlock() }, nil
}
