package transport

import (
	"bytes"
	"io"
	"os"
	"sync"

	"github.com/klauspost/compress/flate"

	"github.com/nats-broker/nats-broker/daemon/batch"
	"github.com/nats-broker/nats-broker/daemon/websocket"
)

// unframer is the source of what a WebSocket peer sends. Without data a read fails with os.ErrDeadlineExceeded.
//
// Where nothing is compressed it reads into the reader's own buffer, and moves the payloads together there. Otherwise what
// was read stays in the intake until it is needed, a compressed message in a block until its end is there; then it is
// inflated as the reader asks for it, so that what it inflates to takes no memory.
type unframer struct {
	intake
	conn    *Conn
	out     *framer
	frames  websocket.Reader
	deflate bool
	most    int // of a compressed message
	err     error

	packed  *batch.Block // of a compressed message; nil: none
	size    int
	inflate *inflater // of a message that is complete; nil: none
	came    uint64    // how many bytes of it
}

func newUnframer(c *Conn, k *framer, f Framing) *unframer {
	u := &unframer{intake: intake{fd: c.fd, below: c.src}, conn: c, out: k, deflate: f.Deflate, most: f.MaxPacked}
	u.frames.Unmasked, u.frames.Deflate = f.Unmasked, f.Deflate
	return u
}

// quiet reports whether there is nothing here and it is for the descriptor to say whether something has come.
func (u *unframer) quiet() bool {
	return u.below == nil && u.raw == nil && u.inflate == nil && u.err == nil
}

// Read implements io.Reader.
func (u *unframer) Read(p []byte) (int, error) {
	if u.err != nil {
		return 0, u.err
	}
	if u.deflate {
		return u.readPacked(p)
	}
	for u.raw != nil { // brought along from another process
		in := u.input()
		in = in[:min(len(in), len(p))]
		n := u.take(p, in)
		if u.from += len(in); u.from == u.to {
			u.intake.close()
		}
		if n > 0 {
			return n, nil
		}
		if u.err != nil {
			return 0, u.err
		}
	}
	for {
		if u.called() {
			return 0, os.ErrDeadlineExceeded
		}
		n, err := u.read(p)
		if n == 0 {
			return 0, err
		}
		u.conn.brim = n == len(p)
		if n = u.take(p, p[:n]); n > 0 || u.err != nil {
			if n > 0 {
				return n, nil // the error comes with the next call
			}
			return 0, u.err
		}
	}
}

// called reports whether there is something else to do for who reads than to wait for data: a peer may send frames without end that
// have none.
func (u *unframer) called() bool { return u.conn.cause.Load() != nil || u.conn.errands.Load() != nil }

// take takes frames apart that have come, and puts their data into p, which has room for it and may be the same memory.
func (u *unframer) take(p, in []byte) (n int) {
	for len(in) > 0 && u.err == nil {
		used, piece, err := u.frames.Next(p[n:], in)
		in = in[used:]
		switch {
		case err != nil:
			u.fail(err)
		case piece.Kind == websocket.Data:
			n += piece.N
		default:
			u.answer(piece)
		}
	}
	return n
}

// answer does what a frame about the connection asks for.
func (u *unframer) answer(p websocket.Piece) {
	switch p.Kind {
	case websocket.IsPing:
		u.out.sayPong(p.Data)
		u.conn.Out.nudge()
	case websocket.IsClose:
		reply, err := websocket.AnswerClose(p.Data)
		if err != nil {
			u.fail(err)
			return
		}
		u.out.sayBye(reply)
		u.err = io.EOF
	}
}

// fail ends the connection for what the peer did wrong.
func (u *unframer) fail(err error) {
	u.err = err
	if e, ok := err.(*FrameError); ok {
		u.out.sayBye(websocket.AppendClose(nil, e.Code, e.Text))
	}
}

// What is wrong with a compressed message.
var (
	errPackedSize = &FrameError{Code: websocket.CloseTooBig, Text: "maximum payload exceeded"}
	errPackedData = &FrameError{Code: websocket.CloseBadPayload, Text: "corrupt compressed message"}
)

// readPacked is Read where messages may be compressed.
func (u *unframer) readPacked(p []byte) (n int, err error) {
	for {
		if n == 0 && u.called() {
			return 0, os.ErrDeadlineExceeded
		}
		if u.inflate != nil {
			if n, err = u.inflated(p); n > 0 || err != nil {
				return n, err
			}
		}
		in := u.input()
		if len(in) == 0 {
			if err := u.fill(1); err != nil {
				return 0, err
			}
			in = u.input()
		}
		in = in[:min(len(in), len(p)-n)]
		used, piece, err := u.frames.Next(p[n:], in)
		u.from += used
		switch {
		case err != nil:
			u.fail(err)
		case piece.Kind == websocket.Data && piece.Packed:
			u.gather(p[n:n+piece.N], piece.Final)
		case piece.Kind == websocket.Data:
			n += piece.N
		default:
			u.answer(piece)
		}
		switch {
		case u.err != nil && n == 0:
			return 0, u.err
		case u.err != nil, n == len(p), n > 0 && (u.inflate != nil || u.from == u.to):
			return n, nil
		}
	}
}

// gather keeps a part of a compressed message.
func (u *unframer) gather(p []byte, final bool) {
	if u.size+len(p) > u.most {
		u.fail(errPackedSize)
		return
	}
	need := u.size + len(p) + len(inflateTail)
	if u.packed == nil {
		u.packed = batch.NewBlock(need)
	} else if need > len(u.packed.Bytes()) {
		next := batch.NewBlock(max(need, 2*u.size))
		copy(next.Bytes(), u.packed.Bytes()[:u.size])
		u.packed.Release()
		u.packed = next
	}
	u.size += copy(u.packed.Bytes()[u.size:], p)
	if final {
		u.size += copy(u.packed.Bytes()[u.size:], inflateTail)
		u.inflate, u.came = newInflater(u.packed.Bytes()[:u.size]), 0
	}
}

// inflated is the next part of the message that is being inflated; without one it is over.
func (u *unframer) inflated(p []byte) (int, error) {
	n, err := u.inflate.r.Read(p)
	u.came += uint64(n)
	if err != nil {
		u.endMessage()
		if err != io.EOF {
			u.fail(errPackedData)
		}
	}
	if n > 0 {
		return n, nil
	}
	return 0, u.err
}

// endMessage gives back what the compressed message took.
func (u *unframer) endMessage() {
	if u.inflate != nil {
		u.inflate.release()
		u.inflate = nil
	}
	if u.packed != nil {
		u.packed.Release()
		u.packed = nil
	}
	u.size = 0
}

// close gives back what there is.
func (u *unframer) close() {
	u.endMessage()
	u.intake.close()
	if b, ok := u.below.(interface{ close() }); ok {
		b.close()
	}
}

// inflateTail is what a message has at its end that is not sent, and a last block, so that the end is found.
const inflateTail = "\x00\x00\xff\xff\x01\x00\x00\xff\xff"

// inflater takes 37 KiB: there are as many as messages are being inflated.
type inflater struct {
	in bytes.Reader
	r  io.ReadCloser
}

var inflaters = sync.Pool{New: func() any {
	i := &inflater{}
	i.r = flate.NewReader(&i.in)
	return i
}}

func newInflater(p []byte) *inflater {
	i := inflaters.Get().(*inflater)
	i.in.Reset(p)
	_ = i.r.(flate.Resetter).Reset(&i.in, nil) // cannot fail
	return i
}

func (i *inflater) release() {
	i.in.Reset(nil)
	inflaters.Put(i)
}
