package crashtest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc64"
	"maps"
	"slices"
	"sync"
)

// bodyHead is what a body begins with: its number and its sum.
const bodyHead = 16

var table = crc64.MakeTable(crc64.ECMA)

// Body makes the body of a message: a number that no other message has, and what follows.
func Body(id uint64, filler []byte) []byte {
	b := make([]byte, bodyHead+len(filler))
	binary.LittleEndian.PutUint64(b, id)
	copy(b[bodyHead:], filler)
	binary.LittleEndian.PutUint64(b[8:], crc64.Checksum(filler, table)^id)
	return b
}

// ID returns the number of a body, and whether it is whole.
func ID(body []byte) (uint64, bool) {
	if len(body) < bodyHead {
		return 0, false
	}
	id := binary.LittleEndian.Uint64(body)
	return id, binary.LittleEndian.Uint64(body[8:]) == crc64.Checksum(body[bodyHead:], table)^id
}

// History is what was asked of a store, and what it answered. It may be used by several goroutines.
type History struct {
	mu      sync.Mutex
	sent    map[uint64]sending // by number
	streams map[uint64]*known
	next    uint64
}

type sending struct {
	stream uint64
	size   int
}

// known is what a store has said of a stream.
type known struct {
	ids map[uint64]uint64 // sequence -> number of the message that is there
	top uint64            // highest sequence that was acknowledged or seen
	// Acknowledgements that the power may take back, since they promised less.
	weak map[uint64]uint64
	// Sequences that were acknowledged once, also weakly: they never stand for another message.
	ever map[uint64]uint64
	// Sequences whose removal was asked for: false, or acknowledged: true.
	gone map[uint64]bool
}

// NewHistory returns an empty one.
func NewHistory() *History {
	return &History{sent: map[uint64]sending{}, streams: map[uint64]*known{}}
}

func (h *History) stream(s uint64) *known {
	k := h.streams[s]
	if k == nil {
		k = &known{ids: map[uint64]uint64{}, weak: map[uint64]uint64{}, ever: map[uint64]uint64{}, gone: map[uint64]bool{}}
		h.streams[s] = k
	}
	return k
}

// Send returns the body of a new message that is about to be handed to the store.
func (h *History) Send(stream uint64, filler []byte) []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.next++ // a history that sends by itself has no other numbers
	b := Body(h.next, filler)
	h.sent[h.next] = sending{stream, len(b)}
	return b
}

// Sent notes that a message with a number was handed to the store.
func (h *History) Sent(stream, id uint64, size int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sent[id] = sending{stream, size}
}

// Acked notes that the store has acknowledged the message with a number. If weak is set the end of the power may
// take it away, but not that of the process.
func (h *History) Acked(stream, seq, id uint64, weak bool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	k := h.stream(stream)
	if other, ok := k.ever[seq]; ok && other != id {
		return fmt.Errorf("stream %d: sequence %d was given to message %d and to %d", stream, seq, other, id)
	}
	k.ever[seq] = id
	k.top = max(k.top, seq)
	if weak {
		k.weak[seq] = id
	} else {
		k.ids[seq] = id
	}
	return nil
}

// Synced notes that what was acknowledged weakly is on the disk now.
func (h *History) Synced() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, k := range h.streams {
		for seq, id := range k.weak {
			k.ids[seq] = id
		}
		clear(k.weak)
	}
}

// Remove returns a message that may be removed now, the some-th of those that are known, and notes
// that its removal is asked for.
func (h *History) Remove(stream, some uint64) (seq uint64, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	k := h.stream(stream)
	list := slices.Sorted(maps.Keys(k.ids))
	if len(list) == 0 {
		return 0, false
	}
	seq = list[some%uint64(len(list))]
	_, again := k.gone[seq]
	if !again {
		k.gone[seq] = false
	}
	return seq, !again
}

// Removing notes that the removal of a message is asked for.
func (h *History) Removing(stream, seq uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if k := h.stream(stream); !k.gone[seq] {
		k.gone[seq] = false
	}
}

// Removed notes that the removal of a message was acknowledged.
func (h *History) Removed(stream, seq uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stream(stream).gone[seq] = true
}

// Acks returns how many acknowledgements there were.
func (h *History) Acks() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, k := range h.streams {
		n += len(k.ids) + len(k.weak)
	}
	return n
}

// Contents is what a store holds.
type Contents map[uint64]map[uint64][]byte // stream, sequence, body

// Check compares what a store holds with what it promised, and takes what it holds as seen: it must
// be there the next time too. power says that its power was cut. lost are the sequences that
// the store says it has lost, and may have; back are those of which it says that what was removed
// is there again. nil: none.
func (h *History) Check(c Contents, power bool, lost, back func(stream, seq uint64) bool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range c {
		h.stream(s)
	}
	for s, k := range h.streams {
		if err := h.check(s, k, c[s], power, lost, back); err != nil {
			return fmt.Errorf("stream %d: %w", s, err)
		}
	}
	return nil
}

func (h *History) check(s uint64, k *known, c map[uint64][]byte, power bool, lost, back func(stream, seq uint64) bool) error {
	must := []map[uint64]uint64{k.ids}
	if !power {
		must = append(must, k.weak)
	}
	for _, m := range must {
		for seq, id := range m {
			b, ok := c[seq]
			_, asked := k.gone[seq]
			if !ok && (asked || lost != nil && lost(s, seq)) {
				delete(m, seq)
				if asked { // it has gone, and was seen to have gone
					k.gone[seq] = true
				}
				continue
			}
			if !ok {
				return fmt.Errorf("message %d at %d was acknowledged, or seen, and is not there", id, seq)
			}
			if got, whole := ID(b); got != id || !whole {
				return fmt.Errorf("message %d at %d was acknowledged, or seen, and %d is there (whole: %v)", id, seq, got, whole)
			}
		}
	}
	clear(k.weak)
	at := map[uint64]uint64{}
	for seq, b := range c {
		id, whole := ID(b)
		if sent, ok := h.sent[id]; !ok || !whole || sent.stream != s || sent.size != len(b) {
			return fmt.Errorf("at %d is what nobody sent: number %d, whole: %v, %d bytes", seq, id, whole, len(b))
		}
		if done, asked := k.gone[seq]; asked && back != nil && back(s, seq) {
			k.gone[seq] = false // it may go again: the journal, or the next one to read, may know of it
		} else if done {
			return fmt.Errorf("message %d at %d was removed and is there", id, seq)
		} else if asked {
			delete(k.gone, seq) // nobody was told that it went, and it is there: it stays
		}
		if other, twice := at[id]; twice {
			return fmt.Errorf("message %d is at %d and at %d", id, other, seq)
		}
		at[id] = seq
		if other, ok := k.ever[seq]; ok && other != id {
			return fmt.Errorf("sequence %d was given to message %d and is that of %d", seq, other, id)
		}
		k.ever[seq], k.ids[seq] = id, id
		k.top = max(k.top, seq)
	}
	return nil
}

// Equal reports whether two stores hold the same.
func (c Contents) Equal(d Contents) bool {
	if len(c) != len(d) {
		return false
	}
	for s, m := range c {
		if len(m) != len(d[s]) {
			return false
		}
		for seq, b := range m {
			if e, ok := d[s][seq]; !ok || !bytes.Equal(b, e) {
				return false
			}
		}
	}
	return true
}

// Sequences returns those of a stream, in order.
func (c Contents) Sequences(stream uint64) []uint64 {
	var out []uint64
	for seq := range c[stream] {
		out = append(out, seq)
	}
	slices.Sort(out)
	return out
}
