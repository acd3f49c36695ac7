package sim

import (
	"slices"
	"strings"

	"github.com/nats-broker/nats-broker/daemon/vfs"
)

// Peeker reads a disk without a call being counted or failing, for tests that look at what
// is there.
type Peeker Disk

// ReadDir lists a folder.
func (p *Peeker) ReadDir(name string) ([]vfs.Entry, error) {
	d := (*Disk)(p)
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.find(name)
	if err != nil {
		return nil, err
	}
	var out []vfs.Entry
	for base, e := range n.names {
		out = append(out, vfs.Entry{Name: base, Dir: e.dir, Size: e.size, Ino: e.ino})
	}
	slices.SortFunc(out, func(a, b vfs.Entry) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// Peek reads from a file and returns how many bytes there were.
func (p *Peeker) Peek(name string, b []byte, off int64) int {
	d := (*Disk)(p)
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.find(name)
	if err != nil || n.dir || off >= n.size {
		return 0
	}
	b = b[:min(int64(len(b)), n.size-off)]
	n.get(b, off)
	return len(b)
}
