package jetstream

import (
	"encoding/json"
	"strings"

	"github.com/nats-broker/nats-broker/daemon/fields"
	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
	"github.com/nats-broker/nats-broker/daemon/store"
)

// entry is what the catalogue says of a stream. Its key is the account and the name, with a zero byte between.
type entry struct {
	ID      uint64
	Created int64  // nanoseconds since 1970
	Config  []byte // as JSON, complete
	Origin  string // of a mirror: the identity of its origin, once it is known

	// Back says of which followers the origins have been behind what was taken of them.
	Back []string
}

// Fields implements fields.Record.
func (e *entry) Fields(c *fields.Codec) {
	fields.Number(c, 1, &e.ID)
	fields.Number(c, 2, &e.Created)
	c.Bytes(3, &e.Config)
	c.Text(4, &e.Origin)
	c.Texts(5, &e.Back)
}

func (e *entry) config() (*api.StreamConfig, error) {
	c := new(api.StreamConfig)
	return c, json.Unmarshal(e.Config, c)
}

func entryKey(account, name string) string { return account + "\x00" + name }

func splitKey(key string) (account, name string) {
	account, name, _ = strings.Cut(key, "\x00")
	return account, name
}

// goneKind is the kind of entries of streams that were deleted and whose files are not gone yet; the key is the id.
const goneKind store.Kind = 100
