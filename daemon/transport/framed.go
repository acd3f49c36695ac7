package transport

import (
	"fmt"
	"os"
	"time"

	"github.com/nats-broker/nats-broker/daemon/websocket"
)

// Framing is what was agreed on about the frames of a WebSocket connection.
type Framing struct {
	Unmasked bool // the peer need not mask
	Deflate  bool // messages may be compressed, in both directions
	Context  bool // what we compress may refer to what was sent before
	// MaxPacked is how many bytes a compressed message of the peer may have, as it comes; they are kept until its last
	// frame is there. What it inflates to is not bounded: it is handed on as it comes out.
	MaxPacked int
}

// Frame makes both directions of the connection WebSocket frames: what Out was given before goes as it is, what it is
// given from now on goes in binary messages; what arrives from now on is taken out of frames, and pings are answered. It
// is to be called before the connection is served, behind a TLS handshake if there is one. It waits until what was sent
// before is with the kernel, at most for limit.
//
// A peer that breaks the protocol ends Serve with a [*FrameError], one that closes with io.EOF. Close says why, see
// [Conn.Farewell].
func (c *Conn) Frame(f Framing, limit time.Duration) error {
	if err := c.awaitSent(limit); err != nil {
		return fmt.Errorf("websocket: the peer does not read: %w", os.ErrDeadlineExceeded)
	}
	k := newFramer(c.fd, f)
	c.Out.mu.Lock()
	if s, ok := c.Out.sink.(*filterSink); ok {
		k.below = s.filter
	}
	c.Out.sink = k
	c.Out.mu.Unlock()
	c.src = newUnframer(c, k, f)
	return nil
}

// FrameError is what a WebSocket peer did wrong. It is told by the close frame.
type FrameError = websocket.ProtocolError

// Framed reports whether the connection consists of WebSocket frames.
func (c *Conn) Framed() bool {
	c.Out.mu.Lock()
	defer c.Out.mu.Unlock()
	return c.Out.framer() != nil
}

// Farewell is what a WebSocket peer is told by the close frame that Close sends behind everything else; it does nothing
// on other connections. The first one counts: what the protocol asks for comes before it.
func (c *Conn) Farewell(code int, reason string) {
	c.Out.mu.Lock()
	k := c.Out.framer()
	c.Out.mu.Unlock()
	if k != nil {
		k.sayBye(websocket.AppendClose(nil, code, reason))
	}
}

// framer returns the sink that makes frames, nil if there is none. The lock is held.
func (o *Outbound) framer() *framer {
	k, _ := o.sink.(*framer)
	return k
}

// nudge has the one writer look after what the sink owes the peer besides the queue.
func (o *Outbound) nudge() {
	o.mu.Lock()
	switch {
	case o.dead || o.closing:
		o.mu.Unlock()
	case o.busy:
		o.nudged = true
		o.mu.Unlock()
	default:
		o.busy, o.nudged = true, true
		o.carryOn(0, writerRounds)
	}
}

// says has the close frame sent when everything else is, if there is one to be sent. The lock is held.
func (o *Outbound) says() bool {
	k := o.framer()
	if k == nil || o.dead || k.bye.Load() == nil {
		return false
	}
	k.ending.Store(true)
	o.nudged = true
	return true
}

// dry reports whether whatever there is to read is in the descriptor.
func (c *Conn) dry() bool {
	if c.src == nil {
		return true
	}
	u, ok := c.src.(*unframer)
	return ok && u.quiet()
}
