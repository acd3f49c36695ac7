package resolver

import (
	"container/heap"
	"crypto/sha256"
	"errors"
	"io/fs"
	"math"
	"os"
	"slices"
	"time"
)

// tracker knows what is in a directory: when each JWT is to go, which one was used last, and a hash of them all.
type tracker struct {
	items map[string]*item
	due   dueHeap
	hash  [sha256.Size]byte // of all JWTs, combined by XOR: their order does not matter
	clock uint64            // grows with each use
}

type item struct {
	id       string
	hash     [sha256.Size]byte
	deadline int64  // unix nanoseconds
	used     uint64 // of the clock
	at       int    // in the heap
}

func (t *tracker) reset() { *t = tracker{items: map[string]*item{}} }

func (t *tracker) len() int { return len(t.items) }

func (t *tracker) get(id string) *item { return t.items[id] }

// put notes a JWT, in place of the one there was.
func (t *tracker) put(id, text string, deadline int64) {
	t.drop(id)
	t.clock++
	it := &item{id: id, hash: sha256.Sum256([]byte(text)), deadline: deadline, used: t.clock}
	t.items[id] = it
	heap.Push(&t.due, it)
	t.mix(it)
}

func (t *tracker) mix(it *item) {
	for i, b := range it.hash {
		t.hash[i] ^= b
	}
}

func (t *tracker) drop(id string) {
	it := t.items[id]
	if it == nil {
		return
	}
	delete(t.items, id)
	heap.Remove(&t.due, it.at)
	t.mix(it)
}

// touch notes that a JWT was used.
func (t *tracker) touch(id string, ttl time.Duration) {
	it := t.items[id]
	if it == nil {
		return
	}
	t.clock++
	it.used = t.clock
	if ttl > 0 {
		it.deadline = time.Now().Add(ttl).UnixNano()
		heap.Fix(&t.due, it.at)
	}
}

// oldest returns the JWT that was not used for longest. It is looked for one by one: a cache that is full is small.
func (t *tracker) oldest() string {
	id, used := "", uint64(math.MaxUint64)
	for _, it := range t.items {
		if it.used < used {
			id, used = it.id, it.used
		}
	}
	return id
}

// names lists what has not expired, sorted.
func (t *tracker) names() []string {
	now := time.Now().UnixNano()
	list := make([]string, 0, len(t.items))
	for id, it := range t.items {
		if it.deadline > now {
			list = append(list, id)
		}
	}
	slices.Sort(list)
	return list
}

// dueHeap is items, the one that goes first on top.
type dueHeap []*item

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].deadline < h[j].deadline }
func (h dueHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i]; h[i].at, h[j].at = i, j }
func (h *dueHeap) Push(v any)        { it := v.(*item); it.at = len(*h); *h = append(*h, it) }
func (h *dueHeap) Pop() any {
	old := *h
	it := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return it
}

// checkExpiry is how often the directory is searched for what has expired (nats-server 2.15.3).
const checkExpiry = time.Minute

// expire removes what has expired, until quit is closed.
func (d *Directory) expire(quit <-chan struct{}) {
	d.mu.Lock()
	every := checkExpiry
	if d.opts.TTL > 0 {
		every = min(every, max(d.opts.TTL/2, time.Millisecond))
	}
	d.mu.Unlock()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-quit:
			return
		case now := <-tick.C:
			d.removeExpired(now)
		}
	}
}

func (d *Directory) removeExpired(now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.index.due) > 0 && d.index.due[0].deadline <= now.UnixNano() {
		id := d.index.due[0].id
		if err := os.Remove(d.file(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			d.log.Warn("Account resolver: an expired JWT cannot be removed: " + err.Error())
			return
		}
		d.index.drop(id)
	}
}
