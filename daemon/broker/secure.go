package broker

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime/debug"
	"time"

	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

// Opening is what happens on a connection before the first frame, step by step: INFO, a
// PROXY header, a TLS handshake, and what its door has, in the order in which the options
// and the peer want them. It does not run on the reader, so that the reader's stack stays
// small, and it may block: a connection that is closed meanwhile wakes it.
type Opening struct {
	// First is what was read and not used. A step takes from it what it uses.
	First []byte

	c       *Client
	door    *Door
	proxy   bool // a PROXY header may come
	hello   []byte
	greeted bool
}

// Step is one step. An error ends the connection: see [Refuse].
type Step func(*Opening) error

// Refuse is the error of a step that does not let a connection in. The log tells of err,
// if there is one.
func Refuse(why Reason, err error) error { return &closeError{why, err} }

// Conn returns the connection.
func (o *Opening) Conn() *transport.Conn { return &o.c.Conn }

// Read waits for more input and appends it to First. It gives up after limit, if that is
// positive, with os.ErrDeadlineExceeded.
func (o *Opening) Read(limit time.Duration) error {
	more, err := o.c.Await(limit)
	o.First = append(o.First, more...)
	return err
}

// SetRemote takes the connection for one of another peer, that somebody in between names.
func (o *Opening) SetRemote(a net.Addr) {
	o.c.mu.Lock()
	o.c.setRemote(a)
	o.c.mu.Unlock()
}

// Remote is where the connection is from.
func (o *Opening) Remote() net.Addr {
	o.c.mu.Lock()
	defer o.c.mu.Unlock()
	return o.c.remote
}

// SetForwarded is SetRemote for a peer that a proxy names which goes on being the one we talk to: lines of the log show
// both.
func (o *Opening) SetForwarded(a net.Addr) {
	o.c.mu.Lock()
	o.c.by = &passage{door: o.door, note: o.c.by.note, via: o.c.remote.String()}
	o.c.setRemote(a)
	o.c.mu.Unlock()
}

// Note keeps something for the authenticator: see [AuthRequest].
func (o *Opening) Note(v any) {
	o.c.mu.Lock()
	o.c.by = &passage{door: o.door, note: v, via: o.c.by.via}
	o.c.mu.Unlock()
}

// steps lists what is to be done.
func (o *Opening) steps() (list []Step) {
	if t := o.door.TLS; t != nil && !o.greeted && len(o.door.Steps) == 0 && t.Options().FirstFallback > 0 {
		list = append(list, (*Opening).whoBegins)
	}
	if o.proxy {
		list = append(list, (*Opening).proxyHeader)
	}
	if o.door.TLS != nil {
		list = append(list, (*Opening).secure)
	}
	list = append(list, o.door.Steps...)
	return append(list, (*Opening).greet)
}

// run does the steps, and returns what was read of the frames already.
func (o *Opening) run() (first []byte, err error) {
	for _, step := range o.steps() {
		if err := step(o); err != nil {
			return nil, err
		}
	}
	return o.First, nil
}

// greet sends INFO, unless that was sent before.
func (o *Opening) greet() error {
	if !o.greeted {
		o.greeted = true
		if len(o.door.Steps) > 0 { // which may know better where the connection is from
			c := o.c
			o.hello = c.broker.helloOf(o.door).line(c.cid, c.ip, c.nonce)
		}
		o.c.Out.Send(o.hello)
	}
	return nil
}

// whoBegins waits for a peer that begins with the handshake; one that waits for INFO gets
// it.
func (o *Opening) whoBegins() error {
	err := o.Read(o.door.TLS.Options().FirstFallback)
	if len(o.First) > 0 {
		return nil
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) || o.c.Aborted() != nil {
		return err
	}
	return o.greet()
}

// proxyHeader reads the header, if there is one, and takes the connection for the
// client's that it names.
func (o *Opening) proxyHeader() error {
	c := o.c
	h, rest, err := c.AwaitProxyHeader(o.First)
	o.First = rest
	if errors.Is(err, transport.ErrProxyUnrecognized) {
		return nil
	}
	if err != nil && c.Aborted() != nil {
		return err
	}
	if err != nil {
		c.broker.log.Warn(fmt.Sprintf("Error reading PROXY protocol header from %s: %v", c.remote, err), c.fields()...)
		return &closeError{ProtocolViolation, nil}
	}
	if h.Source.IsValid() {
		o.SetRemote(net.TCPAddrFromAddrPort(h.Source))
	}
	return nil
}

// secure makes the TLS handshake, unless the peer may go without and does.
func (o *Opening) secure() error {
	t := o.door.TLS
	if o.greeted && t.Options().AllowPlain {
		if len(o.First) == 0 {
			if err := o.Read(t.Options().Timeout); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
				return err
			}
		}
		if !transport.IsTLS(o.First) {
			return nil
		}
	}
	return o.handshake(t, !o.greeted && t.Options().First)
}

func (o *Opening) handshake(t *transport.TLS, first bool) error {
	c := o.c
	c.debug("Starting TLS client connection handshake")
	state, err := c.SecureServer(t, o.First)
	o.First = nil
	switch {
	case err != nil && c.Aborted() != nil:
		return err // nothing is wrong with the handshake: it is we who do not go on
	case errors.Is(err, transport.ErrHandshakeRate):
		c.broker.throttle()
		c.tellErr("Connection throttling is active. Please try again later.")
		return &closeError{MaxConnectionsExceeded, nil}
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.tellErr("Secure Connection - TLS Required")
		c.debug("TLS handshake timeout")
		return &closeError{TLSHandshakeError, nil}
	case err != nil:
		c.reportHandshake(err)
		return &closeError{TLSHandshakeError, nil}
	}
	c.mu.Lock()
	c.tls, c.tlsInfo = state, newTLSInfo(state, first)
	c.mu.Unlock()
	c.debug("TLS handshake complete")
	c.debug("%s", transport.SecuredText(state))
	return nil
}

// reportHandshake logs a failed handshake: as an error, unless the peer spoke no
// TLS at all, as probes do.
func (c *Client) reportHandshake(err error) {
	if transport.IsProbe(err) {
		c.debug("%s", transport.HandshakeText("", err))
		return
	}
	c.errorLine(transport.HandshakeText("", err))
}

// open brings the connection to where frames are exchanged, and returns what was
// read of them already.
func (c *Client) open(o *Opening) ([]byte, error) {
	if o == nil {
		return nil, nil
	}
	var first []byte
	err := c.aside(func() (err error) { // Abort wakes it from a read
		first, err = o.run()
		return err
	})
	if cause := c.Aborted(); cause != nil {
		return nil, cause
	}
	return first, err
}

// aside runs f where stack does not matter: here, while the connection arrives, and then on a goroutine of its own, so
// that the reader's stack stays small. A panic in f is an error of this connection.
func (c *Client) aside(f func() error) error {
	if c.arriving > 0 {
		return c.guarded(f)
	}
	done := make(chan error, 1)
	go func() { // ends with f
		err := errors.New("no answer")
		defer func() { done <- err }()
		err = c.guarded(f)
	}()
	return <-done
}

// guarded runs f; a panic in it is an error of this connection.
func (c *Client) guarded(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = c.panicked(p)
		}
	}()
	return f()
}

// panicked logs a panic with its stack, and makes it the end of this connection, of which nothing more is to be said.
func (c *Client) panicked(p any) error {
	c.broker.log.Event(logging.Error, logging.ConnectionPanic,
		fmt.Sprintf("%s - %s:%d - panic: %v\n%s", c.remote, c.by.door.Prefix, c.cid, p, debug.Stack()),
		append(c.whose(), logging.Err(fmt.Errorf("panic: %v", p)))...)
	return &closeError{reason: InternalClient}
}

// setRemote notes whose connection it is.
func (c *Client) setRemote(a net.Addr) {
	c.remote = a
	c.ip, c.port = "", 0
	if tcp, ok := a.(*net.TCPAddr); ok {
		c.ip, c.port = tcp.IP.String(), uint16(tcp.Port)
	}
}

// TLS returns the state of an encrypted connection, nil for a plain one.
func (c *Client) TLS() *tls.ConnectionState {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tls
}
