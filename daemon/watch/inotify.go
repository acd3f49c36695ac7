package watch

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// interest is what is asked of a directory. Names that are deleted while
// somebody still writes into them say no more.
const interest = unix.IN_CREATE | unix.IN_MODIFY | unix.IN_CLOSE_WRITE | unix.IN_ATTRIB |
	unix.IN_DELETE | unix.IN_DELETE_SELF | unix.IN_MOVED_FROM | unix.IN_MOVED_TO | unix.IN_MOVE_SELF |
	unix.IN_EXCL_UNLINK | unix.IN_ONLYDIR

// event is something that happened in a directory.
type event struct {
	path   string // of the name it happened to; of the directory itself where it has none
	mask   uint32
	cookie uint32 // the two events of a rename share it
}

// has reports whether the event is one of the kinds.
func (e event) has(kinds uint32) bool { return e.mask&kinds != 0 }

// inotify listens to directories. Its goroutine reads until close; add, remove
// and close belong to the one who made it. inotify(7).
type inotify struct {
	fd     int // of file, which must not be asked for it: it would block from then on
	file   *os.File
	events chan []event // what one read gave; closed at the end

	mu    sync.Mutex         // leaf lock: the reader looks names up, the owner changes them
	dirs  map[string]int32   // directory -> its watch
	paths map[int32][]string // watch -> the directories it stands for: two names may lead to one
}

func newInotify() (*inotify, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("inotify_init1", err)
	}
	n := &inotify{
		fd: fd, file: os.NewFile(uintptr(fd), "inotify"), events: make(chan []event),
		dirs: map[string]int32{}, paths: map[int32][]string{},
	}
	go n.read() // ends with close
	return n, nil
}

// close ends the listening and waits for the goroutine.
func (n *inotify) close() {
	n.file.Close()
	for range n.events {
	}
}

// add listens to a directory. Adding it again is cheap, and finds the new one
// where it was deleted and made anew.
func (n *inotify) add(dir string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	wd, err := unix.InotifyAddWatch(n.fd, dir, interest)
	if err != nil {
		return &os.PathError{Op: "inotify_add_watch", Path: dir, Err: err}
	}
	if old, ok := n.dirs[dir]; ok && old != int32(wd) {
		n.forget(dir)
	}
	n.dirs[dir] = int32(wd)
	if !slices.Contains(n.paths[int32(wd)], dir) {
		n.paths[int32(wd)] = append(n.paths[int32(wd)], dir)
	}
	return nil
}

// keep stops listening to all directories but the wanted.
func (n *inotify) keep(wanted func(dir string) bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for dir := range n.dirs {
		if !wanted(dir) {
			n.forget(dir)
		}
	}
}

// forget drops a directory, and its watch with the last one it stands for. The
// lock is held.
func (n *inotify) forget(dir string) {
	wd := n.dirs[dir]
	delete(n.dirs, dir)
	left := slices.DeleteFunc(n.paths[wd], func(d string) bool { return d == dir })
	if len(left) > 0 {
		n.paths[wd] = left
		return
	}
	delete(n.paths, wd)
	unix.InotifyRmWatch(n.fd, uint32(wd)) // fails where the kernel has dropped it already
}

// read is the goroutine.
func (n *inotify) read() {
	defer close(n.events)
	buf := make([]byte, 16<<10)
	for {
		size, err := n.file.Read(buf)
		if err != nil {
			return
		}
		if list := n.parse(buf[:size]); len(list) > 0 {
			n.events <- list
		}
	}
}

// parse takes the events of one read apart.
func (n *inotify) parse(buf []byte) (list []event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for len(buf) >= unix.SizeofInotifyEvent {
		wd := int32(binary.NativeEndian.Uint32(buf))
		mask, cookie := binary.NativeEndian.Uint32(buf[4:]), binary.NativeEndian.Uint32(buf[8:])
		end := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(buf[12:]))
		if end > len(buf) {
			break
		}
		name, _, _ := bytes.Cut(buf[unix.SizeofInotifyEvent:end], []byte{0})
		buf = buf[end:]
		if mask&unix.IN_Q_OVERFLOW != 0 {
			list = append(list, event{mask: mask})
			continue
		}
		for _, dir := range n.paths[wd] {
			path := dir
			if len(name) > 0 {
				path = filepath.Join(dir, string(name))
			}
			list = append(list, event{path, mask, cookie})
		}
		if mask&unix.IN_IGNORED != 0 { // the kernel has dropped the watch
			for _, dir := range n.paths[wd] {
				delete(n.dirs, dir)
			}
			delete(n.paths, wd)
		}
	}
	return list
}
