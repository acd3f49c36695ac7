package consumer

import (
	"slices"
	"sort"
)

// pending holds the deliveries that are not acknowledged, in the order of their sequences,
// which is the order of their first delivery. Each takes 14 bytes: sequences and times as
// offsets, in pieces of 1,024.
type pending struct {
	parts []*part
	live  int
	again int // delivered more than once
	lined int // in line for delivery again

	epoch, unit int64 // times are kept in units since epoch
	far         map[uint64]int64
}

// part is a piece of the table. A cell whose times is 0 is free.
type part struct {
	seq0, num0 uint64
	seq, num   []uint32
	at         []uint32 // when it was delivered last
	times      []uint16 // how often it was delivered; inLine beside it
	head       int      // no cell before it is in use
	live       int
	due        int64 // no cell is due earlier
}

const (
	partSize = 1024
	inLine   = 1 << 15 // waits in line for delivery again
	maxTimes = inLine - 1
	farAway  = 1<<32 - 1 // the time stands in far
	day      = 24 * 3600 * int64(1e9)
)

// delivery is one pending delivery as it is looked at.
type delivery struct {
	seq, num uint64
	at       int64
	times    int
	inLine   bool
}

type place struct{ part, cell int }

// bytes is what it takes in memory.
func (p *pending) bytes() (n int64) {
	for _, t := range p.parts {
		n += int64(cap(t.seq)+cap(t.num)+cap(t.at))*4 + int64(cap(t.times))*2
	}
	return n + int64(len(p.far))*mapped
}

// mapped is about what an entry of a map takes.
const mapped = 32

func (p *pending) scale(now, longest int64) {
	p.unit = 1e6
	if longest > 10*day {
		p.unit = 1e9
	}
	p.epoch = now - p.unit*(1<<31)
}

func (p *pending) stamp(seq uint64, t int64) uint32 {
	u := (t - p.epoch + p.unit - 1) / p.unit
	if u < 0 || u >= farAway {
		if p.far == nil {
			p.far = map[uint64]int64{}
		}
		p.far[seq] = t
		return farAway
	}
	return uint32(u)
}

func (p *pending) time(seq uint64, u uint32) int64 {
	if u == farAway {
		return p.far[seq]
	}
	return p.epoch + int64(u)*p.unit
}

// add appends a delivery; its sequences are higher than any that is there.
func (p *pending) add(d delivery, due int64) {
	var t *part
	if n := len(p.parts); n > 0 {
		t = p.parts[n-1]
	}
	if t == nil || len(t.seq) == partSize || d.seq-t.seq0 >= 1<<32 || d.num-t.num0 >= 1<<32 {
		t = &part{seq0: d.seq, num0: d.num, due: due}
		p.parts = append(p.parts, t)
	}
	if len(t.seq) == cap(t.seq) {
		t.resize(min(max(2*len(t.seq), 16), partSize))
	}
	t.seq = append(t.seq, uint32(d.seq-t.seq0))
	t.num = append(t.num, uint32(d.num-t.num0))
	t.at = append(t.at, p.stamp(d.seq, d.at))
	t.times = append(t.times, uint16(min(d.times, maxTimes)))
	t.due = min(t.due, due)
	t.live++
	p.live++
	if d.times > 1 {
		p.again++
	}
}

// find looks a sequence up.
func (p *pending) find(seq uint64) (place, bool) {
	i := sort.Search(len(p.parts), func(i int) bool { return p.parts[i].seq0 > seq }) - 1
	if i < 0 {
		return place{}, false
	}
	t := p.parts[i]
	if seq-t.seq0 >= 1<<32 {
		return place{}, false
	}
	c, ok := slices.BinarySearch(t.seq, uint32(seq-t.seq0))
	if !ok || t.times[c] == 0 {
		return place{}, false
	}
	return place{i, c}, true
}

func (p *pending) get(at place) delivery {
	t := p.parts[at.part]
	seq := t.seq0 + uint64(t.seq[at.cell])
	return delivery{
		seq: seq, num: t.num0 + uint64(t.num[at.cell]), at: p.time(seq, t.at[at.cell]),
		times: int(t.times[at.cell] & maxTimes), inLine: t.times[at.cell]&inLine != 0,
	}
}

// set changes when and how often a delivery was made, and whether it is in line.
func (p *pending) set(at place, d delivery, due int64) {
	t := p.parts[at.part]
	old := t.times[at.cell]
	if t.at[at.cell] == farAway {
		delete(p.far, d.seq)
	}
	t.at[at.cell] = p.stamp(d.seq, d.at)
	n := uint16(min(d.times, maxTimes))
	if d.inLine {
		n |= inLine
	} else {
		t.due = min(t.due, due)
	}
	t.times[at.cell] = n
	p.count(old, -1)
	p.count(n, 1)
}

func (p *pending) count(times uint16, by int) {
	if times&maxTimes > 1 {
		p.again += by
	}
	if times&inLine != 0 {
		p.lined += by
	}
}

// remove takes a delivery out. Places are not valid afterwards.
func (p *pending) remove(at place) {
	t := p.parts[at.part]
	if t.at[at.cell] == farAway {
		delete(p.far, t.seq0+uint64(t.seq[at.cell]))
	}
	p.count(t.times[at.cell], -1)
	t.times[at.cell] = 0
	t.live--
	p.live--
	for t.head < len(t.times) && t.times[t.head] == 0 {
		t.head++
	}
	switch {
	case t.live == 0:
		p.parts = slices.Delete(p.parts, at.part, at.part+1)
	case t.live*4 < len(t.seq) && len(t.seq) >= 64:
		t.pack()
	}
}

// pack gives back the memory of free cells.
func (t *part) pack() {
	old := *t
	t.seq, t.num, t.at, t.times, t.head = nil, nil, nil, nil, 0
	t.resize(t.live)
	for i, k := range old.times {
		if k != 0 {
			t.seq, t.num, t.at, t.times = append(t.seq, old.seq[i]), append(t.num, old.num[i]), append(t.at, old.at[i]), append(t.times, k)
		}
	}
}

// resize makes room for exactly n cells: a piece takes no more than what fits into it.
func (t *part) resize(n int) {
	t.seq = append(make([]uint32, 0, n), t.seq...)
	t.num = append(make([]uint32, 0, n), t.num...)
	t.at = append(make([]uint32, 0, n), t.at...)
	t.times = append(make([]uint16, 0, n), t.times...)
}

// first returns the pending delivery with the lowest sequence.
func (p *pending) first() (delivery, bool) {
	if len(p.parts) == 0 {
		return delivery{}, false
	}
	return p.get(place{0, p.parts[0].head}), true
}

// removeThrough takes out everything up to a sequence and calls fn for each.
func (p *pending) removeThrough(seq uint64, fn func(delivery)) {
	for len(p.parts) > 0 {
		d, _ := p.first()
		if d.seq > seq {
			return
		}
		at, _ := p.find(d.seq)
		fn(d)
		p.remove(at)
	}
}

// removeFrom takes out everything from a sequence on.
func (p *pending) removeFrom(seq uint64) {
	for {
		d, ok := p.last()
		if !ok || d.seq < seq {
			return
		}
		if at, ok := p.find(d.seq); ok {
			p.remove(at)
		}
		p.shorten()
	}
}

// shorten lets go of free cells at the end.
func (p *pending) shorten() {
	if len(p.parts) == 0 {
		return
	}
	t := p.parts[len(p.parts)-1]
	n := len(t.seq)
	for n > 0 && t.times[n-1] == 0 {
		n--
	}
	t.seq, t.num, t.at, t.times = t.seq[:n], t.num[:n], t.at[:n], t.times[:n]
	t.head = min(t.head, n)
}

// each calls fn for each delivery in order until it returns false. fn must not change the table.
func (p *pending) each(fn func(delivery) bool) {
	for i, t := range p.parts {
		for c, k := range t.times {
			if k != 0 && !fn(p.get(place{i, c})) {
				return
			}
		}
	}
}

// dueAt calls fn for the deliveries whose wait is over at now, in order, and returns when the next one will be.
func (p *pending) dueAt(now int64, wait func(times int) int64, fn func(delivery)) (next int64) {
	next = never
	var over []delivery
	for i, t := range p.parts {
		if t.due > now {
			next = min(next, t.due)
			continue
		}
		t.due = never
		for c, k := range t.times {
			if k == 0 || k&inLine != 0 {
				continue
			}
			d := p.get(place{i, c})
			if due := after(d.at, wait(d.times)); due <= now {
				over = append(over, d)
			} else {
				t.due = min(t.due, due)
			}
		}
		next = min(next, t.due)
	}
	for _, d := range over {
		fn(d)
	}
	return next
}

// later makes every delivery be looked at again, since waits have changed.
func (p *pending) later() {
	for _, t := range p.parts {
		t.due = 0
	}
}

// clear forgets everything.
func (p *pending) clear() { *p = pending{epoch: p.epoch, unit: p.unit} }

// rebase moves the epoch when time has come near the end of what fits.
func (p *pending) rebase(now int64) {
	if (now-p.epoch)/p.unit < 3<<30 {
		return
	}
	old := *p
	p.epoch, p.far = now-p.unit*(1<<31), nil
	for _, t := range p.parts {
		for c, k := range t.times {
			if k != 0 {
				seq := t.seq0 + uint64(t.seq[c])
				t.at[c] = p.stamp(seq, old.time(seq, t.at[c]))
			}
		}
	}
}

// last returns the pending delivery with the highest sequence among all cells, in use or not;
// ok is false if there are none.
func (p *pending) last() (d delivery, ok bool) {
	if len(p.parts) == 0 {
		return d, false
	}
	i := len(p.parts) - 1
	return p.get(place{i, len(p.parts[i].seq) - 1}), true
}
