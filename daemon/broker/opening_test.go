package broker

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/transport"
)

// Whatever a connection begins with, where a PROXY header, a TLS handshake and a
// plain CONNECT may all come first: it is answered or closed, nothing panics, and the
// next connection is served.
func FuzzOpening(f *testing.F) {
	for _, seed := range []string{
		"CONNECT {}\r\nPING\r\n",
		`CONNECT {"verbose":true,"user":"a","pass":"b","protocol":1,"headers":true,"no_responders":true,"echo":false}` + "\r\nPUB a 1\r\nx\r\n",
		`CONNECT {"user":1}` + "\r\n", "CONNECT null\r\n", "CONNECT [[[[\r\n", `CONNECT {"user":"\ud800"}` + "\r\n",
		`CONNECT {"nkey":"U","sig":"AA=="}` + "\r\n", `CONNECT {"protocol":-1}` + "\r\n", `CONNECT {"a":1e999}` + "\r\n",
		"\x16", "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", "\x16\x03\x01\xff\xff", "\x16PING\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nCONNECT {}\r\n", "PROXY UNKNOWN\r\n\x16\x03\x01", "PROXY TCP4\r\n",
		"\r\n\r\n\x00\r\nQUIT\n", "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\x7f\x00\x00\x01\x7f\x00\x00\x01\x00\x01\x00\x02PING\r\n",
		"P", "GET / HTTP/1.1\r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	b, addr, _ := secured(f, transport.TLSOptions{AllowPlain: true, Timeout: 10 * time.Second}, ProxyOptions{Enabled: true})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) == 0 {
			return
		}
		exchange(t, addr, data)
		if got := exchange(t, addr, []byte("CONNECT {\"verbose\":false}\r\nPING\r\n")); !bytes.Contains(got, []byte("PONG\r\n")) {
			t.Fatalf("the connection behind it hears %q", got)
		}
		if b.ClosedByReason()[InternalClient] > 0 {
			t.Fatal("a panic")
		}
	})
}

// exchange sends data and the end, and returns all that comes back.
func exchange(t *testing.T, addr string, data []byte) []byte {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if err := nc.SetDeadline(time.Now().Add(longest)); err != nil {
		t.Fatal(err)
	}
	if _, err := nc.Write(data); err != nil {
		return nil // refused before all was read
	}
	_ = nc.(*net.TCPConn).CloseWrite() // may be gone already
	got, err := io.ReadAll(nc)
	if e, ok := err.(net.Error); ok && e.Timeout() {
		t.Fatalf("neither answered nor closed; so far %q", got)
	}
	return got
}
