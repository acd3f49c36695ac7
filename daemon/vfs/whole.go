package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
)

// ReadFile returns what is in a file of at most limit bytes.
func ReadFile(v FS, name string, kind Kind, limit int64) ([]byte, error) {
	f, err := v.Open(name, 0, kind)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // opened for reading only
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	if size > limit {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fmt.Errorf("%d bytes, more than the %d expected", size, limit)}
	}
	p := make([]byte, size)
	if n, err := f.ReadAt(p, 0); err != nil && !(err == io.EOF && n == len(p)) {
		return nil, err
	}
	return p, nil
}

// Replace puts a file in the place of the one with that name, or makes it, such that after a
// crash at any moment the name has the old content or the new one, whole. When it has returned
// nil the new one lasts. It uses the name with ".new" and ".old" behind it; of the several goroutines that
// might replace one file the caller admits one at a time.
func Replace(v FS, name string, kind Kind, pieces ...[]byte) error {
	next := name + ".new"
	if mutated("replaced in place") {
		return writeNew(v, name, kind, pieces)
	}
	if err := writeNew(v, next, kind, pieces); err != nil {
		_ = v.Remove(next) // it is of no use, and in the way of nobody
		return err
	}
	old := name + ".old"
	if err := keepOld(v, name, old); err != nil {
		_ = v.Remove(next)
		return err
	}
	if err := v.Rename(next, name); err != nil {
		_ = v.Remove(next)
		return err
	}
	if mutated("folder sync left out") {
		return nil
	}
	if err := v.SyncDir(filepath.Dir(name)); err != nil {
		return err
	}
	_ = v.Remove(old) // the new one lasts; what stays goes the next time
	return nil
}

// keepOld gives the file that is to be replaced one more name. A file system without a journal of
// its names may use a file's inode and blocks for others as soon as its last name has gone, which is
// before the folder on the disk knows: then neither the old content is there nor the new one.
func keepOld(v FS, name, old string) error {
	if err := v.Remove(old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := v.Link(name, old); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, ErrUnsupported) {
		return err
	}
	return nil
}

func writeNew(v FS, name string, kind Kind, pieces [][]byte) error {
	// One may be left from a crash. It is not written on: on a file system without a journal of its
	// names the name may have come to stand for another file.
	if err := v.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := v.Open(name, Write|Create|Exclusive, kind)
	if err != nil {
		return err
	}
	_, err = f.WriteVec(pieces, 0)
	if err == nil && !mutated("renamed before the sync") {
		err = f.SyncAll()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}

// MkdirAll makes a folder and those above it that are missing, and makes their names last. Those
// that are there may have been made by a process that ended before it could do that, so they
// are synced too; a folder above that may not be read was made by somebody else.
func MkdirAll(v FS, name string) error {
	parent := filepath.Dir(name)
	e, err := v.Stat(name)
	switch {
	case err == nil && !e.Dir:
		return &fs.PathError{Op: "mkdir", Path: name, Err: fs.ErrExist}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	case parent == name:
		return nil
	}
	if err := MkdirAll(v, parent); err != nil {
		return err
	}
	made := err != nil
	if made {
		if err := v.Mkdir(name); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	if err := v.SyncDir(parent); err != nil && (made || !errors.Is(err, fs.ErrPermission)) {
		return err
	}
	return nil
}
