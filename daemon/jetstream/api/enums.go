package api

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Retention says what makes a message go.
type Retention uint8

// The retention policies.
const (
	Limits Retention = iota
	Interest
	WorkQueue
)

var retentions = []string{"limits", "interest", "workqueue"}

func (r Retention) String() string                { return retentions[r] }
func (r Retention) MarshalText() ([]byte, error)  { return []byte(retentions[r]), nil }
func (r *Retention) UnmarshalJSON(b []byte) error { return word(b, retentions, (*uint8)(r)) }

// Discard says what gives way when a limit is reached.
type Discard uint8

// The discard policies.
const (
	DiscardOld Discard = iota
	DiscardNew
)

var discards = []string{"old", "new"}

func (d Discard) String() string                { return discards[d] }
func (d Discard) MarshalText() ([]byte, error)  { return []byte(discards[d]), nil }
func (d *Discard) UnmarshalJSON(b []byte) error { return word(b, discards, (*uint8)(d)) }

// Storage says where messages are kept.
type Storage uint8

// The kinds of storage.
const (
	File Storage = iota
	Memory
)

var storages = []string{"file", "memory"}

func (s Storage) String() string                { return storages[s] }
func (s Storage) MarshalText() ([]byte, error)  { return []byte(storages[s]), nil }
func (s *Storage) UnmarshalJSON(b []byte) error { return word(b, storages, (*uint8)(s)) }

// Compression of stored messages.
type Compression uint8

// The kinds of compression.
const (
	NoCompression Compression = iota
	S2
)

var compressions = []string{"none", "s2"}

func (c Compression) String() string               { return compressions[c] }
func (c Compression) MarshalText() ([]byte, error) { return []byte(compressions[c]), nil }

// UnmarshalJSON reads the name. The text of its error is another than that of the other words.
func (c *Compression) UnmarshalJSON(b []byte) error {
	var name string
	if err := json.Unmarshal(b, &name); err != nil {
		return err
	}
	for i, w := range compressions {
		if w == name {
			*c = Compression(i)
			return nil
		}
	}
	return errors.New("unknown compression algorithm")
}

// Persist says what the ack of a publish means.
type Persist uint8

// The modes.
const (
	PersistDefault Persist = iota
	PersistAsync
)

var persists = []string{"default", "async"}

func (p Persist) String() string               { return persists[p] }
func (p Persist) MarshalText() ([]byte, error) { return []byte(persists[p]), nil }

// UnmarshalJSON reads the name; an empty one is the default's.
func (p *Persist) UnmarshalJSON(b []byte) error {
	if string(b) == `""` {
		*p = PersistDefault
		return nil
	}
	return word(b, persists, (*uint8)(p))
}

// word sets v to the place of a JSON string among words. It compares what is written, as nats-server does:
// an escaped form of a word is none.
func word(b []byte, words []string, v *uint8) error {
	if n := len(b); n >= 2 && b[0] == '"' {
		for i, w := range words {
			if string(b[1:n-1]) == w {
				*v = uint8(i)
				return nil
			}
		}
	}
	return fmt.Errorf("can not unmarshal %q", b)
}
