package inspect

import (
	"errors"
	"fmt"

	"github.com/nats-broker/nats-broker/daemon/store"
	"github.com/nats-broker/nats-broker/daemon/vfs"
)

// Upgraded says what an upgrade of a store's format found.
type Upgraded struct {
	Format  uint32 `json:"format"`  // of the store, as it was
	Current uint32 `json:"current"` // of this version
	Oldest  uint32 `json:"oldest"`  // the format that a broker must know that is to read the store
	Changed bool   `json:"changed"`
}

// Upgrade brings the store in a storage directory to the format of this version. A broker does so by itself when something needs it,
// and no earlier. A store of the current format is left as it is.
func Upgrade(dir string) (*Upgraded, error) {
	storeDir := storeDirOf(dir)
	found, err := store.Look(vfs.OS, storeDir)
	if err != nil {
		return nil, err
	}
	for _, f := range found.Files {
		switch {
		case f.Missing && f.Name == store.NodeFile:
			return nil, fmt.Errorf("%s is missing: without it nothing of the store can be read", f.Path)
		case f.Format > store.Format:
			return nil, fmt.Errorf("%s: format %d: this version reads and writes format %d", f.Path, f.Format, store.Format)
		}
	}
	if !found.Known {
		return nil, errors.New("the store cannot be read: see nats-broker store check")
	}
	d, err := store.Open(vfs.OS, storeDir, store.Options{})
	if errors.Is(err, vfs.ErrLocked) {
		err = fmt.Errorf("%w: %w", ErrInUse, err)
	}
	if err != nil {
		return nil, err
	}
	defer d.Close() //nolint:errcheck // the lock is given back with the process
	u := &Upgraded{Format: d.Format(), Current: store.Format}
	if err := d.Raise(store.Format); err != nil {
		return nil, err
	}
	u.Changed, u.Oldest = u.Format != u.Current, d.Format()
	return u, nil
}
