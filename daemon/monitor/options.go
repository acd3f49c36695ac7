package monitor

import (
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path"
	"strings"
)

// Options configure a Monitor. The zero value listens nowhere.
type Options struct {
	Listeners []Listener

	// Listen opens a listener of the network "tcp" at an address; nil: net.Listen
	// does. own are listeners of the monitor that may be in the way: they are closed
	// once the new one is served, or go on if it is not.
	Listen func(address string, own ...net.Listener) (net.Listener, error)

	// BasePath prefixes every path, such as "/nats"; empty means "/".
	BasePath string

	// Token, if set, must accompany each request, as "Authorization: Bearer
	// <token>" or as the password of HTTP Basic authentication.
	Token string

	// User and Password, if set, must be given by HTTP Basic authentication.
	// User may be empty to accept any name.
	User, Password string

	// VerifyPassword compares a given password with the configured one, which
	// may be a hash. Nil compares in constant time.
	VerifyPassword func(configured, given string) bool

	// MetricsAccounts is how many accounts get metrics of their own; the others
	// are summed up as account="". An account that has them keeps them, also in
	// the processes that take over, whatever the number is then.
	MetricsAccounts int
}

// Listener is one address the monitor is reached at.
type Listener struct {
	Network string // "tcp", "tcp4", "tcp6" or "unix"
	Address string // "host:port", port 0 for any free one; a path for unix

	// Display is the host and port to show in the log for tcp, when it differs
	// from Address; only the port of the bound address replaces port 0.
	Display string

	// TLS, if set, makes it https. Client certificates are demanded as it says.
	TLS *tls.Config

	// Mode is the permission of a unix socket's file; 0 means 0660.
	Mode fs.FileMode

	// Inherited is a socket opened by someone else (socket activation); the
	// monitor then does not bind, but closes it in the end.
	Inherited net.Listener

	// Open, if set, is a socket that listens at Address already and is used
	// instead of binding another. Unlike Inherited it is the monitor's like any
	// that it bound. Ignored when a socket at that address is in service.
	Open net.Listener
}

// key tells listeners apart across reloads.
func (l *Listener) key() string {
	if l.Inherited != nil {
		return "inherited " + l.Inherited.Addr().Network() + " " + l.Inherited.Addr().String()
	}
	return l.Network + " " + l.Address
}

func (l *Listener) scheme() string {
	if l.TLS != nil {
		return "https"
	}
	return "http"
}

// check refuses what cannot work and brings the base path into one form: ""
// or "/a/b".
func (o *Options) check() error {
	if o.BasePath != "" {
		o.BasePath = strings.TrimSuffix(path.Clean("/"+o.BasePath), "/")
	}
	if strings.ContainsAny(o.BasePath, "{}") {
		return fmt.Errorf("http_base_path %q must not contain braces", o.BasePath)
	}
	if o.Token != "" && o.Password != "" {
		return errors.New("monitor access is by token or by user and password, not both")
	}
	if o.User != "" && o.Password == "" {
		return errors.New("monitor user without a password")
	}
	seen := make(map[string]bool)
	for i := range o.Listeners {
		l := &o.Listeners[i]
		switch l.Network {
		case "tcp", "tcp4", "tcp6", "unix":
		case "":
			if l.Inherited == nil {
				return errors.New("monitor listener without a network")
			}
		default:
			return fmt.Errorf("monitor cannot listen on network %q", l.Network)
		}
		if _, port, err := net.SplitHostPort(l.Address); err == nil && port == "0" {
			continue // each is a port of its own
		}
		if seen[l.key()] {
			return fmt.Errorf("monitor listens twice on %s", l.Address)
		}
		seen[l.key()] = true
	}
	if o.VerifyPassword == nil {
		o.VerifyPassword = func(configured, given string) bool {
			return subtle.ConstantTimeCompare([]byte(configured), []byte(given)) == 1
		}
	}
	return nil
}
