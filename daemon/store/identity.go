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

func writeIdentity(v vfs.FS, name string, id Identity) error {
	return writeTwice(v, name, nodeMagic, fields.Append(nil, &id))
}

func readIdentity(v vfs.FS, name string) (Identity, error) {
	copies, whole, err := readTwice(v, name, nodeMagic, 1<<20)
	if err != nil {
		return Identity{}, err
	}
	for i, c := range copies {
		var id Identity
		if whole[i] && fields.Read(c, &id) == nil {
			return id, nil
		}
	}
	return Identity{}, fmt.Errorf("%s: %w", name, errDamaged)
}
