package broker

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"time"

	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

// ProxyOptions say whether a load balancer in front tells, by the PROXY protocol,
// who the client is.
type ProxyOptions struct {
	Enabled bool
	// Trusted are the networks a header is believed from; empty: all. A connection
	// from elsewhere is taken for a client's own.
	Trusted []netip.Prefix
}

func (p *ProxyOptions) trusts(a net.Addr) bool {
	if !p.Enabled || len(p.Trusted) == 0 {
		return p.Enabled
	}
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return false
	}
	for _, n := range p.Trusted {
		if n.Contains(tcp.AddrPort().Addr().Unmap()) {
			return true
		}
	}
	return false
}

// opening is what happens on a connection before the first frame: INFO, a PROXY
// header, a TLS handshake, in the order in which the options and the peer want
// them. It lives on a goroutine of its own, so that the reader's stack stays small.
type opening struct {
	c     *Client
	opts  *Options
	proxy bool // a PROXY header may come
	hello []byte
	first []byte // read and not used
}

// run is the part behind INFO, or in front of it if it waits for the handshake.
func (o *opening) run() (first []byte, err error) {
	t := o.opts.TLS
	late := t != nil && t.Options().First // INFO waits for the handshake
	if late && t.Options().FirstFallback > 0 {
		if late, err = o.tlsComesFirst(t.Options().FirstFallback); err != nil {
			return nil, err
		}
	}
	if o.proxy {
		if err := o.proxyHeader(); err != nil {
			return nil, err
		}
	}
	if t == nil {
		return o.first, nil
	}
	if !late && t.Options().AllowPlain {
		if len(o.first) == 0 {
			if o.first, err = o.c.Await(t.Options().Timeout); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
				return nil, err
			}
		}
		if !transport.IsTLS(o.first) {
			return o.first, nil
		}
	}
	if err := o.handshake(t, late); err != nil {
		return nil, err
	}
	if late {
		o.c.Out.Send(o.hello)
	}
	return nil, nil
}

// tlsComesFirst waits for a peer that begins with the handshake; one that waits
// for INFO gets it.
func (o *opening) tlsComesFirst(delay time.Duration) (bool, error) {
	var err error
	if o.first, err = o.c.Await(delay); len(o.first) > 0 {
		return true, nil
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) || o.c.Aborted() != nil {
		return false, err
	}
	o.c.Out.Send(o.hello)
	return false, nil
}

// proxyHeader reads the header, if there is one, and takes the connection for the
// client's that it names.
func (o *opening) proxyHeader() error {
	c := o.c
	h, rest, err := c.AwaitProxyHeader(o.first)
	o.first = rest
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
		c.mu.Lock()
		c.setRemote(net.TCPAddrFromAddrPort(h.Source))
		c.mu.Unlock()
	}
	return nil
}

func (o *opening) handshake(t *transport.TLS, first bool) error {
	c := o.c
	c.debug("Starting TLS client connection handshake")
	state, err := c.SecureServer(t, o.first)
	o.first = nil
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
	c.debug("TLS version %s, cipher suite %s", c.tlsInfo.Version, c.tlsInfo.Cipher)
	return nil
}

// reportHandshake logs a failed handshake: as an error, unless the peer spoke no
// TLS at all, as probes do.
func (c *Client) reportHandshake(err error) {
	var notTLS tls.RecordHeaderError
	if errors.As(err, &notTLS) && notTLS.Conn != nil {
		c.debug("%v", err)
		return
	}
	c.errorLine(err.Error())
}

// open brings the connection to where frames are exchanged, and returns what was
// read of them already.
func (c *Client) open() ([]byte, error) {
	o := c.opening
	if o == nil {
		return nil, nil
	}
	c.opening = nil
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

// panicked logs a panic with its stack, and makes it the end of this connection.
func (c *Client) panicked(p any) error {
	c.broker.log.Event(logging.Error, logging.ConnectionPanic,
		fmt.Sprintf("%s - cid:%d - panic: %v\n%s", c.remote, c.cid, p, debug.Stack()),
		append(c.whose(), logging.Err(fmt.Errorf("panic: %v", p)))...)
	return &closeError{InternalClient, fmt.Errorf("panic: %v", p)}
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
