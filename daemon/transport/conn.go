package transport

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nats-broker/nats-broker/daemon/batch"
)

// Handler is what a connection's owner does with what arrives.
type Handler interface {
	// Receive looks at in.Data, all bytes that have arrived and were not consumed
	// yet, and returns how many it consumed. need is how many bytes must have
	// arrived, of what was not consumed, before it makes sense to call again; 0 if
	// that is unknown. What it wants to send it puts into in.Batch. It runs on the
	// connection's reader and keeps no reference to Data; an error ends [Conn.Serve],
	// after the batch was flushed.
	Receive(in *Input) (used, need int, err error)
}

// ErrClosed is the cause of a connection that was closed from this side without
// an error.
var ErrClosed = errors.New("connection closed")

// Conn is a byte stream with a peer. Make one by [NewConn]; its methods may be
// called from any goroutine unless they say otherwise.
type Conn struct {
	Out Outbound

	nc           net.Conn
	raw          syscall.RawConn
	fd           int
	src          io.Reader // nil: the descriptor; otherwise fails with os.ErrDeadlineExceeded instead of blocking
	h            Handler
	whenReadable func(uintptr) bool // onReadable, made once: Serve allocates nothing, which can take stack
	result       error              // of the last call of it

	rest  batch.Segment // what was read and not consumed, while waiting for more
	need  int           // how many bytes the handler wants before it is called again
	cause atomic.Pointer[error]
	in    Input
	burst bool // the last reads filled the buffer
	brim  bool // the last read of src filled it, though that gave less
	fresh bool // rest was not shown to the handler yet
	moved bool // Serve has returned ErrMoved and was not called since

	errands atomic.Pointer[errand] // to be run on the reader, the latest first
	serving atomic.Bool

	unpack  *unpacker // what becomes src when the handler has returned
	fail    error     // of src
	refused bool      // the handler would not go on; set before Serve returns
	hearOut bool      // see HearOut
	last    bool      // what is read now is the last
}

// NewConn makes a connection of an established stream, which must have a
// descriptor (TCP, unix). The Conn owns nc from now on. The caller sets the limits
// of Out.
func NewConn(c *Conn, nc net.Conn) error {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return errors.New("connection without a descriptor")
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return err
	}
	if err := raw.Control(func(fd uintptr) { c.fd = int(fd) }); err != nil {
		return err
	}
	c.nc, c.raw = nc, raw
	c.whenReadable = c.onReadable
	c.Out.conn = c
	c.Out.Leads(&c.Out)
	return nil
}

// NetConn returns the stream, for its addresses.
func (c *Conn) NetConn() net.Conn { return c.nc }

// Abort ends the connection: Serve returns err. The first call decides.
func (c *Conn) Abort(err error) {
	if c.cause.CompareAndSwap(nil, &err) {
		_ = c.nc.SetReadDeadline(time.Unix(1, 0)) // wakes the reader
	}
}

// stayAborted is for who has set a deadline, perhaps in place of Abort's.
func (c *Conn) stayAborted() {
	if c.Aborted() != nil {
		_ = c.nc.SetReadDeadline(time.Unix(1, 0))
	}
}

// Aborted returns the cause given to Abort, nil if there is none.
func (c *Conn) Aborted() error {
	if p := c.cause.Load(); p != nil {
		return *p
	}
	return nil
}

// HearOut has Serve handle what the peer has sent before a write to it failed, and return the
// handler's error, if there is one, rather than the write's: a peer that closes may have
// said why. It comes before Serve.
func (c *Conn) HearOut() { c.hearOut = true }

// lastWords handles what has come before a write failed, and reports whether the handler has
// an error for it. Nothing more comes: the peer has closed.
func (c *Conn) lastWords() bool {
	var failed *WriteError
	if !c.hearOut || !errors.As(c.Aborted(), &failed) {
		return false
	}
	if !c.refused {
		c.last = true
		_, c.result = c.readable()
	}
	return c.refused
}

// Serve reads until the stream ends, the handler fails or Abort is called, and
// returns why: io.EOF if the peer closed it. Bytes in first are handled as if they
// had just been read. The caller must call Close after it.
func (c *Conn) Serve(h Handler, first []byte) error {
	c.h = h
	if len(first) > 0 {
		c.rest = batch.Copy(first)
		c.fresh = true
	}
	c.serving.Store(true)
	err := c.read()
	said := c.lastWords()
	c.serving.Store(false)
	result := c.result
	c.result = nil
	cause := c.Aborted()
	if cause == ErrFrozen && result == nil {
		return cause // what is left over stays for Park
	}
	if result == ErrMoved {
		c.moved = true
		return result // or for who goes on
	}
	if c.rest.Block != nil {
		c.rest.Release()
	}
	if src, ok := c.src.(interface{ close() }); ok {
		src.close()
	}
	if cause != nil && cause != ErrFrozen && !said {
		return cause
	}
	if err != nil && !said {
		return err
	}
	return result
}

// onReadable is what Serve does whenever the descriptor is readable; done ends Serve.
func (c *Conn) onReadable(uintptr) (done bool) {
	if c.moved {
		if c.moved = false; c.dry() && quiet(c.fd) {
			return false
		}
	}
	again, err := c.readable()
	c.result = err
	return !again
}

// readable reads and handles until nothing is left to read. again means that it
// has to be called when the descriptor is readable.
func (c *Conn) readable() (again bool, err error) {
	b := batch.New(&c.Out.Outlet)
	r := reader{c: c}
	err = r.restore(b)
	for err == nil {
		if !c.last && (c.cause.Load() != nil || c.errands.Load() != nil) {
			r.stash()
			break
		}
		n, errno := r.read()
		if errno == syscall.EAGAIN {
			r.stash()
			again = true
			break
		}
		if errno != 0 {
			err = os.NewSyscallError("read", errno)
			if c.fail != nil {
				err = c.fail
			}
			break
		}
		if n == 0 {
			err = io.EOF
			break
		}
		err = r.handle(b)
		c.refused = err != nil && err != ErrMoved
	}
	if err == ErrMoved {
		r.stash()
	}
	r.blk.Release()
	b.Release()
	return again, err
}

// reader is the state of one call of readable: blk[from:to] is unconsumed.
type reader struct {
	c        *Conn
	blk      *batch.Block
	from, to int
	full     int // reads in a row that filled the buffer
}

// restore takes a buffer, with what was left over in it.
func (r *reader) restore(b *batch.Batch) error {
	c := r.c
	size := batch.Read
	if c.burst {
		size = batch.Burst
	}
	if c.rest.Block == nil {
		r.blk = batch.NewBlock(size)
		return nil
	}
	r.blk, r.from, r.to = c.rest.Block, c.rest.From, c.rest.To
	c.rest = batch.Segment{}
	if c.fresh {
		c.fresh = false
		return r.handle(b)
	}
	r.makeRoom()
	return nil
}

// stash keeps what is unconsumed until more arrives: in a smaller block if it needs no
// more, so that a peer that stops in the middle of a frame binds little memory.
func (r *reader) stash() {
	c := r.c
	c.burst = r.full > 1
	if r.from == r.to {
		return
	}
	if spacious(r.blk, r.to-r.from) {
		c.rest = batch.Copy(r.blk.Bytes()[r.from:r.to])
		return
	}
	r.blk.Hold()
	c.rest = batch.Segment{Block: r.blk, From: r.from, To: r.to}
}

func (r *reader) read() (int, syscall.Errno) {
	space := r.blk.Bytes()[r.to:]
	var n int
	var errno syscall.Errno
	if r.c.src == nil {
		n, errno = readNow(r.c.fd, space)
	} else {
		n, errno = r.c.readFrom(space)
	}
	if n == len(space) || n > 0 && r.c.brim {
		r.full++
	} else if n > 0 {
		r.full = 0
	}
	r.to += n
	return n, errno
}

// handle gives the handler what is there, flushes what it sends, and makes room.
func (r *reader) handle(b *batch.Batch) error {
	c := r.c
	if r.to-r.from >= c.need {
		in := &c.in
		in.Data, in.Batch, in.block, in.base = r.blk.Bytes()[r.from:r.to], b, r.blk, r.from
		used, need, err := c.h.Receive(in)
		in.Data, in.Batch, in.block = nil, nil, nil
		b.Flush()
		if err != nil {
			return err
		}
		r.from += used
		c.need = need
		if b.Waits() {
			b.Await(func() bool { return c.cause.Load() != nil })
		}
		if c.unpack != nil {
			c.unpack.feed(r.blk.Bytes()[r.from:r.to])
			c.src, c.unpack = c.unpack, nil
			r.from, c.need = r.to, 0
		}
	}
	r.makeRoom()
	if c.in.Move {
		c.in.Move = false
		return ErrMoved
	}
	return nil
}

// makeRoom sees to it that the next read has a useful amount of space, behind what
// is unconsumed, in a block that nobody else uses.
func (r *reader) makeRoom() {
	left := r.to - r.from
	least := batch.Read
	if r.full > 1 {
		least = batch.Burst
	}
	size := roomFor(left, r.c.need, least)
	space := batch.Small // behind what is there
	if missing := r.c.need - left; missing > 0 {
		space = min(space, missing)
	}
	all, shared := len(r.blk.Bytes()), r.blk.Shared()
	switch {
	case left == 0 && !shared && all >= size && all <= batch.Burst:
		r.from, r.to = 0, 0
		return
	case left > 0 && !shared && all-r.from >= min(size, max(r.c.need, left+batch.Small)) && all-r.to >= space:
		return // goes on behind what is there
	case left > 0 && !shared && all >= size:
		copy(r.blk.Bytes(), r.blk.Bytes()[r.from:r.to])
		r.from, r.to = 0, left
		return
	}
	next := batch.NewBlock(size)
	copy(next.Bytes(), r.blk.Bytes()[r.from:r.to])
	r.blk.Release()
	r.blk, r.from, r.to = next, 0, left
}

// Close ends the connection after Serve has returned. With flush, what is queued
// is still sent, by a goroutine if need be, within the write deadline.
func (c *Conn) Close(flush bool) {
	o := &c.Out
	o.mu.Lock()
	o.closing = true
	o.release()
	if !flush {
		o.kill()
	}
	if o.sink != nil && o.says() && !o.busy {
		o.busy = true
		o.carryOn(0, writerRounds) // shuts at its end
		return
	}
	busy, dead := o.busy, o.dead
	o.mu.Unlock()
	switch {
	case !busy:
		c.shut()
	case dead:
		// Somebody may wait for the descriptor to be writable, for nothing.
		_ = c.nc.SetWriteDeadline(time.Unix(1, 0))
	}
}

// Reset ends the connection after Serve has returned, so that nothing more of what
// was sent reaches the peer, not even what the kernel has already. It is for a peer
// that does not answer: what is on its way there could arrive behind what is sent over
// the next connection.
func (c *Conn) Reset() {
	if tcp, ok := c.nc.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	c.Close(false)
}

// shut closes the descriptor. It runs once: in Close, or in whoever was writing then.
func (c *Conn) shut() {
	o := &c.Out
	o.mu.Lock()
	o.kill()
	s, k := o.session(), o.framer()
	o.mu.Unlock()
	if k != nil {
		k.drop()
	}
	if s != nil {
		s.farewell()
	}
	if c.refused || c.fail != nil || k != nil {
		c.swallow()
	}
	_ = c.nc.Close()
}

// swallow takes what the peer has sent so far out of the kernel's hands: closing a
// descriptor with unread input resets the connection, and the peer may lose the
// error it was sent.
func (c *Conn) swallow() {
	b := batch.NewBlock(batch.Read)
	defer b.Release()
	for range 64 {
		if n, errno := readNow(c.fd, b.Bytes()); n == 0 || errno != 0 {
			return
		}
	}
}

// writeOut writes the queue whenever the descriptor is writable. It is started by
// whoever wrote last, on behalf of the one writer, and ends when the queue is empty
// or the connection dead.
func (c *Conn) writeOut() {
	o := &c.Out
	w := writeRun{c: c}
	w.begin()
	w.moved = o.takeMoved()
	err := c.raw.Write(func(uintptr) bool { return w.step() })
	for errors.Is(err, os.ErrDeadlineExceeded) && w.forgiven() {
		err = c.raw.Write(func(uintptr) bool { return w.step() })
	}
	w.caughtUp(err)
	_ = c.nc.SetWriteDeadline(time.Time{})
	o.mu.Lock()
	if o.holder != nil && w.errno == 0 && (err == nil || errors.Is(err, os.ErrDeadlineExceeded)) {
		o.idle() // what is left stays in the queue: see Hold
		return
	}
	if err != nil && !o.dead {
		o.kill()
		o.idle()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = &DeadlineError{Deadline: w.limit, Chunks: w.chunks, Bytes: w.bytes}
		} else {
			err = &WriteError{err}
		}
		c.Abort(err)
		return
	}
	if w.errno != 0 && !o.dead {
		o.kill()
		o.idle()
		c.Abort(&WriteError{w.errno})
		return
	}
	if (o.head < len(o.queue) || o.nudged) && !o.dead { // came after the last step
		o.carryOn(0, 1)
		return
	}
	o.idle()
}

// writeRun is one run of writeOut. What is waiting when it begins must be written
// before the deadline; then the next deadline is set for what is waiting by then.
type writeRun struct {
	c      *Conn
	limit  time.Duration
	left   int64 // of bytes
	chunks int
	bytes  int64
	errno  syscall.Errno

	moved   bool           // the write before took something
	started time.Time      // when the deadline began that was missed first; zero: none was
	missed  *DeadlineError // what it was about
}

// forgiven reports whether to go on after a missed deadline, and sets the next one.
func (w *writeRun) forgiven() bool {
	o := &w.c.Out
	o.mu.Lock()
	f, held := o.forgive, o.holder != nil || o.dead
	o.mu.Unlock()
	if f == nil || held || w.left == w.bytes && !w.moved {
		return false
	}
	w.moved = false
	e := &DeadlineError{Deadline: w.limit, Chunks: w.chunks, Bytes: w.bytes}
	if w.missed == nil {
		w.missed, w.started = e, time.Now().Add(-w.limit)
	}
	f(e, 0)
	w.begin()
	return true
}

// takeMoved reports whether the write before took something.
func (o *Outbound) takeMoved() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.moved
}

// caughtUp tells that nothing is overdue any more.
func (w *writeRun) caughtUp(err error) {
	if w.missed == nil || err != nil || w.errno != 0 {
		return
	}
	o := &w.c.Out
	o.mu.Lock()
	f := o.forgive
	o.mu.Unlock()
	if f != nil {
		f(w.missed, time.Since(w.started))
	}
}

func (w *writeRun) begin() {
	o := &w.c.Out
	o.mu.Lock()
	w.limit, w.chunks, w.bytes = o.writeDeadline, len(o.queue)-o.head, o.pending
	o.mu.Unlock()
	w.left = w.bytes
	if w.limit > 0 {
		_ = w.c.nc.SetWriteDeadline(time.Now().Add(w.limit))
	}
}

// step writes until the descriptor takes no more; done means that nothing is left.
func (w *writeRun) step() (done bool) {
	o := &w.c.Out
	o.mu.Lock()
	for {
		if o.dead || o.head == len(o.queue) && !o.nudged || o.holder != nil {
			o.mu.Unlock()
			return true
		}
		n, errno := o.writeSome()
		w.left -= int64(n)
		if errno == syscall.EAGAIN {
			o.mu.Unlock()
			return false
		}
		if errno != 0 {
			w.errno = errno
			o.mu.Unlock()
			return true
		}
		if w.left <= 0 {
			o.mu.Unlock()
			w.begin()
			o.mu.Lock()
		}
	}
}
