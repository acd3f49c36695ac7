package broker

import (
	"math/bits"
	"math/rand/v2"
	"sync"
)

// replyShard is a part of a table of replies, with a lock and slots of its own. The
// slots lie in chunks, which are made when needed and given back when nobody uses
// them; requests come and go without anything being allocated.
type replyShard struct {
	mu      sync.Mutex // a leaf
	chunks  []*replyChunk
	room    []int                 // places of chunks with free slots; the last is used first
	holes   []int                 // places in chunks that are nil
	adopted map[string]*replySlot // requests of another process, by what follows the prefix
	_       [32]byte              // shards are not in one cache line
}

// replyChunk is some slots.
type replyChunk struct {
	free  uint64 // bits of those not in use
	slots [chunkSlots]replySlot
}

// replySlot is one request to a service that may still be answered.
type replySlot struct {
	id      []byte // of the reply subject, what follows the prefix; empty: free, or adopted
	moved   string // the id of an adopted one
	to      *Account
	subject []byte // the reply subject there
	export  *serviceExport
	sample  *sample // nil: not measured
	place   int     // in its shard
	turn    uint64  // counts the requests that the slot has served

	done   bool // the last answer is on its way
	lively bool // answered since its generation was looked at, where there may be more

	list       *replyList // those of its generation
	prev, next *replySlot

	room [replyNameLen + trackedTailLen]byte // of id
}

// replyList is the requests of one generation.
type replyList struct{ first *replySlot }

const (
	replyShards = 8
	chunkSlots  = 64
	allFree     = 1<<chunkSlots - 1
	// maxChunks bounds a shard to half a million requests, some 100 MB. Beyond that
	// the oldest are forgotten.
	maxChunks = 8192
)

// What a reply subject says behind the prefix: the class and the generation of the
// request, its place in the table, and what is random.
const (
	placeDigits  = 5
	secretDigits = 12
	replyNameLen = 2 + placeDigits + secretDigits
)

// replyName appends a new name for the request at a place of the table, its shard in
// the lowest digit.
func replyName(b []byte, c *replyClass, gen, place int) []byte {
	b = append(b, digits62[c.at%len(digits62)], digits62[gen])
	b = digits32(b, uint64(place), placeDigits)
	return digits32(b, rand.Uint64(), secretDigits)
}

// digits32 appends the lowest n digits of v to the base of 32, the lowest first.
func digits32(b []byte, v uint64, n int) []byte {
	for range n {
		b = append(b, digits62[v%32])
		v /= 32
	}
	return b
}

// replyPlace returns the place that a name says.
func replyPlace(id string) (place int, ok bool) {
	if len(id) < replyNameLen {
		return 0, false
	}
	for i := 1 + placeDigits; i > 1; i-- {
		c := int(id[i])
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'A' <= c && c <= 'V':
			c -= 'A' - 10
		default:
			return 0, false
		}
		place = place*32 + c
	}
	return place, true
}

// at returns the slot at a place, nil if there is none. The lock is held.
func (sh *replyShard) at(place int) *replySlot {
	if i := place / chunkSlots; i < len(sh.chunks) && sh.chunks[i] != nil {
		return &sh.chunks[i].slots[place%chunkSlots]
	}
	return nil
}

// take takes a free slot, and makes one free if there is none: then what was measured
// there is returned. The lock is held.
func (sh *replyShard) take(c *replyClass, shard int) (s *replySlot, late *sample) {
	if len(sh.room) == 0 && !sh.grow() {
		late = sh.evict(c, shard)
	}
	at := sh.room[len(sh.room)-1]
	k := sh.chunks[at]
	i := bits.TrailingZeros64(k.free)
	if k.free &= k.free - 1; k.free == 0 {
		sh.room = sh.room[:len(sh.room)-1]
	}
	s = &k.slots[i]
	s.place = at*chunkSlots + i
	return s, late
}

// grow adds a chunk and reports whether there may be one. The lock is held.
func (sh *replyShard) grow() bool {
	at := len(sh.chunks)
	switch n := len(sh.holes); {
	case n > 0:
		at, sh.holes = sh.holes[n-1], sh.holes[:n-1]
	case at == maxChunks:
		return false
	default:
		sh.chunks = append(sh.chunks, nil)
	}
	k := &replyChunk{free: allFree}
	sh.chunks[at] = k
	sh.room = append(sh.room, at)
	return true
}

// evict forgets a request of the oldest generation of a class, or any if it has none.
// The lock is held.
func (sh *replyShard) evict(c *replyClass, shard int) (late *sample) {
	s := &sh.chunks[rand.IntN(len(sh.chunks))].slots[rand.IntN(chunkSlots)]
	for i := range replyGens {
		if oldest := c.parts[shard][(int(c.now.Load())+1+i)%replyGens].first; oldest != nil {
			s = oldest
			break
		}
	}
	if s.sample != nil && !s.done {
		late = s.sample
	}
	sh.release(s)
	return late
}

// join adds a slot that was taken to the youngest generation of a class. The lock is
// held.
func (sh *replyShard) join(s *replySlot, c *replyClass, shard int) {
	s.enter(&c.parts[shard][c.now.Load()])
}

func (s *replySlot) enter(l *replyList) {
	s.list, s.prev, s.next = l, nil, l.first
	if l.first != nil {
		l.first.prev = s
	}
	l.first = s
}

func (s *replySlot) leave() {
	if s.prev != nil {
		s.prev.next = s.next
	} else {
		s.list.first = s.next
	}
	if s.next != nil {
		s.next.prev = s.prev
	}
	s.list, s.prev, s.next = nil, nil, nil
}

// longSubject is the capacity beyond which the memory of a reply subject is not kept.
const longSubject = 128

// release makes a slot free. The lock is held.
func (sh *replyShard) release(s *replySlot) {
	if s.moved != "" {
		delete(sh.adopted, s.moved)
		s.moved = ""
	}
	s.leave()
	s.turn++
	s.id, s.to, s.export, s.sample, s.done, s.lively = nil, nil, nil, nil, false, false
	if cap(s.subject) > longSubject {
		s.subject = nil
	}
	at := s.place / chunkSlots
	k := sh.chunks[at]
	if k.free == 0 {
		sh.room = append(sh.room, at)
	}
	k.free |= 1 << (s.place % chunkSlots)
}

// dropStep is how many requests are dropped while others wait.
const dropStep = 512

// drop forgets the requests of the oldest generation, but takes to the present one
// those that were answered since. It returns what was measured and has had no answer;
// more says that it must be called again.
func (sh *replyShard) drop(gens *[replyGens]replyList, oldest, now int) (late []*sample, more bool) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for range dropStep {
		s := gens[oldest].first
		if s == nil {
			return late, false
		}
		if s.lively {
			s.lively = false
			s.leave()
			s.enter(&gens[now])
			continue
		}
		if s.sample != nil && !s.done {
			late = append(late, s.sample)
		}
		sh.release(s)
	}
	return late, true
}

// trim gives back what a burst of requests took: the chunks that nobody uses.
func (sh *replyShard) trim() {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	room := sh.room[:0]
	for _, at := range sh.room {
		if sh.chunks[at].free != allFree {
			room = append(room, at)
			continue
		}
		sh.chunks[at] = nil
		sh.holes = append(sh.holes, at)
	}
	sh.room = room
	if len(sh.holes) == len(sh.chunks) {
		sh.chunks, sh.room, sh.holes, sh.adopted = nil, nil, nil, nil
	}
}
