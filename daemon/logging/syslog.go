package logging

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// sendTimeout bounds one write to the receiver; a receiver that takes nothing for so long is left and tried anew.
	sendTimeout = 10 * time.Second
	// flushTimeout bounds what close waits for queued lines.
	flushTimeout = 2 * time.Second
	// queueBytes bounds the memory of waiting lines, however few they are.
	queueBytes = 16 << 20
	// batchBytes is what goes into one write to a stream.
	batchBytes = 64 << 10

	backoffFirst = 100 * time.Millisecond
	backoffMax   = 30 * time.Second
)

// syslogSink sends lines to a syslog receiver, local or remote. Lines wait in a bounded queue; one goroutine sends
// them. A receiver that is away is tried again with growing pauses, and lines beyond the queue's bound are dropped and
// counted: the newest, because the first lines of a trouble tell its cause.
type syslogSink struct {
	target target
	format syslogFormat
	limit  int
	tell   teller // queues a report
	speak  func() // emits queued reports; called without locks held

	dropped atomic.Uint64

	mu     sync.Mutex // guards the queue
	queue  [][]byte
	sent   int // so many at the head are sent, and kept until the receiver's side has them
	bytes  int
	closed bool
	wake   chan struct{} // capacity 1: the queue is no longer empty, or the sink closes

	ctx    context.Context // ends dialling and waiting when the sink closes and its flush time is over
	cancel context.CancelFunc
	done   chan struct{} // the goroutine has ended; nil before start
}

func newSyslog(t target, f syslogFormat, limit int, tell teller, speak func()) *syslogSink {
	s := &syslogSink{target: t, format: f, limit: limit, tell: tell, speak: speak, wake: make(chan struct{}, 1)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

func (s *syslogSink) name() string { return s.target.url }
func (s *syslogSink) lost() uint64 { return s.dropped.Load() }

// start begins the sending goroutine; close ends it.
func (s *syslogSink) start() {
	s.done = make(chan struct{})
	go s.run()
}

func (s *syslogSink) write(r *record) {
	msg := cutMessage(s.format.appendMessage(nil, r))
	s.mu.Lock()
	full := s.closed || len(s.queue) >= s.limit || s.bytes+len(msg) > queueBytes
	if !full {
		s.queue = append(s.queue, msg)
		s.bytes += len(msg)
	}
	s.mu.Unlock()
	if full {
		s.dropped.Add(1)
		return
	}
	s.signal()
}

func (s *syslogSink) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// close lets the goroutine send what waits, for a bounded time. What is left then is lost.
func (s *syslogSink) close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.signal()
	if s.done != nil {
		stop := time.AfterFunc(flushTimeout, s.cancel)
		<-s.done
		stop.Stop()
	}
	s.cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.queue); n > 0 {
		s.dropped.Add(uint64(n))
		s.queue = nil
		return fmt.Errorf("syslog %s: %d lines could not be sent", s.target.url, n)
	}
	return nil
}

// run keeps a connection to the receiver while there are lines to send.
func (s *syslogSink) run() {
	defer close(s.done)
	out := outage{sink: s}
	for s.await() {
		sent := false
		conn, frame, err := s.target.dial(s.ctx)
		if err == nil {
			sent, err = s.serve(conn, frame, &out)
		}
		switch {
		case err == nil || s.ctx.Err() != nil:
			return // the queue is sent, or the time to send it is over
		case err == errReceiverClosed && sent:
			continue // it has gone between two lines: try at once
		case s.closing() && out.failures > 0:
			return // one attempt to flush to a receiver that is away is enough
		}
		out.began(err)
		s.pause(out.wait())
	}
}

// await blocks until a line waits; false when the sink is closing and none does.
func (s *syslogSink) await() bool {
	for {
		s.mu.Lock()
		waiting, closed := len(s.queue) > 0, s.closed
		s.mu.Unlock()
		if waiting {
			return s.ctx.Err() == nil
		}
		if closed {
			return false
		}
		select {
		case <-s.wake:
		case <-s.ctx.Done():
			return false
		}
	}
}

func (s *syslogSink) closing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// pause waits between two attempts. It ends early when the sink begins to close.
func (s *syslogSink) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for !s.closing() {
		select {
		case <-timer.C:
			return
		case <-s.wake:
		case <-s.ctx.Done():
			return
		}
	}
}

var errReceiverClosed = errors.New("the receiver has closed the connection")

// serve sends lines over one connection until it fails or, with a nil error, the sink closes and nothing is left to
// send. sent tells whether the connection took any line.
func (s *syslogSink) serve(conn net.Conn, frame framing, out *outage) (sent bool, err error) {
	gone := watchClose(conn, frame)
	defer func() {
		s.confirm(unacknowledged(conn))
		s.resend()
		conn.Close()
		if gone != nil {
			<-gone
		}
	}()
	var buf []byte
	for {
		batch := s.peek(frame)
		if len(batch) == 0 && s.closing() {
			s.confirm(0) // the kernel delivers the rest
			return sent, nil
		}
		select {
		case <-gone:
			return sent, errReceiverClosed
		default:
		}
		if len(batch) == 0 {
			select {
			case <-s.wake:
				continue
			case <-gone:
				return sent, errReceiverClosed
			case <-s.ctx.Done():
				return sent, nil
			}
		}
		buf = buf[:0]
		for _, msg := range batch {
			buf = frame.appendFrame(buf, msg)
		}
		conn.SetWriteDeadline(time.Now().Add(sendTimeout))
		if _, err := conn.Write(buf); err != nil {
			return sent, err
		}
		s.markSent(len(batch))
		s.confirm(unacknowledged(conn))
		sent = true
		out.ended()
	}
}

// watchClose returns a channel that closes when the receiver has closed a stream: it never speaks, so a read that
// returns means just that, and a write would notice one line too late. The goroutine ends with the connection.
// Datagrams have no end: nil.
func watchClose(conn net.Conn, frame framing) <-chan struct{} {
	if frame == frameDatagram {
		return nil
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		io.Copy(io.Discard, conn)
	}()
	return gone
}

// peek returns the lines that go into the next write.
func (s *syslogSink) peek(frame framing) [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	unsent := s.queue[s.sent:]
	if frame == frameDatagram {
		return unsent[:min(1, len(unsent))]
	}
	n, size := 0, 0
	for n < len(unsent) && size < batchBytes {
		size += len(unsent[n])
		n++
	}
	return unsent[:n:n]
}

func (s *syslogSink) markSent(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent += n
}

// confirm removes the lines that were sent but for the newest that make up the last open bytes: those may still be
// lost with the connection.
func (s *syslogSink) confirm(open int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	keep := 0
	for keep < s.sent && open > 0 {
		keep++
		open -= len(s.queue[s.sent-keep])
	}
	done := s.sent - keep
	for i := range done {
		s.bytes -= len(s.queue[i])
		s.queue[i] = nil
	}
	s.queue, s.sent = s.queue[done:], keep
	if len(s.queue) == 0 {
		s.queue = nil
	}
}

// resend takes back what is sent and not confirmed, for the next connection. A line may arrive twice that way, but a
// receiver that restarts costs none that its kernel has not taken.
func (s *syslogSink) resend() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent = 0
}

// unacknowledged returns how many bytes of a stream the other side's kernel (with a local socket: the receiver) has not
// taken yet. With TLS the count is of the encrypted bytes, which are more: the error is on the safe side.
func unacknowledged(conn net.Conn) int {
	if c, ok := conn.(*tls.Conn); ok {
		conn = c.NetConn()
	}
	c, ok := conn.(syscall.Conn)
	if !ok || conn.RemoteAddr().Network() == "udp" || conn.RemoteAddr().Network() == "unixgram" {
		return 0
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return 0
	}
	n := 0
	_ = raw.Control(func(fd uintptr) { n, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) })
	if err != nil {
		return 0
	}
	return n
}

// outage follows the receiver's absences, so that each is reported once when it begins and once when it ends. A
// receiver that is there but too slow is reported once in reportEvery.
type outage struct {
	sink     *syslogSink
	failures int
	lost     uint64 // the sink's drops when they were last reported
	reported time.Time
}

const reportEvery = 10 * time.Second

func (o *outage) began(err error) {
	o.failures++
	if o.failures > 1 {
		return
	}
	s := o.sink
	s.tell(Error, LogSinkUnreachable, fmt.Sprintf("Syslog %s cannot be reached, lines wait: %v", s.target.url, err),
		String(FieldSink, s.target.url), Err(err))
	s.speak()
}

func (o *outage) ended() {
	s := o.sink
	lost := s.lost() - o.lost
	if o.failures == 0 && (lost == 0 || time.Since(o.reported) < reportEvery) {
		return
	}
	o.failures, o.lost, o.reported = 0, o.lost+lost, time.Now()
	if lost == 0 {
		s.tell(Info, NoID, fmt.Sprintf("Syslog %s is reached again, no line was lost", s.target.url),
			String(FieldSink, s.target.url))
	} else {
		s.tell(Warn, LogLinesDropped, fmt.Sprintf("%d lines for syslog %s were dropped", lost, s.target.url),
			String(FieldSink, s.target.url), Uint(FieldCount, lost), String(FieldReason, "the queue was full"))
	}
	s.speak()
}

// wait returns the pause before the next attempt: doubling, with a quarter of it at random so that many brokers do not
// come back to a receiver at once.
func (o *outage) wait() time.Duration {
	d := backoffMax
	if shift := o.failures - 1; shift < 16 {
		d = min(backoffMax, backoffFirst<<shift)
	}
	return d - time.Duration(rand.Int64N(int64(d)/4+1))
}
