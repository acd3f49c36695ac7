package journal

import "slices"

// queue holds the frames that wait, in a lane for each stream, and decides who comes into the next
// commit. It is pure.
//
// A stream that is alone is not bounded. As long as others wait, each adds a share to a commit, in
// turn, and at least one entry. A frame that is larger than what may be added is taken in parts,
// so that the neighbours of a message of 64 MB wait for a share of it and not for all.
type queue struct {
	lanes map[uint64]*lane
	ring  []*lane // those with frames, the one whose turn it is first
	free  []*lane
	back  []*lane // scratch

	frames int
	bytes  int64 // of bodies that are not in commits
	sync   int   // frames that ask for a sync
}

// lane is what waits of one stream, in order.
type lane struct {
	stream      uint64
	first, last *Frame
}

func (q *queue) add(f *Frame) {
	l := q.lanes[f.Stream]
	if l == nil {
		if q.lanes == nil {
			q.lanes = map[uint64]*lane{}
		}
		if n := len(q.free); n > 0 {
			l, q.free = q.free[n-1], q.free[:n-1]
		} else {
			l = &lane{}
		}
		l.stream = f.Stream
		q.lanes[f.Stream] = l
		q.ring = append(q.ring, l)
	}
	if l.last == nil {
		l.first = f
	} else {
		l.last.next = f
	}
	l.last = f
	q.frames++
	q.bytes += f.size
	if f.Sync {
		q.sync++
	}
}

// take moves frames into a commit of at most room bytes, heads and all, appending to dst. most is
// the room of the largest commit there can be, share what one stream may add while others wait.
// It may take nothing if room is less than most.
func (q *queue) take(dst []piece, room, most, share int64) []piece {
	room -= headSize + tailSize
	most -= headSize + tailSize
	if len(q.ring) > 1 {
		most = min(most, max(share, 2*minPart))
	}
	back := q.back[:0]
	turn := 0
	for ; turn < len(q.ring) && room > entrySize; turn++ {
		l := q.ring[turn]
		before := room
		dst, room = q.takeFrom(l, dst, room, most)
		switch {
		case l.first == nil:
			delete(q.lanes, l.stream)
			q.free = append(q.free, l)
			continue
		case room == before: // not even a part of its frame fits: it is the first next time
			q.ring = append(q.ring[:copy(q.ring, q.ring[turn:])], back...)
			q.back = back
			return dst
		}
		back = append(back, l)
	}
	q.ring = append(q.ring[:copy(q.ring, q.ring[turn:])], back...)
	q.back = back
	return dst
}

// minPart is the least that a part holds, unless it is the last one.
const minPart = 512

func (q *queue) takeFrom(l *lane, dst []piece, room, most int64) ([]piece, int64) {
	may := min(room, most)
	for l.first != nil {
		f := l.first
		left := f.size - f.done
		n := min(left, may-entrySize)
		// What fits into the next commit whole is not cut in two.
		if n < left && (n < minPart || left+entrySize <= most) {
			break
		}
		dst = append(dst, piece{f: f, off: f.done, len: n, part: f.parts})
		f.done += n
		f.parts++
		q.bytes -= n
		room -= entrySize + n
		may -= entrySize + n
		if f.done < f.size {
			break
		}
		if l.first = f.next; l.first == nil {
			l.last = nil
		}
		f.next = nil
		q.frames--
		if f.Sync {
			q.sync--
		}
	}
	return dst, room
}

// clear empties the queue and calls fn for each frame that waited, those of a stream in order.
func (q *queue) clear(fn func(*Frame)) {
	ring := q.ring
	*q = queue{}
	for _, l := range ring {
		for f := l.first; f != nil; {
			next := f.next
			f.next = nil
			fn(f)
			f = next
		}
	}
}

// giveUp takes out the frames of which a part is in a commit.
func (q *queue) giveUp() []*Frame {
	var out []*Frame
	for _, l := range slices.Clone(q.ring) {
		f := l.first
		if f.parts == 0 {
			continue
		}
		out = append(out, f)
		q.frames--
		q.bytes -= f.size - f.done
		if f.Sync {
			q.sync--
		}
		if l.first = f.next; l.first == nil {
			l.last = nil
			delete(q.lanes, l.stream)
			q.ring = slices.DeleteFunc(q.ring, func(o *lane) bool { return o == l })
		}
		f.next = nil
	}
	return out
}
