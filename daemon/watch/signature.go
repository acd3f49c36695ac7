package watch

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// signature tells whether what a path leads to is what it was. Two equal
// signatures mean: the same file with the same content, as far as the kernel
// can tell without reading it.
type signature struct {
	exists       bool
	real         string // with every link followed
	dev, ino     uint64
	size         int64
	mode         uint32
	mtime, ctime int64 // nanoseconds
	directory    bool
	entries      string
}

// sign looks at one path. For a directory the names and signatures of its
// entries count, not its own times: an editor's swap file must not.
func sign(path string) signature {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return signature{}
	}
	st, ok := statOf(real)
	if !ok {
		return signature{}
	}
	if st.Mode&syscall.S_IFMT == syscall.S_IFDIR {
		return signature{exists: true, real: real, directory: true, entries: entriesOf(real)}
	}
	return signature{
		exists: true, real: real, dev: uint64(st.Dev), ino: st.Ino, size: st.Size, mode: st.Mode,
		mtime: st.Mtim.Nano(), ctime: st.Ctim.Nano(),
	}
}

// changedSince reports whether the file may have been written at or after t.
// The kernel stamps files with a clock that lags by up to a tick.
func (s signature) changedSince(t time.Time) bool {
	return s.exists && s.ctime >= t.Add(-clockLag).UnixNano()
}

const clockLag = 20 * time.Millisecond

// enteredSince reports whether names may have come into a directory, or gone from it, at or after t.
func enteredSince(dir string, t time.Time) bool {
	st, ok := statOf(dir)
	return ok && st.Ctim.Nano() >= t.Add(-clockLag).UnixNano()
}

// entriesOf writes down the drop-ins in a directory: the names that end in
// ".conf".
func entriesOf(dir string) string {
	list, err := os.ReadDir(dir)
	if err != nil {
		return "!" + err.Error()
	}
	var b strings.Builder
	for _, e := range list {
		if strings.HasSuffix(e.Name(), ".conf") {
			b.WriteString(e.Name())
			b.WriteByte('/')
		}
	}
	return b.String()
}

func statOf(path string) (*syscall.Stat_t, bool) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return st, ok
}
