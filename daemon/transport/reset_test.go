package transport

import (
	"bytes"
	"errors"
	"io"
	"net"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// A connection that is given up while somebody waits to write to it is closed at once,
// though nobody reads: the descriptor does not stay until the write deadline, which
// there need not be. By Reset, the peer gets nothing more of what was sent.
func TestGivenUpWhileBlocked(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(c *Conn)
		want error
	}{
		{"without flushing", func(c *Conn) { c.Close(false) }, io.EOF},
		{"reset", func(c *Conn) { c.Reset() }, syscall.ECONNRESET},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn, other := pair(t)
			done := make(chan error, 1)
			go func() { done <- conn.Serve(handler(swallow), nil) }()
			for conn.Out.Stats().Pending == 0 { // until the kernel takes no more
				conn.Out.Send(make([]byte, 1<<20))
			}
			for !waiting() {
				time.Sleep(time.Millisecond)
			}
			conn.Abort(ErrClosed)
			<-done
			c.end(conn)
			for end := time.Now().Add(20 * time.Second); !closed(conn); time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Fatal("the descriptor stays open while nobody reads")
				}
			}
			_ = other.SetReadDeadline(time.Now().Add(20 * time.Second))
			n, err := io.Copy(io.Discard, other)
			if err == nil {
				err = io.EOF
			}
			if !errors.Is(err, c.want) {
				t.Errorf("the other end read %d bytes, then %v, want %v", n, err, c.want)
			}
		})
	}
}

func closed(c *Conn) bool {
	return errors.Is(c.raw.Control(func(uintptr) {}), net.ErrClosed)
}

// waiting reports whether somebody waits for a descriptor to be writable.
func waiting() bool {
	all := make([]byte, 1<<20)
	for _, g := range bytes.Split(all[:runtime.Stack(all, true)], []byte("\n\n")) {
		if bytes.Contains(g, []byte("[IO wait")) && bytes.Contains(g, []byte("writeOut")) {
			return true
		}
	}
	return false
}
