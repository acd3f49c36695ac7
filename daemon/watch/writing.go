package watch

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// maxWriting bounds how many files are known to be open; a directory full of
// them that concern nobody must not fill the memory.
const maxWriting = 1024

// writing knows the files that somebody writes into: those that were changed
// and not closed since, and those that the kernel says have a writer.
type writing struct {
	open  map[string]bool
	moved map[uint32]bool // renames of which the first half was seen, of open files
}

func newWriting() *writing { return &writing{map[string]bool{}, map[uint32]bool{}} }

// note takes an event into account.
func (w *writing) note(e event) {
	switch {
	case e.has(unix.IN_Q_OVERFLOW):
		clear(w.open) // a close may be among what was lost
		clear(w.moved)
	case e.has(unix.IN_ISDIR):
	case e.has(unix.IN_MODIFY):
		if len(w.open) < maxWriting {
			w.open[e.path] = true
		}
	case e.has(unix.IN_MOVED_FROM):
		if w.open[e.path] && len(w.moved) < maxWriting {
			w.moved[e.cookie] = true
		}
		delete(w.open, e.path)
	case e.has(unix.IN_MOVED_TO):
		delete(w.open, e.path) // what was there has gone
		if w.moved[e.cookie] {
			w.open[e.path] = true
			delete(w.moved, e.cookie)
		}
	case e.has(unix.IN_CLOSE_WRITE | unix.IN_DELETE):
		delete(w.open, e.path)
	}
}

// keep forgets the files of directories that are not listened to any more,
// whose close nobody would see.
func (w *writing) keep(p places) {
	for path := range w.open {
		if _, ok := p[filepath.Dir(path)]; !ok {
			delete(w.open, path)
		}
	}
}

// busy returns the file among paths, or among the drop-ins of a directory,
// that is being written; "" if there is none.
func (w *writing) busy(paths []string) string {
	for _, path := range paths {
		real, err := filepath.EvalSymlinks(path)
		if err != nil {
			continue
		}
		list, err := os.ReadDir(real)
		if err != nil { // no directory
			if w.being(real) {
				return path
			}
			continue
		}
		for _, e := range list {
			if !strings.HasSuffix(e.Name(), ".conf") {
				continue
			}
			if real, err := filepath.EvalSymlinks(filepath.Join(real, e.Name())); err == nil && w.being(real) {
				return filepath.Join(path, e.Name())
			}
		}
	}
	return ""
}

// being asks the kernel, which knows best, and where it does not say goes by
// the events.
func (w *writing) being(real string) bool {
	if has, known := lease(real); known {
		return has
	}
	return w.open[real]
}

// lease is hasWriter; tests play a kernel that does not tell.
var lease = hasWriter

// hasWriter reports whether somebody has a file open for writing. The kernel
// tells its owner and root: they alone may lease it, which is refused while
// there is a writer. fcntl(2).
func hasWriter(path string) (has, known bool) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return false, false
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return false, false
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || os.Geteuid() != 0 && st.Uid != uint32(os.Geteuid()) {
		return false, false
	}
	_, err = unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_RDLCK)
	if err == nil {
		unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_UNLCK)
		return false, true
	}
	return true, errors.Is(err, unix.EAGAIN)
}

// ChangedSince reports whether any of the files may have been written at or
// after t. What was read then may be half of one and half of another.
func ChangedSince(paths []string, t time.Time) bool {
	for _, path := range paths {
		if sign(path).changedSince(t) {
			return true
		}
	}
	return false
}

// BeingWritten reports whether the kernel knows of a writer of any of the files.
func BeingWritten(paths []string) bool {
	for _, path := range paths {
		if has, known := lease(path); has && known {
			return true
		}
	}
	return false
}

// AwaitRest waits until none of the files is being written, but not longer
// than patience, and reports whether it has waited. Where the kernel does not
// tell who writes, a file is at rest a quarter of a second after its last
// change.
func AwaitRest(paths []string, patience time.Duration) (waited bool) {
	const quiet, look = 250 * time.Millisecond, 10 * time.Millisecond
	end := time.Now().Add(patience)
	for !atRest(paths, quiet) && time.Now().Before(end) {
		waited = true
		time.Sleep(look)
	}
	return waited
}

func atRest(paths []string, quiet time.Duration) bool {
	if BeingWritten(paths) {
		return false
	}
	for _, path := range paths {
		_, known := lease(path)
		s := sign(path)
		if age := time.Since(time.Unix(0, s.ctime)); !known && s.ctime != 0 && age >= 0 && age < quiet {
			return false
		}
	}
	return true
}
