package broker

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nats-broker/nats-broker/daemon/fields"
	"github.com/nats-broker/nats-broker/daemon/internal/certtest"
	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

// keptBack is a stream of which what is written can be kept, to be sent in pieces.
type keptBack struct {
	net.Conn
	keep bool
	kept []byte
}

func (k *keptBack) Write(p []byte) (int, error) {
	if k.keep {
		k.kept = append(k.kept, p...)
		return len(p), nil
	}
	return k.Conn.Write(p)
}

// dialTLS is dial, and a handshake after INFO.
func dialTLS(t testing.TB, addr string, config *tls.Config) (*peer, *keptBack) {
	t.Helper()
	p := dial(t, addr)
	if p.r.Buffered() > 0 {
		t.Fatal("more than INFO has come")
	}
	k := &keptBack{Conn: p.nc}
	config = config.Clone()
	config.InsecureSkipVerify = true
	tc := tls.Client(k, config)
	_ = p.nc.SetDeadline(time.Now().Add(longest))
	if err := tc.Handshake(); err != nil {
		t.Fatal(err)
	}
	p.nc, p.r = tc, bufio.NewReader(tc)
	return p, k
}

// loaded is material whose connections can be carried.
func loaded(t testing.TB, o transport.TLSOptions) *transport.TLS {
	t.Helper()
	if o.Certificates == nil {
		made := certtest.SelfSigned(t, "broker")
		o.Certificates = []transport.KeyPair{{CertFile: made.CertFile, KeyFile: made.KeyFile}}
	}
	o.Carry = true
	m, err := transport.LoadTLS(o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// overheardTLS is overheard over TLS: the broker is exchanged after the first n bytes
// that go over the wire. It returns how many there are, too.
func overheardTLS(t *testing.T, m *transport.TLS, n int) (string, int) {
	t.Helper()
	a, err := New(Options{NoShortFirstPing: true, TLS: m}, logging.Discard())
	if err != nil {
		t.Fatal(err)
	}
	defer a.Stop()
	p, k := dialTLS(t, listenOn(t, a), &tls.Config{})
	defer p.nc.Close()
	p.sync() // the broker has ended the handshake
	k.keep = true
	for _, part := range strings.SplitAfter(conversation, "PING\r\n") {
		p.send("%s", part)
	}
	all := k.kept
	k.keep = false
	n = min(n, len(all))
	if _, err := k.Conn.Write(all[:n]); err != nil {
		t.Fatal(err)
	}
	if n < len(all) {
		b, err := New(Options{Port: a.Options().Port, NoShortFirstPing: true, TLS: m}, logging.Discard())
		if err != nil {
			t.Fatal(err)
		}
		defer b.Stop()
		if r := passOver(t, a, b); r.Moved != 1 || len(r.Lost) > 0 {
			t.Fatalf("at %d: %+v", n, r)
		}
		if _, err := k.Conn.Write(all[n:]); err != nil {
			t.Fatal(err)
		}
	}
	var got strings.Builder
	for pongs := 0; pongs < 2; {
		line, err := p.r.ReadString('\n')
		if err != nil {
			t.Fatalf("at %d: %v after %q", n, err, got.String())
		}
		if strings.HasPrefix(line, "PONG") {
			pongs++
		}
		if strings.HasPrefix(line, "INFO") {
			line = "INFO\r\n"
		}
		got.WriteString(line)
	}
	return got.String(), len(all)
}

// Whatever the byte of a record at which the process is exchanged, the peer hears the
// same.
func TestHandoverOfTLSAtEveryByte(t *testing.T) {
	m := loaded(t, transport.TLSOptions{})
	want, n := overheardTLS(t, m, 1<<20)
	if plain := overheard(t, len(conversation)); want != plain {
		t.Fatalf("over TLS %q is heard, and %q in plain", want, plain)
	}
	for i := range n {
		if got, _ := overheardTLS(t, m, i); got != want {
			t.Fatalf("at %d:\n got %q\nwant %q", i, got, want)
		}
	}
}

// What waits for a slow consumer waits on, encrypted or not yet, through several
// processes, and comes out whole and in order.
func TestHandoverOfFullQueueOverTLS(t *testing.T) {
	m := loaded(t, transport.TLSOptions{})
	o := Options{NoShortFirstPing: true, TLS: m}
	now, addr := start(t, o)
	slow, _ := dialTLS(t, addr, &tls.Config{})
	pub, _ := dialTLS(t, addr, &tls.Config{})
	for _, p := range []*peer{slow, pub} {
		p.send(`CONNECT {"verbose":false}` + "\r\n")
	}
	slow.send("SUB foo 1\r\n")
	slow.sync()
	var want bytes.Buffer
	sent := 0
	say := func(n int) {
		for range n {
			body := strings.Repeat(fmt.Sprintf("%07d|", sent), 1000)
			pub.send("PUB foo %d\r\n%s\r\n", len(body), body)
			fmt.Fprintf(&want, "MSG foo 1 %d\r\n%s\r\n", len(body), body)
			sent++
		}
		pub.sync()
	}
	say(3000)
	if n := now.Clients()[0].Out.Stats().Pending; n < 1<<20 {
		t.Fatalf("only %d bytes wait", n)
	}
	for range 3 {
		next := successor(t, o)
		if r := passOver(t, now, next); r.Moved != 2 {
			t.Fatalf("%+v", r)
		}
		now = next
		say(100)
	}
	got := make([]byte, want.Len())
	if _, err := io.ReadFull(slow.r, got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Error("what came is not what was sent")
	}
	slow.sync()
}

// What monitoring and the authenticator know of the encryption is known after it too.
func TestHandoverKeepsTLSInfo(t *testing.T) {
	dir := t.TempDir()
	ca := certtest.New(t, dir, "ca")
	m := loaded(t, transport.TLSOptions{Verify: true, CAFile: ca.CertFile})
	a, addr := start(t, Options{TLS: m})
	for _, suite := range []string{"", "other"} {
		p, _ := dialTLS(t, addr, &tls.Config{Certificates: []tls.Certificate{ca.Issue("client", x509.Certificate{}).TLS}, ServerName: suite})
		p.send(`CONNECT {"verbose":false}` + "\r\n")
		p.sync()
	}
	var before []*TLSInfo
	var states []*tls.ConnectionState
	for _, c := range a.Clients() {
		before, states = append(before, c.Info(false).TLS), append(states, c.TLS())
	}
	b := successor(t, Options{TLS: m})
	if r := passOver(t, a, b); r.Moved != 2 {
		t.Fatalf("%+v", r)
	}
	for i, c := range b.Clients() {
		if got := c.Info(false).TLS; !reflect.DeepEqual(got, before[i]) || got.Version != "1.3" || len(got.Peer) != 1 {
			t.Errorf("%+v, after %+v", got, before[i])
		}
		now, was := c.TLS(), states[i]
		if now.Version != was.Version || now.CipherSuite != was.CipherSuite || now.ServerName != was.ServerName ||
			!now.HandshakeComplete || len(now.VerifiedChains) != len(was.VerifiedChains) || !now.PeerCertificates[0].Equal(was.PeerCertificates[0]) {
			t.Errorf("%+v, after %+v", now, was)
		}
	}
}

// The TLS block of now decides who goes on, as it would in a handshake.
func TestHandoverAsksForTheCertificateAgain(t *testing.T) {
	dir := t.TempDir()
	ca, other := certtest.New(t, dir, "ca"), certtest.New(t, dir, "other")
	cert := ca.Issue("client", x509.Certificate{})
	pin := transport.Fingerprint(cert.Cert)
	verify := transport.TLSOptions{Verify: true, CAFile: ca.CertFile}
	for _, c := range []struct {
		name     string
		was, now transport.TLSOptions
		none     bool
		stays    bool
	}{
		{"the same", verify, verify, false, true},
		{"pinned", verify, transport.TLSOptions{Verify: true, CAFile: ca.CertFile, Pinned: []string{pin}}, false, true},
		{"another pinned", verify, transport.TLSOptions{Verify: true, CAFile: ca.CertFile, Pinned: []string{strings.Repeat("0", 64)}}, false, false},
		{"another authority", verify, transport.TLSOptions{Verify: true, CAFile: other.CertFile}, false, false},
		{"not asked for", verify, transport.TLSOptions{}, false, true},
		{"asked for now", transport.TLSOptions{}, verify, false, false},
		{"no TLS any more", verify, verify, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, addr := start(t, Options{TLS: loaded(t, c.was)})
			p, _ := dialTLS(t, addr, &tls.Config{Certificates: []tls.Certificate{cert.TLS}})
			p.send(`CONNECT {"verbose":false}` + "\r\n")
			p.sync()
			o := Options{Port: a.Options().Port}
			if !c.none {
				o.TLS = loaded(t, c.now)
			}
			r := passOver(t, a, successor(t, o))
			if c.stays {
				p.sync()
				return
			}
			if r.Moved != 0 || r.Lost["TLS Handshake Failure"] != 1 {
				t.Errorf("%+v", r)
			}
			p.expect("-ERR 'tls handshake failure'")
			p.closed()
		})
	}
}

// TLS 1.2 stays behind.
func TestHandoverLeavesTLS12(t *testing.T) {
	m := loaded(t, transport.TLSOptions{})
	a, addr := start(t, Options{TLS: m})
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		p, _ := dialTLS(t, addr, &tls.Config{MaxVersion: version})
		p.send(`CONNECT {"verbose":false}` + "\r\n")
		p.sync()
	}
	if n := a.Secured(); n != 1 {
		t.Errorf("%d connections cannot be handed over", n)
	}
	a.Freeze(longest)
	h := a.Park()
	defer h.Release()
	if len(h.FDs()) != 1 || h.Left()[leftEncrypted] != 1 {
		t.Errorf("%d moved, left %v", len(h.FDs()), h.Left())
	}
}

// A version that does not know of encrypted connections finds no socket in the state of
// one, and closes it, rather than speak plainly.
func TestHandoverOfTLSToOldVersion(t *testing.T) {
	c := movedClient{cid: 7, socket: 8, tls: &movedTLS{session: transport.Session{Suite: tls.TLS_AES_128_GCM_SHA256, FromPeer: []byte("1"), Ahead: 2}, certs: [][]byte{{1}, {2}}}}
	state := fields.Append(nil, &c)
	sockets := 0
	var old movedClient // as the other version reads it
	if err := fields.Each(state, func(tag int, number uint64, _ []byte) {
		switch tag {
		case 1:
			old.cid = number
		case 2:
			sockets++
		}
	}); err != nil || sockets > 0 {
		t.Errorf("a plain connection's socket is written, %v", err)
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fds[1])
	if r := successor(t, Options{}).restoreClient(&old, fds[0]); r.lost != lostDescriptor {
		t.Errorf("%+v", r)
	}
	// Nor is a plain connection made of a half of it.
	var got movedClient
	if err := fields.Read([]byte{1 << 1, 7, 23 << 1, 8}, &got); err != nil || got.cid != 7 || got.socket != 0 {
		t.Errorf("socket %d without a session, %v", got.socket, err)
	}
}
