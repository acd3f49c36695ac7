package main

import (
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// direct is a connection whose reader waits in the kernel, in the read itself, and
// not in Go's poller: where a latency is measured, the generator's own part of it
// should be as small as it can be. One goroutine reads.
type direct struct {
	fd     int
	mu     sync.Mutex // held by whoever reads
	closed atomic.Bool
}

// directly takes a TCP connection over from the poller; any other, an encrypted one
// for example, is returned as it is.
func directly(c net.Conn) (io.ReadWriteCloser, error) {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return c, nil
	}
	defer tcp.Close()
	file, err := tcp.File()
	if err != nil {
		return nil, err
	}
	defer file.Close()
	fd, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	if err := unix.SetNonblock(fd, false); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	return &direct{fd: fd}, nil
}

// giveUp bounds each read from now on: after d without a byte it fails.
func giveUp(c io.ReadWriteCloser, d time.Duration) error {
	switch c := c.(type) {
	case *direct:
		tv := unix.NsecToTimeval(d.Nanoseconds())
		return os.NewSyscallError("setsockopt", unix.SetsockoptTimeval(c.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv))
	case net.Conn:
		return c.SetReadDeadline(time.Now().Add(d))
	}
	return nil
}

// Read waits for bytes. After Close it fails with net.ErrClosed.
func (c *direct) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if c.closed.Load() {
			return 0, net.ErrClosed
		}
		n, err := unix.Read(c.fd, p)
		switch {
		case err == unix.EINTR:
		case c.closed.Load():
			return 0, net.ErrClosed
		case err != nil:
			return 0, os.NewSyscallError("read", err)
		case n == 0 && len(p) > 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

// Write writes all of p.
func (c *direct) Write(p []byte) (int, error) {
	for done := 0; ; {
		n, err := unix.Write(c.fd, p[done:])
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return done, os.NewSyscallError("write", err)
		}
		if done += n; done == len(p) {
			return done, nil
		}
	}
}

// Close has a reader fail, waits for it, and gives the descriptor back.
func (c *direct) Close() error {
	if c.closed.Swap(true) {
		return net.ErrClosed
	}
	err := unix.Shutdown(c.fd, unix.SHUT_RDWR)
	c.mu.Lock()
	defer c.mu.Unlock()
	unix.Close(c.fd)
	return os.NewSyscallError("shutdown", err)
}
