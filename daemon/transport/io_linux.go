package transport

import (
	"io"
	"os"
	"syscall"
	"unsafe"

	"github.com/nats-broker/nats-broker/daemon/batch"
)

// maxIov is how many pieces one system call writes.
const maxIov = 64

// readNow reads into p without blocking and without telling the scheduler, which
// a non-blocking call need not: the descriptor is in non-blocking mode.
func readNow(fd int, p []byte) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
		if errno == 0 {
			return int(n), 0
		}
		if errno != syscall.EINTR {
			return 0, errno
		}
	}
}

// readWire is readNow as an [io.Reader] fails: with os.ErrDeadlineExceeded when nothing
// is there.
func readWire(fd int, p []byte) (int, error) {
	n, errno := readNow(fd, p)
	switch {
	case errno == syscall.EAGAIN:
		return 0, os.ErrDeadlineExceeded
	case errno != 0:
		return 0, os.NewSyscallError("read", errno)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// writeNow writes p without blocking, as readNow reads.
func writeNow(fd int, p []byte) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
		if errno == 0 {
			return int(n), 0
		}
		if errno != syscall.EINTR {
			return 0, errno
		}
	}
}

// writev writes segs until all is written or the descriptor takes no more.
func writev(fd int, segs []batch.Segment) (n int, errno syscall.Errno) {
	for len(segs) > 0 {
		var w, want int
		if len(segs) == 1 {
			p := segs[0].Bytes()
			want = len(p)
			w, errno = writeNow(fd, p)
		} else {
			w, want, errno = writeIov(fd, segs)
		}
		n += w
		if errno != 0 {
			return n, errno
		}
		if w < want {
			return n, syscall.EAGAIN
		}
		segs = segs[min(len(segs), maxIov):]
	}
	return n, 0
}

func writeIov(fd int, segs []batch.Segment) (n, want int, errno syscall.Errno) {
	var iov [maxIov]syscall.Iovec
	k := min(len(segs), maxIov)
	for i := range k {
		p := segs[i].Bytes()
		iov[i].Base = unsafe.SliceData(p)
		iov[i].SetLen(len(p))
		want += len(p)
	}
	for {
		r, _, e := syscall.RawSyscall(syscall.SYS_WRITEV, uintptr(fd), uintptr(unsafe.Pointer(&iov[0])), uintptr(k))
		if e == 0 {
			return int(r), want, 0
		}
		if e != syscall.EINTR {
			return 0, want, e
		}
	}
}
