package record

import (
	"bytes"
	"crypto/tls"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
	_ "unsafe" // the suites that crypto/tls offers cannot be chosen otherwise

	"pgregory.net/rapid"

	"github.com/nats-broker/nats-broker/daemon/internal/certtest"
)

//go:linkname offered crypto/tls.defaultCipherSuitesTLS13
var offered []uint16

//go:linkname offeredNoAES crypto/tls.defaultCipherSuitesTLS13NoAES
var offeredNoAES []uint16

var suiteNames = []uint16{tls.TLS_AES_128_GCM_SHA256, tls.TLS_AES_256_GCM_SHA384, tls.TLS_CHACHA20_POLY1305_SHA256}

// offer has crypto/tls know one suite only, until the test ends.
func offer(t *testing.T, suite uint16) {
	for _, list := range []*[]uint16{&offered, &offeredNoAES} {
		was := *list
		*list = []uint16{suite}
		t.Cleanup(func() { *list = was })
	}
}

// secrets are those of a handshake, by their labels.
type secrets map[string][]byte

func (s secrets) Write(p []byte) (int, error) {
	f := strings.Fields(string(p))
	b, err := hex.DecodeString(f[2])
	s[f[0]] = b
	return len(p), err
}

// pair is a session whose one end is ours and the other crypto/tls's.
type pair struct {
	t    rapid.TB
	peer *tls.Conn
	wire net.Conn // our end
	in   *Opener
	out  *Sealer
	raw  []byte // came, not opened
}

// connectPair makes a session. With client, ours is the client's end.
func connectPair(t rapid.TB, cert tls.Certificate, suite uint16, client bool) *pair {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dialled, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	for _, nc := range []net.Conn{dialled, accepted} {
		_ = nc.SetDeadline(time.Now().Add(10 * time.Second))
	}
	log := secrets{}
	c := tls.Client(dialled, &tls.Config{InsecureSkipVerify: true})
	s := tls.Server(accepted, &tls.Config{
		Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13, SessionTicketsDisabled: true, KeyLogWriter: log})
	done := make(chan error, 1)
	go func() { done <- c.Handshake() }() // ends with the handshake
	if err := s.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := s.ConnectionState().CipherSuite; got != suite {
		t.Fatalf("suite %#x instead of %#x", got, suite)
	}
	p := &pair{t: t, peer: c, wire: accepted}
	from, to := Keys{Secret: log["CLIENT_TRAFFIC_SECRET_0"]}, Keys{Secret: log["SERVER_TRAFFIC_SECRET_0"]}
	if client {
		p.peer, p.wire = s, dialled
		from, to = to, from
	}
	if p.in, err = NewOpener(suite, from); err != nil {
		t.Fatal(err)
	}
	if p.out, err = NewSealer(suite, to); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *pair) close() {
	_ = p.wire.Close()
	_ = p.peer.Close()
}

// read opens what the peer sends until it has sent n bytes.
func (p *pair) read(n int) []byte {
	var got []byte
	for len(got) < n {
		size, err := p.in.Next(p.raw)
		if err != nil {
			p.t.Fatal(err)
		}
		if size == 0 || size > len(p.raw) {
			more := make([]byte, 1+rand.IntN(40000))
			k, err := p.wire.Read(more)
			if err != nil {
				p.t.Fatal(err)
			}
			p.raw = append(p.raw, more[:k]...)
			continue
		}
		var dst []byte
		if size&1 == 0 {
			dst = make([]byte, 0, size)
		}
		data, err := p.in.Open(dst, p.raw[:size])
		if err != nil {
			p.t.Fatal(err)
		}
		got = append(got, data...)
		p.raw = p.raw[size:]
	}
	return got
}

// moved makes both directions anew from their keys, as in another process.
func (p *pair) moved(suite uint16) {
	in, out := p.in.Keys(), p.out.Keys()
	p.in.Wipe()
	p.out.Wipe()
	var err error
	if p.in, err = NewOpener(suite, in); err != nil {
		p.t.Fatal(err)
	}
	if p.out, err = NewSealer(suite, out); err != nil {
		p.t.Fatal(err)
	}
	in.Wipe()
	out.Wipe()
}

// Whatever is said in whatever order, with changes of keys and of processes in between,
// crypto/tls understands it and is understood.
func TestAgainstCryptoTLS(t *testing.T) {
	cert := certtest.SelfSigned(t, "server").TLS
	for _, suite := range suiteNames {
		for _, client := range []bool{false, true} {
			name := tls.CipherSuiteName(suite) + map[bool]string{false: " server", true: " client"}[client]
			t.Run(name, func(t *testing.T) {
				offer(t, suite)
				rapid.Check(t, func(r *rapid.T) {
					p := connectPair(r, cert, suite, client)
					defer p.close()
					size := rapid.OneOf(rapid.IntRange(1, 300), rapid.IntRange(MaxPlain-2, MaxPlain+2), rapid.IntRange(1, 90000))
					r.Repeat(map[string]func(*rapid.T){
						"peer sends": func(r *rapid.T) {
							sent := noise(size.Draw(r, "size"))
							go func() { _, _ = p.peer.Write(sent) }() // ends when it is read
							if !bytes.Equal(p.read(len(sent)), sent) {
								r.Fatal("what was opened is not what was sent")
							}
						},
						"we send": func(r *rapid.T) {
							sent := noise(size.Draw(r, "size"))
							rec := make([]byte, 0, Room(len(sent)))
							rec, err := p.out.Seal(rec, sent)
							if err != nil || len(rec) > Room(len(sent)) {
								r.Fatal(len(rec), err)
							}
							go func() { _, _ = p.wire.Write(rec) }() // ends when it is read
							got := make([]byte, len(sent))
							if _, err := io.ReadFull(p.peer, got); err != nil || !bytes.Equal(got, sent) {
								r.Fatalf("what came is not what was sealed: %v", err)
							}
						},
						"update": func(r *rapid.T) {
							rec, err := p.out.Update(nil, rapid.Bool().Draw(r, "request"))
							if err == nil {
								_, err = p.wire.Write(rec)
							}
							if err != nil {
								r.Fatal(err)
							}
						},
						"move": func(*rapid.T) { p.moved(suite) },
					})
				})
			})
		}
	}
}

func noise(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return b
}

// A key that has served its time is changed, and the peer's is said to be worn.
func TestWear(t *testing.T) {
	suite := uint16(tls.TLS_AES_128_GCM_SHA256)
	offer(t, suite)
	p := connectPair(t, certtest.SelfSigned(t, "server").TLS, suite, false)
	defer p.close()
	p.out.worn, p.in.worn = 3, 3
	first := p.out.Keys()
	for i := range 10 {
		rec, err := p.out.Seal(nil, []byte{byte(i)})
		if err == nil {
			_, err = p.wire.Write(rec)
		}
		if err != nil {
			t.Fatal(err)
		}
		var got [1]byte
		if _, err := io.ReadFull(p.peer, got[:]); err != nil || got[0] != byte(i) {
			t.Fatal(got, err)
		}
	}
	if now := p.out.Keys(); now.Seq != 1 || slices.Equal(now.Secret, first.Secret) {
		t.Errorf("after ten records of three each, the next has number %d", now.Seq)
	}
	for i := range 3 {
		if p.in.Worn() {
			t.Errorf("worn after %d records", i)
		}
		_, _ = p.peer.Write([]byte("x"))
		p.read(1)
	}
	if !p.in.Worn() {
		t.Error("not worn")
	}
	rec, _ := p.out.Update(nil, true)
	_, _ = p.wire.Write(rec)
	go func() { _, _ = p.peer.Read(make([]byte, 1)) }() // answers; ends with the connection
	for p.in.Worn() {
		size, _ := p.in.Next(p.raw)
		if size > 0 && size <= len(p.raw) {
			if _, err := p.in.Open(nil, p.raw[:size]); err != nil {
				t.Fatal(err)
			}
			p.raw = p.raw[size:]
			continue
		}
		more := make([]byte, 1000)
		k, err := p.wire.Read(more)
		if err != nil {
			t.Fatal(err)
		}
		p.raw = append(p.raw, more[:k]...)
	}
	if p.in.Asked() {
		t.Error("the answer asks for something")
	}
}

// No record is made or opened under a number that was used.
func TestNumbersEnd(t *testing.T) {
	k := Keys{make([]byte, 32), 1<<64 - 1}
	s, err := NewSealer(tls.TLS_AES_128_GCM_SHA256, k)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := s.Alert(nil, CloseNotify); err == nil || len(b) > 0 {
		t.Error("a record was made")
	}
	o, err := NewOpener(tls.TLS_AES_128_GCM_SHA256, k)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := o.Open(nil, make([]byte, 30)); err != errNumbers {
			t.Error(err)
		}
	}
}
