package webdoor

import (
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// Origin is where a page may come from whose scripts connect.
type Origin struct{ Scheme, Host, Port string } // in lower case; the port is always there

// ParseOrigin reads an origin that is allowed. The errors are nats-server's.
func ParseOrigin(text string) (Origin, error) {
	u, err := url.ParseRequestURI(text)
	if err != nil {
		return Origin{}, err
	}
	host, port, err := splitHost(u.Scheme == "https", u.Host)
	return Origin{u.Scheme, host, port}, err
}

// splitHost splits host and port; without one the port is that of the scheme.
func splitHost(secure bool, hostport string) (host, port string, err error) {
	host, port, err = net.SplitHostPort(hostport)
	if e := (*net.AddrError)(nil); errors.As(err, &e) && strings.Contains(e.Err, "missing port") {
		host, port, err = hostport, "80", nil
		if secure {
			port = "443"
		}
	}
	return strings.ToLower(host), port, err
}

// checkOrigin looks at where a request is from, as far as it says so: only browsers do. secure says whether the browser
// has an encrypted connection, to us or to a proxy.
func (u *Upgrader) checkOrigin(r *http.Request, secure bool) error {
	if !u.opts.SameOrigin && len(u.opts.Origins) == 0 {
		return nil
	}
	text := r.Header.Get("Origin")
	if text == "" {
		text = r.Header.Get("Sec-Websocket-Origin")
	}
	if text == "" {
		return nil
	}
	from, err := ParseOrigin(text)
	if err != nil {
		return err
	}
	if u.opts.SameOrigin {
		own := Origin{Scheme: "http"}
		if secure {
			own.Scheme = "https"
		}
		if own.Host, own.Port, err = splitHost(secure, r.Host); err != nil {
			return err
		}
		if from != own {
			return errors.New("not same origin")
		}
	}
	for _, o := range u.opts.Origins {
		if o == from {
			return nil
		}
	}
	if len(u.opts.Origins) > 0 {
		return errors.New("not in the allowed list")
	}
	return nil
}
