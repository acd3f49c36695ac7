package daemon

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// pidFile is a file that holds our process id, as nats-server writes it: the
// decimal number, nothing else.
type pidFile struct {
	path string // as it was configured
	ownFile
}

// writePIDFile writes the file. What a dead process left is replaced; one that
// names a living broker is refused.
func writePIDFile(path string) (*pidFile, error) {
	if pid, ok := readPID(path); ok && pid != os.Getpid() && isBroker(pid) {
		return nil, fmt.Errorf("%s names process %d, which is running: stop it first or choose another pid file", path, pid)
	}
	own, err := writeOwn(path, []byte(strconv.Itoa(os.Getpid())), 0o640)
	if err != nil {
		return nil, err
	}
	return &pidFile{path, own}, nil
}

// remove removes the file unless somebody else has replaced it.
func (p *pidFile) remove() error {
	if p == nil {
		return nil
	}
	if pid, ok := readPID(p.path); !ok || pid != os.Getpid() {
		return nil
	}
	return p.ownFile.remove()
}

// readPID reads a process id from a regular file. A device has none and may
// never end, a pipe may never begin.
func readPID(path string) (int, bool) {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() || info.Size() > 64 {
		return 0, false
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	return pid, err == nil && pid > 0
}

// isBroker reports whether a process of that number lives and is a broker: a
// number may have been given to an unrelated process since.
func isBroker(pid int) bool {
	if err := syscall.Kill(pid, 0); err != nil && !errors.Is(err, syscall.EPERM) {
		return false
	}
	return isBrokerName(processName(pid))
}

// processName returns the base name under which a process was started, or ""
// when it cannot be read.
func processName(pid int) string {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return ""
	}
	arg0, _, _ := bytes.Cut(data, []byte{0})
	return filepath.Base(string(arg0))
}
