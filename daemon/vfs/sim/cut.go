package sim

import (
	"io/fs"
	"math/rand/v2"
	"slices"
	"syscall"
)

// Style is how much a cut leaves of what was not synced.
type Style uint8

// The styles. Any draws one of the others, and how often.
const (
	Any     Style = iota
	Lost          // nothing of it
	Whole         // all of it, as after the end of the process only
	Torn          // of each sector by chance, and some blocks become anything
	Chance        // of each block by chance
	Garbage       // every block under write becomes anything
)

// Cut takes the power away and returns what is on the disk when it comes back. Called again with
// another seed it returns what else might be on it. The disk itself stays dead.
func (d *Disk) Cut(seed uint64, s Style) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead = true
	return d.cut(seed, s)
}

func (d *Disk) cut(seed uint64, s Style) *Disk {
	rng := rand.New(rand.NewPCG(seed, 0x637574))
	if s == Any {
		s = Style(1 + rng.IntN(int(Garbage)))
	}
	c := &cutting{rng: rng, style: s, keep: rng.Float64(), seen: map[*node]*node{}}
	next := &Disk{opts: d.opts, rng: rand.New(rand.NewPCG(rng.Uint64(), 1)), nextIno: d.nextIno, locks: map[*node]bool{}}
	c.next = next
	c.names(d)
	next.root = c.node(d.root)
	return next
}

// Copy returns a disk with the same content, all of it synced.
func (d *Disk) Copy() *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cut(0, Whole)
}

type cutting struct {
	rng   *rand.Rand
	style Style
	keep  float64
	next  *Disk
	seen  map[*node]*node
	kept  map[*node]map[string]*node // names of folders after the cut
}

func (c *cutting) chance() bool {
	switch c.style {
	case Lost:
		return false
	case Whole:
		return true
	}
	return c.rng.Float64() < c.keep
}

// names decides which changes of names are there.
func (c *cutting) names(d *Disk) {
	c.kept = map[*node]map[string]*node{}
	of := func(n *node) map[string]*node {
		m := c.kept[n]
		if m == nil {
			m = map[string]*node{}
			for k, v := range n.kept {
				m[k] = v
			}
			c.kept[n] = m
		}
		return m
	}
	for _, p := range d.pending {
		if !c.chance() {
			if d.opts.JournaledNames {
				return
			}
			continue
		}
		if p.from != nil && of(p.from)[p.fromName] == p.node {
			delete(of(p.from), p.fromName)
		}
		if p.dir != nil {
			of(p.dir)[p.name] = p.node
		}
	}
}

// node returns a node as it is after the cut, with all that is below.
func (c *cutting) node(n *node) *node {
	if m := c.seen[n]; m != nil {
		return m
	}
	m := c.next.newNode(n.dir)
	m.ino = n.ino
	c.seen[n] = m
	if n.dir {
		kept := c.kept[n]
		if kept == nil {
			kept = n.kept
		}
		names := make([]string, 0, len(kept))
		for k := range kept {
			names = append(names, k)
		}
		slices.Sort(names)
		for _, k := range names {
			e := c.node(kept[k])
			e.links++
			m.names[k], m.kept[k] = e, e
		}
		return m
	}
	c.content(n, m)
	return m
}

func (c *cutting) content(n, m *node) {
	for b, p := range n.disk {
		m.disk[b] = p
	}
	size, dirty := n.keptSize, n.dirtyBlocks()
	if n.low < size {
		if c.chance() {
			shorten(m.disk, n.low)
			size = n.low
		} else {
			dirty = slices.DeleteFunc(dirty, func(b int64) bool { return b*blockSize >= n.low })
		}
	}
	for _, b := range dirty {
		c.block(n, m, b)
	}
	if n.size > size && c.chance() {
		if c.style != Whole && c.rng.IntN(3) == 0 {
			size += c.rng.Int64N(n.size - size + 1)
		} else {
			size = n.size
		}
	}
	shorten(m.disk, size)
	m.size, m.keptSize, m.low = size, size, size
	for b, p := range m.disk {
		m.cache[b] = p
		m.alloc[b] = true
	}
	for b := range n.alloc {
		if b*blockSize < size {
			m.alloc[b] = true
		}
	}
	c.next.used += int64(len(m.alloc)) * blockSize
}

// block decides what a block is in which something was not synced.
func (c *cutting) block(n, m *node, b int64) {
	mask := n.dirty[b]
	switch {
	case c.style == Garbage, c.style == Torn && c.rng.IntN(8) == 0:
		m.disk[b] = c.garbage(n, b)
	case c.style == Torn:
		m.disk[b] = merge(m.disk[b], n.cache[b], mask&uint8(c.rng.Uint32()))
	case c.chance():
		m.disk[b] = merge(m.disk[b], n.cache[b], mask)
	}
}

// garbage is what a block may become while it is written: noise, zeros, a piece of what is new.
func (c *cutting) garbage(n *node, b int64) *block {
	p := new(block)
	switch c.rng.IntN(3) {
	case 0:
		for i := range p {
			p[i] = byte(c.rng.Uint32())
		}
	case 1: // zeros
	default:
		if n.cache[b] != nil {
			*p = *n.cache[b]
		}
		for range 1 + c.rng.IntN(4) {
			p[c.rng.IntN(len(p))] ^= 1 << c.rng.IntN(8)
		}
	}
	return p
}

// Flip turns over one bit of a file, in what is seen and what is on the disk. Bits are numbered
// from the lowest of the first byte.
func (d *Disk) Flip(name string, bit int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.find(name)
	switch {
	case err != nil:
		return &fs.PathError{Op: "flip", Path: name, Err: err}
	case n.dir || bit < 0 || bit/8 >= n.size:
		return &fs.PathError{Op: "flip", Path: name, Err: syscall.EINVAL}
	}
	b, i := bit/8/blockSize, bit/8%blockSize
	for _, m := range []map[int64]*block{n.cache, n.disk} {
		c := new0(m[b])
		c[i] ^= 1 << (bit % 8)
		m[b] = c
	}
	return nil
}
