package sim

import "slices"

const (
	blockSize  = 4096
	sectorSize = 512
	sectors    = blockSize / sectorSize
	allSectors = 1<<sectors - 1
)

type block [blockSize]byte

// node is a file or a folder.
type node struct {
	ino   uint64
	dir   bool
	links int
	opens int

	// Of a folder: the names that are seen, and those on the disk.
	names, kept map[string]*node

	// Of a file. A block that is in a map is not changed any more, but replaced: several disks
	// share them after a cut.
	size  int64
	cache map[int64]*block // what is read
	alloc map[int64]bool   // blocks that have room on the disk

	keptSize int64
	disk     map[int64]*block // what is on the disk
	dirty    map[int64]uint8  // sectors that were written since the last sync
	astray   map[int64]uint8  // sectors that a failed sync left clean and not on the disk
	low      int64            // the smallest size since the last sync
}

func (d *Disk) newNode(dir bool) *node {
	d.nextIno++
	n := &node{ino: d.nextIno, dir: dir}
	if dir {
		n.names, n.kept = map[string]*node{}, map[string]*node{}
		return n
	}
	n.cache, n.disk = map[int64]*block{}, map[int64]*block{}
	n.dirty, n.astray = map[int64]uint8{}, map[int64]uint8{}
	n.alloc = map[int64]bool{}
	return n
}

// unused gives back the room of a file that nobody can reach any more.
func (d *Disk) unused(n *node) {
	if !n.dir && n.links == 0 && n.opens == 0 {
		d.used -= int64(len(n.alloc)) * blockSize
		n.alloc = map[int64]bool{}
	}
}

// sectorsOf returns the sectors of a block that the bytes from lo up to hi touch.
func sectorsOf(lo, hi int64) uint8 {
	var m uint8
	for s := lo / sectorSize; s*sectorSize < hi; s++ {
		m |= 1 << s
	}
	return m
}

// put writes into the cache.
func (n *node) put(p []byte, off int64) {
	for len(p) > 0 {
		b, lo := off/blockSize, off%blockSize
		l := min(blockSize-lo, int64(len(p)))
		c := new(block)
		if old := n.cache[b]; old != nil {
			*c = *old
		}
		copy(c[lo:], p[:l])
		n.cache[b] = c
		m := sectorsOf(lo, lo+l)
		n.dirty[b] |= m
		if n.astray[b] &^= m; n.astray[b] == 0 {
			delete(n.astray, b)
		}
		p, off = p[l:], off+l
	}
	n.size = max(n.size, off)
}

// get reads from the cache.
func (n *node) get(p []byte, off int64) {
	for len(p) > 0 {
		b, lo := off/blockSize, off%blockSize
		l := min(blockSize-lo, int64(len(p)))
		if c := n.cache[b]; c != nil {
			copy(p[:l], c[lo:])
		} else {
			clear(p[:l])
		}
		p, off = p[l:], off+l
	}
}

// shorten cuts a set of blocks off at size.
func shorten(m map[int64]*block, size int64) {
	for b := range m {
		if b*blockSize >= size {
			delete(m, b)
		}
	}
	if b, lo := size/blockSize, size%blockSize; lo != 0 && m[b] != nil {
		c := *m[b]
		clear(c[lo:])
		m[b] = &c
	}
}

// cutOff truncates what is seen. Of the block that is cut the end is made zeros, for which the kernel writes it again.
func (n *node) cutOff(size int64) {
	shorten(n.cache, size)
	if b, lo := size/blockSize, size%blockSize; lo != 0 && n.cache[b] != nil {
		n.dirty[b] |= sectorsOf(lo, blockSize)
	}
	for _, m := range []map[int64]uint8{n.dirty, n.astray} {
		for b := range m {
			if b*blockSize >= size {
				delete(m, b)
			}
		}
	}
	n.size = size
	n.low = min(n.low, size)
}

// merge returns a block with those sectors of new that are in mask, and the others of old.
func merge(old, new *block, mask uint8) *block {
	if mask == allSectors && new != nil {
		return new
	}
	c := new0(old)
	for s := range sectors {
		if mask>>s&1 == 0 {
			continue
		}
		part := c[s*sectorSize : (s+1)*sectorSize]
		if new == nil {
			clear(part)
		} else {
			copy(part, new[s*sectorSize:])
		}
	}
	return c
}

func new0(old *block) *block {
	c := new(block)
	if old != nil {
		*c = *old
	}
	return c
}

// writeBack brings sectors of one block to the disk.
func (n *node) writeBack(b int64, mask uint8) {
	n.disk[b] = merge(n.disk[b], n.cache[b], mask)
	if n.dirty[b] &^= mask; n.dirty[b] == 0 {
		delete(n.dirty, b)
	}
}

// shrinkDisk carries out a truncation that is not on the disk yet.
func (n *node) shrinkDisk() {
	if n.low < n.keptSize {
		shorten(n.disk, n.low)
		n.keptSize = n.low
	}
}

// dirtyBlocks returns the blocks with unsynced sectors, in order.
func (n *node) dirtyBlocks() []int64 {
	out := make([]int64, 0, len(n.dirty))
	for b := range n.dirty {
		out = append(out, b)
	}
	slices.Sort(out)
	return out
}

// settle syncs.
func (n *node) settle() {
	n.shrinkDisk()
	for b, mask := range n.dirty {
		n.disk[b] = merge(n.disk[b], n.cache[b], mask)
	}
	clear(n.dirty)
	n.keptSize, n.low = n.size, n.size
}

// evict lets go of clean memory: what a failed sync left behind is read from the disk again.
func (n *node) evict() {
	for b, mask := range n.astray {
		n.cache[b] = merge(n.cache[b], n.disk[b], mask)
	}
	clear(n.astray)
}
