package sysd

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"
)

// Notifier sends the state of the service to the manager over the notify
// socket (sd_notify(3)). The zero value, nil, and a Notifier made from an empty
// path send nothing and report success. Methods may be called from any
// goroutine; messages are sent in the order of the calls.
//
// Every method returns an error only when there is a manager and it could not
// be told; such an error is worth a log line and never a reason to stop.
type Notifier struct {
	mu   sync.Mutex // serialises dial and send; leaf lock
	path string
	fd   int
	open bool
}

// NewNotifier returns a Notifier for a notify socket: an absolute path, or a
// name in the abstract namespace written "@name". An empty path gives a
// Notifier that sends nothing.
func NewNotifier(path string) (*Notifier, error) {
	if path == "" {
		return &Notifier{}, nil
	}
	if path[0] != '/' && path[0] != '@' {
		return nil, fmt.Errorf("NOTIFY_SOCKET=%q: only a path or an abstract unix socket is supported", path)
	}
	return &Notifier{path: path}, nil
}

// Active reports whether somebody listens to what is sent.
func (n *Notifier) Active() bool { return n != nil && n.path != "" }

// Ready tells that start or reload is finished; status may be empty.
func (n *Notifier) Ready(status string) error {
	return n.Send(append([]string{daemon.SdNotifyReady}, statusLine(status)...)...)
}

// Status sets the one line `systemctl status` shows.
func (n *Notifier) Status(status string) error { return n.Send(statusLine(status)...) }

// Reloading tells that a reload has begun. It carries the monotonic clock, as
// Type=notify-reload demands: the manager uses it to tell this reload's READY=1
// from an earlier one. Ready must follow, whatever the outcome.
func (n *Notifier) Reloading(status string) error {
	now := strings.TrimSuffix(daemon.SdNotifyMonotonicUsec(), "\n")
	return n.Send(append([]string{daemon.SdNotifyReloading, now}, statusLine(status)...)...)
}

// Stopping tells that the service is on its way out.
func (n *Notifier) Stopping(status string) error {
	return n.Send(append([]string{daemon.SdNotifyStopping}, statusLine(status)...)...)
}

// ExtendTimeout asks for at least d more from now before the manager gives up
// on the start, runtime or stop that is under way.
func (n *Notifier) ExtendTimeout(d time.Duration) error {
	return n.Send("EXTEND_TIMEOUT_USEC=" + strconv.FormatInt(d.Microseconds(), 10))
}

// Watchdog tells that the service was found alive.
func (n *Notifier) Watchdog() error { return n.Send(daemon.SdNotifyWatchdog) }

// WatchdogTrigger tells that the service found itself broken and wants the
// manager to act as if the watchdog had run out.
func (n *Notifier) WatchdogTrigger() error { return n.Send("WATCHDOG=trigger") }

// Failure explains an exit that is about to happen: errno is sent when err
// wraps one, and the exit status with it.
func (n *Notifier) Failure(err error, exitStatus int) error {
	lines := []string{}
	if err != nil {
		if no, ok := errnoOf(err); ok {
			lines = append(lines, "ERRNO="+strconv.Itoa(int(no)))
		}
		lines = append(lines, statusLine(err.Error())...)
	}
	lines = append(lines, "EXIT_STATUS="+strconv.Itoa(exitStatus))
	return n.Send(lines...)
}

// StoreFDs puts copies of descriptors into the manager's store under name
// (FileDescriptorStoreMax=). At most 253 go into one message: the kernel's
// limit for SCM_RIGHTS. poll=false keeps a descriptor there even when its peer
// hangs up. The caller keeps its descriptors.
func (n *Notifier) StoreFDs(name string, poll bool, fds ...int) error {
	if len(fds) == 0 || len(fds) > maxRights {
		return fmt.Errorf("storing %d descriptors in one message: the limit is %d", len(fds), maxRights)
	}
	if !validFDName(name) {
		return fmt.Errorf("%q is not a name for a stored descriptor", name)
	}
	lines := []string{"FDSTORE=1", "FDNAME=" + name}
	if !poll {
		lines = append(lines, "FDPOLL=0")
	}
	return n.send(strings.Join(lines, "\n"), unix.UnixRights(fds...))
}

// RemoveFDs drops every stored descriptor of that name.
func (n *Notifier) RemoveFDs(name string) error {
	return n.Send("FDSTOREREMOVE=1", "FDNAME="+name)
}

// Barrier returns once the manager has handled everything sent before, or
// with an error after the timeout: it sends the writing end of a pipe, which
// the manager closes when it gets to the message.
func (n *Notifier) Barrier(timeout time.Duration) error {
	if !n.Active() {
		return nil
	}
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return fmt.Errorf("barrier: %w", err)
	}
	defer unix.Close(p[0])
	err := n.send("BARRIER=1", unix.UnixRights(p[1]))
	unix.Close(p[1])
	if err != nil {
		return err
	}
	deadline := time.Now().Add(timeout)
	for {
		left := time.Until(deadline)
		if left <= 0 {
			return fmt.Errorf("barrier: the service manager did not answer within %s", timeout)
		}
		pfd := []unix.PollFd{{Fd: int32(p[0]), Events: 0}} // POLLHUP is always reported
		switch k, err := unix.Poll(pfd, int(left.Milliseconds())+1); {
		case err == unix.EINTR:
		case err != nil:
			return fmt.Errorf("barrier: %w", err)
		case k > 0:
			return nil
		}
	}
}

// Send sends assignments ("KEY=value") as one message. Newlines inside a value
// would start another assignment, so they become spaces.
func (n *Notifier) Send(assignments ...string) error {
	if !n.Active() || len(assignments) == 0 {
		return nil
	}
	clean := make([]string, len(assignments))
	for i, a := range assignments {
		clean[i] = oneLine(a)
	}
	return n.send(strings.Join(clean, "\n"), nil)
}

// send writes one datagram, dialling on first use. The socket is kept: the
// manager's socket outlives us, and a descriptor at hand means that a process
// out of descriptors can still feed its watchdog.
func (n *Notifier) send(payload string, oob []byte) error {
	if !n.Active() {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.openLocked(); err != nil {
		return err
	}
	for {
		err := unix.Sendmsg(n.fd, []byte(payload), oob, &unix.SockaddrUnix{Name: n.path}, unix.MSG_NOSIGNAL)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return fmt.Errorf("notify socket %s: %w", n.path, err)
		}
		return nil
	}
}

// Open makes the socket before it is needed, so that later messages cost no
// descriptor. Without it the first message does.
func (n *Notifier) Open() error {
	if !n.Active() {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.openLocked()
}

// openLocked makes the socket. A send gives up after a few seconds: a manager
// that hangs must not hang the broker.
func (n *Notifier) openLocked() error {
	if n.open {
		return nil
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("notify socket: %w", err)
	}
	limit := unix.NsecToTimeval(int64(sendTimeout))
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit); err != nil {
		unix.Close(fd)
		return fmt.Errorf("notify socket: %w", err)
	}
	n.fd, n.open = fd, true
	return nil
}

// Close releases the socket; later messages open it again.
func (n *Notifier) Close() {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.open {
		unix.Close(n.fd)
		n.open = false
	}
}

// maxRights is how many descriptors the kernel passes in one message
// (SCM_MAX_FD, unix(7)).
const maxRights = 253

// sendTimeout bounds one message to a manager that does not read.
const sendTimeout = 5 * time.Second

func statusLine(status string) []string {
	if status == "" {
		return nil
	}
	return []string{"STATUS=" + status}
}

func oneLine(s string) string {
	if !strings.ContainsAny(s, "\n\r") {
		return s
	}
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' }), " ")
}

// validFDName holds what FDNAME= may be: ASCII, no control character, no
// colon, at most 255 bytes (sd_pid_notify_with_fds(3)).
func validFDName(name string) bool {
	if name == "" || len(name) > 255 {
		return false
	}
	for i := 0; i < len(name); i++ {
		if name[i] <= ' ' || name[i] >= 0x7f || name[i] == ':' {
			return false
		}
	}
	return true
}

// errnoOf finds the operating system's error number inside err.
func errnoOf(err error) (unix.Errno, bool) {
	for err != nil {
		switch e := err.(type) {
		case unix.Errno:
			return e, true
		case *os.SyscallError:
			err = e.Err
		case *os.PathError:
			err = e.Err
		case *net.OpError:
			err = e.Err
		case interface{ Unwrap() error }:
			err = e.Unwrap()
		case interface{ Unwrap() []error }:
			for _, sub := range e.Unwrap() {
				if no, ok := errnoOf(sub); ok {
					return no, true
				}
			}
			return 0, false
		default:
			return 0, false
		}
	}
	return 0, false
}
