package stream

import (
	"math"
	"slices"
)

// timetable knows when stored messages are due: when they are too old by what they say themselves. It keeps no message by itself
// but blocks of sequences, each with the time of the first message in it that is due; who that is, the log says when the time has
// come. So it takes 24 bytes for some hundred messages that follow each other, and never more than that for one.
type timetable struct {
	blocks []block // none overlaps another
	next   int64   // the earliest time; 0: there is none
	kept   int     // blocks that were left when it was last looked for those without messages
}

// block holds what is due among some messages.
type block struct {
	from, to uint64 // the first and the last of them
	due      int64  // the earliest time
}

const (
	blockSpan = 512 // sequences of a block
	blockSize = 24
)

// add notes a message. Of a block that grows all sequences are behind those it has.
func (t *timetable) add(seq uint64, due int64) {
	if t.next == 0 || due < t.next {
		t.next = due
	}
	if n := len(t.blocks); n > 0 {
		if b := &t.blocks[n-1]; seq > b.to && seq-b.from < blockSpan {
			b.to, b.due = seq, min(b.due, due)
			return
		}
	}
	t.blocks = append(t.blocks, block{seq, seq, due})
}

// bytes is what the blocks take.
func (t *timetable) bytes() int64 { return int64(cap(t.blocks)) * blockSize }

// crowded reports whether there are so many blocks that it is worth looking for those whose messages are gone.
func (t *timetable) crowded() bool { return len(t.blocks) > 2*t.kept+1024 }

// prune drops the blocks without messages.
func (t *timetable) prune(log Log) {
	first := log.State().First
	t.filter(func(b *block) bool {
		if b.to < first {
			return false
		}
		seq, ok := log.Next(b.from, nil)
		return ok && seq <= b.to
	})
	t.kept = len(t.blocks)
}

// filter keeps the blocks for which keep is true; it may change what it is given.
func (t *timetable) filter(keep func(*block) bool) {
	left := t.blocks[:0]
	next := int64(math.MaxInt64)
	for i := range t.blocks {
		b := t.blocks[i]
		if keep(&b) {
			left = append(left, b)
			next = min(next, b.due)
		}
	}
	if t.blocks, t.next = left, next; len(left) == 0 {
		t.next = 0
	}
	if cap(left) > 4096 && len(left) < cap(left)/8 {
		t.blocks = slices.Clone(left)
	}
}

// pass calls visit for the blocks that are due, in the order of their sequences, until most is reached: visit returns how much it
// found, and when the block is due next, 0: never.
func (t *timetable) pass(now int64, most int, visit func(b block) (found int, due int64)) {
	if t.next == 0 || t.next > now {
		return
	}
	slices.SortFunc(t.blocks, func(a, b block) int {
		if a.from < b.from {
			return -1
		}
		return 1
	})
	found := 0
	t.filter(func(b *block) bool {
		if b.due > now || found >= most {
			return true
		}
		n, due := visit(*b)
		found += n
		b.due = due
		return due != 0
	})
}
