package transport

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/websocket"
)

// moveForTest brings a connection to rest and goes on with it, as another process would: nothing of the first one is
// left. It says what had to be carried.
func moveForTest(t *testing.T, c *Conn, ended <-chan error) (*Conn, *Frames) {
	t.Helper()
	p, fd := c.restForTest(t, ended)
	if p.Frames == nil {
		t.Fatal("no frames were carried")
	}
	f := *p.Frames
	for _, b := range []*[]byte{&f.Raw, &f.Message, &f.Head, &f.Kept, &f.Spoke, &f.Last, &f.From.Head, &f.From.Control} {
		*b = slices.Clone(*b)
	}
	f.From = websocket.State{Open: f.From.Open, Packed: f.From.Packed, Head: f.From.Head, InFrame: f.From.InFrame, Op: f.From.Op,
		Left: f.From.Left, Mask: f.From.Mask, Control: f.From.Control}
	var s *Session
	if p.Session != nil {
		own := *p.Session
		own.FromPeer, own.ToPeer = slices.Clone(own.FromPeer), slices.Clone(own.ToPeer)
		own.Sealed, own.Unopened = slices.Clone(own.Sealed), slices.Clone(own.Unopened)
		s = &own
	}
	unread, unsent, remote := slices.Clone(p.Unread), slices.Concat(p.Unsent...), c.NetConn().RemoteAddr()
	c.Release()
	next := &Conn{}
	if err := Restore(next, fd, remote, unread, unsent, s, &f); err != nil {
		t.Fatal(err)
	}
	next.Out.Limits(256<<20, 20*time.Second)
	next.Resume()
	return next, &f
}

func serveMoved(c *Conn) <-chan error {
	done := make(chan error, 1)
	go func() { done <- c.Serve(echoer{c}, nil) }() // ends when it is frozen, or with the peer
	return done
}

// TestFramedMovesAtEveryByte: a connection moves behind each byte that the peer has sent, and nothing is lost: in the
// middle of headers, of fragmented and of compressed messages, of pings, with and without TLS.
func TestFramedMovesAtEveryByte(t *testing.T) {
	text := strings.Repeat("PUB x 5\r\nhello\r\n", 20)
	for _, f := range []Framing{{}, {Unmasked: true}, {Deflate: true, Context: true, MaxPacked: 1000}} {
		for _, secure := range []bool{false, true} {
			t.Run(fmt.Sprintf("%+v secure %v", f, secure), func(t *testing.T) {
				c, other := pair(t)
				nc := other
				if secure {
					c, nc = securePair(t, c, other)
				}
				if err := c.Frame(f, time.Second); err != nil {
					t.Fatal(err)
				}
				p := newWebPeer(t, nc)
				p.unmasked, p.keeps = f.Unmasked, f.Context
				wire := p.frame(nil, 0x02, []byte(text[:20]))
				wire = p.frame(wire, 0x89, []byte("ping"))
				wire = p.frame(wire, 0x80, []byte(text[20:]))
				if f.Deflate {
					packed := deflated([]byte(text))
					wire = p.frame(wire, 0x42, packed[:5])
					wire = p.frame(wire, 0x80, packed[5:])
				} else {
					wire = p.frame(wire, 0x82, []byte(text))
				}
				done := serveMoved(c)
				got := []byte{}
				echoed := make(chan error, 1)
				go func() {
					all, err := p.data(2 * len(text))
					got = all
					echoed <- err
				}()
				for i := range wire {
					if _, err := nc.Write(wire[i : i+1]); err != nil {
						t.Fatal(err)
					}
					if i < 80 || i > len(wire)-40 || i%16 == 0 { // the middle of a payload is like any other place of it
						c, _ = moveForTest(t, c, done)
						done = serveMoved(c)
					}
				}
				if err := <-echoed; err != nil {
					t.Fatal(err)
				}
				if string(got) != text+text || len(p.pongs) != 1 || string(p.pongs[0]) != "ping" {
					t.Errorf("%q, pongs %q", got, p.pongs)
				}
				nc.Close()
				if err := <-done; !errors.Is(err, io.EOF) {
					t.Error("ended with", err)
				}
				c.Close(true)
			})
		}
	}
}

// securePair does a handshake of TLS 1.3 over a connection.
func securePair(t *testing.T, c *Conn, other net.Conn) (*Conn, net.Conn) {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		_, err := c.SecureServer(carriedTLS(t), nil)
		done <- err
	}()
	tc := tls.Client(other, &tls.Config{InsecureSkipVerify: true})
	if err := tc.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return c, tc
}

// TestFramedMovesUnderPressure: a slow peer's connection moves while a frame is half written.
func TestFramedMovesUnderPressure(t *testing.T) {
	for _, f := range []Framing{{}, {Deflate: true, Context: true, MaxPacked: 1000}} {
		for _, secure := range []bool{false, true} {
			t.Run(fmt.Sprintf("%+v secure %v", f, secure), func(t *testing.T) {
				c, other := pair(t)
				_ = other.(*net.TCPConn).SetReadBuffer(64 << 10)
				c.Out.Limits(256<<20, 20*time.Second)
				nc := other
				if secure {
					c, nc = securePair(t, c, other)
				}
				if err := c.Frame(f, time.Second); err != nil {
					t.Fatal(err)
				}
				p := newWebPeer(t, nc)
				p.keeps = f.Context
				done := serveMoved(c)
				sent := sample(5, 14<<20)
				half := 0
				var next *Frames
				for i, part := range [][]byte{sent[:10<<20], sent[10<<20 : 11<<20], sent[11<<20:]} {
					c.Out.Send(part)
					c, next = moveForTest(t, c, done)
					done = serveMoved(c)
					if next.Left > 0 || next.Ahead > 0 {
						half++
					}
					if i == 1 {
						if got, err := p.data(3 << 20); err != nil || !bytes.HasPrefix(sent, got) {
							t.Fatalf("%d bytes, %v", len(got), err)
						} else {
							sent = sent[len(got):]
						}
					}
				}
				if half == 0 {
					t.Error("no frame was half written")
				}
				c.Farewell(1001, "bye")
				c.Abort(io.EOF)
				<-done
				c.Close(true)
				if got, err := p.data(len(sent)); err != nil || !bytes.Equal(got, sent) {
					t.Fatalf("%d bytes of %d, %v", len(got), len(sent), err)
				}
				if op, got, err := p.next(); err != nil || op != 8 || string(got) != "\x03\xe9bye" {
					t.Errorf("closed by %d %q %v", op, got, err)
				}
			})
		}
	}
}

// TestFramesThatAreNone: a state that cannot be one is refused.
func TestFramesThatAreNone(t *testing.T) {
	for _, f := range []Frames{
		{Left: 1}, {Ahead: 1}, {Left: -1}, {Head: []byte{0x82}}, {Head: make([]byte, 11), Left: 1},
		{Framing: Framing{MaxPacked: 1}, Whole: true}, {Framing: Framing{Deflate: true, MaxPacked: 1}, Message: []byte("ab")},
		{Framing: Framing{Deflate: true, MaxPacked: 100}, Whole: true, Message: []byte("ab"), Came: 1000},
		{From: websocket.State{Head: make([]byte, 20)}}, {Kept: []byte("x")}, {Last: make([]byte, 4096)},
	} {
		c, _ := pair(t)
		if err := c.restoreFrames(&f, nil, 0); !errors.Is(err, ErrFrames) {
			t.Errorf("%+v: %v", f, err)
		}
		c.Close(false)
	}
}
