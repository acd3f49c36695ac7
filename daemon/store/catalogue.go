package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"github.com/nats-broker/nats-broker/daemon/vfs"
)

const (
	catalogueFile  = "catalogue"
	catalogueMagic = 0x7463_6e01
	maxCatalogue   = 4 << 30
)

// Kind says what an entry of the catalogue is of.
type Kind uint8

// The kinds of entries. An entry of a kind that is not known is kept as it is.
const (
	Account  Kind = 1
	Stream   Kind = 2
	Consumer Kind = 3
)

// Entry is what the catalogue says of one thing: a key that nothing else of its kind has, and a
// value that only the owner understands.
type Entry struct {
	Kind  Kind
	Key   string
	Value []byte // nil in a change: the entry goes
}

// Catalogue is what there is in a store. It is written whole, from time to time; what changes
// in between goes through the journal, as a frame with [AppendChanges] as its body, and is
// applied when its commit is done, and again when the journal is read. It may be used by several
// goroutines.
type Catalogue struct {
	fs   vfs.FS
	name string

	mu      sync.RWMutex
	entries map[Kind]map[string][]byte // values are not changed, but replaced
	upTo    uint64                     // commit up to which it is true
	changed bool                       // since it was written
	saving  sync.Mutex                 // taken before mu
	// Damaged tells of entries that could not be read when it was opened.
	damaged []error
}

// Catalogue reads the store's catalogue. A new store's is empty.
func (d *Dir) Catalogue() (*Catalogue, error) {
	c := &Catalogue{fs: d.fs, name: d.Path(catalogueFile), entries: map[Kind]map[string][]byte{}}
	copies, whole, _, err := readTwice(d.fs, c.name, catalogueMagic, maxCatalogue)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return nil, fmt.Errorf("catalogue: %w", err)
	}
	if i := slices.Index(whole, true); i >= 0 {
		if c.read(copies[i]); len(c.damaged) > 0 {
			return nil, fmt.Errorf("catalogue: %w", errors.Join(c.damaged...))
		}
		return c, nil
	}
	// Neither copy is whole: what can be read of either counts, and what cannot is told.
	var damaged []error
	for i := len(copies) - 1; i >= 0; i-- {
		c.damaged = nil
		c.read(copies[i])
		damaged = append(damaged, c.damaged...)
	}
	c.damaged, c.changed = damaged, true
	return c, nil
}

// Damaged returns what could not be read, in either copy: perhaps nothing is missing.
func (c *Catalogue) Damaged() []error { return c.damaged }

// read takes what is in a copy.
func (c *Catalogue) read(b []byte) {
	if len(b) < 12 || binary.LittleEndian.Uint32(b[8:]) != crc32.Checksum(b[:8], castagnoli) {
		c.damaged = append(c.damaged, fmt.Errorf("%s: at %d: its beginning is damaged", c.name, headSize))
	} else {
		c.upTo = max(c.upTo, binary.LittleEndian.Uint64(b))
	}
	for at := 12; at < len(b); {
		e, n, ok, err := parseEntry(b[at:])
		if err != nil || !ok {
			c.damaged = append(c.damaged, fmt.Errorf("%s: at %d: an entry is damaged", c.name, headSize+at))
		}
		if err != nil {
			return
		}
		if ok {
			c.set(e)
		}
		at += n
	}
}

// set makes a change; mu is held, or nobody else knows c.
func (c *Catalogue) set(e Entry) {
	m := c.entries[e.Kind]
	switch {
	case e.Value == nil:
		delete(m, e.Key)
	case m == nil:
		c.entries[e.Kind] = map[string][]byte{e.Key: e.Value}
	default:
		m[e.Key] = e.Value
	}
}

// An entry is the length of the rest, its sum, the kind, whether it goes, the length of the key, the
// key and the value.
const entryHead = 8

func appendEntry(b []byte, e Entry) []byte {
	at := len(b)
	b = append(b, make([]byte, entryHead)...)
	gone := byte(0)
	if e.Value == nil {
		gone = 1
	}
	b = append(b, byte(e.Kind), gone)
	b = binary.AppendUvarint(b, uint64(len(e.Key)))
	b = append(b, e.Key...)
	b = append(b, e.Value...)
	binary.LittleEndian.PutUint32(b[at:], uint32(len(b)-at-entryHead))
	binary.LittleEndian.PutUint32(b[at+4:], crc32.Checksum(b[at+entryHead:], castagnoli))
	return b
}

var errEntry = errors.New("an entry is damaged")

// parseEntry reads an entry of n bytes; ok says that its sum is right. After an error it is not
// known where the next one begins. The value refers to b.
func parseEntry(b []byte) (e Entry, n int, ok bool, err error) {
	if len(b) < entryHead {
		return e, 0, false, errEntry
	}
	length := binary.LittleEndian.Uint32(b)
	if uint64(length) > uint64(len(b)-entryHead) {
		return e, 0, false, errEntry
	}
	n = entryHead + int(length)
	body := b[entryHead:n:n]
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(b[4:]) || len(body) < 3 {
		return e, n, false, nil
	}
	e.Kind = Kind(body[0])
	gone := body[1] == 1
	key, k := binary.Uvarint(body[2:])
	if k <= 0 || key > uint64(len(body)-2-k) {
		return e, n, false, nil
	}
	body = body[2+k:]
	e.Key = string(body[:key])
	if !gone {
		e.Value = body[key:]
	}
	return e, n, true, nil
}

// AppendChanges writes changes as the body of a frame.
func AppendChanges(b []byte, changes ...Entry) []byte {
	for _, e := range changes {
		b = appendEntry(b, e)
	}
	return b
}

// Apply makes the changes of a frame in a commit, all or none. It copies what it keeps. It may be
// given the same ones again when the journal is read: those of a commit that the catalogue has
// are passed over, which is what replay says.
func (c *Catalogue) Apply(commit uint64, body []byte, replay bool) error {
	var list []Entry
	for at := 0; at < len(body); {
		e, n, ok, err := parseEntry(body[at:])
		if err != nil || !ok {
			return fmt.Errorf("catalogue: changes of commit %d, at %d: %w", commit, at, errEntry)
		}
		if e.Value != nil {
			e.Value = append([]byte{}, e.Value...)
		}
		list = append(list, e)
		at += n
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if replay && commit <= c.upTo {
		return nil
	}
	for _, e := range list {
		c.set(e)
	}
	c.changed = c.changed || len(list) > 0
	return nil
}

// UpTo returns the commit up to which the catalogue that was read is true.
func (c *Catalogue) UpTo() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.upTo
}

// Get returns the value of an entry, which the caller does not change.
func (c *Catalogue) Get(kind Kind, key string) ([]byte, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	v, ok := c.entries[kind][key]
	return v, ok
}

// Len returns how many entries of a kind there are.
func (c *Catalogue) Len(kind Kind) int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.entries[kind])
}

// List returns the entries of a kind whose keys begin with a prefix, sorted.
func (c *Catalogue) List(kind Kind, prefix string) []Entry {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.list(kind, prefix)
}

func (c *Catalogue) list(kind Kind, prefix string) []Entry {
	var out []Entry
	for k, v := range c.entries[kind] {
		if strings.HasPrefix(k, prefix) {
			out = append(out, Entry{kind, k, v})
		}
	}
	slices.SortFunc(out, func(a, b Entry) int { return strings.Compare(a.Key, b.Key) })
	return out
}

// Save writes the catalogue, if it changed. upTo is the last commit whose changes were all applied:
// when Save has returned nil they are durable without the journal.
func (c *Catalogue) Save(upTo uint64) error {
	c.saving.Lock()
	defer c.saving.Unlock()
	c.mu.Lock()
	if !c.changed {
		c.mu.Unlock()
		return nil
	}
	b := binary.LittleEndian.AppendUint64(nil, max(upTo, c.upTo))
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	kinds := make([]Kind, 0, len(c.entries))
	for k := range c.entries {
		kinds = append(kinds, k)
	}
	slices.Sort(kinds)
	for _, k := range kinds {
		for _, e := range c.list(k, "") {
			b = appendEntry(b, e)
		}
	}
	c.changed = false
	c.mu.Unlock()
	err := writeTwice(c.fs, c.name, catalogueMagic, FormatFirst, b)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.changed = true
		return fmt.Errorf("catalogue: %w", err)
	}
	c.upTo = max(c.upTo, upTo)
	return nil
}
