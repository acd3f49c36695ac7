package daemon

import (
	"errors"
	"net"
	"strconv"
	"strings"

	"github.com/nats-broker/nats-broker/daemon/sysd"
)

// place is where a part is to listen, as the configuration has it.
type place struct {
	name   string // of the descriptor: "client", "monitor"
	option string // that sets the port, for messages: "port", "http_port"
	scheme string // of its URLs
	host   string // where an inherited socket must be; empty: anywhere
	at     endpoint
}

// wanted is what an inherited socket in this place must be.
func (p place) wanted() sysd.Wanted {
	return sysd.Wanted{Name: p.name, Option: p.option, Host: p.host, Port: p.at.port}
}

// inherit takes the sockets inherited under the name of a place.
func (d *Daemon) inherit(p place) (list []listening, err error) {
	socks, err := d.System.Sockets.Match(p.wanted())
	if err != nil {
		return nil, err
	}
	for _, s := range socks {
		l, err := s.Listener()
		if err != nil {
			return nil, err
		}
		list = append(list, listening{p.name, l, p.scheme, true})
	}
	return list, nil
}

// occupy makes a part listen in a place: on the sockets inherited under its
// name, or on one that the process before this one has left, or on what open
// opens, which is kept for the next. With port 0 there may be none.
func (d *Daemon) occupy(p place, open func() (net.Listener, error)) ([]listening, error) {
	list, err := d.inherit(p)
	if err != nil || list != nil || p.at.port == 0 {
		return list, err
	}
	l := d.takeStored(p.name)
	if l == nil {
		if l, err = open(); err != nil {
			return nil, err
		}
	}
	d.keepStored(p.name, l)
	return []listening{{p.name, l, p.scheme, false}}, nil
}

// shown is the address of a socket for people, in a place.
func (l *listening) shown(p place) string {
	if l.inherited {
		return l.listener.Addr().String()
	}
	return displayAddr(p.at.host, l.listener.Addr())
}

// anywhere is the address of a socket; one that stands for all addresses is written as
// the configuration has it, since the kernel calls 0.0.0.0 [::].
func (l *listening) anywhere(p place) string {
	if a, ok := l.listener.Addr().(*net.TCPAddr); ok && a.IP.IsUnspecified() {
		return l.shown(p)
	}
	return l.listener.Addr().String()
}

// errUnusedSockets names inherited sockets nobody asked for.
func (d *Daemon) errUnusedSockets() error {
	socks := d.System.Sockets
	if socks.Len() == 0 {
		return nil
	}
	var left, known []string
	for _, n := range socks.Names() {
		left = append(left, strconv.Quote(n))
	}
	for _, p := range having[listens](d) {
		known = append(known, p.kinds()...)
	}
	last := len(known) - 1
	return errors.New("no listener is configured for the inherited sockets named " + strings.Join(left, ", ") +
		": set FileDescriptorName= of the socket unit to " + strings.Join(known[:last], ", ") + " or " + known[last] + ", and configure that listener")
}
