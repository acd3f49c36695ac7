package transport

import (
	"unsafe"

	"github.com/nats-broker/nats-broker/daemon/batch"
)

// Input is one call's worth of input.
type Input struct {
	Data  []byte
	Batch *batch.Batch
	Move  bool // set by the handler: Serve is to return [ErrMoved]
	block *batch.Block
	base  int // where in block Data begins
}

// Load makes a piece of a block the input, of which the caller holds the reference.
func (in *Input) Load(b *batch.Block, from, to int) {
	in.Data, in.block, in.base = b.Bytes()[from:to], b, from
}

// Refer appends p, a part of Data, to a lane without copying it. It is for what is so
// large that copying costs more than counting references: see [batch.ReferFrom]. What is
// no part of Data is copied.
func (in *Input) Refer(l *batch.Lane, p []byte) {
	s := in.Hold(p)
	l.Share(s.Block, s.From, s.To)
	s.Release()
}

// Hold returns p, a part of Data, with a reference of its own; what is no part of Data is
// copied.
func (in *Input) Hold(p []byte) batch.Segment {
	from := cap(in.Data) - cap(p)
	if from < 0 || from+len(p) > len(in.Data) || len(p) == 0 ||
		unsafe.SliceData(in.Data[from:]) != unsafe.SliceData(p) {
		return batch.Copy(p)
	}
	in.block.Hold()
	return batch.Segment{Block: in.block, From: in.base + from, To: in.base + from + len(p)}
}
