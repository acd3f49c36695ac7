package daemon

import (
	"context"
	"errors"
	"net"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// endpoint is an address to listen on as the configuration gives it.
type endpoint struct {
	host string
	port int // -1: any free one
}

func (e endpoint) String() string { return net.JoinHostPort(e.host, strconv.Itoa(max(e.port, 0))) }

// wants reports whether a listener at a is one that open could have made.
func (e endpoint) wants(a net.Addr) bool {
	at, ok := a.(*net.TCPAddr)
	if !ok || e.port > 0 && at.Port != e.port {
		return false
	}
	want, err := net.ResolveTCPAddr(e.network(), e.String())
	if err != nil {
		return false
	}
	if want.IP == nil || want.IP.IsUnspecified() {
		return at.IP.IsUnspecified()
	}
	return want.IP.Equal(at.IP) && want.Zone == at.Zone
}

// network is the family to listen in: all of them for an unspecified host or a
// name, as nats-server does.
func (e endpoint) network() string { return "tcp" }

// open listens on e. own are the listeners we have: when one of them is in the
// way (the same port on another address of the host), the kernel is told that
// the two may stand side by side until the old one is closed, so that a change
// of address never leaves a moment without a listener.
//
// Connections come without the kernel's keep-alive, as nats-server's do: PINGs tell who is gone, and it takes four system
// calls of each connection. HTTP has no PINGs, see openHTTP.
func (e endpoint) open(own ...net.Listener) (net.Listener, error) {
	return e.openBy(net.ListenConfig{KeepAlive: -1}, own)
}

// openHTTP is open for HTTP.
func (e endpoint) openHTTP(own ...net.Listener) (net.Listener, error) {
	return e.openBy(net.ListenConfig{}, own)
}

func (e endpoint) openBy(lc net.ListenConfig, own []net.Listener) (net.Listener, error) {
	l, err := lc.Listen(context.Background(), e.network(), e.String())
	if err == nil || !errors.Is(err, syscall.EADDRINUSE) || !e.conflicts(own) {
		return l, err
	}
	var granted []net.Listener
	for _, o := range own {
		if shareAddress(o, true) == nil {
			granted = append(granted, o)
		}
	}
	defer func() {
		for _, o := range granted {
			shareAddress(o, false)
		}
	}()
	lc.Control = func(_, _ string, c syscall.RawConn) error { return setReusePort(c, true) }
	l, err = lc.Listen(context.Background(), e.network(), e.String())
	if err == nil {
		shareAddress(l, false) // nobody else may join
	}
	return l, err
}

// conflicts reports whether one of our own listeners has the port.
func (e endpoint) conflicts(own []net.Listener) bool {
	for _, l := range own {
		if a, ok := l.Addr().(*net.TCPAddr); ok && a.Port == e.port {
			return true
		}
	}
	return false
}

func shareAddress(l net.Listener, on bool) error {
	c, ok := l.(syscall.Conn)
	if !ok {
		return errors.New("not a socket")
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	return setReusePort(raw, on)
}

func setReusePort(c syscall.RawConn, on bool) error {
	value := 0
	if on {
		value = 1
	}
	var inner error
	err := c.Control(func(fd uintptr) {
		inner = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, value)
	})
	return errors.Join(err, inner)
}
