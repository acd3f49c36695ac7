package journal

import (
	"errors"
	"hash/crc32"
)

// Kind says what a frame holds. The journal knows two kinds, the others are its users'.
type Kind uint8

const (
	// Unknown is the kind of what was lost and cannot be named: see [Journal.Recover].
	Unknown Kind = 0
	// Reserved is the kind of a frame that reserves sequences: see [Ahead].
	Reserved Kind = 255
)

// Errors of a frame, and of a journal.
var (
	ErrUnknown  = errors.New("not known whether it is on the disk")
	ErrReadOnly = errors.New("the journal is read-only")
	ErrClosed   = errors.New("the journal is closed")
	ErrTooLarge = errors.New("larger than the journal")
)

// Frame is something of one stream that is kept whole or not at all.
//
// From [Journal.Append] to the call of its Waiter a frame and the bytes of its body belong to the
// journal, which only reads the body. Afterwards the frame may be used again.
type Frame struct {
	Kind   Kind
	Stream uint64
	First  uint64   // sequence of the first message, or what the kind means by it
	Count  uint32   // how many
	Time   int64    // base time, nanoseconds since 1970
	Body   [][]byte // its pieces, one behind the other
	Waiter Waiter   // nil: nobody

	// Sync asks for a commit that is synced before the waiter is told, also in a mode in
	// which others are not.
	Sync bool

	// Lost says, in recovery, that the frame was on the disk and its body cannot be read.
	Lost bool

	next  *Frame // behind it in its lane
	size  int64  // bytes of the body
	sum   uint32 // CRC32C of the body
	done  int64  // bytes of it that are in commits
	parts uint32 // of it that are in commits
	from  uint64 // in recovery: the use of the file in which its first part is
	raw   *entry // what its entry was, if it was read and is written again
}

// Waiter is told what became of a frame.
type Waiter interface {
	// Done is called once for each frame, by the committer, for those of a stream in the order
	// in which they were appended. If err is nil the frame is in a commit that holds what the
	// journal's mode promises. It must not wait, and may append other frames.
	Done(f *Frame, commit uint64, err error)
}

// measure fills in what the journal must know of a body. It is called before the lock is taken.
func (f *Frame) measure() {
	f.next, f.size, f.sum, f.done, f.parts, f.raw = nil, 0, 0, 0, 0, nil
	for _, p := range f.Body {
		f.size += int64(len(p))
		f.sum = crc32.Update(f.sum, castagnoli, p)
	}
}

// piece is a frame, or a part of one, in a commit.
type piece struct {
	f        *Frame
	off, len int64
	part     uint32
}

func (p *piece) whole() bool { return p.len == p.f.size }
func (p *piece) last() bool  { return p.off+p.len == p.f.size }

// each calls fn for the bytes of a piece as they lie in memory.
func (p *piece) each(fn func([]byte)) {
	skip, left := p.off, p.len
	for _, b := range p.f.Body {
		n := int64(len(b))
		if skip >= n {
			skip -= n
			continue
		}
		b = b[skip:]
		skip = 0
		if int64(len(b)) > left {
			b = b[:left]
		}
		if left -= int64(len(b)); len(b) > 0 {
			fn(b)
		}
		if left == 0 {
			return
		}
	}
}

// entry returns what the table says of a piece.
func (p *piece) entry() entry {
	if p.f.raw != nil {
		return *p.f.raw
	}
	e := entry{
		body: p.f.sum, length: uint32(p.len), count: p.f.Count, stream: p.f.Stream,
		first: p.f.First, time: p.f.Time, kind: p.f.Kind, part: p.part,
	}
	if p.whole() {
		return e
	}
	e.flags = flagPart
	if p.last() {
		e.flags |= flagLast
	}
	e.body = 0
	p.each(func(b []byte) { e.body = crc32.Update(e.body, castagnoli, b) })
	return e
}
