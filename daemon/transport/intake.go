package transport

import (
	"errors"
	"io"
	"os"
	"syscall"

	"github.com/nats-broker/nats-broker/daemon/batch"
)

// intake is what has come from a descriptor, or from a source above one, on its way to
// what makes plain bytes of it. It holds memory while there is something in it, and
// little where that is little.
type intake struct {
	fd    int
	below io.Reader // nil: the descriptor

	raw      *batch.Block // nil while there is nothing in it
	from, to int
}

// feed puts in what was read otherwise, before anything else is there.
func (t *intake) feed(p []byte) {
	if len(p) > 0 {
		t.raw = batch.NewBlock(max(len(p), batch.Read))
		t.from, t.to = 0, copy(t.raw.Bytes(), p)
	}
}

// input is what there is, until the next fill. What was taken is skipped by from.
func (t *intake) input() []byte {
	if t.raw == nil {
		return nil
	}
	return t.raw.Bytes()[t.from:t.to]
}

// fill reads, so that there may be need bytes in the end. It fails with os.ErrDeadlineExceeded
// when nothing is there to be read.
func (t *intake) fill(need int) error {
	left := t.to - t.from
	size := roomFor(left, need, batch.Read)
	switch {
	case t.raw == nil:
		t.raw, t.from, t.to = batch.NewBlock(size), 0, 0
	case len(t.raw.Bytes()) < size:
		t.move(batch.NewBlock(size))
	case left == 0 || len(t.raw.Bytes())-t.from < min(need, size) || len(t.raw.Bytes())-t.to < batch.Small:
		copy(t.raw.Bytes(), t.input())
		t.from, t.to = 0, left
	}
	n, err := t.read(t.raw.Bytes()[t.to:])
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
	case spacious(t.raw, left):
		t.move(batch.NewBlock(left))
	}
}

// move goes on in another block.
func (t *intake) move(b *batch.Block) {
	n := copy(b.Bytes(), t.input())
	t.raw.Release()
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
		t.raw.Release()
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
