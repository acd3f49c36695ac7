package logging

import (
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// stderrSink writes lines to standard error, in colour on a terminal. Standard error belongs to the process and is
// never closed.
type stderrSink struct {
	mu     sync.Mutex // guards buf and keeps lines whole
	buf    []byte
	f      *os.File
	format lineFormat
	lost   atomic.Uint64
}

// lineFormat renders a record as bytes ending in a newline.
type lineFormat interface {
	appendLine(b []byte, r *record) []byte
}

func newStderrSink(o Options) *stderrSink {
	s := &stderrSink{f: o.seams.stderr}
	if o.Format == FormatJSON {
		s.format = newJSONFormat(o)
	} else {
		s.format = o.text(!o.NoColor && isTerminal(s.f))
	}
	return s
}

// isTerminal asks the kernel for the terminal settings of f, which only a terminal has.
func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

func (s *stderrSink) name() string          { return "stderr" }
func (s *stderrSink) start()                {}
func (s *stderrSink) reopen() (bool, error) { return false, nil }
func (s *stderrSink) close() error          { return nil }
func (s *stderrSink) dropped() uint64       { return s.lost.Load() }

func (s *stderrSink) write(r *record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buf = s.format.appendLine(s.buf[:0], r)
	if _, err := s.f.Write(s.buf); err != nil {
		s.lost.Add(1)
	}
	s.buf = trimBuffer(s.buf)
}

// trimBuffer lets go of a buffer that one huge line has grown.
func trimBuffer(b []byte) []byte {
	if cap(b) > 64<<10 {
		return nil
	}
	return b
}
