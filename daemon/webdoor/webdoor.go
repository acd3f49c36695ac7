package webdoor

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/transport"
	"github.com/nats-broker/nats-broker/daemon/websocket"
)

// Options are what is asked of requests, and answered.
type Options struct {
	// Secure is set where the connections are encrypted.
	Secure bool
	// Timeout bounds the request and the answer; 0: DefaultTimeout.
	Timeout time.Duration
	// SameOrigin and Origins are checked if a request has an Origin; no Origins: any.
	SameOrigin bool
	Origins    []Origin
	// Deflate lets messages be compressed.
	Deflate bool
	// Headers are added to the answer.
	Headers map[string]string
	// Cookies that have what CONNECT may lack.
	Cookies CookieNames
	// Trusted are the proxies that are believed in X-Forwarded-For.
	Trusted Trusted
	// MaxPayload is the largest message, in bytes, at this time: a compressed message may have MaxPacked times as many.
	MaxPayload func() int
	// Leaf is what comes behind the upgrade of a leaf node; nil: there are none.
	Leaf broker.Step
}

// CookieNames are the names of cookies; empty: none.
type CookieNames struct{ JWT, User, Password, Token string }

// Trusted are proxies that say truly where a connection is from.
type Trusted struct {
	Networks []netip.Prefix
	Unix     bool // whoever comes by a unix socket
}

const (
	// DefaultTimeout is how long a connection may take to ask.
	DefaultTimeout = time.Minute

	// A compressed message has at most packedShare times max_payload bytes, and maxPacked (nats-server 2.15.3).
	packedShare = 8
	maxPacked   = 64 << 20

	// maxRequest is the most that a request may have: cookies can be long.
	maxRequest = 64 << 10
)

// Paths that end so are for others than clients.
const (
	leafPath = "/leafnode"
	mqttPath = "/mqtt"
)

// Upgrader is a step of a door. It is not changed once it is used.
type Upgrader struct {
	opts    Options
	headers string
	log     *logging.Logger
}

// New makes the step of the options.
func New(o Options, log *logging.Logger) *Upgrader {
	u := &Upgrader{opts: o, log: log}
	if u.opts.Timeout <= 0 {
		u.opts.Timeout = DefaultTimeout
	}
	u.headers = renderHeaders(o.Headers)
	return u
}

// Step implements [broker.Step].
func (u *Upgrader) Step(o *broker.Opening) error {
	r, err := u.read(o)
	if err != nil {
		return err
	}
	leaf := false
	path := r.URL.EscapedPath()
	switch {
	case strings.HasSuffix(path, mqttPath):
		return u.refuse(o, &refusal{http.StatusNotFound, "mqtt websocket endpoint not enabled"})
	case strings.HasSuffix(path, leafPath):
		leaf = true
	}
	if bad := u.check(r, o.Remote()); bad != nil {
		return u.refuse(o, bad)
	}
	if len(o.First) > 0 {
		return u.refuse(o, &refusal{http.StatusBadRequest, "client sent data before handshake is complete"})
	}
	f := transport.Framing{Unmasked: r.Header.Get(noMasking) == "true", MaxPacked: min(packedShare*u.opts.MaxPayload(), maxPacked)}
	agreed, extensions := websocket.Deflate{}, ""
	if u.opts.Deflate {
		if agreed, f.Deflate = websocket.ChooseDeflate(r.Header["Sec-Websocket-Extensions"]); f.Deflate {
			f.Context, extensions = agreed.Context, agreed.Answer()
		}
	}
	conn := o.Conn()
	conn.Out.Send(u.welcome(r, extensions, f.Unmasked))
	if leaf && u.opts.Leaf == nil {
		u.log.Mistake("Not configured to accept leaf node connections", remote(o)...)
		return broker.Refuse(broker.WrongPort, nil)
	}
	u.whence(o, r)
	if c := u.cookies(r); c != nil {
		o.Note(c)
	}
	if err := conn.Frame(f, u.opts.Timeout); err != nil {
		return broker.Refuse(broker.WriteFailed, nil)
	}
	if leaf {
		return u.opts.Leaf(o)
	}
	return nil
}

// noMasking is nats-server's own: the client asks for frames that are not masked, and that is answered.
const noMasking = "Nats-No-Masking"

// welcome is the answer that makes the connection one of WebSocket, with nats-server's headers in its order.
func (u *Upgrader) welcome(r *http.Request, extensions string, unmasked bool) []byte {
	b := make([]byte, 0, 512)
	b = append(b, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	b = append(b, websocket.AcceptKey(r.Header.Get("Sec-Websocket-Key"))...)
	b = append(b, "\r\n"...)
	if extensions != "" {
		b = append(b, "Sec-WebSocket-Extensions: "+extensions+"\r\n"...)
	}
	if unmasked {
		b = append(b, noMasking+": true\r\n"...)
	}
	b = append(b, u.headers...)
	return append(b, "\r\n"...)
}

// refusal is why a request is not met.
type refusal struct {
	status int
	reason string // for the log
}

// refuse answers that a request is not met, and ends the connection.
func (u *Upgrader) refuse(o *broker.Opening, why *refusal) error {
	text := http.StatusText(why.status)
	o.Conn().Out.Send(fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\n"+
		"Sec-Websocket-Version: 13\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s\n",
		why.status, text, len(text)+1, text))
	u.log.Mistake(fmt.Sprintf("%s - websocket handshake error: %s", o.Remote(), why.reason), remote(o)...)
	return broker.Refuse(broker.ProtocolViolation, nil)
}

func remote(o *broker.Opening) []logging.Field {
	return []logging.Field{logging.String(logging.FieldRemote, o.Remote().String())}
}
