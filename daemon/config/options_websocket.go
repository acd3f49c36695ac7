package config

import "time"

// WebSocket is the websocket block: clients that come by HTTP. They are served when Enabled.
type WebSocket struct {
	Defined bool
	Host    string
	Port    int // 0: no listener, -1: free port
	// Socket is the path of a unix socket to serve on as well; empty: none.
	Socket    string
	Advertise string // host:port told to clients of the cluster; empty: the listen address
	TLS       TLS
	NoTLS     bool // serve without TLS if there is no tls block

	SameOrigin       bool
	Origins          []string      // empty: any
	HandshakeTimeout time.Duration // of the HTTP request; 0: none is configured
	Compression      bool
	Headers          map[string]string // of the answer
	// ProxyProtocol expects a PROXY header; TrustedProxies are believed in X-Forwarded-For: networks, or "unix".
	ProxyProtocol  bool
	TrustedProxies []string

	Authorization WebSocketAuthorization
	NoAuthUser    string
	// The cookies that have what CONNECT lacks; empty: none.
	JWTCookie, UserCookie, PassCookie, TokenCookie string
	PingInterval                                   time.Duration // 0: as for other clients
}

// WebSocketAuthorization is who may connect by WebSocket, in place of who else may.
type WebSocketAuthorization struct {
	User, Password, Token string
	Timeout               time.Duration // to authenticate; 0: derived as for clients
}

// Enabled reports whether clients are to be served.
func (w *WebSocket) Enabled() bool { return w.Port != 0 || w.Socket != "" }

func (w *WebSocket) define() { w.Defined = true }
