package logging

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// stderrSink writes lines to standard error, in colour on a terminal. Standard error belongs to the process and is
// never closed.
//
// It writes with the bare system call and looks before whether the descriptor takes data: os.File would end the
// process when the reader of a pipe has gone away, and a plain write would hang it while a terminal is stopped or a
// collector does not read. A broker must not die or hang with its log.
type stderrSink struct {
	fd      int
	format  lineFormat
	tell    teller
	dropped atomic.Uint64

	mu     sync.Mutex // guards what follows and keeps lines whole
	buf    []byte
	stuck  bool   // the last write ran into its time limit: do not wait again until one succeeds
	torn   bool   // the last write stopped within a line
	failed uint64 // lines lost since one was written
}

func newStderrSink(o Options, tell teller) *stderrSink {
	s := &stderrSink{fd: int(o.seams.stderr.Fd()), tell: tell}
	if o.Format == FormatJSON {
		s.format = newJSONFormat(o)
	} else {
		s.format = o.text(!o.NoColor && isTerminal(s.fd))
	}
	return s
}

// isTerminal asks the kernel for terminal settings, which only a terminal has.
func isTerminal(fd int) bool {
	_, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	return err == nil
}

func (s *stderrSink) name() string { return "stderr" }
func (s *stderrSink) start()       {}
func (s *stderrSink) close() error { return nil }
func (s *stderrSink) lost() uint64 { return s.dropped.Load() }

func (s *stderrSink) write(r *record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buf = s.buf[:0]
	if s.torn {
		s.buf = append(s.buf, '\n')
	}
	s.buf = s.format.appendLine(s.buf, r)
	wait := localWait
	if s.stuck {
		wait = 0
	}
	n, err := writePatiently(s.fd, s.buf, wait)
	s.torn = err != nil && (n > 0 || s.torn)
	s.stuck = err == unix.EAGAIN
	s.buf = trimBuffer(s.buf)
	if err != nil {
		s.dropped.Add(1)
		s.failed++
		return
	}
	if s.failed > 0 {
		s.tell(Warn, LogLinesDropped, fmt.Sprintf("%d lines could not be written to standard error", s.failed),
			String(FieldSink, s.name()), Uint(FieldCount, s.failed), String(FieldReason, "it was not read"))
		s.failed = 0
	}
}

const (
	// localWait bounds the wait for a local reader. After that a line is lost, but the broker lives.
	localWait = time.Second
	// pipeRoom is what a writable pipe takes without blocking (PIPE_BUF).
	pipeRoom = 4096
)

// writePatiently writes b to a descriptor, blocking or not, and waits at most so long for each piece to find room;
// then the error is EAGAIN.
func writePatiently(fd int, b []byte, wait time.Duration) (written int, err error) {
	for written < len(b) {
		if err := awaitWritable(fd, wait); err != nil {
			return written, err
		}
		n, err := unix.Write(fd, b[written:min(len(b), written+pipeRoom)])
		switch err {
		case nil:
			written += n
		case unix.EINTR, unix.EAGAIN:
		default:
			return written, os.NewSyscallError("write", err)
		}
	}
	return written, nil
}

// awaitWritable waits until fd takes data again, or returns EAGAIN after d.
func awaitWritable(fd int, d time.Duration) error {
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
	for {
		n, err := unix.Poll(p, int(d.Milliseconds()))
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return os.NewSyscallError("poll", err)
		case n == 0:
			return unix.EAGAIN
		}
		return nil
	}
}
