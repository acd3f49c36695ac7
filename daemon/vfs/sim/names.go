package sim

import (
	"slices"
)

// change is a change of names: node gets a name in dir (unless dir is nil) and loses one in from
// (unless from is nil).
type change struct {
	node     *node
	dir      *node
	name     string
	from     *node
	fromName string
}

func (c *change) in(dir *node) bool { return c.dir == dir || c.from == dir }

// change makes a change that everybody sees and that is not on the disk yet.
func (d *Disk) change(c *change) {
	if c.from != nil {
		delete(c.from.names, c.fromName)
		c.node.links--
	}
	if c.dir != nil {
		if old := c.dir.names[c.name]; old != nil {
			old.links--
			d.unused(old)
		}
		c.dir.names[c.name] = c.node
		c.node.links++
	}
	d.unused(c.node)
	d.pending = append(d.pending, c)
}

// onDisk makes a change on the disk. What it was based on may not be there.
func (c *change) onDisk() {
	if c.from != nil && c.from.kept[c.fromName] == c.node {
		delete(c.from.kept, c.fromName)
	}
	if c.dir != nil {
		c.dir.kept[c.name] = c.node
	}
}

// SyncDir makes the names in a folder last.
func (d *Disk) SyncDir(name string) error {
	o := Op{Call: SyncDir, Name: name}
	fault, err := d.begin(o)
	defer d.mu.Unlock()
	if err != nil {
		return err
	}
	if fault != nil {
		return fault
	}
	dir, err := d.find(name)
	if err != nil {
		return failed(o, err)
	}
	d.settle(func(c *change) bool { return d.opts.JournaledNames || c.in(dir) })
	return nil
}

// settle brings those changes of names to the disk that which chooses.
func (d *Disk) settle(which func(*change) bool) {
	d.pending = slices.DeleteFunc(d.pending, func(c *change) bool {
		if !which(c) {
			return false
		}
		c.onDisk()
		return true
	})
}
