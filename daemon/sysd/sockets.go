package sysd

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"sort"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// Socket is one descriptor inherited by socket activation. It owns the
// descriptor until Listener, File or Close is called.
type Socket struct {
	Name      string // FileDescriptorName= of the socket unit; the unit's name when unset
	Listening bool   // a stream socket in the listening state
	Addr      net.Addr
	fd        int
}

// String names the socket for messages: its name and address.
func (s *Socket) String() string {
	if s.Addr == nil {
		return s.Name
	}
	return fmt.Sprintf("%s (%s)", s.Name, s.Addr)
}

// Port returns the TCP port of the socket, or 0 for a unix socket.
func (s *Socket) Port() int {
	if a, ok := s.Addr.(*net.TCPAddr); ok {
		return a.Port
	}
	return 0
}

// Listener turns the socket into a net.Listener, which then owns a descriptor
// of its own; the inherited one is closed. A unix socket's path is not removed
// when the listener closes: the path belongs to the socket unit.
func (s *Socket) Listener() (net.Listener, error) {
	f := s.File()
	if f == nil {
		return nil, fmt.Errorf("inherited socket %s was taken already", s.Name)
	}
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("inherited socket %s: %w", s, err)
	}
	if ul, ok := l.(*net.UnixListener); ok {
		ul.SetUnlinkOnClose(false)
	}
	return l, nil
}

// File hands the descriptor itself over; nil when it was taken before.
func (s *Socket) File() *os.File {
	if s.fd < 0 {
		return nil
	}
	f := os.NewFile(uintptr(s.fd), s.Name)
	s.fd = -1
	return f
}

// Close gives the descriptor up unless it was handed over.
func (s *Socket) Close() {
	if s.fd >= 0 {
		unix.Close(s.fd)
		s.fd = -1
	}
}

// Sockets is the set of inherited sockets not yet taken. Safe for use from
// several goroutines.
type Sockets struct {
	mu   sync.Mutex
	list []*Socket
}

// Len returns how many sockets are left.
func (s *Sockets) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.list)
}

// Take removes and returns every socket of that name, in the order in which
// they were passed; the caller owns them.
func (s *Sockets) Take(name string) []*Socket {
	s.mu.Lock()
	defer s.mu.Unlock()
	var taken, left []*Socket
	for _, sock := range s.list {
		if sock.Name == name {
			taken = append(taken, sock)
		} else {
			left = append(left, sock)
		}
	}
	s.list = left
	return taken
}

// Names returns the names of the sockets left, each once, sorted.
func (s *Sockets) Names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := map[string]bool{}
	var names []string
	for _, sock := range s.list {
		if !seen[sock.Name] {
			seen[sock.Name] = true
			names = append(names, sock.Name)
		}
	}
	sort.Strings(names)
	return names
}

// Close gives up every socket left.
func (s *Sockets) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sock := range s.list {
		sock.Close()
	}
	s.list = nil
}

// describe finds out what the descriptor is. Something that is not a socket
// is kept, with Listening false: stored descriptors arrive the same way.
func (s *Socket) describe() error {
	typ, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return nil // not a socket
	}
	accepting, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	s.Listening = err == nil && accepting == 1 && typ == unix.SOCK_STREAM
	sa, err := unix.Getsockname(s.fd)
	if err != nil {
		return nil
	}
	switch a := sa.(type) {
	case *unix.SockaddrInet4:
		s.Addr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port)))
	case *unix.SockaddrInet6:
		ip := netip.AddrFrom16(a.Addr)
		if a.ZoneId != 0 {
			ip = ip.WithZone(strconv.Itoa(int(a.ZoneId)))
		}
		s.Addr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip, uint16(a.Port)))
	case *unix.SockaddrUnix:
		s.Addr = &net.UnixAddr{Name: a.Name, Net: "unix"}
	}
	return nil
}
