package sysd

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// fakeManager is a notify socket that keeps what it is sent, in order.
type fakeManager struct {
	fd   int
	path string
}

func newFakeManager(t *testing.T, path string) *fakeManager {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	limit := unix.NsecToTimeval(int64(10 * time.Second)) // a message that never comes is a failure, not a hang
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit); err != nil {
		t.Fatal(err)
	}
	return &fakeManager{fd: fd, path: path}
}

// receive returns the next message and the descriptors that came with it.
func (m *fakeManager) receive(t *testing.T) (string, []int) {
	t.Helper()
	buf, oob := make([]byte, 4096), make([]byte, unix.CmsgSpace(4*maxRights))
	n, oobn, _, _, err := unix.Recvmsg(m.fd, buf, oob, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	var fds []int
	msgs, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil {
		t.Fatal(err)
	}
	for i := range msgs {
		got, err := unix.ParseUnixRights(&msgs[i])
		if err != nil {
			t.Fatal(err)
		}
		fds = append(fds, got...)
	}
	return string(buf[:n]), fds
}

func TestNotifierMessages(t *testing.T) {
	manager := newFakeManager(t, filepath.Join(t.TempDir(), "notify"))
	n, err := NewNotifier(manager.path)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	wrapped := fmt.Errorf("listening: %w", &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", syscall.EADDRINUSE)})
	tests := []struct {
		name string
		send func() error
		want string
	}{
		{"ready", func() error { return n.Ready("3 clients") }, "READY=1\nSTATUS=3 clients"},
		{"ready without status", func() error { return n.Ready("") }, "READY=1"},
		{"status", func() error { return n.Status("idle") }, "STATUS=idle"},
		{"status of several lines", func() error { return n.Status("bad\nREADY=1\r\nfile") }, "STATUS=bad READY=1 file"},
		{"stopping", func() error { return n.Stopping("bye") }, "STOPPING=1\nSTATUS=bye"},
		{"extend", func() error { return n.ExtendTimeout(90 * time.Second) }, "EXTEND_TIMEOUT_USEC=90000000"},
		{"watchdog", n.Watchdog, "WATCHDOG=1"},
		{"trigger", n.WatchdogTrigger, "WATCHDOG=trigger"},
		{"failure", func() error { return n.Failure(wrapped, 1) },
			"ERRNO=" + strconv.Itoa(int(syscall.EADDRINUSE)) + "\nSTATUS=listening: listen: bind: address already in use\nEXIT_STATUS=1"},
		{"failure without errno", func() error { return n.Failure(errors.New("no"), 2) }, "STATUS=no\nEXIT_STATUS=2"},
		{"remove", func() error { return n.RemoveFDs("conns") }, "FDSTOREREMOVE=1\nFDNAME=conns"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.send(); err != nil {
				t.Fatal(err)
			}
			if got, _ := manager.receive(t); got != tt.want {
				t.Errorf("manager got %q, want %q", got, tt.want)
			}
		})
	}
}

// The manager compares MONOTONIC_USEC with its own clock: a value that is not
// the bare number makes `systemctl reload` hang until its timeout.
func TestReloadingCarriesTheMonotonicClock(t *testing.T) {
	manager := newFakeManager(t, filepath.Join(t.TempDir(), "notify"))
	n, _ := NewNotifier(manager.path)
	defer n.Close()
	now := func() int64 {
		var ts unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
			t.Fatal(err)
		}
		return ts.Nano() / 1000
	}
	before := now()
	if err := n.Reloading("reading"); err != nil {
		t.Fatal(err)
	}
	after := now()
	got, _ := manager.receive(t)
	lines := strings.Split(got, "\n")
	if len(lines) != 3 || lines[0] != "RELOADING=1" || lines[2] != "STATUS=reading" {
		t.Fatalf("manager got %q", got)
	}
	usec, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "MONOTONIC_USEC="), 10, 64)
	if err != nil || usec < before || usec > after {
		t.Errorf("%s: want a number in %d..%d (%v)", lines[1], before, after, err)
	}
}

func TestAbstractSocket(t *testing.T) {
	manager := newFakeManager(t, fmt.Sprintf("@sysd-test-%d", os.Getpid()))
	n, err := NewNotifier(manager.path)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	if err := n.Ready(""); err != nil {
		t.Fatal(err)
	}
	if got, _ := manager.receive(t); got != "READY=1" {
		t.Errorf("manager got %q", got)
	}
}

func TestNobodyListens(t *testing.T) {
	none, err := NewNotifier("")
	if err != nil {
		t.Fatal(err)
	}
	var null *Notifier
	for _, n := range []*Notifier{none, null, {}} {
		if n.Active() || n.Ready("x") != nil || n.Reloading("") != nil || n.Barrier(time.Hour) != nil || n.Open() != nil {
			t.Errorf("%v: a notifier without a manager must do nothing and succeed", n)
		}
	}
	gone, _ := NewNotifier(filepath.Join(t.TempDir(), "absent"))
	defer gone.Close()
	if err := gone.Ready(""); !errors.Is(err, unix.ENOENT) {
		t.Errorf("a manager that is gone gave %v, want ENOENT", err)
	}
	if _, err := NewNotifier("vsock:2:1234"); err == nil {
		t.Error("a vsock address was accepted")
	}
}

func TestStoreFDs(t *testing.T) {
	manager := newFakeManager(t, filepath.Join(t.TempDir(), "notify"))
	n, _ := NewNotifier(manager.path)
	defer n.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if err := n.StoreFDs("conns", false, int(r.Fd()), int(w.Fd())); err != nil {
		t.Fatal(err)
	}
	msg, fds := manager.receive(t)
	if msg != "FDSTORE=1\nFDNAME=conns\nFDPOLL=0" || len(fds) != 2 {
		t.Errorf("manager got %q with %d descriptors", msg, len(fds))
	}
	for _, fd := range fds {
		unix.Close(fd)
	}
	if n.StoreFDs("conns", true) == nil || n.StoreFDs("conns", true, make([]int, maxRights+1)...) == nil {
		t.Error("a message with no or too many descriptors was accepted")
	}
	for _, name := range []string{"", "a:b", "a b", "a\nb", strings.Repeat("x", 256)} {
		if n.StoreFDs(name, true, int(r.Fd())) == nil {
			t.Errorf("name %q was accepted", name)
		}
	}
}

// Barrier must return exactly when the manager lets go of the descriptor, not
// when the message is sent.
func TestBarrier(t *testing.T) {
	manager := newFakeManager(t, filepath.Join(t.TempDir(), "notify"))
	n, _ := NewNotifier(manager.path)
	defer n.Close()
	done := make(chan error, 1)
	go func() { done <- n.Barrier(time.Minute) }()
	msg, fds := manager.receive(t)
	if msg != "BARRIER=1" || len(fds) != 1 {
		t.Fatalf("manager got %q with %d descriptors", msg, len(fds))
	}
	select {
	case err := <-done:
		t.Fatalf("barrier returned (%v) while the manager held its descriptor", err)
	default:
	}
	unix.Close(fds[0])
	if err := <-done; err != nil {
		t.Fatal(err)
	}

	go func() { done <- n.Barrier(time.Millisecond) }()
	_, fds = manager.receive(t)
	if err := <-done; err == nil {
		t.Error("barrier succeeded although nobody answered")
	}
	unix.Close(fds[0])
}
