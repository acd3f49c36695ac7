package store

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/vfs"
)

// Before a store is taken over it is asked whether it can be: nothing is changed, while somebody else uses it.
func TestCheck(t *testing.T) {
	dir := t.TempDir()
	ok(t, Check(vfs.OS, dir)) // there is none yet
	if list, err := os.ReadDir(dir); err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
	d, err := Open(vfs.OS, dir, Options{})
	ok(t, err)
	c, err := d.Catalogue()
	ok(t, err)
	ok(t, c.Apply(1, AppendChanges(nil, Entry{Stream, "S", []byte("v")}), false))
	ok(t, c.Save(1))
	ok(t, Check(vfs.OS, dir))

	for _, name := range []string{nodeFile, catalogueFile} {
		path := filepath.Join(dir, Folder, name)
		good, err := os.ReadFile(path)
		ok(t, err)
		halves := []int{0, len(good) / 2}
		for _, c := range []struct {
			what   string
			change func(b []byte)
			want   string
		}{
			{"a later version, both", func(b []byte) { later(b[halves[0]:]); later(b[halves[1]:]) }, "format 3: this version reads and writes format 2"},
			{"a later version, one damaged", func(b []byte) { later(b[halves[1]:]); b[0] ^= 1 }, "format 3"},
			{"one damaged", func(b []byte) { b[0] ^= 1 }, ""},
			{"the other damaged", func(b []byte) { b[halves[1]] ^= 1 }, ""},
			{"both damaged", func(b []byte) { b[0] ^= 1; b[halves[1]] ^= 1 }, errDamaged.Error()},
		} {
			b := append([]byte(nil), good...)
			c.change(b)
			ok(t, os.WriteFile(path, b, 0o600))
			err := Check(vfs.OS, dir)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s, %s: %v", name, c.what, err)
			}
		}
		ok(t, os.WriteFile(path, good[:10], 0o600))
		if err := Check(vfs.OS, dir); !errors.Is(err, errDamaged) {
			t.Errorf("%s, cut short: %v", name, err)
		}
		ok(t, os.WriteFile(path, good, 0o600))
	}
	ok(t, d.Close())
}

// later makes a half one of the next version.
func later(half []byte) {
	binary.LittleEndian.PutUint32(half[4:], Format+1)
	binary.LittleEndian.PutUint32(half[28:], crc32.Checksum(half[:28], castagnoli))
}
