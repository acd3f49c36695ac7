package webdoor

import (
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/nats-broker/nats-broker/daemon/broker"
)

// renderHeaders writes headers for the answer, in the order of their names.
func renderHeaders(h map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(h)) {
		b.WriteString(name + ": " + h[name] + "\r\n")
	}
	return b.String()
}

// Cookies is what cookies have said of who the client is.
type Cookies struct{ JWT, User, Password, Token string }

// cookies takes from a request what the options name; nil: it has nothing of it.
func (u *Upgrader) cookies(r *http.Request) *Cookies {
	names := &u.opts.Cookies
	if *names == (CookieNames{}) {
		return nil
	}
	var c Cookies
	for _, k := range r.Cookies() {
		switch k.Name {
		case names.JWT:
			c.JWT = k.Value
		case names.User:
			c.User = k.Value
		case names.Password:
			c.Password = k.Value
		case names.Token:
			c.Token = k.Value
		}
	}
	if c == (Cookies{}) {
		return nil
	}
	return &c
}

// Complete puts what cookies have said where CONNECT says nothing.
func Complete(note any, o *broker.ConnectOptions) {
	c, ok := note.(*Cookies)
	if !ok {
		return
	}
	for _, f := range []struct {
		to   *string
		from string
	}{{&o.JWT, c.JWT}, {&o.User, c.User}, {&o.Pass, c.Password}, {&o.Token, c.Token}} {
		if *f.to == "" {
			*f.to = f.from
		}
	}
}

// forwardedFor is the header in which proxies say where a connection is from, each behind what was said before.
const forwardedFor = "X-Forwarded-For"

// whence takes the connection for one of the peer that the trusted proxies name: from the right, the first one that
// is none of them.
func (u *Upgrader) whence(o *broker.Opening, r *http.Request) {
	values := r.Header[forwardedFor]
	if len(values) == 0 || !u.opts.Trusted.trusts(o.Remote()) {
		return
	}
	hops := strings.Split(strings.Join(values, ","), ",")
	for _, hop := range slices.Backward(hops) {
		a, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			return // what is to the left of it was not said by anybody who is trusted
		}
		if a = a.Unmap(); !u.opts.Trusted.contains(a) {
			o.SetForwarded(&net.TCPAddr{IP: a.AsSlice(), Zone: a.Zone()})
			return
		}
	}
}

// secure reports whether the client's connection is encrypted, which a trusted proxy knows if it ends there.
func (u *Upgrader) secure(r *http.Request, from net.Addr) bool {
	return u.opts.Secure || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https") && u.opts.Trusted.trusts(from)
}

func (t *Trusted) contains(a netip.Addr) bool {
	for _, n := range t.Networks {
		if n.Contains(a) {
			return true
		}
	}
	return false
}

// trusts reports whether a peer is a trusted proxy.
func (t *Trusted) trusts(a net.Addr) bool {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return t.contains(tcp.AddrPort().Addr().Unmap())
	}
	return t.Unix
}
