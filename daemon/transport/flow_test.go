package transport

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pair returns a Conn and the other end of it.
func pair(t *testing.T) (*Conn, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	other, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	nc, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c := &Conn{}
	if err := NewConn(c, nc); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Close() })
	return c, other
}

// handler is a Handler made of a function.
type handler func(in *Input) (used, need int, err error)

func (h handler) Receive(in *Input) (int, int, error) { return h(in) }

// serve serves c and returns where its end is told.
func serve(c *Conn, h handler) <-chan error {
	done := make(chan error, 1)
	go func() {
		err := c.Serve(h, nil)
		c.Close(true)
		done <- err
	}()
	return done
}

func swallow(in *Input) (int, int, error) { return len(in.Data), 0, nil }

// A peer that does not read is cut off when more waits than may, at once and with
// its memory given back; the one who sends is never delayed.
func TestPendingIsBounded(t *testing.T) {
	c, _ := pair(t)
	c.Out.Limits(1<<20, time.Hour)
	done := serve(c, swallow)
	piece := make([]byte, 64<<10)
	for range 64 << 20 / len(piece) { // more than the system takes for a socket
		c.Out.Send(piece)
	}
	var err error
	select {
	case err = <-done:
	case <-time.After(time.Minute):
		t.Fatal("nobody minds")
	}
	var pe *PendingError
	if !errors.As(err, &pe) || pe.Max != 1<<20 {
		t.Errorf("ended with %v", err)
	}
	if s := c.Out.Stats(); s.Pending != 0 {
		t.Errorf("%d bytes still wait", s.Pending)
	}
}

func TestWriteDeadline(t *testing.T) {
	c, _ := pair(t)
	c.Out.Limits(1<<30, 50*time.Millisecond)
	done := serve(c, swallow)
	c.Out.Send(make([]byte, 32<<20))
	var de *DeadlineError
	if err := <-done; !errors.As(err, &de) || de.Deadline != 50*time.Millisecond || de.Bytes == 0 {
		t.Errorf("ended with %v", err)
	}
}

// What is queued when the connection is closed is still sent.
func TestCloseFlushes(t *testing.T) {
	c, other := pair(t)
	c.Out.Limits(1<<30, time.Minute)
	done := serve(c, swallow)
	want := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
	c.Out.Send(want)
	c.Abort(ErrClosed)
	if err := <-done; !errors.Is(err, ErrClosed) {
		t.Errorf("ended with %v", err)
	}
	got, err := io.ReadAll(other)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d of %d bytes, %v", len(got), len(want), err)
	}
}

// Many senders to one peer that reads in fits and starts: every piece arrives
// whole, and each sender's in order.
func TestSendersInterleave(t *testing.T) {
	c, other := pair(t)
	c.Out.Limits(1<<30, time.Minute)
	done := serve(c, swallow)
	const senders, pieces = 4, 3000
	for s := range senders {
		go func() {
			for i := range pieces {
				size := (i * 7919) % 9000
				c.Out.Send(fmt.Appendf(nil, "%d %d %d\n%s\n", s, i, size, bytes.Repeat([]byte{byte('a' + s)}, size)))
			}
		}()
	}
	var next [senders]int
	r := &slowReader{r: other}
	for range senders * pieces {
		var s, i, size int
		if _, err := fmt.Fscanf(r, "%d %d %d\n", &s, &i, &size); err != nil {
			t.Fatal(err)
		}
		if i != next[s] {
			t.Fatalf("piece %d of sender %d, want %d", i, s, next[s])
		}
		next[s]++
		body := make([]byte, size+1)
		if _, err := io.ReadFull(r, body); err != nil {
			t.Fatal(err)
		}
		if body[size] != '\n' || bytes.Count(body, []byte{byte('a' + s)}) != size {
			t.Fatalf("piece %d of sender %d is broken", i, s)
		}
	}
	other.Close()
	if err := <-done; !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
		var we *WriteError
		if !errors.As(err, &we) {
			t.Errorf("ended with %v", err)
		}
	}
}

// slowReader hands out one byte at a time from what it reads in large pieces, so
// that the peer's window fills and empties.
type slowReader struct {
	r    io.Reader
	left []byte
}

func (s *slowReader) Read(p []byte) (int, error) {
	if len(s.left) == 0 {
		buf := make([]byte, 256<<10)
		n, err := s.r.Read(buf)
		if n == 0 {
			return 0, err
		}
		s.left = buf[:n]
	}
	n := copy(p, s.left)
	s.left = s.left[n:]
	return n, nil
}

// Input arrives in whatever pieces, is shown again until it is consumed, and is
// never lost or repeated, also if the handler asks for more than a buffer holds.
func TestInputIsComplete(t *testing.T) {
	c, other := pair(t)
	var got bytes.Buffer
	want := 0
	done := serve(c, func(in *Input) (int, int, error) {
		used := 0
		for {
			rest := in.Data[used:]
			if len(rest) < 4 {
				return used, 4, nil
			}
			size := int(rest[0]) | int(rest[1])<<8 | int(rest[2])<<16 | int(rest[3])<<24
			if len(rest) < 4+size {
				return used, 4 + size, nil
			}
			got.Write(rest[4 : 4+size])
			used += 4 + size
		}
	})
	var sent bytes.Buffer
	for i := range 200 {
		size := (i * i * 31) % 5000
		if i%50 == 49 {
			size = 3<<20 + i
		}
		body := bytes.Repeat([]byte{byte(i)}, size)
		sent.Write(body)
		frame := append([]byte{byte(size), byte(size >> 8), byte(size >> 16), byte(size >> 24)}, body...)
		for len(frame) > 0 {
			n := min(len(frame), 1+i*97)
			if _, err := other.Write(frame[:n]); err != nil {
				t.Fatal(err)
			}
			frame = frame[n:]
		}
		want += size
	}
	other.Close()
	if err := <-done; !errors.Is(err, io.EOF) {
		t.Fatalf("ended with %v", err)
	}
	if !bytes.Equal(got.Bytes(), sent.Bytes()) {
		t.Errorf("got %d bytes of %d, or others", got.Len(), want)
	}
}

// What is shared from the input stays what it was although the reader goes on and
// the receiver is slow.
func TestSharedInputIsKept(t *testing.T) {
	from, writer := pair(t)
	to, reader := pair(t)
	to.Out.Limits(1<<30, time.Minute)
	toDone := serve(to, swallow)
	fromDone := serve(from, func(in *Input) (int, int, error) {
		n := len(in.Data) &^ 0xffff
		if n == 0 {
			return 0, 1 << 16, nil
		}
		l := in.Batch.Lane(&to.Out.Outlet)
		in.Refer(l, in.Data[:n])
		return n, 0, nil
	})
	const blocks = 400
	go func() {
		for i := range blocks {
			_, _ = writer.Write(bytes.Repeat([]byte{byte(i)}, 1<<16))
		}
	}()
	buf := make([]byte, 1<<16)
	for i := range blocks {
		if _, err := io.ReadFull(reader, buf); err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(buf, []byte{byte(i)}); n != len(buf) {
			t.Fatalf("block %d: %d bytes of %d are right", i, n, len(buf))
		}
	}
	writer.Close()
	reader.Close()
	<-fromDone
	<-toDone
}

// A peer that takes in something before each deadline is spared, if that is asked for,
// and one that takes in nothing is not.
func TestForgive(t *testing.T) {
	c, other := pair(t)
	c.Out.Limits(1<<30, 50*time.Millisecond)
	const size, misses = 64 << 20, 3
	caught, read, missed := make(chan time.Duration, 1), make(chan error, 1), 0
	c.Out.Forgive(func(e *DeadlineError, took time.Duration) { // on the writer's goroutine
		if took > 0 {
			caught <- took
			return
		}
		if e.Deadline != 50*time.Millisecond || e.Bytes <= 0 || e.Chunks <= 0 {
			t.Errorf("missed: %+v", e)
		}
		switch missed++; {
		case missed < misses: // makes room, of which all is used before the next deadline
			if _, err := io.CopyN(io.Discard, other, 512<<10); err != nil {
				t.Error(err)
			}
		case missed == misses:
			go func() { // ends with the rest
				_, err := io.CopyN(io.Discard, other, size-(misses-1)*512<<10)
				read <- err
			}()
		}
	})
	done := serve(c, swallow)
	c.Out.Send(make([]byte, size))
	select {
	case took := <-caught:
		if took < misses*50*time.Millisecond {
			t.Errorf("caught up after %v, having missed %d deadlines", took, misses)
		}
	case err := <-done:
		t.Fatal("ended with", err)
	}
	if err := <-read; err != nil {
		t.Fatal(err)
	}
	c.Out.Send(make([]byte, size)) // nobody reads it
	var de *DeadlineError
	if err := <-done; !errors.As(err, &de) {
		t.Errorf("ended with %v", err)
	}
}
