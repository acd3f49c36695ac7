package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// ownFile is a file that we have written for others to read, and that we take
// away when it is no longer true. The zero value is a file that is not ours
// to take away: a device, a pipe.
type ownFile struct {
	path string      // with every link followed
	info fs.FileInfo // of the file as we wrote it; nil when it is no regular file
}

// writeOwn writes a file whole. A regular file is put in place in one step, so
// that nobody reads half of it; where the directory does not allow that, and
// through links and into what is no regular file, it is written in place, as
// nats-server always does. Nothing but a regular file is ever replaced.
func writeOwn(path string, data []byte, mode os.FileMode) (ownFile, error) {
	old, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && old.Mode().IsRegular() {
		if writeAtomically(path, data, mode) == nil {
			return ownedFile(path)
		}
	}
	if err := writeInPlace(path, data, mode); err != nil {
		return ownFile{}, err
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real // what a link leads to may be ours, the link is not
	}
	return ownedFile(path)
}

// ownedFile notes which file lies at path now.
func ownedFile(path string) (ownFile, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return ownFile{}, err
	}
	if !info.Mode().IsRegular() {
		return ownFile{}, nil
	}
	return ownFile{path, info}, nil
}

// writeInPlace writes into what is there. A pipe that nobody reads is an
// error, not a reason to wait.
func writeInPlace(path string, data []byte, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|syscall.O_NONBLOCK, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// remove takes the file away if it is still the one that was written. Where
// the directory keeps it, it is emptied instead.
func (o ownFile) remove() error {
	if o.info == nil {
		return nil
	}
	now, err := os.Lstat(o.path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(now, o.info) {
		return nil
	}
	if err == nil {
		err = os.Remove(o.path)
	}
	if err != nil && os.Truncate(o.path, 0) == nil {
		return nil
	}
	return err
}

// errNotRegular refuses to touch what is no regular file.
func errNotRegular(path string) error {
	info, err := os.Lstat(path)
	if err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", path)
	}
	return nil
}

// writeAtomically writes a file beside path and renames it into place, so that
// nobody ever reads half of it. What lies there must be a regular file.
func writeAtomically(path string, data []byte, mode os.FileMode) error {
	if err := errNotRegular(path); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(mode)
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
