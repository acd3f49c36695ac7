package transport

import (
	"errors"
	"io"
	"os"
	"syscall"
)

// intake is what has come from a descriptor, or from a source above one, on its way to
// what makes plain bytes of it. It holds memory while there is something in it, and
// little where that is little.
type intake struct {
	fd    int
	below io.Reader // nil: the descriptor

	raw      *Block // nil while there is nothing in it
	from, to int
}

// feed puts in what was read otherwise, before anything else is there.
func (t *intake) feed(p []byte) {
	if len(p) > 0 {
		t.raw = getBlock(max(len(p), readBlock))
		t.from, t.to = 0, copy(t.raw.buf, p)
	}
}

// input is what there is, until the next fill. What was taken is skipped by from.
func (t *intake) input() []byte {
	if t.raw == nil {
		return nil
	}
	return t.raw.buf[t.from:t.to]
}

// fill reads, so that there may be need bytes. It fails with os.ErrDeadlineExceeded when
// nothing is there to be read.
func (t *intake) fill(need int) error {
	left := t.to - t.from
	switch {
	case t.raw == nil:
		t.raw, t.from, t.to = getBlock(max(need, readBlock)), 0, 0
	case len(t.raw.buf) < max(need, readBlock):
		t.move(getBlock(max(need, readBlock)))
	case left == 0 || len(t.raw.buf)-t.from < need || len(t.raw.buf)-t.to < smallBlock:
		copy(t.raw.buf, t.input())
		t.from, t.to = 0, left
	}
	n, err := t.read(t.raw.buf[t.to:])
	t.to += n
	if n == 0 {
		t.settle()
	}
	return err
}

// settle gives back memory that is not needed while nothing comes.
func (t *intake) settle() {
	switch left := t.to - t.from; {
	case left == 0:
		t.close()
	case left <= smallBlock && len(t.raw.buf) > smallBlock:
		t.move(getBlock(smallBlock))
	}
}

// move goes on in another block.
func (t *intake) move(b *Block) {
	n := copy(b.buf, t.input())
	t.raw.release()
	t.raw, t.from, t.to = b, 0, n
}

func (t *intake) read(p []byte) (int, error) {
	if t.below != nil {
		return t.below.Read(p)
	}
	return readWire(t.fd, p)
}

// close gives back what there is.
func (t *intake) close() {
	if t.raw != nil {
		t.raw.release()
	}
	t.raw, t.from, t.to = nil, 0, 0
}

// readFrom reads from the source above the descriptor.
func (c *Conn) readFrom(p []byte) (int, syscall.Errno) {
	n, err := c.src.Read(p)
	switch {
	case n > 0:
		return n, 0
	case err == nil, errors.Is(err, os.ErrDeadlineExceeded):
		return 0, syscall.EAGAIN
	case errors.Is(err, io.EOF):
		return 0, 0
	default:
		c.fail = err
		return 0, syscall.EIO
	}
}
