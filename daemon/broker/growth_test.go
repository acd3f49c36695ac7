package broker

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

// captured is a connection of which what is written is kept instead of sent.
type captured struct {
	net.Conn
	kept *bytes.Buffer // nil: it is sent
}

func (c *captured) Write(p []byte) (int, error) {
	if c.kept != nil {
		return c.kept.Write(p)
	}
	return c.Conn.Write(p)
}

// What is announced costs nothing: in every state that waits for more, the memory that single bytes have the broker
// allocate is a small multiple of the bytes, and what a connection holds that stops there is a few pages.
func TestMemoryGrowsWithWhatArrives(t *testing.T) {
	const (
		announced = 64 << 20
		single    = 300 // bytes sent one by one
		perByte   = 1024
		waiting   = 20 // connections that stop in the middle
	)
	plain := func(t *testing.T) string {
		_, addr := start(t, Options{MaxPayload: announced, MaxControlLine: 1 << 20})
		return addr
	}
	encrypted := func(t *testing.T) string {
		_, addr, _ := secured(t, transport.TLSOptions{Timeout: time.Minute}, ProxyOptions{})
		return addr
	}
	proxied := func(t *testing.T) string {
		b, err := New(Options{Proxy: ProxyOptions{Enabled: true, Trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}}, logging.Discard())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(b.Stop)
		l, err := b.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return l.Addr().String()
	}
	for _, c := range []struct {
		name string
		on   func(t *testing.T) string
		// reach brings a connection into the state, and returns what more is sent.
		reach func(t *testing.T, addr string) (net.Conn, []byte)
	}{
		{"payload", plain, func(t *testing.T, addr string) (net.Conn, []byte) {
			p := connect(t, addr)
			p.send("PUB foo %d\r\n", announced)
			return p.nc, bytes.Repeat([]byte("x"), 1<<20)
		}},
		{"payload behind others", plain, func(t *testing.T, addr string) (net.Conn, []byte) {
			p := connect(t, addr)
			p.send(strings.Repeat("PUB foo 1000\r\n"+strings.Repeat("x", 1000)+"\r\n", 1000)+"PUB foo %d\r\n", announced)
			return p.nc, bytes.Repeat([]byte("x"), 1<<20)
		}},
		{"headers", plain, func(t *testing.T, addr string) (net.Conn, []byte) {
			p := connect(t, addr)
			p.send("HPUB foo %d %d\r\nNATS/1.0\r\n", announced/2, announced)
			return p.nc, bytes.Repeat([]byte("x"), 1<<20)
		}},
		{"control line", plain, func(t *testing.T, addr string) (net.Conn, []byte) {
			p := connect(t, addr)
			p.send("SUB ")
			return p.nc, bytes.Repeat([]byte("x"), 1<<19)
		}},
		{"CONNECT", plain, func(t *testing.T, addr string) (net.Conn, []byte) {
			p := dial(t, addr)
			p.send(`CONNECT {"name":"`)
			return p.nc, bytes.Repeat([]byte("x"), 1<<19)
		}},
		{"TLS handshake", encrypted, func(t *testing.T, addr string) (net.Conn, []byte) {
			p := dial(t, addr)
			return p.nc, append([]byte{0x16, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xfc}, bytes.Repeat([]byte{3}, 15<<10)...)
		}},
		{"TLS record", encrypted, func(t *testing.T, addr string) (net.Conn, []byte) {
			p := dial(t, addr)
			k := &captured{Conn: p.nc}
			tc := tls.Client(k, &tls.Config{InsecureSkipVerify: true, DynamicRecordSizingDisabled: true})
			if _, err := tc.Write([]byte("CONNECT {\"verbose\":false}\r\nPING\r\n")); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(tc, make([]byte, 4)); err != nil {
				t.Fatal(err)
			}
			k.kept = &bytes.Buffer{}
			if _, err := tc.Write([]byte("PUB foo 100000\r\n" + strings.Repeat("x", 16<<10))); err != nil {
				t.Fatal(err)
			}
			return p.nc, k.kept.Bytes()[:16<<10]
		}},
		{"record of TLS 1.2", encrypted, func(t *testing.T, addr string) (net.Conn, []byte) {
			p := dial(t, addr)
			k := &captured{Conn: p.nc}
			tc := tls.Client(k, &tls.Config{InsecureSkipVerify: true, DynamicRecordSizingDisabled: true, MaxVersion: tls.VersionTLS12})
			if _, err := tc.Write([]byte("CONNECT {\"verbose\":false}\r\nPING\r\n")); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(tc, make([]byte, 4)); err != nil {
				t.Fatal(err)
			}
			k.kept = &bytes.Buffer{}
			if _, err := tc.Write([]byte("PUB foo 100000\r\n" + strings.Repeat("x", 16<<10))); err != nil {
				t.Fatal(err)
			}
			return p.nc, k.kept.Bytes()[:16<<10]
		}},
		{"PROXY header", proxied, func(t *testing.T, addr string) (net.Conn, []byte) {
			nc, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { nc.Close() })
			head := append([]byte("\r\n\r\n\x00\r\nQUIT\n\x21\x11"), 0xff, 0xff)
			return nc, append(head, bytes.Repeat([]byte{0}, 60<<10)...)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			addr := c.on(t)
			nc, more := c.reach(t, addr)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for i := range single {
				if _, err := nc.Write(more[i : i+1]); err != nil {
					t.Fatal(err)
				}
				time.Sleep(100 * time.Microsecond) // so that most bytes are read one by one; what is expected does not depend on it
			}
			runtime.ReadMemStats(&after)
			if got := after.TotalAlloc - before.TotalAlloc; got > 512<<10+single*perByte && (!raceEnabled || got > 100<<20) { // with -race pools lose what they are given
				t.Errorf("%d single bytes had %d bytes allocated", single, got)
			}

			// All the rest, in pieces: no byte is copied again and again, none is allocated for more often.
			if _, err := nc.Write(more[single:]); err != nil {
				t.Fatal(err)
			}
			runtime.ReadMemStats(&after)
			if got := after.TotalAlloc - before.TotalAlloc; got > 3<<20+uint64(8*len(more)) && (!raceEnabled || got > 100<<20) {
				t.Errorf("%d bytes had %d bytes allocated", len(more), got)
			}

			runtime.GC()
			runtime.GC()
			runtime.ReadMemStats(&before)
			for range waiting {
				other, more := c.reach(t, addr)
				if _, err := other.Write(more[:1]); err != nil {
					t.Fatal(err)
				}
			}
			for end := time.Now().Add(longest); ; {
				runtime.GC()
				runtime.GC() // what pools hold is gone after two
				runtime.ReadMemStats(&after)
				if int64(after.HeapAlloc)-int64(before.HeapAlloc) < waiting*(96<<10) {
					break
				}
				if time.Now().After(end) {
					t.Fatalf("%d connections that wait for more hold %d bytes", waiting, int64(after.HeapAlloc)-int64(before.HeapAlloc))
				}
			}
		})
	}
}
