package segment

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/nats-broker/nats-broker/daemon/vfs"
)

const quarantine = "quarantine"

// Open opens the log in a folder, which is made if it is not there. It reads the state and
// the names in the folder, and nothing else, however much is stored. The log is as it was at commit
// [Log.Durable]; whatever came later is given to it again.
func Open(v vfs.FS, dir string, o Options) (*Log, error) {
	if err := vfs.MkdirAll(v, dir); err != nil {
		return nil, err
	}
	l, found, s, err := attach(v, dir, o)
	switch {
	case l == nil:
		return nil, err
	case errors.Is(err, errState), errors.Is(err, fs.ErrNotExist):
		if err := l.rebuild(found, err); err != nil {
			return nil, fmt.Errorf("%s: %w", dir, err)
		}
		return l, nil
	case err != nil: // of a version that is unknown, or not to be read now: what it says may still be true
		return nil, fmt.Errorf("%s: %w", dir, err)
	case s == nil:
		l.o.Random(l.key[:])
		return l, nil
	}
	l.begun = true
	l.restore(s, found)
	return l, nil
}

// attach reads which files there are and the state. The state is nil in a log that never had anything on the disk; an error with a
// log is about the state, without one it is about the folder.
func attach(v vfs.FS, dir string, o Options) (*Log, *found, *state, error) {
	o.defaults()
	l := &Log{fs: v, dir: dir, o: o, node: o.Node, nextFile: 1, complete: true, deadFiles: map[uint64]int64{}}
	l.compress.Store(o.Compress)
	found, err := l.look()
	if err != nil {
		return nil, nil, nil, err
	}
	s, err := l.loadState(found)
	return l, found, s, err
}

// found is what a folder holds.
type found struct {
	state               bool
	segments, deletions map[uint64]bool
}

// look reads the names in the folder.
func (l *Log) look() (*found, error) {
	entries, err := l.fs.ReadDir(l.dir)
	if err != nil {
		return nil, err
	}
	f := &found{segments: map[uint64]bool{}, deletions: map[uint64]bool{}}
	for _, e := range entries {
		base, ext, _ := strings.Cut(e.Name, ".")
		id, err := strconv.ParseUint(base, 16, 64)
		switch {
		case e.Name == stateName:
			f.state = true
		case err != nil || len(base) != 16:
		case ext == "seg":
			f.segments[id] = true
		case ext == "del":
			f.deletions[id] = true
		}
	}
	return f, nil
}

// loadState reads the state. A log that never had anything on the disk has none, and no error.
func (l *Log) loadState(found *found) (*state, error) {
	if !found.state {
		if len(found.segments) == 0 {
			return nil, nil
		}
		return nil, fmt.Errorf("state: %w", fs.ErrNotExist)
	}
	name := filepath.Join(l.dir, stateName)
	b, unread, err := l.readHalves(name)
	if err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	s, whole, err := readState(b)
	switch {
	case err == nil && !whole:
		l.note("one of two copies of the state is damaged, the other one is used", name, cmp.Or(unread, errState))
	case unread != nil && errors.Is(err, errState):
		return nil, fmt.Errorf("state: %w", unread)
	}
	return s, err
}

// readHalves reads the file of the state. A half that the disk does not give is zeros, and unread says why; err says why
// there is none.
func (l *Log) readHalves(name string) (b []byte, unread, err error) {
	f, err := l.fs.Open(name, 0, vfs.Index)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close() //nolint:errcheck // opened for reading only
	size, err := f.Size()
	if err != nil {
		return nil, nil, err
	}
	if size > maxState {
		return nil, nil, fmt.Errorf("%s: %d bytes: %w", name, size, errState)
	}
	b = make([]byte, size)
	for _, half := range [][2]int64{{0, size / 2}, {size / 2, size}} {
		p := b[half[0]:half[1]]
		if n, err := f.ReadAt(p, half[0]); n < len(p) {
			clear(p)
			unread = errors.Join(unread, err)
		}
	}
	return b, unread, nil
}

// restore makes the log what a state says.
func (l *Log) restore(s *state, found *found) {
	l.key, l.nextFile = s.key, s.nextFile
	l.first, l.last, l.told, l.lastTime = s.first, s.last, s.told, s.lastTime
	l.msgs, l.bytes, l.names, l.lost = s.msgs, s.bytes, s.subjects, s.lost
	l.commit, l.highest, l.changedAt = s.commit, s.commit, s.changed
	l.durable.Store(s.commit)
	l.complete = l.msgs == 0
	l.cleanAt = 1
	missing := map[*file]bool{}
	for _, fs := range s.files {
		f := &file{id: fs.id, name: l.segName(fs.id), fs: l.fs, node: l.node, size: fs.size, fence: fs.size, keep: fs.keep}
		if !found.segments[fs.id] {
			missing[f] = true
		}
		l.files = append(l.files, f)
	}
	named := map[uint64]bool{}
	for i := range s.runs {
		rs := &s.runs[i]
		r := &run{
			file: l.files[rs.file], off: rs.off, body: rs.body, head: rs.head, n: rs.n, first: rs.first, last: rs.last,
			minTime: rs.minTime, maxTime: rs.maxTime, live: rs.live, bytes: rs.bytes, deadAt: rs.dead, unread: rs.dead.file != 0,
		}
		if r.unread {
			named[rs.dead.file] = true
			l.deadFiles[rs.dead.file] = 0
		}
		l.runs = append(l.runs, r)
		if missing[r.file] {
			l.lose(r, r.first, r.last, fs.ErrNotExist)
		}
	}
	for _, f := range l.files {
		named[f.id] = true
	}
	for id := range found.segments {
		l.nextFile = max(l.nextFile, id+1)
		if !named[id] {
			l.leftovers = append(l.leftovers, l.segName(id))
		}
	}
	for id := range found.deletions {
		l.nextFile = max(l.nextFile, id+1)
		if !named[id] {
			l.leftovers = append(l.leftovers, l.deadName(id))
		}
	}
	if n := len(l.runs); n > 0 {
		if f := l.runs[n-1].file; f.size < l.segment() && !f.keep && !missing[f] {
			l.cur = f
		}
	}
	l.sweepIdle()
}

// sweepIdle puts files aside that a state names and no run is in.
func (l *Log) sweepIdle() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweep()
}

// Close implements [stream.Log].
func (l *Log) Close() error {
	l.scrubbing.Lock()
	l.ended = true
	l.scrubbing.Unlock()
	l.syncing.Lock()
	defer l.syncing.Unlock()
	l.writing.Lock()
	defer l.writing.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.files {
		f.close()
	}
	for _, f := range l.away {
		f.close()
	}
	l.tail.release()
	l.table.Release()
	l.node.forget(l)
	l.o.Changed(0, 0)
	l.o.Closed()
	return nil
}

// Destroy implements [stream.Log]. The folder gets another name first, so that after a crash it
// is not taken for a log; [Sweep] removes what is left then.
func (l *Log) Destroy() error {
	if err := l.Close(); err != nil {
		return err
	}
	gone := l.dir + DeletedSuffix
	if err := l.fs.Rename(l.dir, gone); err != nil {
		return err
	}
	if err := l.fs.SyncDir(filepath.Dir(l.dir)); err != nil {
		return err
	}
	return removeAll(l.fs, gone)
}

// DeletedSuffix ends the names of folders that are being removed.
const DeletedSuffix = ".deleted"

// Sweep removes what is left in a folder of logs that were being destroyed when the process
// ended.
func Sweep(v vfs.FS, parent string) error {
	entries, err := v.ReadDir(parent)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Dir && strings.HasSuffix(e.Name, DeletedSuffix) {
			if err := removeAll(v, filepath.Join(parent, e.Name)); err != nil {
				return err
			}
		}
	}
	return nil
}

func removeAll(v vfs.FS, name string) error {
	entries, err := v.ReadDir(name)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(name, e.Name)
		if e.Dir {
			err = removeAll(v, path)
		} else {
			err = v.Remove(path)
		}
		if err != nil {
			return err
		}
	}
	return v.Remove(name)
}
