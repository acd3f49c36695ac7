package websocket

import "encoding/binary"

// An Opcode says what a frame is.
type Opcode byte

// The opcodes of RFC 6455, section 5.2.
const (
	Continuation Opcode = 0x0
	Text         Opcode = 0x1
	Binary       Opcode = 0x2
	Close        Opcode = 0x8
	Ping         Opcode = 0x9
	Pong         Opcode = 0xA
)

// Bits of the first two bytes of a frame.
const (
	finalBit  = 0x80
	packedBit = 0x40 // RSV1: compressed, in the first frame of a message
	otherRSV  = 0x30
	maskBit   = 0x80
)

const (
	// MaxHeader is the length of the longest header that is written here, without a mask.
	MaxHeader = 10
	// MaxControl is the most that the payload of a control frame may have.
	MaxControl = 125

	maxPeerHeader = 14 // with a mask
)

// control reports whether frames of the opcode are about the connection.
func (o Opcode) control() bool { return o >= Close }

// AppendHeader appends the header of a whole message of n bytes in one frame, not masked, as servers write it.
func AppendHeader(b []byte, o Opcode, packed bool, n int) []byte {
	first := finalBit | byte(o)
	if packed {
		first |= packedBit
	}
	switch {
	case n <= 125:
		return append(b, first, byte(n))
	case n < 1<<16:
		return append(b, first, 126, byte(n>>8), byte(n))
	}
	return binary.BigEndian.AppendUint64(append(b, first, 127), uint64(n))
}

// HeaderLen is the length of what AppendHeader appends.
func HeaderLen(n int) int {
	switch {
	case n <= 125:
		return 2
	case n < 1<<16:
		return 4
	}
	return MaxHeader
}

// unmask copies src to dst, which is as long and may be the same memory or begin before it, with the mask applied. It
// returns the mask turned to where the next bytes go on.
func unmask(dst, src []byte, key uint32) uint32 {
	if key == 0 {
		copy(dst, src)
		return 0
	}
	dst = dst[:len(src)]
	wide := uint64(key)<<32 | uint64(key)
	for len(src) >= 32 {
		a, b := binary.LittleEndian.Uint64(src), binary.LittleEndian.Uint64(src[8:])
		c, d := binary.LittleEndian.Uint64(src[16:]), binary.LittleEndian.Uint64(src[24:])
		binary.LittleEndian.PutUint64(dst, a^wide)
		binary.LittleEndian.PutUint64(dst[8:], b^wide)
		binary.LittleEndian.PutUint64(dst[16:], c^wide)
		binary.LittleEndian.PutUint64(dst[24:], d^wide)
		src, dst = src[32:], dst[32:]
	}
	for len(src) >= 8 {
		binary.LittleEndian.PutUint64(dst, binary.LittleEndian.Uint64(src)^wide)
		src, dst = src[8:], dst[8:]
	}
	for i, c := range src {
		dst[i] = c ^ byte(key)
		key = key>>8 | key<<24
	}
	return key
}
