package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/nats-broker/nats-broker/daemon/vfs"
)

// Check reports whether this version can read the store in a storage directory, before it takes it over. Nothing is
// changed, and another process may use the store meanwhile. Where there is none, nothing is wrong.
func Check(v vfs.FS, storeDir string) error {
	for _, f := range []struct {
		name  string
		magic uint32
	}{{nodeFile, nodeMagic}, {catalogueFile, catalogueMagic}} {
		err := checkHeads(v, filepath.Join(storeDir, Folder, f.name), f.magic)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("store %s: %w", storeDir, err)
		}
	}
	return nil
}

// checkHeads reads what both halves of a file begin with, and not what is in them: a catalogue may be large.
func checkHeads(v vfs.FS, name string, magic uint32) (err error) {
	f, err := v.Open(name, 0, vfs.Catalogue)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	size, err := f.Size()
	if err != nil {
		return err
	}
	known := false
	for _, at := range []int64{0, size / 2} {
		var head [headSize]byte
		if n, err := f.ReadAt(head[:], at); err != nil && !(errors.Is(err, io.EOF) && n < headSize) {
			return err
		}
		content, _, err := parseHalf(head[:], magic)
		if err != nil {
			return fmt.Errorf("%s: at %d: %w", name, at, err)
		}
		known = known || content != nil
	}
	if !known {
		return fmt.Errorf("%s: at 0 and %d: %w", name, size/2, errDamaged)
	}
	return nil
}
