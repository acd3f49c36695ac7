package transport

import (
	"errors"

	"github.com/klauspost/compress/flate"

	"github.com/nats-broker/nats-broker/daemon/batch"
	"github.com/nats-broker/nats-broker/daemon/websocket"
)

// deflater compresses messages, each by itself: it keeps nothing between them but, where the peer keeps a context, the
// end of what it sent.
type deflater struct {
	context bool
	last    []byte // the end of the compressed messages so far, with a context; at most deflateContext
	out     clipped
}

const (
	deflateLeast   = 256     // without a context less is not worth the try
	deflateShort   = 64      // with one
	deflateContext = 2 << 10 // how much of what was sent is kept
	deflateTail    = 4       // the empty block at the end of a message, that is not sent: RFC 7692, section 7.2.1
)

// frame makes a frame of p, from a place in a block up to another one; no block if p is better not compressed.
func (d *deflater) frame(p []byte) (b *batch.Block, from, to int) {
	least := deflateLeast
	if d.context && len(d.last) > 0 {
		least = deflateShort
	}
	if len(p) < least {
		return nil, 0, 0
	}
	b = batch.NewBlock(websocket.MaxHeader + len(p) + deflateTail)
	body := b.Bytes()[websocket.MaxHeader:]
	d.out.b, d.out.n = body[:len(p)+deflateTail], 0
	err := flate.StatelessDeflate(&d.out, p, false, d.last)
	n := d.out.n - deflateTail
	d.out.b = nil
	if err != nil || n <= 0 || n >= len(p) {
		b.Release()
		return nil, 0, 0
	}
	d.keep(p)
	from = websocket.MaxHeader - websocket.HeaderLen(n)
	websocket.AppendHeader(b.Bytes()[from:from], websocket.Binary, true, n)
	return b, from, websocket.MaxHeader + n
}

// keep notes what was sent compressed, for the next message.
func (d *deflater) keep(p []byte) {
	if !d.context {
		return
	}
	if d.last == nil {
		d.last = make([]byte, 0, deflateContext)
	}
	if len(p) >= deflateContext {
		d.last = append(d.last[:0], p[len(p)-deflateContext:]...)
		return
	}
	if over := len(d.last) + len(p) - deflateContext; over > 0 {
		d.last = d.last[:copy(d.last, d.last[over:])]
	}
	d.last = append(d.last, p...)
}

// clipped is memory to write into that does not grow.
type clipped struct {
	b []byte
	n int
}

var errClipped = errors.New("no room")

func (c *clipped) Write(p []byte) (int, error) {
	n := copy(c.b[c.n:], p)
	c.n += n
	if n < len(p) {
		return n, errClipped
	}
	return n, nil
}
