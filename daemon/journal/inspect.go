package journal

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/nats-broker/nats-broker/daemon/vfs"
)

// Contents is what [Inspect] found besides what a start would find.
type Contents struct {
	Recovery
	Files []FileContents // by their use, those that were never used first
}

// FileContents is one of the journal's files.
type FileContents struct {
	Name   string
	Size   int64
	Use    uint64 // 0: none, it is ready
	Needed bool   // a start reads it
	First  uint64 // number of the first commit that can be in it
	Last   uint64 // of the last one that counts, First-1: none; of a file that is needed
}

// Inspect reads the journal in a folder as [Journal.Recover] would, gives fn what that would give, and changes nothing. What it
// says of files in quarantine is what a start would put there. An error is one that a start would end with, unless fn
// returned it; force is [Options.Force]. Where there is no folder there is nothing.
func Inspect(v vfs.FS, dir string, storeKey [16]byte, force bool, fn func(commit uint64, f *Frame) error) (c Contents, err error) {
	v = vfs.ReadOnly(v)
	if _, err := v.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		c.Clean = true
		return c, nil
	}
	j := &Journal{fs: v, dir: dir, key: keyOf(storeKey), opts: Options{Force: force}}
	r := &recovering{j: j, fn: fn, look: true}
	err = r.run()
	needed := map[*file]bool{}
	for _, f := range r.used() {
		needed[f] = true
	}
	for _, f := range r.files {
		c.Files = append(c.Files, FileContents{f.name, f.size, f.h.file, needed[f], f.h.first, f.last})
		err = errors.Join(err, f.f.Close())
	}
	c.Recovery = r.report
	if err != nil {
		err = fmt.Errorf("journal: %w", err)
	}
	return c, err
}
