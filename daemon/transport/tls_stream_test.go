package transport

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/internal/certtest"
)

// echoer sends back all it receives.
type echoer struct{ c *Conn }

func (e echoer) Receive(in *Input) (int, int, error) {
	l := in.Batch.Lane(&e.c.Out.Outlet)
	copy(l.Reserve(len(in.Data)), in.Data)
	return len(in.Data), 0, nil
}

// writePair makes a self-signed certificate for 127.0.0.1 and returns its files.
func writePair(t *testing.T, name string) KeyPair {
	t.Helper()
	p := certtest.SelfSigned(t, name)
	return KeyPair{CertFile: p.CertFile, KeyFile: p.KeyFile}
}

func loadTLS(t *testing.T, o TLSOptions) *TLS {
	t.Helper()
	m, err := LoadTLS(o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// serveSecure accepts one connection, does the handshake and echoes; what it ends
// with arrives on the channel.
func serveSecure(t *testing.T, m *TLS) (addr string, ended chan error) {
	t.Helper()
	return serveSecureBy(t, m, func(c *Conn) Handler { return echoer{c} })
}

// serveSecureBy is serveSecure with a handler of the caller's.
func serveSecureBy(t *testing.T, m *TLS, by func(*Conn) Handler) (addr string, ended chan error) {
	t.Helper()
	nl, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nl.Close() })
	ended = make(chan error, 1)
	go func() { // ends with its one connection
		nc, err := nl.Accept()
		if err != nil {
			ended <- err
			return
		}
		var c Conn
		if err := NewConn(&c, nc); err != nil {
			ended <- err
			return
		}
		c.Out.Limits(256<<20, 10*time.Second)
		first, err := c.Await(time.Second)
		if err == nil {
			_, err = c.SecureServer(m, first)
		}
		if err == nil {
			err = c.Serve(by(&c), nil)
		}
		c.Close(true)
		ended <- err
	}()
	return nl.Addr().String(), ended
}

// More than any buffer goes both ways at once, through a reader that pauses, and
// comes back byte for byte.
func TestSecureEcho(t *testing.T) {
	pair := writePair(t, "server")
	addr, ended := serveSecure(t, loadTLS(t, TLSOptions{Certificates: []KeyPair{pair}}))
	client, err := tls.Dial("tcp", addr, loadTLS(t, TLSOptions{CAFile: pair.CertFile}).Client("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	sent := make([]byte, 24<<20)
	_, _ = rand.Read(sent)
	go sendAll(t, client, sent) // ends when all is sent
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(client, got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, sent) {
		t.Fatal("the bytes that came back are not those sent")
	}
	_ = client.Close()
	if err := <-ended; !errors.Is(err, io.EOF) {
		t.Errorf("ended with %v", err)
	}
}

// A certificate is chosen by the name the peer asks for.
func TestSecureServerName(t *testing.T) {
	one, two := writePair(t, "one"), writePair(t, "two")
	addr, ended := serveSecure(t, loadTLS(t, TLSOptions{Certificates: []KeyPair{one, two}}))
	client, err := tls.Dial("tcp", addr, loadTLS(t, TLSOptions{CAFile: two.CertFile}).Client("two"))
	if err != nil {
		t.Fatal(err)
	}
	_ = client.Close()
	<-ended
}

func TestSecureRefuses(t *testing.T) {
	pair, other := writePair(t, "server"), writePair(t, "other")
	for _, c := range []struct {
		name   string
		server TLSOptions
		client TLSOptions
		want   string
	}{
		{"no client certificate", TLSOptions{Verify: true, CAFile: other.CertFile}, TLSOptions{}, "client didn't provide a certificate"},
		{"strange client certificate", TLSOptions{Verify: true, CAFile: other.CertFile}, TLSOptions{Certificates: []KeyPair{pair}}, "certificate"},
		{"not pinned", TLSOptions{Pinned: []string{strings.Repeat("0", 64)}}, TLSOptions{}, ErrPin.Error()},
		{"too old", TLSOptions{MinVersion: tls.VersionTLS13}, TLSOptions{CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}}, "version"},
	} {
		c.server.Certificates = []KeyPair{pair}
		c.client.CAFile = pair.CertFile
		addr, ended := serveSecure(t, loadTLS(t, c.server))
		config := loadTLS(t, c.client).Client("127.0.0.1")
		if c.name == "too old" {
			config.MaxVersion = tls.VersionTLS12
		}
		if client, err := tls.Dial("tcp", addr, config); err == nil {
			_, _ = client.Read(make([]byte, 1)) // TLS 1.3 learns of a refusal here
			_ = client.Close()
		}
		if err := <-ended; err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: ended with %v, want %q", c.name, err, c.want)
		}
	}
}

func TestSecurePinned(t *testing.T) {
	pair := writePair(t, "server")
	m := loadTLS(t, TLSOptions{Certificates: []KeyPair{pair}})
	pin := Fingerprint(m.certs[0].Leaf)
	pinned := loadTLS(t, TLSOptions{Certificates: []KeyPair{pair}, Verify: true, CAFile: pair.CertFile, Pinned: []string{pin}})
	state := tls.ConnectionState{PeerCertificates: []*x509.Certificate{m.certs[0].Leaf}}
	if !pinned.PinAccepts(state) {
		t.Error("the pinned certificate is not accepted")
	}
	if pinned.PinAccepts(tls.ConnectionState{}) {
		t.Error("no certificate is accepted where one is pinned")
	}
}

func TestLoadTLSErrors(t *testing.T) {
	pair, other := writePair(t, "a"), writePair(t, "b")
	for _, c := range []struct {
		o    TLSOptions
		want string
	}{
		{TLSOptions{Certificates: []KeyPair{{CertFile: pair.CertFile}}}, "missing 'key_file' in TLS configuration"},
		{TLSOptions{Certificates: []KeyPair{{KeyFile: pair.KeyFile}}}, "missing 'cert_file' in TLS configuration"},
		{TLSOptions{Certificates: []KeyPair{{pair.CertFile, other.KeyFile}}}, "error parsing X509 certificate/key pair"},
		{TLSOptions{CAFile: pair.KeyFile}, "failed to parse root ca certificate"},
		{TLSOptions{CAFile: "/nonexistent"}, "no such file"},
		{TLSOptions{MinVersion: tls.VersionTLS11}, "unsupported minimum TLS version: TLS 1.1"},
	} {
		if _, err := LoadTLS(c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

func TestHandshakeLimit(t *testing.T) {
	l := newHandshakeLimit(2)
	now := time.Unix(1000, 0)
	got := []bool{l.allow(now), l.allow(now), l.allow(now), l.allow(now.Add(time.Second))}
	if got[0] != true || got[1] != true || got[2] != false || got[3] != true || l.blocked() != 1 {
		t.Error(got, l.blocked())
	}
}

// sendAll writes p in pieces that do not fit records or blocks.
func sendAll(t *testing.T, to io.Writer, p []byte) {
	for len(p) > 0 {
		n := min(len(p), 70001)
		if _, err := to.Write(p[:n]); err != nil {
			t.Error(err)
			return
		}
		p = p[n:]
	}
}
