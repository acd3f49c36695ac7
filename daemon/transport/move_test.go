package transport

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

// However often a connection moves from one goroutine to the next, every byte is handled once and in order, with what
// was left of the call before, whether it came before the move, during it or later; and an end is noticed.
func TestMovedConnectionGoesOn(t *testing.T) {
	c, other := pair(t)
	sent := make([]byte, 1<<20)
	for i := range sent {
		sent[i] = byte(i * 7 >> 3)
	}
	go func() {
		_, _ = other.Write(sent[:1<<19])
		_, _ = other.Write(sent[1<<19:])
		other.Close()
	}()
	var got []byte
	moves, calls := 0, 0
	take := handler(func(in *Input) (int, int, error) {
		n := max(len(in.Data)-50, 0) // some is left over
		got = append(got, in.Data[:n]...)
		calls++
		in.Move = calls%3 != 0
		return n, 0, nil
	})
	for {
		end := make(chan error)
		go func() { end <- c.Serve(take, nil) }()
		err := <-end
		if err == ErrMoved {
			moves++
			continue
		}
		if err != io.EOF {
			t.Errorf("ended with %v", err)
		}
		break
	}
	c.Close(true)
	if moves < 5 {
		t.Errorf("moved %d times only", moves)
	}
	if !bytes.HasPrefix(sent, got) || len(got) < len(sent)-100 {
		t.Errorf("%d bytes handled of %d, or others", len(got), len(sent))
	}
}

// A connection that is closed while nobody serves it ends when somebody does, with the cause it was closed for, and one
// that is frozen then is frozen, with what was left over.
func TestAbortedBetweenTwoGoroutines(t *testing.T) {
	for _, cause := range []error{ErrClosed, ErrFrozen} {
		c, other := pair(t)
		if _, err := other.Write([]byte("abcdef")); err != nil {
			t.Fatal(err)
		}
		move := handler(func(in *Input) (int, int, error) { in.Move = true; return 2, 0, nil })
		if err := c.Serve(move, nil); err != ErrMoved {
			t.Fatalf("did not move: %v", err)
		}
		c.Abort(cause)
		if err := c.Serve(move, nil); !errors.Is(err, cause) {
			t.Errorf("ended with %v, not %v", err, cause)
		}
		if cause == ErrFrozen {
			c.Hold()
			if p, err := c.Park(); err != nil || string(p.Unread) != "cdef" {
				t.Errorf("parked with %q (%v)", p.Unread, err)
			}
			c.Release()
			continue
		}
		c.Close(true)
	}
}
