package transport

import (
	"fmt"
	"sync"
	"syscall"
	"time"

	"github.com/nats-broker/nats-broker/daemon/batch"
)

// Outbound is the queue of what a connection has still to send.
//
// At any time at most one goroutine writes: the one that found the queue idle and
// set busy. Whoever comes meanwhile queues behind it, and the writer takes that
// along. The mutex protects all fields and is held across no system call and no
// call out of the package; it is a leaf of the lock order.
type Outbound struct {
	batch.Outlet // by which batches send here

	mu   sync.Mutex
	conn *Conn
	sink sink // nil: the descriptor

	queue   []batch.Segment // waiting, from head on
	head    int
	tail    *batch.Block // the block of the last piece, if it may be appended to
	tailEnd int
	pending int64 // bytes accepted and not yet written

	moved   bool // the write before writeOut began took something
	blocked bool // the last write did not take all: what comes now may wait for long
	nudged  bool // the sink owes the peer something besides the queue
	busy    bool // somebody writes, or waits for the descriptor to be writable
	dead    bool // nothing is accepted any more
	closing bool // the connection is closed when all is written

	holder chan struct{} // set once by Hold; closed when the one writer is the holder

	brake   int64         // see Brake
	drained uint64        // bytes written, with a brake
	stuck   bool          // nothing was for too long
	room    chan struct{} // closed when publishers need not wait any more; nil if none does

	maxPending    int64
	writeDeadline time.Duration
	forgive       func(e *DeadlineError, took time.Duration) // nil: a missed deadline ends the connection
	msgs, bytes   uint64
}

// sink takes plain bytes and sends them some other way than as they are. It never
// blocks: what it cannot send it keeps, and says so by EAGAIN; flush tries again.
type sink interface {
	writev(segs []batch.Segment) (n int, errno syscall.Errno)
	// slow reports whether n bytes take so long that a publisher should not send them
	// itself, but leave that to a goroutine.
	slow(n int64) bool
}

// session returns the session that the queue encrypts for by itself, nil if there is
// none. The lock is held.
func (o *Outbound) session() *session {
	var f filter
	switch k := o.sink.(type) {
	case *filterSink:
		f = k.filter
	case *framer:
		f = k.below
	}
	s, _ := f.(*session)
	return s
}

// PendingError: more was waiting to be sent than may.
type PendingError struct{ Max int64 }

func (e *PendingError) Error() string {
	return fmt.Sprintf("Slow Consumer Detected: MaxPending of %d Exceeded", e.Max)
}

// DeadlineError: what was waiting could not be sent in time.
type DeadlineError struct {
	Deadline time.Duration
	Chunks   int
	Bytes    int64
}

func (e *DeadlineError) Error() string {
	return fmt.Sprintf("Slow Consumer Detected: WriteDeadline of %v exceeded with %d chunks of %d total bytes.",
		e.Deadline, e.Chunks, e.Bytes)
}

// WriteError: the descriptor can no longer be written to.
type WriteError struct{ Err error }

func (e *WriteError) Error() string { return fmt.Sprintf("Error flushing: %v", e.Err) }

// Unwrap gives the system's error.
func (e *WriteError) Unwrap() error { return e.Err }

// Limits bounds what may wait and for how long. It takes effect at once.
func (o *Outbound) Limits(maxPending int64, writeDeadline time.Duration) {
	o.mu.Lock()
	o.maxPending, o.writeDeadline = maxPending, writeDeadline
	o.mu.Unlock()
}

// Forgive has the connection go on when a deadline is missed, as long as the peer took in
// some of what was waiting. f is told of each deadline that is missed, with 0, and when
// nothing is waiting any more, with the time since the first one began. It must be quick;
// it runs on the goroutine that writes.
func (o *Outbound) Forgive(f func(e *DeadlineError, took time.Duration)) {
	o.mu.Lock()
	o.forgive = f
	o.mu.Unlock()
}

// OutboundStats are the counters of a queue.
type OutboundStats struct {
	Pending     int64  // bytes waiting
	Msgs, Bytes uint64 // messages handed over, and their size
}

// Stats returns the counters.
func (o *Outbound) Stats() OutboundStats {
	o.mu.Lock()
	defer o.mu.Unlock()
	return OutboundStats{Pending: o.pending, Msgs: o.msgs, Bytes: o.bytes}
}

// Send queues a copy of p and writes it if nobody else is writing. It is for what
// does not belong to a batch.
func (o *Outbound) Send(p []byte) {
	if len(p) > 0 {
		o.put([]batch.Segment{batch.Copy(p)}, len(p), 0, 0)
	}
}

// Put takes over what a lane has staged: see [batch.Destination].
func (o *Outbound) Put(l *batch.Lane) (wait bool) {
	return o.put(l.Segments(), l.Staged(), l.Msgs, l.Bytes)
}

// put takes over segs, which have staged bytes.
func (o *Outbound) put(segs []batch.Segment, staged, msgs, bytes int) (wait bool) {
	o.mu.Lock()
	o.msgs += uint64(msgs)
	o.bytes += uint64(bytes)
	if o.dead || o.closing {
		o.mu.Unlock()
		batch.ReleaseAll(segs)
		return false
	}
	o.pending += int64(staged)
	if o.busy {
		o.adopt(segs, o.blocked)
		over := o.overflow()
		wait = o.braking()
		o.mu.Unlock()
		if over != nil {
			o.conn.Abort(over)
		}
		return wait
	}
	o.busy = true
	sink := o.sink
	o.mu.Unlock()

	n, errno := 0, syscall.EAGAIN
	if sink == nil || !sink.slow(int64(staged)) {
		n, errno = o.write(sink, segs)
	}
	left := advance(segs, n)
	o.mu.Lock()
	o.wrote(n)
	o.moved, o.blocked = n > 0, len(left) > 0
	if len(left) > 0 && !o.dead {
		o.prepend(left)
	} else {
		batch.ReleaseAll(left)
	}
	wait = o.braking()
	o.carryOn(errno, writerRounds)
	return wait
}

// writerRounds is how often a publisher writes what others queued behind it
// before it leaves the rest to a goroutine and goes back to its own peer.
const writerRounds = 4

// carryOn goes on writing as the one writer until the queue is empty, the
// descriptor takes no more, or rounds is used up. The lock is held on entry and
// released.
func (o *Outbound) carryOn(errno syscall.Errno, rounds int) {
	for {
		switch {
		case o.dead:
			o.idle()
			return
		case o.holder != nil && (errno == 0 || errno == syscall.EAGAIN):
			o.idle()
			return
		case errno == syscall.EAGAIN || o.head < len(o.queue) && (rounds == 0 || o.sink != nil && o.sink.slow(o.pending)):
			over := o.overflow()
			if over != nil {
				o.idle()
				o.conn.Abort(over)
				return
			}
			o.mu.Unlock()
			go o.conn.writeOut() // ends when the queue is empty or the connection dead
			return
		case errno != 0:
			o.kill()
			o.idle()
			o.conn.Abort(&WriteError{errno})
			return
		case o.head == len(o.queue) && !o.nudged:
			o.idle()
			return
		}
		rounds--
		_, errno = o.writeSome()
	}
}

// idle ends the caller's time as the writer. The lock is held and released.
func (o *Outbound) idle() {
	if o.holder != nil {
		o.yieldToHolder()
		return
	}
	o.busy = false
	last := o.closing
	o.mu.Unlock()
	if last {
		o.conn.shut()
	}
}

// writeSome writes the head of the queue. The lock is held, released during the
// system call, and held again. What is being written is out of the queue, so that
// nobody can release it meanwhile.
func (o *Outbound) writeSome() (int, syscall.Errno) {
	var few [maxIov]batch.Segment
	waiting := o.queue[o.head:]
	some := few[:copy(few[:], waiting)]
	clear(waiting[:len(some)])
	o.head += len(some)
	o.tail = nil
	sink, nudged := o.sink, o.nudged
	o.nudged = false
	o.mu.Unlock()
	w, errno := o.write(sink, some)
	more := nudged && (errno != 0 || len(some) > 0) // the sink may not have come to it
	left := advance(some, w)
	o.mu.Lock()
	o.nudged = o.nudged || more
	if o.dead {
		batch.ReleaseAll(left)
		return w, 0
	}
	o.wrote(w)
	o.moved, o.blocked = w > 0, len(left) > 0
	o.head -= len(left)
	copy(o.queue[o.head:], left)
	if o.head == len(o.queue) {
		o.queue, o.head = o.queue[:0], 0
		if cap(o.queue) > 1024 {
			o.queue = nil
		}
	}
	return w, errno
}

func (o *Outbound) write(s sink, segs []batch.Segment) (int, syscall.Errno) {
	if s != nil {
		return s.writev(segs)
	}
	return writev(o.conn.fd, segs)
}

// advance releases what n written bytes cover and returns the rest of segs.
func advance(segs []batch.Segment, n int) []batch.Segment {
	for len(segs) > 0 {
		s := &segs[0]
		if n < s.Len() {
			s.From += n
			return segs
		}
		n -= s.Len()
		s.Release()
		segs = segs[1:]
	}
	return nil
}

// maxCoalesce is the size up to which a queued piece is copied to its neighbours.
const maxCoalesce = 8 << 10

// adopt queues segs; their references become the queue's. Small pieces are copied
// together, so that what waits takes hardly more memory than it has bytes; for long, if
// the peer has stopped reading, and then large ones are too that pin too much.
func (o *Outbound) adopt(segs []batch.Segment, long bool) {
	var pins pinning
	for i := range segs {
		s := segs[i]
		if s.Len() > maxCoalesce && !(long && pins.tooMuch(segs[i:])) {
			segs[i] = batch.Segment{}
			o.queue = append(o.queue, s)
			o.tail = nil
			continue
		}
		segs[i] = batch.Segment{}
		p := s.Bytes()
		for len(p) > 0 {
			if o.tail == nil || o.tailEnd == len(o.tail.Bytes()) {
				size := batch.Small
				if o.pending > batch.Read {
					size = batch.Read
				}
				b := batch.NewBlock(size)
				o.tail, o.tailEnd = b, 0
				o.queue = append(o.queue, batch.Segment{Block: b})
			}
			n := copy(o.tail.Bytes()[o.tailEnd:], p)
			p = p[n:]
			o.tailEnd += n
			o.queue[len(o.queue)-1].To = o.tailEnd
		}
		s.Release()
	}
}

// prepend puts what could not be written before what others queued meanwhile.
func (o *Outbound) prepend(segs []batch.Segment) {
	later := append([]batch.Segment(nil), o.queue[o.head:]...)
	tail, end := o.tail, o.tailEnd
	clear(o.queue)
	o.queue, o.head, o.tail = o.queue[:0], 0, nil
	o.adopt(segs, false)
	if len(later) > 0 {
		o.queue = append(o.queue, later...)
		o.tail, o.tailEnd = tail, end
	}
}

// overflow kills the queue if more is waiting than may. The lock is held; the
// caller reports the error after releasing it.
func (o *Outbound) overflow() error {
	if o.maxPending <= 0 || o.pending <= o.maxPending {
		return nil
	}
	o.kill()
	return &PendingError{Max: o.maxPending}
}

// kill drops the queue and accepts nothing any more. The lock is held.
func (o *Outbound) kill() {
	if o.dead {
		return
	}
	o.dead = true
	batch.ReleaseAll(o.queue[o.head:])
	o.queue, o.head, o.tail, o.pending = nil, 0, nil, 0
	o.release()
}
