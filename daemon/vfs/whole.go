package vfs

import (
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
// nil the new one lasts. It uses the name with ".new" behind it; of the several goroutines that
// might replace one file the caller admits one at a time.
func Replace(v FS, name string, kind Kind, pieces ...[]byte) error {
	next := name + ".new"
	if mutated("replaced in place") {
		next = name
	}
	if err := writeNew(v, next, kind, pieces); err != nil {
		_ = v.Remove(next) // it is of no use, and in the way of nobody
		return err
	}
	if err := v.Rename(next, name); err != nil {
		_ = v.Remove(next)
		return err
	}
	if mutated("folder sync left out") {
		return nil
	}
	return v.SyncDir(filepath.Dir(name))
}

func writeNew(v FS, name string, kind Kind, pieces [][]byte) error {
	f, err := v.Open(name, Write|Create, kind)
	if err != nil {
		return err
	}
	err = f.Truncate(0) // one may be left from a crash
	if err == nil {
		_, err = f.WriteVec(pieces, 0)
	}
	if err == nil && !mutated("renamed before the sync") {
		err = f.SyncAll()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}

// MkdirAll makes a folder and those above it that are missing, and makes their names last.
func MkdirAll(v FS, name string) error {
	if e, err := v.Stat(name); err == nil {
		if !e.Dir {
			return &fs.PathError{Op: "mkdir", Path: name, Err: fs.ErrExist}
		}
		return nil
	}
	parent := filepath.Dir(name)
	if parent != name {
		if err := MkdirAll(v, parent); err != nil {
			return err
		}
	}
	if err := v.Mkdir(name); err != nil {
		return err
	}
	return v.SyncDir(parent)
}
