package brokertest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Conn is a client connection at the level of bytes. It reads only when told
// to, so that a test decides when a peer is slow. One goroutine at a time.
type Conn struct {
	t    testing.TB
	net  wire
	tcp  *net.TCPConn
	web  *webWire // nil: not by WebSocket
	in   *bufio.Reader
	port int

	reply string // of the last request to a service of another account, in a script
}

// wire is what bytes go through: TCP, or what is above it.
type wire interface {
	net.Conn
	CloseWrite() error
	SetLinger(sec int) error
}

// Dial connects to the server and reads nothing; the test fails if it cannot.
// The connection is closed when the test ends.
func (s *Server) Dial(t testing.TB) *Conn {
	t.Helper()
	nc, err := net.DialTimeout("tcp", s.Addr(), Patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	return &Conn{t: t, net: nc.(*net.TCPConn), tcp: nc.(*net.TCPConn), in: bufio.NewReaderSize(nc, 32<<10), port: s.port}
}

// Open connects, reads the INFO and sends CONNECT with the given JSON.
func (s *Server) Open(t testing.TB, connect string) *Conn {
	t.Helper()
	c := s.Dial(t)
	if f := c.Frame(); !strings.HasPrefix(f, "INFO ") {
		t.Fatalf("want INFO, got %q", f)
	}
	c.Send("CONNECT " + connect + "\r\n")
	return c
}

// TryOpen is Open for other goroutines than the test's own: it returns errors,
// and the caller closes the connection. Of the methods of such a connection
// only TrySync and Net may be used outside of the test's goroutine.
func (s *Server) TryOpen(connect string) (*Conn, error) {
	nc, err := net.DialTimeout("tcp", s.Addr(), Patience)
	if err != nil {
		return nil, err
	}
	c := &Conn{t: s.t, net: nc.(*net.TCPConn), tcp: nc.(*net.TCPConn), in: bufio.NewReaderSize(nc, 4<<10), port: s.port}
	f, err := c.frame()
	if err == nil && !bytes.HasPrefix(f, []byte("INFO ")) {
		err = fmt.Errorf("want INFO, got %q", f)
	}
	if err == nil {
		err = c.write([]byte("CONNECT " + connect + "\r\n"))
	}
	if err != nil {
		nc.Close()
		return nil, err
	}
	return c, nil
}

// TrySync sends text and a PING and returns when the PONG has come; anything
// but INFO and PING before it is an error.
func (c *Conn) TrySync(text string) error {
	if err := c.write([]byte(text + "PING\r\n")); err != nil {
		return err
	}
	for {
		f, err := c.frame()
		switch {
		case err != nil:
			return err
		case string(f) == "PONG":
			return nil
		case string(f) != "PING" && !bytes.HasPrefix(f, []byte("INFO ")):
			return fmt.Errorf("want PONG, got %q", f)
		}
	}
}

// Net returns the connection below, for deadlines and socket options.
func (c *Conn) Net() *net.TCPConn { return c.tcp }

// Send writes text as it stands. That the server has closed the connection is
// no failure here: the test learns it by reading.
func (c *Conn) Send(text string) {
	c.t.Helper()
	if err := c.write([]byte(text)); err != nil {
		c.t.Fatalf("send: %v", err)
	}
}

func (c *Conn) write(p []byte) error {
	if err := c.net.SetWriteDeadline(time.Now().Add(Patience)); err != nil {
		return err
	}
	if _, err := c.net.Write(p); err != nil && !gone(err) {
		return err
	}
	return nil
}

// EOF is what Frame returns once the server has closed the connection.
const EOF = "EOF"

// Frame reads one frame (a line, or a line and its payload for MSG and HMSG)
// without the CRLF that ends it, or EOF. The test fails when none comes.
func (c *Conn) Frame() string {
	c.t.Helper()
	f, err := c.frame()
	if err != nil {
		c.t.Fatalf("read: %v", err)
	}
	return string(f)
}

// Next is Frame without the INFO and PING that a server sends when it likes.
func (c *Conn) Next() string {
	c.t.Helper()
	for {
		if f := c.Frame(); f != "PING" && !strings.HasPrefix(f, "INFO ") {
			return f
		}
	}
}

// Sync sends PING and returns the frames that come before its PONG. No other
// PING may be without its answer. PINGs of the server are left out. If the
// server closes instead, the last frame is EOF.
func (c *Conn) Sync() []string {
	c.t.Helper()
	c.Send("PING\r\n")
	var list []string
	for {
		switch f := c.Frame(); f {
		case "PONG":
			return list
		case "PING":
		case EOF:
			return append(list, f)
		default:
			list = append(list, f)
		}
	}
}

func (c *Conn) frame() ([]byte, error) {
	if err := c.net.SetReadDeadline(time.Now().Add(Patience)); err != nil {
		return nil, err
	}
	line, err := c.in.ReadBytes('\n')
	if err != nil {
		if gone(err) {
			if len(line) > 0 {
				return append(line, " (cut off)"...), nil
			}
			return []byte(EOF), nil
		}
		return nil, fmt.Errorf("%w, after %q", err, line)
	}
	if bytes.HasPrefix(line, []byte("MSG ")) || bytes.HasPrefix(line, []byte("HMSG ")) {
		args := bytes.Fields(line)
		size, err := strconv.Atoi(string(args[len(args)-1]))
		if err != nil {
			return nil, fmt.Errorf("size in %q: %w", line, err)
		}
		head := len(line)
		line = append(line, make([]byte, size+2)...)
		if n, err := io.ReadFull(c.in, line[head:]); err != nil {
			if gone(err) || errors.Is(err, io.ErrUnexpectedEOF) {
				return append(line[:head+n], " (cut off)"...), nil
			}
			return nil, err
		}
	}
	body, ok := bytes.CutSuffix(line, []byte("\r\n"))
	if !ok {
		return append(line, " (no CRLF)"...), nil
	}
	return body, nil
}

// gone reports whether err says that the peer has closed or reset.
func gone(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
