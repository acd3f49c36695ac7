package vfs

import (
	"io/fs"
	"syscall"
)

// ReadOnly returns an FS through which nothing can be changed: files are opened for reading only, whatever was asked for,
// what would change something is an error (EROFS), and what would bring something to the disk does nothing.
func ReadOnly(v FS) FS { return readOnly{v} }

type readOnly struct{ FS }

func refuse(op, name string) error { return &fs.PathError{Op: op, Path: name, Err: syscall.EROFS} }

func (r readOnly) Open(name string, how Flag, kind Kind) (File, error) {
	if how&(Create|Exclusive) != 0 {
		return nil, refuse("create", name)
	}
	f, err := r.FS.Open(name, 0, kind)
	if err != nil {
		return nil, err
	}
	return readOnlyFile{f}, nil
}

func (r readOnly) Rename(_, name string) error    { return refuse("rename", name) }
func (r readOnly) Link(_, name string) error      { return refuse("link", name) }
func (r readOnly) Remove(name string) error       { return refuse("remove", name) }
func (r readOnly) Mkdir(name string) error        { return refuse("mkdir", name) }
func (r readOnly) Lock(name string) (Lock, error) { return nil, refuse("lock", name) }
func (r readOnly) SyncDir(string) error           { return nil }

type readOnlyFile struct{ File }

func (f readOnlyFile) WriteAt([]byte, int64) (int, error)      { return 0, refuse("write", f.Name()) }
func (f readOnlyFile) WriteVec([][]byte, int64) (int64, error) { return 0, refuse("write", f.Name()) }
func (f readOnlyFile) Truncate(int64) error                    { return refuse("truncate", f.Name()) }
func (f readOnlyFile) Allocate(_, _ int64) error               { return refuse("allocate", f.Name()) }
func (f readOnlyFile) Sync() error                             { return nil }
func (f readOnlyFile) SyncAll() error                          { return nil }
