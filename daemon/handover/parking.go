package handover

import (
	"errors"
	"fmt"
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
	raw, err := out.SyscallConn()
	if err != nil {
		return nil, err
	}
	var data [1]byte
	oob := make([]byte, unix.CmsgSpace(4*PerMessage))
	for {
		var n, oobn, flags int
		var got error
		err := raw.Control(func(fd uintptr) {
			n, oobn, flags, _, got = unix.Recvmsg(int(fd), data[:], oob, unix.MSG_CMSG_CLOEXEC|unix.MSG_DONTWAIT)
		})
		switch {
		case err != nil:
			return fds, err
		case got == unix.EINTR:
			continue
		case got == unix.EAGAIN || got == nil && n == 0 && oobn == 0:
			return fds, nil
		case got != nil:
			return fds, os.NewSyscallError("recvmsg", got)
		}
		some, err := rightsOf(oob[:oobn])
		fds = append(fds, some...)
		if err == nil && flags&unix.MSG_CTRUNC != 0 {
			err = fmt.Errorf("the limit of open files is too low for %d descriptors and more", len(fds))
		}
		if err != nil {
			return fds, err
		}
	}
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
