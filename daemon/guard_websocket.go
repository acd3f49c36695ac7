package daemon

import (
	"slices"

	"github.com/nats-broker/nats-broker/daemon/config"
)

// weakenedWebSocket lists what n protects less of WebSocket clients than o did.
func weakenedWebSocket(o, n *config.Options) (reasons []string) {
	was, is := &o.WebSocket, &n.WebSocket
	if !is.Enabled() {
		return nil
	}
	lost := func(had, has bool, reason string) {
		if had && !has {
			reasons = append(reasons, reason)
		}
	}
	before := webSocketAsks(o)
	if !was.Enabled() {
		before = asksForCredentials(o)
	}
	lost(before, webSocketAsks(n), "WebSocket clients would come in without credentials")
	if !was.Enabled() {
		return reasons
	}
	lost(was.TLS.Defined, is.TLS.Defined, "WebSocket connections would have no TLS")
	lost(was.TLS.Verify, is.TLS.Verify || !is.TLS.Defined, "WebSocket clients would need no certificate")
	lost(len(was.TLS.Pinned) > 0, len(is.TLS.Pinned) > 0 || !is.TLS.Defined, "certificates of WebSocket clients would not be pinned")
	lost(was.SameOrigin, is.SameOrigin, "pages of any origin might connect")
	lost(len(was.Origins) > 0, len(is.Origins) > 0, "pages of any origin might connect")
	for _, p := range is.TrustedProxies {
		lost(true, slices.Contains(was.TrustedProxies, p), "more proxies would be believed: "+p)
	}
	return reasons
}

// webSocketAsks reports whether a WebSocket client needs something to come in.
func webSocketAsks(o *config.Options) bool {
	w := &o.WebSocket
	switch {
	case w.TLS.Verify:
		return true
	case w.NoAuthUser != "" && !o.Operator.Enabled():
		return false
	case w.Authorization.User != "" || w.Authorization.Token != "":
		return true
	}
	return asksForCredentials(o) && (!o.TLS.Verify || o.Authorization.User != "" || o.Authorization.Token != "" || len(usersOf(o)) > 0 || o.Operator.Enabled())
}
