package transport

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/nats-broker/nats-broker/daemon/batch"
	"github.com/nats-broker/nats-broker/daemon/record"
)

// ErrHandshakeRate refuses a handshake because too many began in this second.
var ErrHandshakeRate = errors.New("TLS handshake rate limit exceeded")

// ErrPin refuses a peer whose certificate is none of the pinned ones.
var ErrPin = errors.New("certificate not pinned")

// SecureServer does the accepting side's handshake on a connection that is not
// served yet; what is sent afterwards is encrypted, what arrives decrypted. Bytes
// in first have been read from the connection already. It blocks until the
// handshake is done, at most for its timeout, and sends what Out was given before.
//
// The state of the connection is returned also where the certificate is not one
// of the pinned ones, with ErrPin.
func (c *Conn) SecureServer(t *TLS, first []byte) (*tls.ConnectionState, error) {
	if !t.limit.allow(time.Now()) {
		return nil, ErrHandshakeRate
	}
	config := t.Server()
	keys := t.carries(config, t.tickets(config))
	return c.secure(t, first, keys, func(nc net.Conn) *tls.Conn { return tls.Server(nc, config) })
}

// SecureClient is SecureServer for the side that dialled host.
func (c *Conn) SecureClient(t *TLS, host string, first []byte) (*tls.ConnectionState, error) {
	config := t.Client(host)
	return c.secure(t, first, nil, func(nc net.Conn) *tls.Conn { return tls.Client(nc, config) })
}

// secure does a handshake. With keys, another process can go on with the connection if
// it becomes TLS 1.3.
func (c *Conn) secure(t *TLS, first []byte, keys *keyLog, wrap func(net.Conn) *tls.Conn) (*tls.ConnectionState, error) {
	if err := c.awaitSent(t.opts.Timeout); err != nil {
		return nil, err
	}
	w := &cipherWire{Conn: c.nc, fd: c.fd, first: slices.Clip(first), blocking: true}
	tc := wrap(w)
	_ = c.nc.SetDeadline(time.Now().Add(t.opts.Timeout))
	c.stayAborted()
	err := tc.Handshake()
	_ = c.nc.SetDeadline(time.Time{})
	if err != nil {
		return nil, &HandshakeError{err}
	}
	w.blocking, w.room = false, nil
	if cause := c.Aborted(); cause != nil {
		return nil, cause
	}
	state := tc.ConnectionState()
	var f filter = &cipher{tls: tc, wire: w}
	c.src = tc
	if s := keys.session(c.fd, &state); s != nil {
		s.feed(w.first)
		c.src, f = s, s
	}
	c.Out.mu.Lock()
	c.Out.sink = &filterSink{filter: f}
	c.Out.mu.Unlock()
	if !t.PinAccepts(state) {
		return &state, ErrPin
	}
	return &state, nil
}

// awaitSent waits until what was queued before the handshake is written, since
// from then on everything is encrypted.
func (c *Conn) awaitSent(limit time.Duration) error {
	end := time.Now().Add(limit)
	for pause := time.Millisecond; c.Out.Stats().Pending > 0; pause = min(2*pause, 50*time.Millisecond) {
		if time.Now().After(end) {
			return &HandshakeError{os.ErrDeadlineExceeded}
		}
		time.Sleep(pause)
	}
	return nil
}

// Await waits for the first bytes of a connection that is not served yet, at most
// for the given time (0: for ever), and returns those that are there. They are to
// be given to SecureServer or Serve. It fails with os.ErrDeadlineExceeded when
// nothing came in time.
func (c *Conn) Await(limit time.Duration) ([]byte, error) {
	if limit > 0 {
		_ = c.nc.SetReadDeadline(time.Now().Add(limit))
		c.stayAborted()
		defer func() { _ = c.nc.SetReadDeadline(time.Time{}) }()
	}
	b := make([]byte, batch.Small)
	if c.src != nil {
		return c.awaitPlain(b)
	}
	n, err := c.nc.Read(b)
	if n > 0 {
		return b[:n], nil
	}
	return nil, err
}

// awaitPlain is Await on an encrypted connection.
func (c *Conn) awaitPlain(b []byte) ([]byte, error) {
	var n int
	var errno syscall.Errno
	err := c.raw.Read(func(uintptr) bool {
		n, errno = c.readFrom(b)
		return errno != syscall.EAGAIN
	})
	switch {
	case err != nil:
		return nil, err
	case errno != 0:
		return nil, c.fail
	case n == 0:
		return nil, io.EOF
	}
	return b[:n], nil
}

// AwaitProxyHeader reads the header that a load balancer sends before its
// client's first bytes, and returns what came behind it. Bytes in got were read
// before. With ErrProxyUnrecognized there is no header, and all that was read is
// returned.
func (c *Conn) AwaitProxyHeader(got []byte) (ProxyHeader, []byte, error) {
	_ = c.nc.SetReadDeadline(time.Now().Add(ProxyTimeout))
	c.stayAborted()
	defer func() { _ = c.nc.SetReadDeadline(time.Time{}) }()
	part := make([]byte, batch.Small)
	for {
		h, size, err := ParseProxyHeader(got)
		if err != nil {
			return ProxyHeader{}, got, err
		}
		if size > 0 {
			return h, got[size:], nil
		}
		n, err := c.nc.Read(part)
		if err != nil {
			return ProxyHeader{}, nil, fmt.Errorf("reading PROXY protocol header: %w", err)
		}
		got = append(got, part[:n]...)
	}
}

// IsTLS reports whether a stream that begins with b is TLS: a handshake record.
func IsTLS(b []byte) bool { return len(b) > 0 && b[0] == 0x16 }

// cipherWire is what crypto/tls reads records from and writes records to. During
// the handshake it blocks, and gives one record at a time, so that what follows the
// handshake stays in first, for whoever goes on. Afterwards it never blocks: a read
// without data fails with os.ErrDeadlineExceeded, which crypto/tls takes for a passing
// failure, and a write keeps what the descriptor does not take.
type cipherWire struct {
	net.Conn
	fd       int
	first    []byte // read and not given to crypto/tls
	part     int    // of first: up to the end of the record under way
	room     []byte // to read into; nil once the handshake is done
	blocking bool   // changes once, before the connection is served

	mu   sync.Mutex // a reader may have an alert or a key update to write
	left []byte     // not written yet
	fail syscall.Errno
}

func (w *cipherWire) Read(p []byte) (int, error) {
	if w.blocking {
		return w.readRecord(p)
	}
	if len(w.first) > 0 {
		n := copy(p, w.first)
		w.first = w.first[n:]
		return n, nil
	}
	return readWire(w.fd, p)
}

// readRecord reads up to the end of a record, and waits for it.
func (w *cipherWire) readRecord(p []byte) (int, error) {
	for len(w.first) == 0 || w.part == 0 && len(w.first) < record.HeaderLen {
		if w.room == nil {
			w.room = make([]byte, batch.Small)
		}
		n, err := w.Conn.Read(w.room)
		w.first = append(w.first, w.room[:n]...)
		if n == 0 && err != nil && len(w.first) == 0 {
			return 0, err
		}
		if n == 0 && err != nil {
			break
		}
	}
	if w.part == 0 {
		w.part = len(w.first)
		if w.part >= record.HeaderLen {
			w.part = record.HeaderLen + int(w.first[3])<<8 + int(w.first[4])
		}
	}
	n := copy(p, w.first[:min(len(w.first), w.part)])
	w.first, w.part = w.first[n:], w.part-n
	return n, nil
}

// Write takes all of p, whatever the descriptor takes of it now.
func (w *cipherWire) Write(p []byte) (int, error) {
	if w.blocking {
		return w.Conn.Write(p)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.left = append(w.left, p...)
	if errno := w.push(); errno != 0 && errno != syscall.EAGAIN {
		return 0, os.NewSyscallError("write", errno)
	}
	return len(p), nil
}

// push writes what is left as far as the descriptor takes it. The lock is held.
func (w *cipherWire) push() syscall.Errno {
	for len(w.left) > 0 && w.fail == 0 {
		n, errno := writeNow(w.fd, w.left)
		if errno == syscall.EAGAIN {
			return errno
		}
		if errno != 0 {
			w.fail = errno
			break
		}
		w.left = w.left[:copy(w.left, w.left[n:])]
	}
	if len(w.left) == 0 && cap(w.left) > batch.Burst {
		w.left = nil
	}
	return w.fail
}

func (w *cipherWire) flush() syscall.Errno {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.push()
}

// cipher is the filter that encrypts.
type cipher struct {
	tls  *tls.Conn
	wire *cipherWire
}

// sealChunk is how much is encrypted before the wire is asked how much it takes,
// so that a slow peer binds no more than this in records. It is one full record.
const sealChunk = 16 << 10

func (c *cipher) piece() int { return sealChunk }

func (c *cipher) take(p []byte) error {
	_, err := c.tls.Write(p)
	return err
}

func (c *cipher) flush() syscall.Errno { return c.wire.flush() }

func (c *cipher) slow(int64) bool { return false }
