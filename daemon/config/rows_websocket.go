package config

import "time"

// webSocketRow is the websocket block.
func webSocketRow() *Option {
	text := func(name, doc string, at func(*WebSocket) *string) *Option {
		return &Option{Name: name, Kind: String, Class: NewConnections, Doc: doc, bind: field(at)}
	}
	return &Option{Name: "websocket", Aliases: []string{"ws"}, Kind: Block, Feature: WebSockets,
		Doc:  "Clients that connect by WebSocket, such as browsers. Without a port or a socket the block means nothing. Leaf nodes do not come by it.",
		bind: field(func(o *Options) *WebSocket { return &o.WebSocket }),
		fields: func() []*Option {
			return []*Option{
				{Name: "listen", Kind: Address, Doc: "Address of the WebSocket listener, port or host:port; sets host and port.",
					bind: func(b any) any { w := b.(*WebSocket); return address{&w.Host, &w.Port} }},
				{Name: "host", Aliases: []string{"net"}, Kind: String, Doc: "Host or address the listener binds to; by default all addresses.",
					bind: field(func(w *WebSocket) *string { return &w.Host })},
				{Name: "port", Kind: Port, Doc: "Port of the listener; -1 takes a free one.",
					listener: listensOn("the WebSocket port", "listen", func(w *WebSocket) string { return w.Host }),
					bind:     field(func(w *WebSocket) *int { return &w.Port })},
				{Name: "socket", Kind: Path, Since: sinceOurs, Doc: "Unix socket to serve WebSocket clients on as well, without TLS: for a proxy on the same host.",
					bind: field(func(w *WebSocket) *string { return &w.Socket })},
				{Name: "advertise", Kind: String, Doc: "Host:port that servers of the cluster give to WebSocket clients instead of the listen address.",
					bind: field(func(w *WebSocket) *string { return &w.Advertise })},
				{Name: "no_tls", Kind: Boolean, Default: "false", Doc: "Serve without TLS, if there is no tls block: for a proxy in front that ends TLS.",
					bind: field(func(w *WebSocket) *bool { return &w.NoTLS })},
				tlsRow(Core, "TLS of WebSocket clients. It comes first; timeout and handshake_first do not count.", func(w *WebSocket) *TLS { return &w.TLS }),
				{Name: "same_origin", Kind: Boolean, Default: "false", Class: NewConnections,
					Doc:  "The Origin of a request, which browsers send, must be the host and port that it is sent to.",
					bind: field(func(w *WebSocket) *bool { return &w.SameOrigin })},
				{Name: "allowed_origins", Aliases: []string{"allowed_origin", "allow_origins", "allow_origin", "origins", "origin"}, Kind: Strings, Class: NewConnections,
					Doc:  "Origins that are accepted, as URLs of scheme and host; by default all. Requests without one are accepted.",
					bind: field(func(w *WebSocket) *[]string { return &w.Origins })},
				{Name: "handshake_timeout", Kind: Duration, Class: NewConnections, Doc: "Time for a connection to send its request; a minute if not set.",
					bind: field(func(w *WebSocket) *time.Duration { return &w.HandshakeTimeout })},
				{Name: "compression", Aliases: []string{"compress"}, Kind: Boolean, Default: "false", Class: NewConnections,
					Doc:  "Compress messages for clients that offer permessage-deflate, and take compressed ones.",
					bind: field(func(w *WebSocket) *bool { return &w.Compression })},
				{Name: "authorization", Aliases: []string{"authentication"}, Kind: Block,
					Doc:    "One user or token for WebSocket clients, in place of that for others. Not where there are users.",
					fields: webSocketLogin, bind: field(func(w *WebSocket) *WebSocketAuthorization { return &w.Authorization })},
				text("jwt_cookie", "Cookie that holds the user JWT of a client whose CONNECT has none; in operator mode.", func(w *WebSocket) *string { return &w.JWTCookie }),
				text("user_cookie", "Cookie that holds the user, likewise.", func(w *WebSocket) *string { return &w.UserCookie }),
				text("pass_cookie", "Cookie that holds the password, likewise.", func(w *WebSocket) *string { return &w.PassCookie }),
				text("token_cookie", "Cookie that holds the token, likewise.", func(w *WebSocket) *string { return &w.TokenCookie }),
				{Name: "no_auth_user", Kind: String, Doc: "User that WebSocket clients without credentials become, in place of the one for others.",
					bind: field(func(w *WebSocket) *string { return &w.NoAuthUser })},
				{Name: "headers", Kind: StringMap, Class: NewConnections, Doc: "Headers of the answer to a request.",
					bind: field(func(w *WebSocket) *map[string]string { return &w.Headers })},
				{Name: "ping_interval", Kind: Duration, Class: NewConnections, Doc: "Silence after which a WebSocket client is pinged; by default as for others.",
					bind: field(func(w *WebSocket) *time.Duration { return &w.PingInterval })},
				{Name: "proxy_protocol", Kind: Boolean, Default: "false", Class: NewConnections, Since: sinceOurs,
					Doc:  "Expect a PROXY protocol header in front of everything, from the networks of proxy_trusted.",
					bind: field(func(w *WebSocket) *bool { return &w.ProxyProtocol })},
				{Name: "trusted_proxies", Kind: Strings, Class: NewConnections, Since: sinceOurs,
					Doc: "Proxies that are believed in X-Forwarded-For, as networks or addresses; unix is whoever comes by the unix socket. " +
						"The connection counts as one from the last address that is not a trusted proxy's. By default nobody is believed.",
					bind: field(func(w *WebSocket) *[]string { return &w.TrustedProxies })},
			}
		}}
}

func webSocketLogin() []*Option {
	return []*Option{
		{Name: "user", Aliases: []string{"username"}, Kind: String, Doc: "The user that must be presented.",
			bind: field(func(a *WebSocketAuthorization) *string { return &a.User })},
		{Name: "password", Aliases: []string{"pass"}, Kind: String, Secret: true, SecretFile: "password_file", Doc: "Its password, plain or a bcrypt hash.",
			bind: field(func(a *WebSocketAuthorization) *string { return &a.Password })},
		{Name: "token", Kind: String, Secret: true, SecretFile: "token_file", Doc: "Token that must be presented, plain or a bcrypt hash.",
			bind: field(func(a *WebSocketAuthorization) *string { return &a.Token })},
		{Name: "timeout", Kind: Seconds, Class: NewConnections, check: highTimeout,
			Doc:  "Time to authenticate: seconds or a duration; by default as for other clients, with the tls block of this one.",
			bind: field(func(a *WebSocketAuthorization) *time.Duration { return &a.Timeout })},
	}
}
