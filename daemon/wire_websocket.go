package daemon

import (
	"fmt"
	"net"
	"strconv"

	"github.com/nats-broker/nats-broker/daemon/auth"
	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/monitor"
	"github.com/nats-broker/nats-broker/daemon/transport"
	"github.com/nats-broker/nats-broker/daemon/webdoor"
)

// webSocketType is what monitoring and events call WebSocket clients.
const webSocketType = "websocket"

// webSocketFull is the answer to a request that is one connection too many.
const webSocketFull = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

// webSocketKind is what is different of the authorization of WebSocket clients; nil: nothing is.
func webSocketKind(w *config.WebSocket) *auth.Kind {
	if !w.Enabled() {
		return nil
	}
	a := &w.Authorization
	return &auth.Kind{User: a.User, Password: a.Password, Token: a.Token, NoAuthUser: w.NoAuthUser, CertificateMap: w.TLS.Map}
}

// webSocketTLS loads the certificates for WebSocket clients, whose session tickets the keys seal; nil without a tls block.
func webSocketTLS(o *config.Options, tickets *transport.TicketKeys) (*transport.TLS, error) {
	w := &o.WebSocket
	if !w.TLS.Defined || w.Port == 0 {
		return nil, nil
	}
	opts := tlsOptions(&w.TLS)
	opts.First, opts.FirstFallback, opts.Carry = false, 0, o.Process.TLSHandover
	opts.Tickets = tickets
	opts.Timeout = orElse(w.HandshakeTimeout, webdoor.DefaultTimeout)
	t, err := transport.LoadTLS(opts)
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	return t, nil
}

// webSocketDoor is how WebSocket clients come in, with TLS or without.
func webSocketDoor(o *config.Options, t *transport.TLS, port func() int, b *broker.Broker, log *logging.Logger) (*broker.Door, error) {
	w := &o.WebSocket
	opts := webdoor.Options{
		Secure: t != nil, Timeout: w.HandshakeTimeout, SameOrigin: w.SameOrigin, Deflate: w.Compression, Headers: w.Headers,
		Cookies:    webdoor.CookieNames{JWT: w.JWTCookie, User: w.UserCookie, Password: w.PassCookie, Token: w.TokenCookie},
		MaxPayload: func() int { return b.Options().MaxPayload },
	}
	for _, text := range w.Origins {
		from, err := webdoor.ParseOrigin(text)
		if err != nil {
			return nil, fmt.Errorf("unable to parse allowed origin: %w", err)
		}
		opts.Origins = append(opts.Origins, from)
	}
	for _, text := range w.TrustedProxies {
		if text == "unix" {
			opts.Trusted.Unix = true
			continue
		}
		n, err := trustedNetwork(text)
		if err != nil {
			return nil, err
		}
		opts.Trusted.Networks = append(opts.Trusted.Networks, n)
	}
	proxy, err := proxyOptions(o, w.ProxyProtocol)
	if err != nil {
		return nil, err
	}
	host := w.Host
	return &broker.Door{
		Connection: auth.TypeWebsocket, Type: webSocketType, Prefix: "wid", TLS: t, Proxy: proxy, Web: true,
		PingInterval: w.PingInterval, AuthTimeout: w.Authorization.Timeout,
		Steps: []broker.Step{webdoor.New(opts, log).Step}, Complete: webdoor.Complete, Full: []byte(webSocketFull),
		Info: func(i *broker.Info) {
			i.Host, i.Port, i.TLSAvailable = host, port(), i.TLSRequired
		},
	}, nil
}

// webSocketURLs are where WebSocket clients find this server, as those of the cluster are told.
func webSocketURLs(w *config.WebSocket, listeners []listening) []string {
	var list []string
	for _, l := range listeners {
		tcp, ok := l.listener.Addr().(*net.TCPAddr)
		switch {
		case !ok:
		case w.Advertise != "":
			host, port, err := net.SplitHostPort(w.Advertise)
			if n, bad := strconv.Atoi(port); err != nil || bad != nil || n <= 0 {
				if err != nil {
					host = w.Advertise
				}
				port = strconv.Itoa(tcp.Port)
			}
			return []string{net.JoinHostPort(host, port)}
		default:
			list = append(list, told(w.Host, tcp)...)
		}
	}
	return list
}

// webSocketVarz is what /varz shows of the block.
func webSocketVarz(w *config.WebSocket, t *transport.TLS, port int) monitor.WebSocketVarz {
	if !w.Enabled() {
		return monitor.WebSocketVarz{}
	}
	v := monitor.WebSocketVarz{
		Host: w.Host, Port: port, Advertise: w.Advertise, NoAuthUser: w.NoAuthUser, JWTCookie: w.JWTCookie,
		HandshakeTimeout: w.HandshakeTimeout, AuthTimeout: w.Authorization.Timeout.Seconds(), NoTLS: w.NoTLS,
		TLSMap: w.TLS.Map, TLSPinnedCerts: w.TLS.Pinned, SameOrigin: w.SameOrigin, AllowedOrigins: w.Origins, Compression: w.Compression,
	}
	if t != nil && len(t.Presented()) > 0 {
		v.TLSCertNotAfter = t.Presented()[0].NotAfter.UTC()
	}
	return v
}
