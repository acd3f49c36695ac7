package broker

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/certtest"
	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

// secured starts a broker with these TLS options and returns its address and the
// file of its certificate.
func secured(t testing.TB, o transport.TLSOptions, proxy ProxyOptions) (b *Broker, addr, ca string) {
	t.Helper()
	made := certtest.SelfSigned(t, "broker")
	pair := transport.KeyPair{CertFile: made.CertFile, KeyFile: made.KeyFile}
	o.Certificates, o.Carry = []transport.KeyPair{pair}, true
	m, err := transport.LoadTLS(o)
	if err != nil {
		t.Fatal(err)
	}
	b, err = New(Options{TLS: m, Proxy: proxy}, logging.Discard())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Stop)
	l, err := b.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return b, l.Addr().String(), pair.CertFile
}

// roundTrip sends a request through a connection and back.
func roundTrip(t *testing.T, nc *nats.Conn, size int) {
	t.Helper()
	if _, err := nc.Subscribe("echo", func(m *nats.Msg) { _ = m.Respond(m.Data) }); err != nil {
		t.Fatal(err)
	}
	m, err := nc.Request("echo", make([]byte, size), 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Data) != size {
		t.Fatalf("%d of %d bytes came back", len(m.Data), size)
	}
}

func TestTLSClient(t *testing.T) {
	for _, c := range []struct {
		name    string
		server  transport.TLSOptions
		options []nats.Option
	}{
		{"after INFO", transport.TLSOptions{}, nil},
		{"before INFO", transport.TLSOptions{First: true}, []nats.Option{nats.TLSHandshakeFirst()}},
		{"before INFO if the client begins", transport.TLSOptions{First: true, FirstFallback: 10 * time.Second}, []nats.Option{nats.TLSHandshakeFirst()}},
		{"after INFO if the client waits", transport.TLSOptions{First: true, FirstFallback: time.Millisecond}, nil},
		{"where plain is allowed", transport.TLSOptions{AllowPlain: true}, []nats.Option{nats.Secure()}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, addr, ca := secured(t, c.server, ProxyOptions{})
			nc, err := nats.Connect("nats://"+addr, append(c.options, nats.RootCAs(ca))...)
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			roundTrip(t, nc, 200<<10)
			cid, err := nc.GetClientID()
			if err != nil {
				t.Fatal(err)
			}
			b.mu.RLock()
			state := b.clients[cid].TLS()
			b.mu.RUnlock()
			if state == nil || !state.HandshakeComplete {
				t.Error("the connection is not known to be encrypted")
			}
		})
	}
}

func TestTLSAllowPlain(t *testing.T) {
	_, addr, _ := secured(t, transport.TLSOptions{AllowPlain: true}, ProxyOptions{})
	nc, err := nats.Connect("nats://" + addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	roundTrip(t, nc, 100)
}

// A client that speaks plainly where TLS is required is cut off, and others go on.
func TestTLSRequired(t *testing.T) {
	_, addr, ca := secured(t, transport.TLSOptions{}, ProxyOptions{})
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(nc)
	if line, err := r.ReadString('\n'); err != nil || !strings.Contains(line, `"tls_required":true`) {
		t.Fatalf("%q %v", line, err)
	}
	if _, err := io.WriteString(nc, "CONNECT {}\r\nPING\r\n"); err != nil {
		t.Fatal(err)
	}
	if all, _ := io.ReadAll(r); strings.Contains(string(all), "PONG") {
		t.Errorf("was served: %q", all)
	}
	c, err := nats.Connect("nats://"+addr, nats.RootCAs(ca))
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

// The handshake limit is told in words.
func TestTLSRate(t *testing.T) {
	_, addr, ca := secured(t, transport.TLSOptions{RateLimit: 1}, ProxyOptions{})
	var refused bool
	for range 5 {
		nc, err := nats.Connect("nats://"+addr, nats.RootCAs(ca))
		if err == nil {
			nc.Close()
		}
		refused = refused || err != nil
	}
	if !refused {
		t.Error("five handshakes within a second were let through")
	}
}

func TestProxyProtocol(t *testing.T) {
	const header = "PROXY TCP4 192.0.2.7 192.0.2.8 7777 4222\r\n"
	for _, c := range []struct {
		name    string
		trusted string
		send    string
		ip      string // "" the connection is closed
	}{
		{"header", "127.0.0.0/8", header, "192.0.2.7"},
		{"header in the first bytes of the client", "127.0.0.0/8", header + "CONNECT {\"verbose\":false}\r\nPING\r\n", "192.0.2.7"},
		{"no header", "127.0.0.0/8", "CONNECT {\"verbose\":false}\r\nPING\r\n", "127.0.0.1"},
		{"health check", "127.0.0.0/8", "PROXY UNKNOWN\r\n", "127.0.0.1"},
		{"broken", "127.0.0.0/8", "PROXY TCP4 nonsense\r\n", ""},
		{"not trusted", "10.0.0.0/8", header, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := New(Options{Proxy: ProxyOptions{Enabled: true, Trusted: []netip.Prefix{netip.MustParsePrefix(c.trusted)}}}, logging.Discard())
			if err != nil {
				t.Fatal(err)
			}
			defer b.Stop()
			l, err := b.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			nc, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = nc.Close() }()
			r := bufio.NewReader(nc)
			if line, err := r.ReadString('\n'); err != nil || strings.Contains(line, "client_ip") {
				t.Fatalf("INFO tells the balancer's address: %q %v", line, err)
			}
			send := c.send
			if !strings.Contains(send, "PING") {
				send += "CONNECT {\"verbose\":false}\r\nPING\r\n"
			}
			if _, err := io.WriteString(nc, send); err != nil {
				t.Fatal(err)
			}
			_ = nc.SetReadDeadline(time.Now().Add(longest))
			line, err := r.ReadString('\n')
			if c.ip == "" {
				if strings.HasPrefix(line, "PONG") {
					t.Error("was served")
				}
				return
			}
			if err != nil || line != "PONG\r\n" {
				t.Fatalf("%q %v", line, err)
			}
			if ip := soleIP(t, b); ip != c.ip {
				t.Errorf("taken for %s, want %s", ip, c.ip)
			}
		})
	}
}

// A TLS client behind a balancer: the header comes first, in plain.
func TestProxyProtocolWithTLS(t *testing.T) {
	b, addr, ca := secured(t, transport.TLSOptions{}, ProxyOptions{Enabled: true})
	pem, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = nc.Close() }()
	if _, err := io.WriteString(nc, "PROXY TCP4 192.0.2.7 192.0.2.8 7777 4222\r\n"); err != nil {
		t.Fatal(err)
	}
	info := make([]byte, 0, 2048)
	for !strings.HasSuffix(string(info), "\r\n") { // byte by byte: what follows is TLS
		var one [1]byte
		if _, err := io.ReadFull(nc, one[:]); err != nil {
			t.Fatal(err)
		}
		info = append(info, one[0])
	}
	tc := tls.Client(nc, &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"})
	if _, err := io.WriteString(tc, "CONNECT {\"verbose\":false}\r\nPING\r\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(tc).ReadString('\n'); err != nil || line != "PONG\r\n" {
		t.Fatalf("%q %v", line, err)
	}
	if ip := soleIP(t, b); ip != "192.0.2.7" {
		t.Errorf("taken for %s", ip)
	}
}

// soleIP returns the address of the only client.
func soleIP(t *testing.T, b *Broker) string {
	t.Helper()
	b.mu.RLock()
	defer b.mu.RUnlock()
	if len(b.clients) != 1 {
		t.Fatalf("%d clients", len(b.clients))
	}
	for _, c := range b.clients {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.ip
	}
	return ""
}

// Who is in the middle of a handshake or a PROXY header when the broker hands over, or
// stops, is closed without a word: what it would read is no TLS, and nobody else is to
// blame.
func TestHandoverBeforeTheFirstFrame(t *testing.T) {
	made := certtest.SelfSigned(t, "broker")
	for name, c := range map[string]struct {
		tls   *transport.TLSOptions
		proxy ProxyOptions
		sends string
		waits string // what the broker says when it waits for more; empty: it does at once
		info  bool   // it begins with INFO
	}{
		"handshake":           {tls: &transport.TLSOptions{}, sends: "\x16\x03\x01", waits: "Starting TLS client connection handshake", info: true},
		"silent":              {tls: &transport.TLSOptions{}, waits: "Starting TLS client connection handshake", info: true},
		"handshake first":     {tls: &transport.TLSOptions{First: true}, sends: "\x16\x03\x01", waits: "Starting TLS client connection handshake"},
		"perhaps first":       {tls: &transport.TLSOptions{First: true, FirstFallback: time.Hour}},
		"perhaps not at all":  {tls: &transport.TLSOptions{AllowPlain: true}, info: true},
		"PROXY header":        {proxy: ProxyOptions{Enabled: true}, sends: "PROXY TCP4 1", info: true},
		"PROXY header, none":  {proxy: ProxyOptions{Enabled: true}, info: true},
		"PROXY, then TLS":     {tls: &transport.TLSOptions{}, proxy: ProxyOptions{Enabled: true}, sends: "PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n\x16", waits: "Starting TLS client connection handshake", info: true},
		"PROXY before silent": {tls: &transport.TLSOptions{First: true}, proxy: ProxyOptions{Enabled: true}, sends: "PROXY"},
	} {
		for _, end := range []string{"handed over", "stopped"} {
			t.Run(name+", "+end, func(t *testing.T) {
				logs, err := logging.New(logging.Options{File: filepath.Join(t.TempDir(), "log"), Debug: true})
				if err != nil {
					t.Fatal(err)
				}
				defer logs.Close()
				said := func(text string) bool {
					return slices.ContainsFunc(logs.Tail(100), func(l logging.Line) bool { return strings.Contains(l.Message, text) })
				}
				o := Options{Proxy: c.proxy}
				if c.tls != nil {
					t1 := *c.tls
					t1.Certificates = []transport.KeyPair{{CertFile: made.CertFile, KeyFile: made.KeyFile}}
					t1.Carry, t1.Timeout = true, time.Hour
					if o.TLS, err = transport.LoadTLS(t1); err != nil {
						t.Fatal(err)
					}
				}
				b, err := New(o, logs.Logger("broker"))
				if err != nil {
					t.Fatal(err)
				}
				defer b.Stop()
				l, err := b.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				nc, err := net.Dial("tcp", l.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer nc.Close()
				_ = nc.SetDeadline(time.Now().Add(longest))
				r := bufio.NewReader(nc)
				if c.info {
					if line, err := r.ReadString('\n'); err != nil || !strings.HasPrefix(line, "INFO") {
						t.Fatalf("%q, %v", line, err)
					}
				}
				if _, err := nc.Write([]byte(c.sends)); err != nil {
					t.Fatal(err)
				}
				waitFor(t, "the connection", func() bool { return b.NumClients() == 1 && (c.waits == "" || said(c.waits)) })
				if end == "handed over" {
					b.Freeze(longest)
					h := b.Park()
					if len(h.FDs()) > 0 {
						t.Error("it is handed over")
					}
				}
				b.Stop()
				if rest, err := io.ReadAll(r); len(rest) > 0 || err != nil && !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("it reads %q, %v", rest, err)
				}
				for _, line := range logs.Tail(100) {
					if line.Level > logging.Info {
						t.Errorf("said: %s", line.Message)
					}
				}
			})
		}
	}
}
