package jetstream

import (
	"errors"
	"fmt"
	"io/fs"
	"math/bits"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nats-broker/nats-broker/daemon/fields"
	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
	"github.com/nats-broker/nats-broker/daemon/journal"
	"github.com/nats-broker/nats-broker/daemon/store"
	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/vfs"
)

// What is here reads what a server has stored without a server: for whoever looks at a store that no broker uses.

// KeptStream is a stream as the catalogue of a store has it.
type KeptStream struct {
	ID            uint64
	Account, Name string
	Created       time.Time
	Config        *api.StreamConfig
	Consumers     []KeptConsumer
}

// KeptConsumer is a consumer as the catalogue has it.
type KeptConsumer struct {
	ID   uint64
	Name string
}

// KeptStreams lists the streams of a catalogue. Entries that cannot be read are errors: a server does not start with one.
func KeptStreams(c *store.Catalogue) (list []KeptStream, bad []error) {
	for _, e := range c.List(store.Stream, "") {
		account, name := splitKey(e.Key)
		var en entry
		err := fields.Read(e.Value, &en)
		if err == nil {
			k := KeptStream{ID: en.ID, Account: account, Name: name, Created: time.Unix(0, en.Created).UTC()}
			if k.Config, err = en.config(); err == nil {
				k.Consumers, err = keptConsumersOf(c, en.ID)
				list = append(list, k)
			}
		}
		if err != nil {
			bad = append(bad, fmt.Errorf("stream %s > %s: %w", account, name, err))
		}
	}
	return list, bad
}

// RemovedStreams lists the streams of a catalogue that were deleted and whose files may still be there, by id.
func RemovedStreams(c *store.Catalogue) map[uint64]bool {
	ids := map[uint64]bool{}
	for _, e := range c.List(goneKind, "") {
		if id, err := strconv.ParseUint(e.Key, 10, 64); err == nil {
			ids[id] = true
		}
	}
	return ids
}

func keptConsumersOf(c *store.Catalogue, id uint64) (list []KeptConsumer, err error) {
	for _, e := range c.List(store.Consumer, consumersOf(id)) {
		var en consumerEntry
		if err := fields.Read(e.Value, &en); err != nil {
			return list, fmt.Errorf("consumer %s: %w", e.Key[strings.IndexByte(e.Key, 0)+1:], err)
		}
		list = append(list, KeptConsumer{en.ID, en.Name})
	}
	return list, nil
}

// FrameName is what a frame of the journal holds, in words.
func FrameName(k journal.Kind) string {
	switch k {
	case frameCatalogue:
		return "catalogue"
	case frameRecords, frameMirrored, frameBatch:
		return "messages"
	case frameChange:
		return "change"
	case frameConsumer:
		return "consumer"
	case frameAcked:
		return "acked"
	case journal.Reserved:
		return "reserved"
	case journal.Unknown:
		return "unknown"
	}
	return fmt.Sprintf("kind %d", k)
}

// FrameChanges returns the changes of the catalogue that a frame holds.
func FrameChanges(f *journal.Frame) (body []byte, ok bool) {
	return join(f.Body), f.Kind == frameCatalogue
}

// FrameMessages reports how many messages a frame holds.
func FrameMessages(f *journal.Frame) uint64 {
	switch f.Kind {
	case frameRecords, frameMirrored:
		return uint64(f.Count)
	case frameBatch:
		n := uint64(f.Count)
		if skipped, err := skippedOf(f); err == nil {
			for _, b := range skipped {
				n -= uint64(bits.OnesCount8(b))
			}
		}
		return n
	}
	return 0
}

// EachMessage calls fn with the messages that a frame holds. Their slices are the frame's.
func EachMessage(f *journal.Frame, fn func(*stream.Record)) error {
	if f.Kind == frameMirrored {
		return eachMirrored(f, func(r *stream.Record) error {
			fn(r)
			return nil
		})
	}
	if f.Kind != frameRecords && f.Kind != frameBatch {
		return nil
	}
	skipped, err := skippedOf(f)
	if err != nil {
		return err
	}
	body := join(f.Body)[len(skipped):]
	for i := range uint64(f.Count) {
		r, rest, err := parseRecord(body)
		if err != nil {
			return fmt.Errorf("message %d: %w", f.First+i, err)
		}
		body = rest
		if isSkipped(skipped, i) {
			continue
		}
		fn(&stream.Record{Seq: f.First + i, Time: f.Time, Subject: r.subject, Header: r.header, Payload: r.payload})
	}
	return nil
}

// Removal is what a frame takes out of a stream, or passes over, in words; empty: nothing.
func Removal(f *journal.Frame) (string, error) {
	body := join(f.Body)
	switch f.Kind {
	case frameChange:
		c, err := stream.ParseChange(body)
		return describe(&c), err
	case frameAcked:
		_, c, err := parseAcked(body)
		return describe(&c), err
	}
	return "", nil
}

func describe(c *stream.Change) string {
	switch c.Kind {
	case stream.Purge:
		return fmt.Sprintf("purge of %q below %d, keeping %d", c.Filter, c.Seq, c.Keep)
	case stream.Delete:
		return fmt.Sprintf("delete %d", c.Seq)
	case stream.Truncate:
		return fmt.Sprintf("truncate to %d", c.Seq)
	case stream.Skip:
		return fmt.Sprintf("skip to %d", c.Seq)
	case stream.Remove:
		return fmt.Sprintf("remove %d", c.Seqs)
	}
	return fmt.Sprintf("change of kind %d", c.Kind)
}

// CheckConsumers reads the file with the states of a stream's consumers, in the stream's folder. lost says that neither copy is
// whole; err that one is not, or that the file cannot be read.
func CheckConsumers(v vfs.FS, dir string) (path string, lost bool, err error) {
	path, whole, err := wholeStates(v, dir)
	switch {
	case err != nil:
		return path, true, err
	case len(whole) == 1:
		return path, false, errors.New("one of two copies is damaged")
	case whole != nil && len(whole) == 0:
		return path, true, errors.New("damaged, in both of its copies")
	}
	return path, false, nil
}

// MendConsumers writes that file anew if one of its copies is damaged, from the one that is whole, and reports whether it did.
func MendConsumers(v vfs.FS, dir string) (mended bool, err error) {
	path, whole, err := wholeStates(v, dir)
	if err != nil || len(whole) != 1 {
		return false, err
	}
	return true, vfs.Replace(v, path, vfs.Catalogue, whole[0], whole[0])
}

// wholeStates returns the copies in the file that are whole; nil if there is no file.
func wholeStates(v vfs.FS, dir string) (path string, whole [][]byte, err error) {
	path = filepath.Join(dir, consumersFile)
	b, err := vfs.ReadFile(v, path, vfs.Catalogue, maxConsumersFile)
	if errors.Is(err, fs.ErrNotExist) {
		return path, nil, nil
	}
	if err != nil {
		return path, nil, err
	}
	whole = [][]byte{}
	for _, half := range [][]byte{b[:len(b)/2], b[len(b)/2:]} {
		if parseCopy(half, map[uint64]consumerState{}) {
			whole = append(whole, half)
		}
	}
	return path, whole, nil
}
