package transport

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nats-broker/nats-broker/daemon/batch"
)

// A connection can outlive its process. The one that has it freezes it, holds its
// queue, and parks it: what is left then is a descriptor, the bytes that were read and
// not consumed, those that are queued and not written, and a [Session] if the connection
// is encrypted. The process that gets these goes on at the same byte in both directions.
//
// The order matters. All connections are frozen before the first is held: what a
// reader has parsed is delivered to the end, into queues that still work. And all are
// held before the first is parked: by then nobody sends any more.

// ErrFrozen is what [Conn.Serve] returns for a connection that was frozen. Any other
// error means that it ended before it could be.
var ErrFrozen = errors.New("connection frozen")

// ErrNotMovable means that a connection has state that cannot be given to another
// process: crypto/tls encrypts it, or it is compressed.
var ErrNotMovable = errors.New("connection cannot be moved to another process")

// Freeze stops the reader: [Conn.Serve] handles what it has read and returns
// ErrFrozen. Writing goes on. A connection that was aborted before stays aborted.
func (c *Conn) Freeze() { c.Abort(ErrFrozen) }

// Movable reports whether the connection consists of what can be parked.
func (c *Conn) Movable() bool {
	c.Out.mu.Lock()
	defer c.Out.mu.Unlock()
	return c.Out.movable()
}

func (o *Outbound) movable() bool {
	k := o.framer()
	return o.sink == nil || o.session() != nil || k != nil && k.below == nil
}

// Hold ends writing: what is sent from now on only queues. It does not wait until a
// write that is under way has ended; Park does.
func (c *Conn) Hold() {
	o := &c.Out
	o.mu.Lock()
	writing := o.busy
	if o.holder == nil {
		o.holder = make(chan struct{})
		if !writing {
			o.busy = true
			close(o.holder)
		}
	}
	o.mu.Unlock()
	if writing {
		_ = c.nc.SetWriteDeadline(time.Unix(1, 0)) // wakes the writer
	}
}

// yieldToHolder makes the holder the writer, for good. The lock is held and released.
func (o *Outbound) yieldToHolder() {
	select {
	case <-o.holder: // it is already
	default:
		o.busy = true
		close(o.holder)
	}
	o.mu.Unlock()
}

// Parked is a connection at rest. It refers to memory of the Conn, until Release.
type Parked struct {
	FD     int      // the descriptor; it stays the Conn's
	ID     uint64   // of the socket, the same in each process that has it
	Unread []byte   // read from the peer and not consumed
	Unsent [][]byte // to be sent to the peer

	Session *Session // nil: not encrypted
	Frames  *Frames  // nil: not of WebSocket
}

// Len returns how many bytes are unsent.
func (p *Parked) Len() (n int) {
	for _, b := range p.Unsent {
		n += len(b)
	}
	return n
}

// Park returns what the connection consists of. It must have been frozen, Serve must
// have returned ErrFrozen, and it must be held. From then on nothing is read from or
// written to the descriptor by this process; Release ends the use of it.
func (c *Conn) Park() (*Parked, error) {
	o := &c.Out
	o.mu.Lock()
	holder, movable := o.holder, o.movable()
	o.mu.Unlock()
	if !movable {
		return nil, ErrNotMovable
	}
	if holder == nil {
		return nil, errors.New("connection not held")
	}
	c.awaitHolder(holder)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.dead || o.closing {
		return nil, ErrClosed
	}
	p := &Parked{FD: c.fd}
	var err error
	if p.ID, err = SocketID(c.fd); err != nil {
		return nil, err
	}
	if c.rest.Block != nil {
		p.Unread = c.rest.Bytes()
	}
	if p.Frames, err = c.describeFrames(); err != nil {
		return nil, err
	}
	switch s := o.session(); {
	case s == nil:
	case p.Frames != nil: // what is decrypted is in frames
		p.Session = s.describe(0)
	default:
		p.Unread = append(slices.Clip(p.Unread), s.plain...)
		p.Session = s.describe(o.sink.(*filterSink).ahead)
	}
	for i := range o.queue[o.head:] {
		p.Unsent = append(p.Unsent, o.queue[o.head+i].Bytes())
	}
	return p, nil
}

// awaitHolder waits until the writer has ended. A writer that was about to wait when
// Hold woke it may have set a deadline of its own behind Hold's: it is woken again.
func (c *Conn) awaitHolder(holder <-chan struct{}) {
	select {
	case <-holder:
		return
	default:
	}
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for {
		select {
		case <-holder:
			return
		case <-again.C:
			_ = c.nc.SetWriteDeadline(time.Unix(1, 0))
		}
	}
}

// Release gives up the descriptor of a connection that was held, without a word to the
// peer: another process has a copy of it. What is queued is dropped.
func (c *Conn) Release() {
	o := &c.Out
	o.mu.Lock()
	o.kill()
	s := o.session()
	o.mu.Unlock()
	if c.rest.Block != nil {
		c.rest.Release()
	}
	if s != nil {
		s.forget()
	}
	_ = c.nc.Close()
}

// SocketID returns what tells a socket from all others that exist, whatever the
// process and the number of the descriptor.
func SocketID(fd int) (uint64, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return 0, os.NewSyscallError("fstat", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return 0, fmt.Errorf("descriptor %d is not a socket", fd)
	}
	return st.Ino, nil
}

// Restore makes a connection of one that was parked elsewhere; with a session, an
// encrypted one; with frames, one of WebSocket. It owns fd from now on, also if it fails. Nothing is written before
// Resume; what is sent meanwhile queues behind unsent. Serve goes on behind what was
// consumed. The slices are copied.
func Restore(c *Conn, fd int, remote net.Addr, unread, unsent []byte, session *Session, frames *Frames) error {
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return os.NewSyscallError("fcntl", err)
	}
	f := os.NewFile(uintptr(fd), "connection")
	if err := NewConn(c, &movedConn{f, remote}); err != nil {
		_ = f.Close()
		return err
	}
	if session != nil {
		s, ahead, err := session.restore(c.fd, frames != nil)
		if err != nil || ahead > len(unsent) {
			_ = f.Close()
			return errors.Join(ErrSession, err)
		}
		c.src, c.Out.sink = s, &filterSink{filter: s, ahead: ahead}
	}
	if frames != nil {
		if err := c.restoreFrames(frames, c.Out.session(), len(unsent)); err != nil {
			_ = f.Close()
			return err
		}
	}
	if len(unread) > 0 {
		c.rest = batch.Copy(unread)
		c.fresh = true
	}
	o := &c.Out
	o.busy = true
	for len(unsent) > 0 {
		n := min(len(unsent), batch.Large)
		o.queue = append(o.queue, batch.Copy(unsent[:n]))
		unsent = unsent[n:]
		o.pending += int64(n)
	}
	return nil
}

// Resume lets a restored connection write, what is queued first.
func (c *Conn) Resume() {
	o := &c.Out
	o.mu.Lock()
	o.carryOn(0, writerRounds)
}

// CountSent adds to the counters of what was sent, those of another process.
func (o *Outbound) CountSent(msgs, bytes uint64) {
	o.mu.Lock()
	o.msgs += msgs
	o.bytes += bytes
	o.mu.Unlock()
}

// movedConn is the stream of a restored connection. A file is all that it takes: to
// make a net.TCPConn of a descriptor costs four times the system calls, which counts
// when ten thousand peers wait.
type movedConn struct {
	*os.File
	remote net.Addr
}

// LocalAddr asks the kernel; nobody needs it often.
func (m *movedConn) LocalAddr() net.Addr {
	raw, err := m.SyscallConn()
	if err != nil {
		return nil
	}
	var addr net.Addr
	_ = raw.Control(func(fd uintptr) {
		switch sa, _ := syscall.Getsockname(int(fd)); a := sa.(type) {
		case *syscall.SockaddrInet4:
			addr = &net.TCPAddr{IP: append(net.IP(nil), a.Addr[:]...), Port: a.Port}
		case *syscall.SockaddrInet6:
			addr = &net.TCPAddr{IP: append(net.IP(nil), a.Addr[:]...), Port: a.Port}
		case *syscall.SockaddrUnix:
			addr = &net.UnixAddr{Name: a.Name, Net: "unix"}
		}
	})
	return addr
}

// RemoteAddr returns the peer's address, as it was known before.
func (m *movedConn) RemoteAddr() net.Addr { return m.remote }
