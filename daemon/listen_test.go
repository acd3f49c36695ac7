package daemon

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// A change of address on the same port must never be refused because of our
// own listener, and must leave nobody else able to join the port.
func TestNewAddressBesideTheOldOne(t *testing.T) {
	old, err := endpoint{"0.0.0.0", -1}.open()
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	port := old.Addr().(*net.TCPAddr).Port
	if l, err := (endpoint{"127.0.0.1", port}).open(); err == nil {
		l.Close()
		t.Fatal("the port could be taken by somebody else")
	}
	l, err := endpoint{"127.0.0.1", port}.open(old)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, host := range []string{"127.0.0.1", "0.0.0.0"} {
		if third, err := (endpoint{host, port}).open(); err == nil {
			third.Close()
			t.Errorf("after the change %s:%d could be taken by somebody else", host, port)
		}
	}
	old.Close()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

// A probe's connection is taken out; one that nobody announced is served.
func TestProbedListener(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := newProbed(inner)
	defer l.Close()
	served := make(chan string, 1)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				close(served)
				return
			}
			served <- conn.RemoteAddr().String()
			conn.Close()
		}
	}()
	c := &clientListener{probed: l, shown: "test"}
	if err := c.probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got := <-served; got != conn.LocalAddr().String() {
		t.Errorf("served %s instead of the client %s", got, conn.LocalAddr())
	}
	l.Close()
	if _, more := <-served; more {
		t.Error("the probe was served as well")
	}
}

// Clients' connections come without the kernel's keep-alive, which their PINGs make superfluous; those of HTTP with it.
func TestKeepAlive(t *testing.T) {
	for _, c := range []struct {
		what string
		open func(endpoint) (net.Listener, error)
		want bool
	}{
		{"clients", func(e endpoint) (net.Listener, error) { return e.open() }, false},
		{"HTTP", func(e endpoint) (net.Listener, error) { return e.openHTTP() }, true},
	} {
		l, err := c.open(endpoint{"127.0.0.1", -1})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		peer, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer peer.Close()
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		raw, err := conn.(*net.TCPConn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		var on int
		if bad := raw.Control(func(fd uintptr) { on, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_KEEPALIVE) }); bad != nil || err != nil {
			t.Fatal(bad, err)
		}
		if (on != 0) != c.want {
			t.Errorf("%s: SO_KEEPALIVE is %d", c.what, on)
		}
	}
}

// The kernel calls 0.0.0.0 [::]; people are shown what they wrote.
func TestAddressOfEverywhere(t *testing.T) {
	l, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	open := &listening{name: "client", listener: l}
	if got, want := open.anywhere(place{at: endpoint{"0.0.0.0", 0}}), "0.0.0.0:"+port; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	open.inherited = true
	if got := open.anywhere(place{at: endpoint{"0.0.0.0", 0}}); got != l.Addr().String() {
		t.Errorf("an inherited one is shown as %s", got)
	}
}
