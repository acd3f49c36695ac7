package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"path/filepath"

	"github.com/nats-broker/nats-broker/daemon/vfs"
)

// Found is what [Look] finds of a store.
type Found struct {
	// Dir is the store for reading: nothing can be changed through it, and it has no lock. Its identity is not known if
	// there is no whole copy of the file it is in.
	Dir   *Dir
	Known bool        // the identity is
	Files []FoundFile // node and catalogue
}

// FoundFile is a file that is kept twice.
type FoundFile struct {
	Name    string
	Path    string
	Missing bool
	Format  uint32   // of the first copy of which the head can be read; 0: of none
	Copies  [2]error // why a copy is not whole; nil: it is
}

// Names of files, as [Found] has them.
const (
	NodeFile      = nodeFile
	CatalogueFile = catalogueFile
)

// ErrNoStore is the cause when there is no store of ours in a folder.
var ErrNoStore = errors.New("there is no store of nats-broker")

// Look looks at the store in a storage directory, of which it changes nothing. An error is of the disk, or [ErrNoStore].
func Look(v vfs.FS, storeDir string) (*Found, error) {
	v = vfs.ReadOnly(v)
	d := &Dir{fs: v, path: filepath.Join(storeDir, Folder)}
	if _, err := v.ReadDir(d.path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", storeDir, ErrNoStore)
	} else if err != nil {
		return nil, err
	}
	found := &Found{Dir: d}
	for _, f := range []struct {
		name  string
		magic uint32
	}{{nodeFile, nodeMagic}, {catalogueFile, catalogueMagic}} {
		at := FoundFile{Name: f.name, Path: d.Path(f.name)}
		if err := at.look(v, f.magic); err != nil {
			return nil, err
		}
		found.Files = append(found.Files, at)
	}
	var err error
	if d.Identity, d.format, err = readIdentity(v, d.Path(nodeFile)); err == nil {
		found.Known = true
	}
	return found, nil
}

// look reads both copies.
func (f *FoundFile) look(v vfs.FS, magic uint32) error {
	b, err := vfs.ReadFile(v, f.Path, vfs.Catalogue, maxCatalogue)
	if errors.Is(err, fs.ErrNotExist) {
		f.Missing = true
		return nil
	}
	if err != nil {
		return err
	}
	le := binary.LittleEndian
	for i, at := range []int{0, len(b) / 2} {
		half := b[at:] // as a start takes it: of a file that was cut off the first copy may be whole
		if len(half) < headSize || le.Uint32(half) != magic || le.Uint32(half[28:]) != crc32.Checksum(half[:28], castagnoli) {
			f.Copies[i] = fmt.Errorf("at %d: its head is damaged", at)
			continue
		}
		if f.Format == 0 {
			f.Format = le.Uint32(half[4:])
		}
		n := le.Uint64(half[8:])
		if n > uint64(len(half)-headSize) || crc32.Checksum(half[headSize:headSize+n], castagnoli) != le.Uint32(half[16:]) {
			f.Copies[i] = fmt.Errorf("at %d: its sum is wrong", at)
		}
	}
	return nil
}

// Rewrite writes the identity anew, as it was read: both copies are whole then.
func (d *Dir) Rewrite() error { return writeIdentity(d.fs, d.Path(nodeFile), d.Identity, d.Format()) }

// Rewrite writes the catalogue anew, as it is: both copies are whole then.
func (c *Catalogue) Rewrite() error {
	c.mu.Lock()
	c.changed = true
	c.mu.Unlock()
	return c.Save(0)
}
