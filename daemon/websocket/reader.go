package websocket

import (
	"encoding/binary"
	"fmt"
)

// What is wrong with frames. The texts are nats-server's (2.15.3).
var (
	errRSV          = &ProtocolError{CloseProtocolError, "RSV2 and RSV3 must be clear"}
	errPacked       = &ProtocolError{CloseProtocolError, "compressed frame received without negotiated permessage-deflate"}
	errMask         = &ProtocolError{CloseProtocolError, "mask bit missing"}
	errControlLen   = &ProtocolError{CloseProtocolError, fmt.Sprintf("control frame length bigger than maximum allowed of %d bytes", MaxControl)}
	errControlFinal = &ProtocolError{CloseProtocolError, "control frame does not have final bit set"}
	errControlRSV   = &ProtocolError{CloseProtocolError, "control frame must not be compressed"}
	errUnfinished   = &ProtocolError{CloseProtocolError, "new message started before final frame for previous message was received"}
	errContinuation = &ProtocolError{CloseProtocolError, "invalid continuation frame"}
	errLength       = &ProtocolError{CloseProtocolError, "invalid 64-bit payload length"}
)

// Reader takes what a peer sends apart. Its state may be written down and carried to another process: [State].
type Reader struct {
	Unmasked bool // it was agreed that the peer need not mask
	Deflate  bool // it was agreed that messages may be compressed

	s State
}

// State is where in the stream a [Reader] is.
type State struct {
	Open   bool   // a message has begun and its last frame has not
	Packed bool   // it, or the one of the frame under way, is compressed
	Head   []byte // of the next frame, as far as it has come; nil in the middle of one

	InFrame bool // in the middle of a frame:
	Op      Opcode
	Left    uint64 // how much of its payload is to come
	Mask    uint32 // turned to the next byte, the first one lowest; 0: not masked
	Control []byte // what has come of a control frame's payload

	head    [maxPeerHeader]byte
	control [MaxControl]byte
}

// Piece is what [Reader.Next] has found.
type Piece struct {
	Kind   Kind
	Data   []byte // of a control frame: valid until the next call
	N      int    // of data: how many bytes were put into dst
	Packed bool   // data is compressed
	Final  bool   // data ends the message
}

// Kind is what a piece is.
type Kind uint8

// The kinds of pieces.
const (
	None    Kind = iota // nothing yet
	Data                // a part of a message, which may be empty
	IsPing              // to be answered by a pong with the same payload
	IsPong              // nothing is to be done
	IsClose             // nothing follows
)

// State returns where the reader is. It refers to memory of the reader.
func (r *Reader) State() State { return r.s }

// Resume has the reader go on where another one was. It reports false for what cannot be the state of one.
func (r *Reader) Resume(s State) bool {
	if len(s.Head) >= maxPeerHeader || len(s.Control) > MaxControl || s.InFrame && len(s.Head) > 0 ||
		s.InFrame && s.Op.control() && s.Left+uint64(len(s.Control)) > MaxControl || s.Left>>63 != 0 {
		return false
	}
	head, control := s.Head, s.Control
	s.Head, s.Control = nil, nil
	r.s = s
	r.s.Head = append(r.s.head[:0], head...)
	r.s.Control = append(r.s.control[:0], control...)
	return true
}

// Next looks at in, what has arrived and was not used yet, and returns how much of it is used now. Data it puts,
// unmasked, at the beginning of dst, which has room for all of in and may be the same memory, or begin before it. It is
// called until in is used up. An error is a [*ProtocolError], and the end.
func (r *Reader) Next(dst, in []byte) (used int, p Piece, err error) {
	s := &r.s
	if !s.InFrame {
		n, whole, err := r.header(in)
		if err != nil || !whole {
			return n, Piece{}, err
		}
		used = n
		s.InFrame, s.Head = true, nil
	}
	rest := in[used:]
	if s.Op.control() {
		n := int(min(uint64(len(rest)), s.Left))
		have := len(s.Control)
		s.Control = s.control[:have+n]
		s.Mask = unmask(s.Control[have:], rest[:n], s.Mask)
		if s.Left -= uint64(n); s.Left > 0 {
			return used + n, Piece{}, nil
		}
		p.Data = s.Control
		switch s.Op {
		case Ping:
			p.Kind = IsPing
		case Pong:
			p.Kind = IsPong
		default:
			p.Kind = IsClose
		}
		s.InFrame, s.Control = false, nil
		return used + n, p, nil
	}
	n := int(min(uint64(len(rest)), s.Left))
	s.Mask = unmask(dst[:n], rest[:n], s.Mask)
	s.Left -= uint64(n)
	if n == 0 && s.Left > 0 {
		return used, Piece{}, nil // the header was all
	}
	p = Piece{Kind: Data, N: n, Packed: s.Packed}
	if s.Left == 0 {
		s.InFrame = false
		p.Final = !s.Open
	}
	return used + n, p, nil
}

// header takes the header of the next frame, or a part of it.
func (r *Reader) header(in []byte) (used int, whole bool, err error) {
	s := &r.s
	if s.Head == nil {
		s.Head = s.head[:0]
	}
	for {
		want := 2
		if len(s.Head) >= 2 {
			want = headerLen(s.Head[1])
		}
		if n := min(want-len(s.Head), len(in)-used); n > 0 {
			s.Head = append(s.Head, in[used:used+n]...)
			used += n
		}
		switch {
		case len(s.Head) < want:
			return used, false, nil
		case want == 2:
			if err := r.check(); err != nil {
				return used, false, err
			}
			if headerLen(s.Head[1]) > 2 {
				continue
			}
		}
		return used, true, r.begin()
	}
}

// headerLen is how long the header is that has this second byte.
func headerLen(b byte) int {
	n := 2
	switch b &^ maskBit {
	case 126:
		n += 2
	case 127:
		n += 8
	}
	if b&maskBit != 0 {
		n += 4
	}
	return n
}

// check looks at the first two bytes of a header, in nats-server's order.
func (r *Reader) check() error {
	s := &r.s
	b0, b1 := s.Head[0], s.Head[1]
	op, final, packed := Opcode(b0&0xF), b0&finalBit != 0, b0&packedBit != 0
	switch {
	case b0&otherRSV != 0:
		return errRSV
	case packed && !r.Deflate:
		return errPacked
	case !r.Unmasked && b1&maskBit == 0:
		return errMask
	}
	switch op {
	case Ping, Pong, Close:
		switch {
		case b1&^maskBit > MaxControl:
			return errControlLen
		case !final:
			return errControlFinal
		case packed:
			return errControlRSV
		}
	case Text, Binary:
		if s.Open {
			return errUnfinished
		}
		s.Open, s.Packed = !final, packed
	case Continuation:
		if !s.Open || packed {
			return errContinuation
		}
		s.Open = !final
	default:
		return &ProtocolError{CloseProtocolError, fmt.Sprintf("unknown opcode %d", op)}
	}
	return nil
}

// begin notes what a whole header says.
func (r *Reader) begin() error {
	s := &r.s
	h := s.Head
	s.Op = Opcode(h[0] & 0xF)
	n := h[1] &^ maskBit
	rest := h[2:]
	switch n {
	case 126:
		s.Left, rest = uint64(binary.BigEndian.Uint16(rest)), rest[2:]
	case 127:
		s.Left, rest = binary.BigEndian.Uint64(rest), rest[8:]
		if s.Left>>63 != 0 {
			return errLength
		}
	default:
		s.Left = uint64(n)
	}
	s.Mask = 0
	if len(rest) == 4 {
		s.Mask = binary.LittleEndian.Uint32(rest)
	}
	s.Control = nil
	return nil
}
