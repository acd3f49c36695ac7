package segment

import (
	"sync/atomic"
	"weak"
)

// recents remember, for readers that go through a log in order, in which page they are: the next message is found
// without a look into the cache. They keep no page alive, and the cache is asked again for every few messages, so that it knows
// what is in use. They are set while mu is held for reading, and emptied under mu when the runs change.
type recents struct {
	slots [16]atomic.Pointer[recentPage]
	last  atomic.Uint64 // the sequence that was loaded last
}

// recentSpan is how many sequences share a slot.
const recentSpan = 128

// recentPage is a page that has every sequence from its first to its last one.
type recentPage struct {
	r           *run
	first, last uint64
	number      uint32 // of the first record in its run
	page        weak.Pointer[page]
	shrinks     uint64 // of the cache when it was read: what is to be forgotten is not used, though it may be in memory still
}

func (s *recents) slot(seq uint64) *atomic.Pointer[recentPage] {
	return &s.slots[seq/recentSpan%uint64(len(s.slots))]
}

// recent returns the page with a sequence, if it is remembered and its deletions are known. mu is held.
func (l *Log) recent(seq uint64) *recentPage {
	c := l.recents.slot(seq).Load()
	if c != nil && c.first <= seq && seq <= c.last && !c.r.unread && c.shrinks == l.node.cache.shrinks.Load() {
		return c
	}
	return nil
}

// dead reports whether a message of the page was deleted. mu is held.
func (c *recentPage) dead(seq uint64) bool { return c.r.dead.has(c.number + uint32(seq-c.first)) }

func (s *recents) forget() {
	for i := range s.slots {
		s.slots[i].Store(nil)
	}
}

// remember notes in which page a message was found, if it was read behind the one before it. gen says which runs there were.
func (l *Log) remember(gen uint64, r *run, number uint32, pg *page, i int) {
	first, last := pg.entries[0].seq, pg.entries[len(pg.entries)-1].seq
	seq := pg.entries[i].seq
	if l.recents.last.Swap(seq)+1 != seq || last-first+1 != uint64(len(pg.entries)) {
		return
	}
	c := &recentPage{r: r, first: first, last: last, number: number - uint32(i), page: weak.Make(pg), shrinks: l.node.cache.shrinks.Load()}
	l.mu.RLock()
	defer l.mu.RUnlock()
	if gen == l.gen {
		l.recents.slot(seq).Store(c)
	}
}
