package segment

import (
	"container/list"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/nats-broker/nats-broker/daemon/subjects"
	"github.com/nats-broker/nats-broker/daemon/vfs"
)

// Node is what the logs of one server share: a bound on what they keep of what was read, and
// on the files that are open.
type Node struct {
	cache cache
	files handles
}

// NodeOptions bound a [Node].
type NodeOptions struct {
	Cache int64 // bytes of pages, indexes and selections that are kept; default [DefaultCache]
	Files int   // files that are open while nobody reads them; default 256

	// Kept is told of each change of the bytes that are kept. It must not call the node. nil: nobody.
	Kept func(change int64)
}

// DefaultCache is how many bytes of what was read are kept when nobody has said.
const DefaultCache = 64 << 20

// NewNode returns a Node.
func NewNode(o NodeOptions) *Node {
	if o.Cache == 0 {
		o.Cache = DefaultCache
	}
	if o.Files == 0 {
		o.Files = 256
	}
	if o.Kept == nil {
		o.Kept = func(int64) {}
	}
	return &Node{
		cache: cache{limit: o.Cache, told: o.Kept, items: map[cacheKey]*list.Element{}},
		files: handles{limit: o.Files},
	}
}

// Shrink forgets what was read until at most keep bytes are kept, and returns how many were
// forgotten.
func (n *Node) Shrink(keep int64) int64 { return n.cache.shrink(keep) }

// Kept returns how many bytes of what was read are kept.
func (n *Node) Kept() int64 {
	n.cache.mu.Lock()
	defer n.cache.mu.Unlock()
	return n.cache.used
}

// cacheKey names what is kept: what is at a place in a file, or the index of a run, or what a
// filter selects of it.
type cacheKey struct {
	of     any // *file or *run
	off    int64
	filter *subjects.Filter
}

type cacheItem struct {
	key  cacheKey
	val  any
	size int64
}

// cache keeps what was read, the least recently used forgotten first.
type cache struct {
	mu    sync.Mutex // leaf lock
	limit int64
	used  int64
	told  func(int64)
	items map[cacheKey]*list.Element
	order list.List

	shrinks atomic.Uint64 // how often it was told to forget
}

func (c *cache) get(k cacheKey) (any, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.items[k]
	if e == nil {
		return nil, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*cacheItem).val, true
}

func (c *cache) put(k cacheKey, v any, size int) {
	const overhead = 200
	it := &cacheItem{k, v, int64(size) + overhead}
	c.mu.Lock()
	before := c.used
	if e := c.items[k]; e != nil {
		c.drop(e)
	}
	if it.size <= c.limit/2 {
		c.items[k] = c.order.PushFront(it)
		c.used += it.size
	}
	c.down(c.limit)
	change := c.used - before
	c.mu.Unlock()
	c.told(change)
}

func (c *cache) down(to int64) {
	for c.used > to {
		c.drop(c.order.Back())
	}
}

func (c *cache) drop(e *list.Element) {
	it := c.order.Remove(e).(*cacheItem)
	delete(c.items, it.key)
	c.used -= it.size
}

func (c *cache) shrink(to int64) int64 {
	c.mu.Lock()
	before := c.used
	c.down(to)
	freed := before - c.used
	c.mu.Unlock()
	c.shrinks.Add(1)
	c.told(-freed)
	return freed
}

// handles bounds the files that are open.
type handles struct {
	mu    sync.Mutex // guards what follows, and file.elem; taken before a file's
	limit int
	order list.List // of *file, the most recently used first
}

// used notes that a file was used, and closes others that are too many.
func (h *handles) used(f *file) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if f.elem != nil {
		h.order.MoveToFront(f.elem)
	} else {
		f.elem = h.order.PushFront(f)
	}
	for e := h.order.Back(); e != nil && h.order.Len() > h.limit; {
		g, before := e.Value.(*file), e.Prev()
		if g.rest() {
			h.order.Remove(e)
			g.elem = nil
		}
		e = before
	}
}

// gone forgets a file.
func (h *handles) gone(f *file) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if f.elem != nil {
		h.order.Remove(f.elem)
		f.elem = nil
	}
}

// file is one file of a log, opened when it is used.
type file struct {
	id   uint64
	name string
	fs   vfs.FS
	node *Node
	elem *list.Element // guarded by node.files.mu

	mu     sync.Mutex // guards what follows
	f      vfs.File
	users  int
	dirty  bool // written since the last sync: must not be closed
	writes int

	// Of the log's lock:
	size    int64 // bytes that count; what is behind is of no use
	trimmed bool  // nothing is behind
	fence   int64 // the size when a sync began: the next write begins in another block
	keep    bool  // something in it cannot be read: it is not removed by rewriting
}

// use calls fn with the open file.
func (f *file) use(fn func(vfs.File) error) error {
	f.mu.Lock()
	if f.f == nil {
		v, err := f.fs.Open(f.name, vfs.Write, vfs.Segment)
		if err != nil {
			f.mu.Unlock()
			return err
		}
		f.f = v
	}
	v := f.f
	f.users++
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.users--
		f.mu.Unlock()
	}()
	f.node.files.used(f)
	return fn(v)
}

// rest closes the file unless somebody uses it; false: somebody does.
func (f *file) rest() bool {
	if !f.mu.TryLock() {
		return false
	}
	defer f.mu.Unlock()
	if f.users > 0 || f.dirty {
		return false
	}
	if f.f != nil {
		f.f.Close() //nolint:errcheck // everything in it is synced
		f.f = nil
	}
	return true
}

// close ends the use of the file; what was not synced is of no interest.
func (f *file) close() {
	f.node.files.gone(f)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.f != nil && f.users == 0 {
		f.f.Close() //nolint:errcheck // as said
		f.f = nil
	}
}

// trusted is how many bytes are read without a look at how many there are: more than a page, or a leaf, mostly has.
const trusted = 256 << 10

// read returns n bytes from off. It takes no more memory than there are bytes, whatever n was read from.
func (f *file) read(off int64, n int) (b []byte, err error) {
	err = f.use(func(v vfs.File) error {
		if n > trusted {
			size, err := v.Size()
			if err != nil {
				return err
			}
			if int64(n) > size-off {
				return fmt.Errorf("%d bytes at %d of %d: %w", n, off, size, io.ErrUnexpectedEOF)
			}
		}
		b = make([]byte, n)
		m, err := v.ReadAt(b, off)
		if m == n {
			return nil
		}
		return err
	})
	return b, err
}

// leaves are the leaves of an index in a file.
type leaves struct {
	f    *file
	base int64
	size int
}

// View implements [subjects.Source].
func (s leaves) View(off int64, n int) ([]byte, error) {
	if off < 0 || n < 0 || off+int64(n) > int64(s.size) {
		return nil, subjects.ErrDamaged
	}
	k := cacheKey{of: s.f, off: s.base + off}
	if v, ok := s.f.node.cache.get(k); ok {
		if b, ok := v.([]byte); ok && len(b) == n {
			return b, nil
		}
	}
	b, err := s.f.read(s.base+off, n)
	if err != nil {
		return nil, err
	}
	s.f.node.cache.put(k, b, n)
	return b, nil
}

// forget drops what is kept of a log, whose lock the caller holds.
func (n *Node) forget(l *Log) {
	of := map[any]bool{}
	for _, f := range l.files {
		of[f] = true
	}
	for _, r := range l.runs {
		of[r] = true
	}
	n.cache.forget(of)
}

func (c *cache) forget(of map[any]bool) {
	c.mu.Lock()
	before := c.used
	for k, e := range c.items {
		if of[k.of] {
			c.drop(e)
		}
	}
	freed := before - c.used
	c.mu.Unlock()
	c.told(-freed)
}
