package vfs_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/vfs"
)

// Nothing changes through an FS for reading, and what is there is read.
func TestReadOnly(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "f")
	if err := os.WriteFile(name, []byte("abc"), 0o440); err != nil {
		t.Fatal(err)
	}
	v := vfs.ReadOnly(vfs.OS)
	f, err := v.Open(name, vfs.Write, vfs.Other)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, open := v.Open(filepath.Join(dir, "new"), vfs.Write|vfs.Create, vfs.Other)
	_, lock := v.Lock(name)
	_, write := f.WriteAt([]byte("x"), 0)
	_, writeVec := f.WriteVec([][]byte{{'x'}}, 0)
	for what, err := range map[string]error{
		"open": open, "lock": lock, "write": write, "writeVec": writeVec, "truncate": f.Truncate(0), "allocate": f.Allocate(0, 9),
		"rename": v.Rename(name, name+"2"), "link": v.Link(name, name+"2"), "remove": v.Remove(name), "mkdir": v.Mkdir(name + "2"),
	} {
		if !errors.Is(err, syscall.EROFS) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if f.Sync() != nil || f.SyncAll() != nil || v.SyncDir(dir) != nil {
		t.Error("there is nothing to bring to the disk, and that is an error")
	}
	b := make([]byte, 3)
	if _, err := f.ReadAt(b, 0); err != nil || string(b) != "abc" {
		t.Errorf("%q, %v", b, err)
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
}
