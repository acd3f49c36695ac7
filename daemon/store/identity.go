package store

import (
	"crypto/rand"
	"fmt"

	"github.com/nats-broker/nats-broker/daemon/fields"
	"github.com/nats-broker/nats-broker/daemon/vfs"
)

const (
	nodeFile  = "node"
	nodeMagic = 0x6e6f_6e01
)

// Identity is what a store is given once, by chance.
type Identity struct {
	Node [16]byte // who this node is to others, as long as it has this store
	Key  [16]byte // of the sums by which the store knows its own structures
}

// NewIdentity makes one.
func NewIdentity() (Identity, error) {
	var id Identity
	if _, err := rand.Read(id.Node[:]); err != nil {
		return id, err
	}
	_, err := rand.Read(id.Key[:])
	return id, err
}

// Fields implements fields.Record.
func (id *Identity) Fields(c *fields.Codec) {
	for tag, p := range []*[16]byte{&id.Node, &id.Key} {
		b := p[:]
		c.Bytes(tag+1, &b)
		if c.Reading() {
			if len(b) != len(p) {
				c.Fail(fields.ErrDamaged)
				return
			}
			copy(p[:], b)
		}
	}
}

// writeIdentity writes the file of the identity. Its format is that of the store.
func writeIdentity(v vfs.FS, name string, id Identity, format uint32) error {
	return writeTwice(v, name, nodeMagic, format, fields.Append(nil, &id))
}

// readIdentity reads it, and the store's format. It is replaced as a whole, so that both copies have the same.
func readIdentity(v vfs.FS, name string) (Identity, uint32, error) {
	copies, whole, format, err := readTwice(v, name, nodeMagic, 1<<20)
	if err != nil {
		return Identity{}, 0, err
	}
	for i, c := range copies {
		var id Identity
		if whole[i] && fields.Read(c, &id) == nil {
			return id, format, nil
		}
	}
	return Identity{}, 0, fmt.Errorf("%s: %w", name, errDamaged)
}
