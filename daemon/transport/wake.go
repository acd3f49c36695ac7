package transport

import (
	"errors"
	"os"
	"time"
)

// errand is a function to be run on the reader.
type errand struct {
	f    func()
	next *errand // given before
}

// Wake has f run on the goroutine of [Conn.Serve], soon and also if nothing arrives: in the
// order of the calls, between two batches. While Serve is not called it waits for that;
// what is left when Serve has returned for good is not run. It does not wait, and may be
// called from any goroutine, the reader too.
func (c *Conn) Wake(f func()) {
	e := &errand{f: f}
	for {
		e.next = c.errands.Load()
		if c.errands.CompareAndSwap(e.next, e) {
			break
		}
	}
	if c.serving.Load() {
		_ = c.nc.SetReadDeadline(time.Unix(1, 0))
	}
}

// read reads and handles until the stream ends, the handler fails, or Abort is called, and
// does errands meanwhile.
func (c *Conn) read() error {
	for {
		if c.errands.Load() != nil {
			_ = c.nc.SetReadDeadline(time.Time{}) // before they are taken: who comes later sets it again
			c.doErrands()
			c.stayAborted()
		}
		err := c.raw.Read(c.whenReadable)
		if c.cause.Load() != nil || c.result != nil || c.errands.Load() == nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		if c.errands.Load() == nil { // whose deadline it was is known: it was done already
			_ = c.nc.SetReadDeadline(time.Time{})
			c.stayAborted()
		}
	}
}

// doErrands runs what there is, in order.
func (c *Conn) doErrands() {
	var first *errand
	for e := c.errands.Swap(nil); e != nil; {
		e, e.next, first = e.next, first, e
	}
	for ; first != nil; first = first.next {
		first.f()
	}
}
