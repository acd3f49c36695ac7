package logging

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"syscall"
	"time"
)

// dialTimeout bounds one attempt to reach a receiver, TLS included.
const dialTimeout = 5 * time.Second

// framing puts a rendered message on the connection.
type framing uint8

const (
	frameDatagram framing = iota // one message, one datagram
	frameCounted                 // RFC 6587, section 3.4.1: "LENGTH message"
	frameLine                    // RFC 6587, section 3.4.2: message and newline
)

// target is where a syslog sink sends to, and how.
type target struct {
	url     string // as configured: its name in messages
	network string // "udp", "tcp", "unix"
	address string
	tls     *tls.Config // nil: plain
	stream  framing     // framing on a stream; datagrams have none
}

// parseTarget understands the URL of remote_syslog.
func parseTarget(raw string, old bool, files RemoteTLS) (target, error) {
	fail := func(format string, a ...any) (target, error) {
		return target{}, fmt.Errorf("remote syslog %q: %w", raw, fmt.Errorf(format, a...))
	}
	u, err := url.Parse(raw)
	if err != nil {
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err
		}
		return fail("%w", err)
	}
	t := target{url: raw, network: u.Scheme, stream: frameCounted}
	if old {
		t.stream = frameLine
	}
	port := "514"
	switch u.Scheme {
	case "unix":
		if u.Path == "" {
			return fail("the path of the socket is missing")
		}
		t.address = u.Path
		return t, nil
	case "udp", "tcp":
	case "tls":
		t.network, port = "tcp", "6514" // RFC 5425
		if t.tls, err = files.load(u.Hostname()); err != nil {
			return fail("%w", err)
		}
	default:
		return fail("invalid network type: %q (expected udp, tcp, tls or unix)", u.Scheme)
	}
	if u.Hostname() == "" {
		return fail("the host is missing")
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.ParseUint(p, 10, 16); err != nil || n == 0 {
			return fail("invalid port %q", p)
		}
		port = p
	}
	t.address = net.JoinHostPort(u.Hostname(), port)
	return t, nil
}

// load reads the files that tls:// needs.
func (f RemoteTLS) load(host string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	if f.ServerName != "" {
		c.ServerName = f.ServerName
	}
	if f.CAFile != "" {
		pem, err := os.ReadFile(f.CAFile)
		if err != nil {
			return nil, err
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", f.CAFile)
		}
	}
	if (f.CertFile == "") != (f.KeyFile == "") {
		return nil, errors.New("a client certificate needs both its certificate file and its key file")
	}
	if f.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(f.CertFile, f.KeyFile)
		if err != nil {
			return nil, err
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// dial reaches the receiver and says how messages are framed to it.
func (t target) dial(ctx context.Context) (net.Conn, framing, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	d := &net.Dialer{KeepAlive: 30 * time.Second}
	switch {
	case t.network == "unix":
		conn, err := d.DialContext(ctx, "unixgram", t.address)
		if errors.Is(err, syscall.EPROTOTYPE) {
			conn, err = d.DialContext(ctx, "unix", t.address)
			return conn, t.stream, err
		}
		return conn, frameDatagram, err
	case t.network == "udp":
		conn, err := d.DialContext(ctx, "udp", t.address)
		return conn, frameDatagram, err
	case t.tls != nil:
		conn, err := (&tls.Dialer{NetDialer: d, Config: t.tls}).DialContext(ctx, "tcp", t.address)
		return conn, t.stream, err
	default:
		conn, err := d.DialContext(ctx, "tcp", t.address)
		return conn, t.stream, err
	}
}

// appendFrame wraps one message for the connection.
func (f framing) appendFrame(b, msg []byte) []byte {
	switch f {
	case frameCounted:
		b = strconv.AppendInt(b, int64(len(msg)), 10)
		b = append(b, ' ')
		return append(b, msg...)
	case frameLine:
		for _, c := range msg {
			if c == '\n' {
				c = ' '
			}
			b = append(b, c)
		}
		return append(b, '\n')
	default:
		return append(b, msg...)
	}
}
