package sysd

import (
	"errors"
	"fmt"
	"net"
	"strings"
)

// Wanted is what the configuration says about a listener that may be inherited.
type Wanted struct {
	Name   string // the descriptor's name: client, monitor, cluster, …
	Option string // the option that sets the port, for messages: "port", "http_port"
	Host   string // "" and "0.0.0.0" mean every address
	Port   int    // -1: any port; 0: the option is not set, any inherited socket will do
}

// Match takes the sockets of w's name and checks that each listens and agrees
// with the configuration. Inherited sockets win over nothing: a mismatch is an
// error that names both sides, because a listener that silently moved is worse
// than one that does not start. No socket of that name: nil, nil.
func (s *Sockets) Match(w Wanted) ([]*Socket, error) {
	socks := s.Take(w.Name)
	if len(socks) == 0 {
		return nil, nil
	}
	var bad []string
	for _, sock := range socks {
		err := fmt.Errorf("inherited descriptor %q is not a listening stream socket", sock.Name)
		if sock.Listening {
			err = w.Check(sock.Addr)
		}
		if err != nil {
			bad = append(bad, err.Error())
		}
	}
	if bad == nil {
		return socks, nil
	}
	for _, sock := range socks {
		sock.Close()
	}
	return nil, errors.New(strings.Join(bad, "; "))
}

// Check reports whether an inherited listener's address agrees with the
// configuration. A unix socket has no counterpart among the ports and agrees.
func (w Wanted) Check(at net.Addr) error {
	addr, tcp := at.(*net.TCPAddr)
	if !tcp {
		return nil
	}
	if w.Port > 0 && addr.Port != w.Port {
		return fmt.Errorf("inherited socket %q listens on port %d (%s), but the configuration says %s: %d; change ListenStream= of the socket unit or the option so that they agree",
			w.Name, addr.Port, addr, w.Option, w.Port)
	}
	if host := net.ParseIP(w.Host); host != nil && !host.IsUnspecified() && !host.Equal(addr.IP) {
		return fmt.Errorf("inherited socket %q listens on %s, but the configuration says host %s; change ListenStream= of the socket unit or the option so that they agree",
			w.Name, addr, w.Host)
	}
	return nil
}
