package transport

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
	_ "unsafe" // the suites that crypto/tls offers cannot be chosen otherwise

	"github.com/nats-broker/nats-broker/daemon/record"
)

//go:linkname offered crypto/tls.defaultCipherSuitesTLS13
var offered []uint16

//go:linkname offeredNoAES crypto/tls.defaultCipherSuitesTLS13NoAES
var offeredNoAES []uint16

var suites13 = []uint16{tls.TLS_AES_128_GCM_SHA256, tls.TLS_AES_256_GCM_SHA384, tls.TLS_CHACHA20_POLY1305_SHA256}

// offer has crypto/tls know one suite of TLS 1.3 only, until the test ends.
func offer(t *testing.T, suite uint16) {
	for _, list := range []*[]uint16{&offered, &offeredNoAES} {
		was := *list
		*list = []uint16{suite}
		t.Cleanup(func() { *list = was })
	}
}

// carriedTLS is material of a server whose connections can be carried.
func carriedTLS(t *testing.T) *TLS {
	return loadTLS(t, TLSOptions{Certificates: []KeyPair{writePair(t, "server")}, Carry: true})
}

// rawClient is the client's end of a session by hand: a handshake of crypto/tls, and then
// records as they are made here.
type rawClient struct {
	t   testing.TB
	nc  net.Conn
	in  *record.Opener
	out *record.Sealer
	raw []byte
}

func dialRaw(t testing.TB, addr string) *rawClient {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(20 * time.Second))
	keys := &keyLog{}
	tc := tls.Client(nc, &tls.Config{InsecureSkipVerify: true, KeyLogWriter: keys, ClientSessionCache: tls.NewLRUClientSessionCache(1)})
	if err := tc.Handshake(); err != nil {
		t.Fatal(err)
	}
	r := &rawClient{t: t, nc: nc}
	suite := tc.ConnectionState().CipherSuite
	if r.in, err = record.NewOpener(suite, record.Keys{Secret: keys.server}); err != nil {
		t.Fatal(err)
	}
	if r.out, err = record.NewSealer(suite, record.Keys{Secret: keys.client}); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rawClient) sealed(text string) []byte {
	r.t.Helper()
	b, err := r.out.Seal(nil, []byte(text))
	if err != nil {
		r.t.Fatal(err)
	}
	return b
}

func (r *rawClient) write(p []byte) {
	r.t.Helper()
	if _, err := r.nc.Write(p); err != nil {
		r.t.Fatal(err)
	}
}

// read opens what comes until there are n bytes, or it ends.
func (r *rawClient) read(n int) (got []byte, err error) {
	for len(got) < n {
		size, err := r.in.Next(r.raw)
		if err != nil {
			return got, err
		}
		if size == 0 || size > len(r.raw) {
			part := make([]byte, 4096)
			k, err := r.nc.Read(part)
			if k == 0 {
				return got, err
			}
			r.raw = append(r.raw, part[:k]...)
			continue
		}
		data, err := r.in.Open(nil, r.raw[:size])
		got, r.raw = append(got, data...), r.raw[size:]
		if err != nil {
			return got, err
		}
	}
	return got, nil
}

// echoed sends text and expects it back.
func (r *rawClient) echoed(text string) {
	r.t.Helper()
	r.write(r.sealed(text))
	if got, err := r.read(len(text)); string(got) != text {
		r.t.Fatalf("%q came back as %q, %v", text, got, err)
	}
}

// The session is what carries a connection of TLS 1.3, and nothing else is changed by it.
func TestSessionIsUsed(t *testing.T) {
	for _, c := range []struct {
		name string
		o    TLSOptions
		max  uint16
		want bool
	}{
		{"1.3", TLSOptions{Carry: true}, tls.VersionTLS13, true},
		{"1.2", TLSOptions{Carry: true}, tls.VersionTLS12, false},
		{"not to be carried", TLSOptions{}, tls.VersionTLS13, false},
	} {
		c.o.Certificates = []KeyPair{writePair(t, "server")}
		movable := make(chan bool, 1)
		addr, ended := serveSecureBy(t, loadTLS(t, c.o), func(c *Conn) Handler {
			movable <- c.Movable()
			return echoer{c}
		})
		client, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, MaxVersion: c.max})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(client, make([]byte, 5)); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if got := <-movable; got != c.want {
			t.Errorf("%s: movable is %t", c.name, got)
		}
		_ = client.Close()
		if err := <-ended; !errors.Is(err, io.EOF) {
			t.Errorf("%s: ended with %v", c.name, err)
		}
	}
}

// More than any buffer goes both ways at once, with every suite.
func TestSessionEcho(t *testing.T) {
	for _, suite := range suites13 {
		t.Run(tls.CipherSuiteName(suite), func(t *testing.T) {
			offer(t, suite)
			addr, ended := serveSecure(t, carriedTLS(t))
			wantsTickets := tls.NewLRUClientSessionCache(1)
			client, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, ClientSessionCache: wantsTickets})
			if err != nil {
				t.Fatal(err)
			}
			sent := make([]byte, 8<<20)
			_, _ = rand.Read(sent)
			go sendAll(t, client, sent) // ends when all is sent
			got := make([]byte, len(sent))
			if _, err := io.ReadFull(client, got); err != nil || !bytes.Equal(got, sent) {
				t.Fatalf("the bytes that came back are not those sent: %v", err)
			}
			_ = client.Close()
			if err := <-ended; !errors.Is(err, io.EOF) {
				t.Errorf("ended with %v", err)
			}
		})
	}
}

// What comes in the same segment as the end of the handshake is not lost, and a client's
// data may be cut anywhere.
func TestSessionFirstRecords(t *testing.T) {
	m := carriedTLS(t)
	for _, cut := range []int{0, 1, 4, 5, 6, 30} {
		addr, _ := serveSecure(t, m)
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		_ = nc.SetDeadline(time.Now().Add(20 * time.Second))
		w := &lastHeld{Conn: nc}
		client := tls.Client(w, &tls.Config{InsecureSkipVerify: true})
		if err := client.Handshake(); err != nil { // its last flight is in w
			t.Fatal(err)
		}
		for _, text := range []string{"first", "second"} {
			if _, err := client.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		all := w.held
		w.through = true
		at := len(all) - cut
		_, _ = nc.Write(all[:at])
		_, _ = nc.Write(all[at:])
		if _, err := client.Write([]byte("third")); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len("firstsecondthird"))
		if _, err := io.ReadFull(client, got); err != nil || string(got) != "firstsecondthird" {
			t.Errorf("cut at %d: %q, %v", cut, got, err)
		}
	}
}

// lastHeld holds back all that is written but for the first flight.
type lastHeld struct {
	net.Conn
	begun, through bool
	held           []byte
}

func (l *lastHeld) Write(p []byte) (int, error) {
	if !l.begun || l.through {
		l.begun = true
		return l.Conn.Write(p)
	}
	l.held = append(l.held, p...)
	return len(p), nil
}

// Keys change in both directions, as often as either wants.
func TestSessionKeyUpdate(t *testing.T) {
	for _, suite := range suites13 {
		offer(t, suite)
		addr, ended := serveSecure(t, carriedTLS(t))
		r := dialRaw(t, addr)
		r.echoed("before")
		before := r.in.Keys()
		for i := range 100 {
			u, err := r.out.Update(nil, i%2 == 0)
			if err != nil {
				t.Fatal(err)
			}
			r.write(u)
			r.echoed(strings.Repeat("x", 1+i*400))
		}
		if after := r.in.Keys(); bytes.Equal(before.Secret, after.Secret) {
			t.Error("the server has not changed its key")
		}
		u, _ := r.out.Alert(nil, record.CloseNotify)
		r.write(u)
		if got, err := r.read(1); err != io.EOF || len(got) > 0 {
			t.Errorf("after close_notify came %q, %v", got, err)
		}
		if err := <-ended; err != io.EOF {
			t.Errorf("ended with %v", err)
		}
	}
}

// A record that is not right ends its connection, and the peer is told why; what came
// before it was handled.
func TestSessionRefusals(t *testing.T) {
	m := carriedTLS(t)
	for _, c := range []struct {
		name string
		want record.Alert
		make func(r *rawClient) []byte
	}{
		{"changed", record.BadRecordMAC, func(r *rawClient) []byte {
			b := r.sealed("changed")
			b[len(b)-1] ^= 1
			return b
		}},
		{"replayed", record.BadRecordMAC, func(r *rawClient) []byte {
			b := r.sealed("again")
			return append(b, b...)
		}},
		{"out of order", record.BadRecordMAC, func(r *rawClient) []byte {
			first := r.sealed("1")
			return append(r.sealed("2"), first...)
		}},
		{"too long", record.RecordOverflow, func(*rawClient) []byte { return []byte{23, 3, 3, 0x41, 1} }},
		{"in plain", record.UnexpectedMessage, func(*rawClient) []byte { return []byte("PING\r\n") }},
	} {
		addr, ended := serveSecure(t, m)
		r := dialRaw(t, addr)
		r.echoed("hello")
		r.write(append(c.make(r), bytes.Repeat([]byte("more"), 10000)...))
		_, err := r.read(1 << 20)
		if a, ok := err.(record.RemoteAlert); !ok || record.Alert(a) != c.want {
			t.Errorf("%s: the client ended with %v, want alert %d", c.name, err, c.want)
		}
		var e *record.ProtocolError
		if err := <-ended; !errors.As(err, &e) || e.Alert != c.want {
			t.Errorf("%s: the server ended with %v", c.name, err)
		}
	}
}

// An end between two records is one; within a record it is a failure.
func TestSessionCutOff(t *testing.T) {
	m := carriedTLS(t)
	for cut, want := range map[int]error{0: io.EOF, 3: io.ErrUnexpectedEOF, 20: io.ErrUnexpectedEOF} {
		addr, ended := serveSecure(t, m)
		r := dialRaw(t, addr)
		r.echoed("hello")
		r.write(r.sealed("cut off here")[:cut])
		_ = r.nc.(*net.TCPConn).CloseWrite()
		if err := <-ended; err != want {
			t.Errorf("after %d bytes of a record: %v, want %v", cut, err, want)
		}
	}
}

// OpenSSL speaks with every suite, and changes keys by its commands: K asks for ours, k
// does not.
func TestSessionWithOpenSSL(t *testing.T) {
	program, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("there is no openssl")
	}
	for _, suite := range suites13 {
		t.Run(tls.CipherSuiteName(suite), func(t *testing.T) {
			addr, ended := serveSecure(t, carriedTLS(t))
			cmd := exec.Command(program, "s_client", "-connect", addr, "-tls1_3", "-ciphersuites", tls.CipherSuiteName(suite), "-servername", "server")
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer out.Close()
			cmd.Stdout, cmd.Stderr = w, w
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			_ = w.Close()
			for _, line := range []string{"one", "K", "two", "k", "three", "K", "K", "four"} {
				if _, err := io.WriteString(in, line+"\n"); err != nil {
					t.Fatal(err)
				}
				if strings.EqualFold(line, "k") {
					line = "KEYUPDATE" // it takes no line together with a command
				}
				awaitText(t, out, line+"\n")
			}
			_ = in.Close()
			if err := <-ended; err != io.EOF {
				t.Errorf("ended with %v", err)
			}
			_, _ = io.Copy(io.Discard, out)
			_ = cmd.Wait()
		})
	}
}

func awaitText(t *testing.T, from io.Reader, text string) {
	t.Helper()
	var got []byte
	for b := make([]byte, 1); !bytes.HasSuffix(got, []byte(text)); {
		if _, err := from.Read(b); err != nil {
			t.Fatalf("%v after %q", err, got)
		}
		got = append(got, b[0])
	}
}
