package transport

import (
	"bytes"
	"io"
	"sync"
	"testing"
)

// A quiet reader runs what it is given, in order, and goes on.
func TestWakeAQuietReader(t *testing.T) {
	c, other := pair(t)
	ran := make(chan int, 1000)
	c.Wake(func() { ran <- -1 }) // before anybody serves it
	got := make(chan string, 10)
	done := serve(c, func(in *Input) (int, int, error) {
		got <- string(in.Data)
		return len(in.Data), 0, nil
	})
	if n := <-ran; n != -1 {
		t.Fatalf("errand %d came first", n)
	}
	for range 3 {
		for i := range 100 {
			c.Wake(func() { ran <- i })
		}
		for i := range 100 {
			if n := <-ran; n != i {
				t.Fatalf("errand %d is run in the place of %d", n, i)
			}
		}
		if _, err := other.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		if s := <-got; s != "hello" {
			t.Fatalf("handled %q", s)
		}
	}
	other.Close()
	if err := <-done; err != io.EOF {
		t.Errorf("ended with %v", err)
	}
	c.Wake(func() { t.Error("run after the end") })
}

// Errands are run between batches while much arrives, none is lost, and neither is a byte;
// the reader may give itself some.
func TestWakeABusyReader(t *testing.T) {
	c, other := pair(t)
	sent := bytes.Repeat([]byte("0123456789abcde"), 200_000)
	var got []byte
	busy, ran, own := false, 0, 0
	done := serve(c, func(in *Input) (int, int, error) {
		busy = true
		n := len(in.Data) - len(in.Data)%15 // a part is left over
		got = append(got, in.Data[:n]...)
		if own < 50 {
			own++
			c.Wake(func() { ran++ })
		}
		busy = false
		return n, 0, nil
	})
	var work sync.WaitGroup
	const each = 500
	for range 4 {
		work.Go(func() {
			for range each {
				c.Wake(func() {
					ran++
					if busy {
						t.Error("run in the middle of a batch")
					}
				})
			}
		})
	}
	work.Go(func() { _, _ = other.Write(sent) })
	work.Wait()
	last := make(chan bool)
	c.Wake(func() { close(last) })
	<-last
	other.Close()
	if err := <-done; err != io.EOF {
		t.Errorf("ended with %v", err)
	}
	if ran != 4*each+own {
		t.Errorf("%d errands were run, not %d", ran, 4*each+own)
	}
	if !bytes.Equal(got, sent) {
		t.Errorf("%d bytes handled of %d, or others", len(got), len(sent))
	}
}

// Who is to end ends, errands or not; what waits stays for who goes on with the connection.
func TestWakeAndAbort(t *testing.T) {
	for range 200 {
		c, _ := pair(t)
		done := serve(c, swallow)
		var work sync.WaitGroup
		work.Go(func() {
			for range 20 {
				c.Wake(func() {})
			}
		})
		work.Go(func() { c.Abort(ErrClosed) })
		if err := <-done; err != ErrClosed {
			t.Fatalf("ended with %v", err)
		}
		work.Wait()
	}
	c, other := pair(t)
	if _, err := other.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	move := handler(func(in *Input) (int, int, error) {
		in.Move = true
		c.Wake(func() { c.Abort(ErrClosed) })
		return len(in.Data), 0, nil
	})
	if err := c.Serve(move, nil); err != ErrMoved {
		t.Fatalf("ended with %v", err)
	}
	if err := c.Serve(move, nil); err != ErrClosed {
		t.Errorf("ended with %v", err)
	}
	c.Close(false)
}
