package transport

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nats-broker/nats-broker/daemon/record"
)

// rest brings a served connection to rest and gives a copy of its descriptor.
func (c *Conn) restForTest(t *testing.T, ended <-chan error) (*Parked, int) {
	t.Helper()
	c.Freeze()
	if err := <-ended; err != ErrFrozen {
		t.Fatalf("ended with %v", err)
	}
	c.Hold()
	p, err := c.Park()
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.FcntlInt(uintptr(p.FD), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return p, fd
}

// acceptSecure accepts a connection and does the handshake.
func acceptSecure(t *testing.T, nl net.Listener, m *TLS) *Conn {
	t.Helper()
	nc, err := nl.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c := &Conn{}
	if err := NewConn(c, nc); err != nil {
		t.Fatal(err)
	}
	c.Out.Limits(256<<20, 20*time.Second)
	if _, err := c.SecureServer(m, nil); err != nil {
		t.Fatal(err)
	}
	return c
}

// A slow peer's connection moves while it takes in what was sent, again and again; what
// comes is what was sent.
func TestSessionMovesUnderPressure(t *testing.T) {
	m := carriedTLS(t)
	nl, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer nl.Close()
	sent := make([]byte, 24<<20)
	_, _ = rand.Read(sent)
	got := make(chan []byte, 1)
	read := make(chan struct{})
	client, err := net.Dial("tcp", nl.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	_ = client.(*net.TCPConn).SetReadBuffer(256 << 10)
	tc := tls.Client(client, &tls.Config{InsecureSkipVerify: true})
	go func() { // ends with the connection
		if err := tc.Handshake(); err != nil {
			t.Error(err)
		}
		<-read
		all, err := io.ReadAll(tc)
		if err != nil {
			t.Error(err)
		}
		got <- all
	}()
	c := acceptSecure(t, nl, m)
	ended := make(chan error, 1)
	go func() { ended <- c.Serve(echoer{c}, nil) }() // ends when it is frozen
	ahead := 0
	for i, part := range [][]byte{sent[:16<<20], sent[16<<20 : 18<<20], sent[18<<20:]} {
		c.Out.Send(part)
		p, fd := c.restForTest(t, ended)
		ahead += p.Session.Ahead
		s := *p.Session
		s.FromPeer, s.ToPeer, s.Sealed = slices.Clone(s.FromPeer), slices.Clone(s.ToPeer), slices.Clone(s.Sealed)
		unread, unsent := slices.Clone(p.Unread), slices.Concat(p.Unsent...)
		c.Release()
		c = &Conn{}
		if err := Restore(c, fd, client.LocalAddr(), unread, unsent, &s, nil); err != nil {
			t.Fatal(err)
		}
		clear(s.ToPeer)
		clear(unsent)
		c.Out.Limits(256<<20, 20*time.Second)
		if i == 1 {
			close(read)
		}
		c.Resume()
		go func() { ended <- c.Serve(echoer{c}, nil) }() // the same
	}
	if ahead == 0 {
		t.Error("nothing was encrypted and not sent")
	}
	c.Abort(io.EOF)
	<-ended
	c.Close(true)
	if all := <-got; !bytes.Equal(all, sent) {
		t.Errorf("%d bytes came of %d, or others", len(all), len(sent))
	}
}

// Wherever the peer stopped taking in a record, the next process goes on.
func TestSessionSplitAnywhere(t *testing.T) {
	m := carriedTLS(t)
	nl, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer nl.Close()
	const text = "0123456789"
	for at := range len(text) + record.Overhead {
		shaken := make(chan *rawClient, 1)
		go func() { shaken <- dialRaw(t, nl.Addr().String()) }() // ends with the handshake
		c := acceptSecure(t, nl, m)
		r := <-shaken
		r.write(r.sealed("hello")[:at%20])
		ended := make(chan error, 1)
		go func() { ended <- c.Serve(echoer{c}, nil) }() // ends when it is frozen
		s := c.src.(*session)
		if err := s.take([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if n, errno := writeNow(c.fd, s.blk.Bytes()[:at]); n != at || at > 0 && errno != 0 {
			t.Fatal(n, errno)
		}
		s.at = at
		s.owed.Store(owesUpdate)
		c.Out.mu.Lock()
		c.Out.sink.(*filterSink).ahead = len(text)
		c.Out.mu.Unlock()
		p, fd := c.restForTest(t, ended)
		moved := &Conn{}
		if err := Restore(moved, fd, nil, p.Unread, []byte(text+"and more"), p.Session, nil); err != nil {
			t.Fatal(err)
		}
		c.Release()
		moved.Out.Send([]byte(", and behind it"))
		moved.Resume()
		const want = text + "and more, and behind it"
		if got, err := r.read(len(want)); string(got) != want {
			t.Errorf("split at %d: %q, %v", at, got, err)
		}
		if r.in.Keys().Seq != 1 {
			t.Error("the KeyUpdate that was owed has not come")
		}
		go func() { ended <- moved.Serve(echoer{moved}, nil) }() // ends with the client
		_ = r.nc.Close()
		<-ended
		moved.Close(true)
	}
}

// A session that is damaged is none.
func TestSessionDamaged(t *testing.T) {
	whole := Session{Suite: tls.TLS_AES_128_GCM_SHA256, FromPeer: make([]byte, 32), ToPeer: make([]byte, 32)}
	for name, f := range map[string]func(*Session){
		"suite":           func(s *Session) { s.Suite = tls.TLS_RSA_WITH_AES_128_CBC_SHA },
		"no secret":       func(s *Session) { s.ToPeer = nil },
		"short secret":    func(s *Session) { s.FromPeer = s.FromPeer[:16] },
		"sealed nothing":  func(s *Session) { s.Sealed = []byte{1} },
		"nothing sealed":  func(s *Session) { s.Ahead = 1 },
		"negative":        func(s *Session) { s.Ahead, s.Sealed = -1, []byte{1} },
		"more than there": func(s *Session) { s.Ahead, s.Sealed = 5, []byte{1} },
	} {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		s := whole
		f(&s)
		var c Conn
		if err := Restore(&c, fds[0], nil, nil, []byte("1234"), &s, nil); !errors.Is(err, ErrSession) {
			t.Errorf("%s: %v", name, err)
		}
		_ = unix.Close(fds[1])
	}
}

// sessionPair makes a connection of a session that has been under way for seq records
// each way, and the client's end of it.
func sessionPair(t *testing.T, seq uint64, unopened func(*rawClient) []byte) (*Conn, *rawClient) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fds[1]), "client")
	nc, err := net.FileConn(f)
	_ = f.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(20 * time.Second))
	up, down := record.Keys{Secret: bytes.Repeat([]byte{1}, 48), Seq: seq}, record.Keys{Secret: bytes.Repeat([]byte{2}, 48), Seq: seq}
	const suite = tls.TLS_AES_256_GCM_SHA384
	r := &rawClient{t: t, nc: nc}
	if r.in, err = record.NewOpener(suite, down); err != nil {
		t.Fatal(err)
	}
	if r.out, err = record.NewSealer(suite, up); err != nil {
		t.Fatal(err)
	}
	s := &Session{Suite: suite, FromPeer: up.Secret, ToPeer: down.Secret, FromPeerSeq: seq, ToPeerSeq: seq}
	if unopened != nil {
		s.Unopened = unopened(r)
	}
	c := &Conn{}
	if err := Restore(c, fds[0], nil, nil, nil, s, nil); err != nil {
		t.Fatal(err)
	}
	c.Out.Limits(1<<20, 20*time.Second)
	c.Resume()
	return c, r
}

// What is decrypted and not read moves in plain, and what is not decrypted as it is.
func TestSessionMovesWhatIsNotRead(t *testing.T) {
	text := bytes.Repeat([]byte("0123456789"), 1000)
	var second []byte
	c, _ := sessionPair(t, 5, func(r *rawClient) []byte {
		first := r.sealed(string(text))
		second = r.sealed("second")
		return append(first, second[:len(second)-1]...)
	})
	small := make([]byte, 100)
	if n, err := c.src.Read(small); n != 100 || err != nil || !bytes.Equal(small, text[:100]) {
		t.Fatal(n, err, small)
	}
	c.Hold()
	p, err := c.Park()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Release()
	if !bytes.Equal(p.Unread, text[100:]) {
		t.Errorf("%d bytes are unread of %d", len(p.Unread), len(text)-100)
	}
	if !bytes.Equal(p.Session.Unopened, second[:len(second)-1]) || p.Session.FromPeerSeq != 6 {
		t.Errorf("%d bytes are not decrypted of %d, and record %d is next", len(p.Session.Unopened), len(second)-1, p.Session.FromPeerSeq)
	}
}

// A peer whose key is worn is asked for another one, with the next data and once.
func TestSessionWear(t *testing.T) {
	const most = 1 << 24
	c, r := sessionPair(t, most-2, nil)
	ended := make(chan error, 1)
	go func() { ended <- c.Serve(echoer{c}, nil) }() // ends with the client
	for i, want := range []struct {
		asked bool
		next  uint64
	}{{false, most - 1}, {true, 1}, {false, 2}, {false, 3}} {
		r.echoed("data")
		if asked, next := r.in.Asked(), r.in.Keys().Seq; asked != want.asked || next != want.next {
			t.Errorf("round %d: asked is %t, record %d is next, want %+v", i, asked, next, want)
		}
	}
	_ = r.nc.Close()
	<-ended
	c.Close(true)
}

// Encrypting and decrypting cost no memory.
func TestSessionAllocatesNothing(t *testing.T) {
	c, r := sessionPair(t, 0, nil)
	defer c.Close(true)
	s := c.src.(*session)
	p := make([]byte, 32<<10)
	rec := make([]byte, 0, record.Room(1000))
	data := make([]byte, 1000)
	if n := testing.AllocsPerRun(200, func() {
		b, err := r.out.Seal(rec, data)
		if err == nil {
			_, err = r.nc.Write(b)
		}
		if err != nil {
			t.Fatal(err)
		}
		if n, err := s.Read(p); n != len(data) || err != nil {
			t.Fatal(n, err)
		}
		_, _ = s.Read(p) // gives the block back
		if err := s.take(data); err != nil {
			t.Fatal(err)
		}
		if errno := s.flush(); errno != 0 {
			t.Fatal(errno)
		}
		if _, err := r.nc.Read(p); err != nil {
			t.Fatal(err)
		}
	}); n >= 1 && !raceEnabled {
		t.Errorf("%v allocations", n)
	}
}
