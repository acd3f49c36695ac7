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
type pidFile struct{ path string }

// writePIDFile writes the file in one step. What a dead process left is
// replaced; one that names a living broker is refused.
func writePIDFile(path string) (*pidFile, error) {
	if pid, ok := readPID(path); ok && pid != os.Getpid() && isBroker(pid) {
		return nil, fmt.Errorf("%s names process %d, which is running: stop it first or choose another pid file", path, pid)
	}
	if err := writeAtomically(path, []byte(strconv.Itoa(os.Getpid())), 0o640); err != nil {
		return nil, err
	}
	return &pidFile{path}, nil
}

// remove removes the file unless somebody else has replaced it.
func (p *pidFile) remove() error {
	if p == nil {
		return nil
	}
	if pid, ok := readPID(p.path); !ok || pid != os.Getpid() {
		return nil
	}
	return os.Remove(p.path)
}

func readPID(path string) (int, bool) {
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

// writeAtomically writes a file beside path and renames it into place, so that
// nobody ever reads half of it.
func writeAtomically(path string, data []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(mode)
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
