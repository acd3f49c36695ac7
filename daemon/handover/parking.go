package handover

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// PerMessage is how many descriptors the kernel passes in one message (SCM_MAX_FD).
const PerMessage = 253

// pair makes the two ends of a parking place. Descriptors go in at the one and come out
// at the other.
func pair() (in, out *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	// Each message takes some hundred bytes of this: enough for 140,000 descriptors
	// where the system's limit (net.core.wmem_max) allows it.
	_ = unix.SetsockoptInt(fds[0], unix.SOL_SOCKET, unix.SO_SNDBUF, 4<<20)
	return os.NewFile(uintptr(fds[0]), "parking in"), os.NewFile(uintptr(fds[1]), "parking out"), nil
}

// park puts descriptors in, and returns how many found a place: all of them, or a
// number of whole messages. The error says which limit was met then.
func park(in *os.File, fds []int) (n int, err error) {
	raw, err := in.SyscallConn()
	if err != nil {
		return 0, err
	}
	for n < len(fds) {
		some := fds[n:min(n+PerMessage, len(fds))]
		var sent error
		if err := raw.Control(func(fd uintptr) { sent = sendRights(int(fd), some) }); err != nil {
			return n, err
		}
		if sent != nil {
			return n, parkError(sent)
		}
		n += len(some)
	}
	return n, nil
}

func sendRights(fd int, fds []int) error {
	for {
		err := unix.Sendmsg(fd, []byte{0}, unix.UnixRights(fds...), nil, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
		if err != unix.EINTR {
			return err
		}
	}
}

func parkError(err error) error {
	switch {
	case errors.Is(err, unix.EAGAIN):
		return errors.New("the parking place is full: net.core.wmem_max bounds it")
	case errors.Is(err, unix.ETOOMANYREFS):
		return errors.New("too many descriptors in flight: the limit of open files (LimitNOFILE=) bounds them")
	default:
		return os.NewSyscallError("sendmsg", err)
	}
}

// unpark takes all descriptors out. They are the caller's, close-on-exec.
func unpark(out *os.File) (fds []int, err error) {
	err = eachMessage(out, 0, func(some []int) { fds = append(fds, some...) })
	return fds, err
}

// copyParked returns copies of all descriptors and leaves them where they are. The
// copies are the caller's, close-on-exec.
func copyParked(out *os.File) (fds []int, err error) {
	if err := setPeekOffset(out, 0); err != nil { // messages are of one byte: each look is at the next
		return nil, err
	}
	err = eachMessage(out, unix.MSG_PEEK, func(some []int) { fds = append(fds, some...) })
	if err == nil {
		err = setPeekOffset(out, -1)
	}
	return fds, err
}

func setPeekOffset(out *os.File, to int) error {
	raw, err := out.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PEEK_OFF, to) }); err != nil {
		return err
	}
	return os.NewSyscallError("setsockopt", failed)
}

// eachMessage receives messages until there is none, and calls f with the descriptors of
// each, which are f's. That some could not be had is told at the end.
func eachMessage(out *os.File, flags int, f func(fds []int)) error {
	raw, err := out.SyscallConn()
	if err != nil {
		return err
	}
	var data [1]byte
	oob := make([]byte, unix.CmsgSpace(4*PerMessage))
	var missing error
	for {
		var n, oobn, got int
		var failed error
		err := raw.Control(func(fd uintptr) {
			n, oobn, got, _, failed = unix.Recvmsg(int(fd), data[:], oob, flags|unix.MSG_CMSG_CLOEXEC|unix.MSG_DONTWAIT)
		})
		switch {
		case err != nil:
			return err
		case failed == unix.EINTR:
			continue
		case failed == unix.EAGAIN || failed == nil && n == 0 && oobn == 0:
			return missing
		case failed != nil:
			return os.NewSyscallError("recvmsg", failed)
		}
		fds, err := rightsOf(oob[:oobn])
		f(fds)
		if err == nil && got&unix.MSG_CTRUNC != 0 {
			err = errors.New("the limit of open files is too low for all descriptors")
		}
		if err != nil {
			missing = err
		}
	}
}

// shutPair ends a parking place for everybody who has it: nothing can be put in any
// more, and isShut tells. What is in it stays.
func shutPair(in *os.File) error {
	raw, err := in.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = unix.Shutdown(int(fd), unix.SHUT_RDWR) }); err != nil {
		return err
	}
	return os.NewSyscallError("shutdown", failed)
}

// isShut reports whether a parking place was ended, or one end of it is gone.
func isShut(out *os.File) (shut bool, err error) {
	raw, err := out.SyscallConn()
	if err != nil {
		return false, err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		list := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		for {
			if _, failed = unix.Poll(list, 0); failed != unix.EINTR {
				break
			}
		}
		shut = list[0].Revents&(unix.POLLRDHUP|unix.POLLHUP) != 0
	})
	if err == nil {
		err = os.NewSyscallError("poll", failed)
	}
	return shut, err
}

// rightsOf returns the descriptors of a message.
func rightsOf(oob []byte) (fds []int, err error) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, os.NewSyscallError("recvmsg", err)
	}
	for i := range messages {
		some, err := unix.ParseUnixRights(&messages[i])
		if err == nil {
			fds = append(fds, some...)
		}
	}
	return fds, nil
}
