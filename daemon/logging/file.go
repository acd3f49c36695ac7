package logging

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// filePerm is nats-server's mode for log files.
const filePerm = 0o640

// fileCheck is how often a write looks whether the path still leads to the open file.
const fileCheck = time.Second

// fileSink appends lines to a file. It rotates by size in nats-server's way, and follows when somebody else renames
// the file (logrotate), with or without a signal.
type fileSink struct {
	path   string // absolute, so that a change of directory does not matter
	format lineFormat
	limit  int64
	max    int
	stamp  func(time.Time) time.Time
	tell   teller

	dropped atomic.Uint64

	mu      sync.Mutex // guards what follows and keeps lines whole
	f       *os.File
	regular bool // a device or a pipe is not rotated, and may have no room
	stuck   bool // the last write ran into its time limit: do not wait again until one succeeds
	created bool // the file did not exist before it was opened
	buf     []byte
	size    int64
	next    int64 // size at which to rotate; above limit after a failed rotation
	torn    bool  // the last write stopped within a line
	failed  uint64
	checked time.Time
	missing bool // the path led nowhere at the last check
}

func openFile(o Options, tell teller) (*fileSink, error) {
	path, err := filepath.Abs(o.File)
	if err != nil {
		return nil, fmt.Errorf("log file %s: %w", o.File, err)
	}
	s := &fileSink{path: path, limit: o.FileLimit, max: o.FileMax, next: o.FileLimit, tell: tell}
	text := o.text(false)
	s.stamp = text.stamp
	s.format = text
	if o.Format == FormatJSON {
		s.format = newJSONFormat(o)
	}
	_, err = os.Lstat(path)
	s.created = os.IsNotExist(err)
	if s.f, s.size, s.regular, err = openAppend(path); err != nil {
		return nil, fmt.Errorf("error opening file: %w", err)
	}
	return s, nil
}

// openAppend never waits. A pipe is opened for reading as well: that needs no reader, and what is in it waits for the
// next one.
func openAppend(path string) (f *os.File, size int64, regular bool, err error) {
	way := os.O_WRONLY
	if st, err := os.Stat(path); err == nil && st.Mode()&os.ModeNamedPipe != 0 {
		way = os.O_RDWR
	}
	f, err = os.OpenFile(path, way|os.O_APPEND|os.O_CREATE|syscall.O_NONBLOCK, filePerm)
	if way == os.O_RDWR && errors.Is(err, syscall.EACCES) { // one that we may write to only
		f, err = os.OpenFile(path, os.O_WRONLY|os.O_APPEND|syscall.O_NONBLOCK, filePerm)
	}
	if err != nil {
		return nil, 0, false, err
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, 0, false, err
	}
	return f, st.Size(), st.Mode().IsRegular(), nil
}

func (s *fileSink) name() string { return s.path }
func (s *fileSink) start()       {}
func (s *fileSink) lost() uint64 { return s.dropped.Load() }

// discard removes the file again if opening it has created it and nothing was written.
func (s *fileSink) discard() {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.f.Stat()
	if now, gone := os.Lstat(s.path); s.created && err == nil && gone == nil && st.Size() == 0 && os.SameFile(st, now) {
		os.Remove(s.path)
	}
	s.f.Close()
}

func (s *fileSink) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.f.Close()
}

// reopen gives up the open file and opens the path anew. The open file stays in use if that fails.
func (s *fileSink) reopen() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reopenLocked()
}

func (s *fileSink) reopenLocked() error {
	f, size, regular, err := openAppend(s.path)
	if err != nil {
		return fmt.Errorf("log file %s: %w", s.path, err)
	}
	s.f.Close()
	s.f, s.size, s.regular, s.next, s.missing, s.torn, s.stuck = f, size, regular, s.limit, false, false, false
	return nil
}

func (s *fileSink) write(r *record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.time.Sub(s.checked) >= fileCheck {
		s.checked = r.time
		s.followLocked()
	}
	s.writeLocked(r)
	if s.limit > 0 && s.regular && s.size > s.next {
		s.rotateLocked(r)
	}
}

// writeLocked appends one record and keeps account of what did not fit.
func (s *fileSink) writeLocked(r *record) {
	s.buf = s.buf[:0]
	if s.torn {
		s.buf = append(s.buf, '\n')
	}
	s.buf = s.format.appendLine(s.buf, r)
	n, err := s.put(s.buf)
	s.size += int64(n)
	if err != nil {
		s.torn = n > 0 || s.torn
		s.dropped.Add(1)
		if s.failed++; s.failed == 1 {
			s.tell(Error, LogSinkUnreachable, fmt.Sprintf("Log file %q cannot be written: %v", s.path, err),
				String(FieldSink, s.path), Err(err))
		}
		return
	}
	s.torn = false
	s.buf = trimBuffer(s.buf)
	if s.failed > 0 {
		s.tell(Warn, LogLinesDropped, fmt.Sprintf("%d lines could not be written to log file %q", s.failed, s.path),
			String(FieldSink, s.path), Uint(FieldCount, s.failed), String(FieldReason, "the file could not be written"))
		s.failed = 0
	}
}

// put writes to a file, or to a pipe or device that may have no room: then it waits once, for a short time, as for
// standard error. Nobody must hang because nobody reads the log.
func (s *fileSink) put(b []byte) (n int, err error) {
	if s.regular {
		return s.f.Write(b)
	}
	wait := localWait
	if s.stuck {
		wait = 0
	}
	s.withDescriptor(func(fd int) { n, err = writePatiently(fd, b, wait) })
	if s.stuck = err == syscall.EAGAIN; s.stuck {
		err = errNotRead
	}
	return n, err
}

var errNotRead = errors.New("it is not read")

// withDescriptor calls f with the file's number. [os.File.Fd] would make it blocking.
func (s *fileSink) withDescriptor(f func(fd int)) {
	if raw, err := s.f.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { f(int(fd)) })
	}
}

// followLocked compares the open file with what the path leads to. A renamed file is left, but a path that leads
// nowhere is given one more period: whoever renamed the file may be about to create its successor with the owner and
// mode of its choice. A truncated file shows its new size here.
func (s *fileSink) followLocked() {
	var path, open syscall.Stat_t
	failed := errors.New("closed")
	if s.withDescriptor(func(fd int) { failed = syscall.Fstat(fd, &open) }); failed != nil {
		return
	}
	s.size = open.Size
	err := syscall.Stat(s.path, &path)
	switch {
	case err == syscall.ENOENT && !s.missing:
		s.missing = true
		return
	case err == nil && path.Dev == open.Dev && path.Ino == open.Ino:
		s.missing = false
		return
	case err != nil && err != syscall.ENOENT:
		return
	}
	// Not being able to open it now is no reason to lose lines: the renamed file takes them until the next check.
	_ = s.reopenLocked()
}

// rotateLocked renames the full file and begins a new one. When that fails the full file stays in use and the next
// attempt waits until it has doubled.
func (s *fileSink) rotateLocked(r *record) {
	real, backup, err := s.renameLocked("." + s.stamp(r.time).Format(backupTime))
	if err == nil {
		if err = s.reopenLocked(); err == nil && s.size > 0 {
			err = errors.New("the path still leads to the full file") // as /dev/stdout does
		}
		if err != nil {
			os.Rename(backup, real)
		}
	}
	if err != nil {
		s.next = 2 * s.size
		s.tell(Error, LogRotationFailed,
			fmt.Sprintf("Unable to rotate the log file (%v), will attempt next rotation at size %d", err, s.next),
			String(FieldLogFile, s.path), Err(err))
		return
	}
	s.checked = r.time
	s.noteLocked(r, Info, fmt.Sprintf("Rotated log, backup saved as %q", backup))
	if s.max > 0 {
		s.purgeLocked(r, real)
	}
}

// renameLocked gives the open file another name, if the path leads to it: a link stays where it is, and what is no file
// of ours too.
func (s *fileSink) renameLocked(suffix string) (real, backup string, err error) {
	if real, err = filepath.EvalSymlinks(s.path); err != nil {
		return "", "", err
	}
	open, err := s.f.Stat()
	if err != nil {
		return "", "", err
	}
	if now, err := os.Lstat(real); err != nil || !os.SameFile(open, now) {
		return "", "", fmt.Errorf("%s is not the file that is written", real)
	}
	backup = real + suffix
	return real, backup, os.Rename(real, backup)
}

// noteLocked writes a line of the sink's own into this file only.
func (s *fileSink) noteLocked(r *record, lv Level, msg string) {
	s.writeLocked(&record{time: r.time, level: lv, subsystem: "logging", message: msg})
}

// backupTime is the suffix of nats-server's rotated files: date, time and nanoseconds, all separated by dots.
const backupTime = "2006.01.02.15.04.05.000000000"

// purgeLocked removes the oldest backups of the file beyond the number kept, of which the current file is one.
func (s *fileSink) purgeLocked(r *record, real string) {
	dir, base := filepath.Split(real)
	entries, err := os.ReadDir(dir)
	if err != nil {
		s.noteLocked(r, Error, fmt.Sprintf("Unable to read directory %q for log purge (%v), will attempt next rotation", dir, err))
		return
	}
	var backups []string
	for _, e := range entries {
		stamp, ok := strings.CutPrefix(e.Name(), base+".")
		if !ok || !e.Type().IsRegular() {
			continue
		}
		if _, err := time.Parse(backupTime, stamp); err == nil {
			backups = append(backups, e.Name())
		}
	}
	slices.Sort(backups) // the name is the age
	for _, name := range backups[:max(0, len(backups)-(s.max-1))] {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			s.noteLocked(r, Error, fmt.Sprintf("Unable to remove backup log file %q (%v), will attempt next rotation", name, err))
			return
		}
		s.noteLocked(r, Info, fmt.Sprintf("Purged log file %q", name))
	}
}
