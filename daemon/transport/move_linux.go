package transport

import (
	"errors"
	"syscall"
	"unsafe"
)

// ErrMoved is what [Conn.Serve] returns because the handler asked for it. The connection is as it was: another goroutine
// may go on by calling Serve again. A goroutine keeps the largest stack that it ever needed, a new one has the smallest.
var ErrMoved = errors.New("connection goes on elsewhere")

// quiet reports whether there is nothing to read, which is what is to be expected of a connection that has moved. It asks
// with less stack than a read takes, whose buffers may have to be made.
func quiet(fd int) bool {
	var b [1]byte
	_, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&b)), 1,
		syscall.MSG_PEEK|syscall.MSG_DONTWAIT, 0, 0)
	return errno == syscall.EAGAIN
}
