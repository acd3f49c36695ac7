package transport

import (
	"errors"
	"slices"

	"github.com/nats-broker/nats-broker/daemon/batch"
	"github.com/nats-broker/nats-broker/daemon/websocket"
)

// Frames is what a WebSocket connection consists of beyond its plain bytes, at rest. It refers to memory of the Conn.
type Frames struct {
	Framing
	From websocket.State // where the peer's frames are

	Raw     []byte // read from the peer, decrypted, and not taken out of frames
	Message []byte // what has come of a compressed message
	Whole   bool   // it is complete, and is being inflated
	Came    uint64 // how much of what it inflates to was handed on

	Head  []byte // what is not written of the header of the frame under way to the peer
	Left  int    // how much of its payload is not written: the beginning of what is unsent
	Kept  []byte // what is not passed on of a frame made in memory
	Ahead int    // how many bytes of what is unsent are in it, and in what is sealed
	Spoke []byte // what is not written of a pong, which comes first
	Last  []byte // the end of what was sent compressed, where it may be referred to
}

// ErrFrames means that the state of frames does not hold what belongs to it.
var ErrFrames = errors.New("the state of a WebSocket connection is damaged")

var errEnding = errors.New("connection is ending")

// describe writes the frames down; nil for a connection that has none. Nobody reads or writes any more.
func (c *Conn) describeFrames() (*Frames, error) {
	k := c.Out.framer()
	u, ok := c.src.(*unframer)
	if k == nil || !ok {
		return nil, nil
	}
	if u.err != nil || k.bye.Load() != nil || k.said {
		return nil, errEnding
	}
	m := &Frames{Framing: Framing{Unmasked: u.frames.Unmasked, Deflate: u.deflate, MaxPacked: u.most}, From: u.frames.State(),
		Raw: u.input(), Whole: u.inflate != nil, Came: u.came, Left: k.left, Ahead: k.ahead, Head: k.head[k.at:k.end], Spoke: k.spoke}
	if k.blk != nil {
		m.Kept = k.blk.Bytes()[k.from:k.to]
	}
	if p := k.pong.Load(); p != nil {
		m.Spoke = slices.Concat(m.Spoke, *p)
	}
	if d := k.deflate; d != nil {
		m.Context, m.Last = d.context, d.last
	}
	if m.Message = nil; u.packed != nil {
		if m.Message = u.packed.Bytes()[:u.size]; m.Whole {
			m.Message = m.Message[:u.size-len(inflateTail)]
		}
	}
	if s, ok := u.below.(*session); ok && len(s.plain) > 0 {
		m.Raw = slices.Concat(m.Raw, s.plain)
	}
	return m, nil
}

// restoreFrames puts frames on top of a connection, of which unsent bytes are to be sent.
func (c *Conn) restoreFrames(m *Frames, below *session, unsent int) error {
	if m.Left < 0 || m.Ahead < 0 || m.Left > unsent || m.Ahead > unsent || len(m.Head) > websocket.MaxHeader || m.MaxPacked < 0 ||
		len(m.Message) > m.MaxPacked || len(m.Last) > deflateContext || m.Whole && !m.Deflate || m.Left == 0 && len(m.Head) > 0 {
		return ErrFrames
	}
	k := newFramer(c.fd, m.Framing)
	kept := k.deflate != nil || below != nil
	if kept && m.Left > 0 || !kept && (m.Ahead > 0 || len(m.Kept) > 0) {
		return ErrFrames
	}
	if below != nil {
		k.below, c.src = below, below
	}
	u := newUnframer(c, k, m.Framing)
	if !u.frames.Resume(m.From) {
		return ErrFrames
	}
	u.feed(m.Raw)
	if m.Whole || len(m.Message) > 0 {
		u.gather(m.Message, m.Whole)
		if err := u.skip(m.Came); err != nil {
			u.close()
			return ErrFrames
		}
	}
	k.end, k.left, k.ahead = uint8(copy(k.head[:], m.Head)), m.Left, m.Ahead
	k.spoke = slices.Clone(m.Spoke)
	if len(m.Kept) > 0 {
		k.blk = batch.NewBlock(len(m.Kept))
		k.to = copy(k.blk.Bytes(), m.Kept)
	}
	if k.deflate != nil && k.deflate.context {
		k.deflate.last = append(make([]byte, 0, deflateContext), m.Last...)
	}
	c.src, c.Out.sink = u, k
	c.Out.nudged = len(m.Spoke) > 0
	return nil
}

// skip passes over what was handed on of the message that is being inflated.
func (u *unframer) skip(came uint64) error {
	var scratch [4096]byte
	for came > 0 {
		if u.inflate == nil {
			return ErrFrames
		}
		n, err := u.inflate.r.Read(scratch[:min(came, uint64(len(scratch)))])
		came -= uint64(n)
		u.came += uint64(n)
		if err != nil && came > 0 {
			return err
		}
	}
	return nil
}
