package config

import (
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// checkWebSocket looks at the websocket block as nats-server does before it starts, with its words. Without a port,
// or the path of a socket, nothing of the block counts.
func (d *decoder) checkWebSocket(o *Options) {
	w := &o.WebSocket
	if !w.Enabled() {
		return
	}
	if w.Port != 0 && !w.TLS.Defined && !w.NoTLS {
		d.unable(d.said("websocket.port", "websocket.listen"), "websocket requires TLS configuration")
	}
	for _, text := range w.Origins {
		if why := wrongOrigin(text); why != "" {
			d.unable("websocket.allowed_origins", "%s", why)
		}
	}
	d.checkNoAuth("websocket.no_auth_user", w.NoAuthUser, o)
	if hasUsers(o) {
		if w.Authorization.User != "" {
			d.unable("websocket.authorization.user", "websocket authentication username not compatible with presence of users/nkeys")
		}
		if w.Authorization.Token != "" {
			d.unable("websocket.authorization.token", "websocket authentication token not compatible with presence of users/nkeys")
		}
	}
	if w.JWTCookie != "" && !o.Operator.Enabled() {
		d.unable("websocket.jwt_cookie", "trusted operators or trusted keys configuration is required for JWT authentication via cookie %q", w.JWTCookie)
	}
	for name, value := range w.Headers {
		d.checkHeader(name, value)
	}
	for _, text := range w.TrustedProxies {
		if text != "unix" && !isNetwork(text) {
			d.wrong("websocket.trusted_proxies", "trusted_proxies: %q is neither an address nor a network, nor unix", text)
		}
	}
	d.checkAdvertised("websocket.advertise", w.Advertise)
}

// hasUsers reports whether there are users, or nkeys, anywhere.
func hasUsers(o *Options) bool {
	return len(o.Authorization.Users) > 0 || slices.ContainsFunc(o.Accounts, func(a Account) bool { return len(a.Users) > 0 })
}

func isNetwork(text string) bool {
	if _, err := netip.ParsePrefix(text); err == nil {
		return true
	}
	_, err := netip.ParseAddr(text)
	return err == nil
}

// wrongOrigin says what is wrong with an origin.
func wrongOrigin(text string) string {
	u, err := url.ParseRequestURI(text)
	switch {
	case err != nil:
		return "unable to parse allowed origin: " + err.Error()
	case u.Scheme != "http" && u.Scheme != "https":
		return `unable to parse allowed origin "` + text + `": allowed origins must be absolute URLs with http or https scheme`
	case u.Host == "":
		return `unable to parse allowed origin "` + text + `": host is required`
	}
	if _, _, err := net.SplitHostPort(u.Host); err != nil && !strings.Contains(err.Error(), "missing port") {
		return "unable to parse allowed origin: " + err.Error()
	}
	return ""
}

// checkHeader holds that a header of the answer is one, and none of the upgrade's own.
func (d *decoder) checkHeader(name, value string) {
	const path = "websocket.headers"
	lower := strings.ToLower(name)
	switch lower {
	case "host", "content-length", "connection", "upgrade", "nats-no-masking":
		d.unable(path, "websocket: invalid header %q not allowed", name)
		return
	}
	if strings.HasPrefix(lower, "sec-websocket-") {
		d.unable(path, "websocket: invalid header %q, \"Sec-WebSocket-\" prefix not allowed", name)
		return
	}
	token := func(c rune) bool {
		return c > ' ' && c < 0x7f && !strings.ContainsRune(`()<>@,;:\"/[]?={}`, c)
	}
	if name == "" || strings.ContainsFunc(name, func(c rune) bool { return !token(c) }) || strings.ContainsAny(value, "\r\n\x00") {
		d.wrong(path, "websocket: header %q cannot be sent", name)
	}
}
