package journal

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/nats-broker/nats-broker/daemon/vfs"
)

// file is one of the journal's files, open.
type file struct {
	name string // whole
	f    vfs.File
	size int64
	h    header // of its use; h.file is 0 if it has none
	k    key    // of its use

	at     int64  // where the next commit begins
	last   uint64 // the last commit in it that counts; h.first-1: none
	needs  uint64 // it is needed until this commit is released
	failed bool   // a write or sync failed: nothing more is written to it
	rotten bool   // something in it could not be read: it is kept
	stale  bool   // between its commits may be what it held before
}

// capacity is how large a commit can be in an empty file of a size.
func capacity(size int64) int64 { return size - 2*Block }

// holds reports whether there is a commit in it.
func (f *file) holds() bool { return f.last >= f.h.first }

// room is how large the next commit can be.
func (f *file) room() int64 { return f.size - Block - f.at }

var zeros [256 << 10]byte

// unfinished is the end of the name of a file until it is filled and has a header.
const unfinished = ".new"

// makeFile makes a file of zeros that is ready for use.
func makeFile(fs vfs.FS, name string, size int64, k key) (*file, error) {
	v, err := fs.Open(name+unfinished, vfs.Write|vfs.Create|vfs.Exclusive, vfs.Journal)
	if err != nil {
		return nil, err
	}
	f := &file{name: name, f: v, size: size}
	if err := f.fill(k); err != nil {
		_ = v.Close()
		_ = fs.Remove(name + unfinished) // what is left goes at the next start
		return nil, err
	}
	err = fs.Rename(name+unfinished, name)
	if err == nil && !mutated("folder sync left out") {
		err = fs.SyncDir(filepath.Dir(name))
	}
	if e := v.Close(); err == nil {
		err = e
	}
	if err == nil { // under the name that errors shall tell
		f.f, err = fs.Open(name, vfs.Write, vfs.Journal)
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (f *file) fill(k key) error {
	if err := f.f.Allocate(0, f.size); err != nil && !errors.Is(err, vfs.ErrUnsupported) {
		return err
	}
	for at := int64(0); at < f.size; at += int64(len(zeros)) {
		if _, err := f.f.WriteAt(zeros[:min(int64(len(zeros)), f.size-at)], at); err != nil {
			return err
		}
	}
	// A header that says that nothing is in it must not be there before nothing is.
	if err := f.f.Sync(); err != nil {
		return err
	}
	f.h, f.stale = header{size: f.size}, false
	if err := f.writeHeader(k); err != nil {
		return err
	}
	return f.f.SyncAll()
}

// writeHeader brings the header to both ends of the file, one after the other, so that a cut
// leaves one of them whole: the old or the new one.
func (f *file) writeHeader(k key) error {
	b := make([]byte, 0, Block)
	b = f.h.append(b, k)[:Block]
	for _, at := range []int64{0, f.size - Block} {
		if _, err := f.f.WriteAt(b, at); err != nil {
			return err
		}
		if mutated("header sync left out") {
			continue
		}
		if err := f.f.Sync(); err != nil {
			return err
		}
	}
	return nil
}

// use begins a use of the file; h says all but the size.
func (f *file) use(h header, store key) error {
	h.size = f.size
	f.stale = f.stale || f.h.file != 0
	f.h, f.k = h, store.with(h.salt)
	f.at, f.last, f.needs = Block, h.first-1, 0
	f.failed, f.rotten = false, false
	return f.writeHeader(store)
}

// openFile opens one of the journal's files and reads its header. whole is false if it has none.
func openFile(fs vfs.FS, name string, store key) (f *file, whole bool, err error) {
	v, err := fs.Open(name, vfs.Write, vfs.Journal)
	if err != nil {
		return nil, false, err
	}
	f = &file{name: name, f: v}
	if whole, err = f.readHeader(store); err != nil {
		_ = v.Close()
		return nil, false, fmt.Errorf("%s: %w", name, err)
	}
	return f, whole, nil
}

// readHeader reads the header from where it is whole: the newer one, if it is at both ends.
func (f *file) readHeader(store key) (whole bool, err error) {
	if f.size, err = f.f.Size(); err != nil {
		return false, err
	}
	w := window{f: f.f, size: f.size}
	for _, at := range []int64{0, f.size - Block} {
		if f.size < 2*Block {
			break
		}
		b, err := w.get(at, Block)
		if err != nil {
			return false, err
		}
		var h header
		ok, err := h.parse(b, store)
		if err != nil {
			return false, err
		}
		if ok && (!whole || h.file > f.h.file) {
			whole, f.h = true, h
		}
	}
	if !whole {
		return false, w.unread // damaged, unless the disk did not say
	}
	f.k = store.with(f.h.salt)
	f.at, f.last = Block, f.h.first-1
	f.stale = f.h.file != 0
	if f.h.size != f.size { // somebody shortened it, or added something
		f.rotten = true
	}
	return true, nil
}
