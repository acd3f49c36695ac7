package brokertest

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// Ports are taken from below Linux's ephemeral range (32768 and up), so that
// no outgoing connection of another test can hold one for a moment.
const firstPort, lastPort = 12000, 32000

// FreePort returns a TCP port of 127.0.0.1 on which nobody listens. Until the test
// ends, no other test gets it, of whatever process: the port's file in a common
// folder is locked. It never returns 4222, 6222 or 8222.
func FreePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		free, err := reserve(port)
		if err != nil {
			t.Fatalf("reserving a port: %v", err)
		}
		if free == nil {
			continue
		}
		if err := bindable(port); err != nil {
			free()
			continue
		}
		t.Cleanup(free)
		return port
	}
	t.Fatal("no free port found in 100 attempts")
	return 0
}

// bindable tries to bind the port, without listening: whatever this process has open lives on for a moment in a program
// that another test starts just then, between fork and exec. A listener there would look like that of the server that
// the port is for, and would keep it from listening itself.
func bindable(port int) error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	return bind(fd, port)
}

func bind(fd, port int) error {
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return err
	}
	return syscall.Bind(fd, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})
}

// reserve locks a port's file, as flock(2) does: the lock ends with the process
// at the latest. free is nil if somebody else has it.
func reserve(port int) (free func(), err error) {
	dir := filepath.Join(os.TempDir(), "nats-broker-test-ports-"+strconv.Itoa(os.Getuid()))
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, strconv.Itoa(port)), os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, nil
	}
	return func() { f.Close() }, nil
}

// listening reports whether some process of a network namespace accepts connections
// on the TCP port. It looks into the kernel's tables, in the directory given, because
// a connection made to find out would be counted and numbered by the server.
func listening(tables string, port int) (bool, error) {
	for _, name := range []string{"tcp", "tcp6"} {
		found, err := listenerIn(filepath.Join(tables, name), port)
		if found || (err != nil && !os.IsNotExist(err)) {
			return found, err
		}
	}
	return false, nil
}

func listenerIn(name string, port int) (bool, error) {
	f, err := os.Open(name)
	if err != nil {
		return false, err
	}
	defer f.Close()
	const listenState = "0A" // TCP_LISTEN in include/net/tcp_states.h
	want := fmt.Sprintf(":%04X", port)
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) > 3 && fields[3] == listenState && strings.HasSuffix(fields[1], want) {
			return true, nil
		}
	}
	return false, lines.Err()
}
