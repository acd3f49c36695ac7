package jetstream

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"strconv"
	"time"

	"github.com/nats-broker/nats-broker/daemon/consumer"
	"github.com/nats-broker/nats-broker/daemon/fields"
	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
	"github.com/nats-broker/nats-broker/daemon/journal"
	"github.com/nats-broker/nats-broker/daemon/store"
	"github.com/nats-broker/nats-broker/daemon/vfs"
)

// Consumers of streams in files last: that they are there stands in the catalogue, what they do goes through the journal, and at
// a checkpoint the states of a stream's consumers go into one file (consumer_states.go).

// frameConsumer is the kind of a frame with changes of a consumer: First is its id, the body the number of the changes as
// a varint, and the changes.
const frameConsumer journal.Kind = 4

// consumerEntry is what the catalogue says of a consumer. Its key is the id of the stream, and its own.
type consumerEntry struct {
	ID      uint64
	Name    string
	Created int64  // nanoseconds since 1970
	Config  []byte // as JSON, complete
}

// Fields implements fields.Record.
func (e *consumerEntry) Fields(c *fields.Codec) {
	fields.Number(c, 1, &e.ID)
	c.Text(2, &e.Name)
	fields.Number(c, 3, &e.Created)
	c.Bytes(4, &e.Config)
}

func consumersOf(stream uint64) string { return strconv.FormatUint(stream, 10) + "\x00" }

func (c *Consumer) key() string { return consumersOf(c.s.id) + strconv.FormatUint(c.id, 10) }

// durable reports whether the consumer outlives the process.
func (c *Consumer) durable() bool { return c.s.kept != nil && !c.config.Load().MemoryStorage }

// enter has the catalogue know the consumer by a configuration.
func (c *Consumer) enter(cfg *api.ConsumerConfig) error {
	if !c.durable() {
		return nil
	}
	config, err := json.Marshal(cfg)
	if err != nil {
		return err
	}
	e := consumerEntry{c.id, c.name, c.created.UnixNano(), config}
	return c.s.acc.srv.files.enter(store.Entry{Kind: store.Consumer, Key: c.key(), Value: fields.Append(nil, &e)})
}

// forget takes the consumer out of the catalogue.
func (c *Consumer) forget() error {
	if !c.durable() {
		return nil
	}
	c.s.consumersChanged.Store(true)
	return c.s.acc.srv.files.enter(store.Entry{Kind: store.Consumer, Key: c.key()})
}

// writeChanges hands over what has changed; answers are for those whose acks are among it, or were before. mu is held.
func (c *Consumer) writeChanges(answers []string) {
	if c.lets {
		c.settles(answers)
		return
	}
	changes := c.m.Changes()
	if len(changes) == 0 && len(answers) == 0 {
		return
	}
	c.numbered++
	c.s.consumersChanged.Store(true)
	w := &writtenChanges{c: c, answers: answers}
	body := append(binary.AppendUvarint(make([]byte, 0, 10+len(changes)), c.numbered), changes...)
	w.Frame = journal.Frame{Kind: frameConsumer, Stream: c.s.id, First: c.id, Body: [][]byte{body}, Waiter: w}
	c.s.acc.srv.files.journal.Append(&w.Frame)
}

// writtenChanges is a frame with changes of a consumer on its way.
type writtenChanges struct {
	journal.Frame
	c       *Consumer
	answers []string
}

// Done is told by the journal that the frame is committed: acks are answered then. If it is not known whether it is, nobody may
// believe that it is.
func (w *writtenChanges) Done(_ *journal.Frame, _ uint64, err error) {
	if err != nil {
		return
	}
	for _, to := range w.answers {
		w.c.s.acc.broker.Publish(to, "", nil, nil)
	}
}

// keptConsumers is what a start finds of the consumers of a stream, or what an account has left of them.
type keptConsumers struct {
	states  map[uint64]consumerState
	changes map[uint64][][]byte // behind those that the states have taken in
	number  map[uint64]uint64   // of the last change
	sourced bool                // the journal has more of sources than the file
	left    bool                // the states are those in which the consumers were closed, and nothing is missing
}

// leaveConsumers returns what there is of the consumers of a closed stream.
func (s *Stream) leaveConsumers() keptConsumers {
	return keptConsumers{states: s.consumerStates(s.acc.srv.files), left: true}
}

// readConsumers reads the file with the states of a stream's consumers.
func (f *files) readConsumers(k *kept) error {
	states, err := f.readStates(k)
	k.consumers = keptConsumers{states: states, changes: map[uint64][][]byte{}, number: map[uint64]uint64{}}
	return err
}

func (f *files) readStates(k *kept) (map[uint64]consumerState, error) {
	b, err := vfs.ReadFile(f.dir.FS(), filepath.Join(f.folder(k.id), consumersFile), vfs.Catalogue, maxConsumersFile)
	if errors.Is(err, fs.ErrNotExist) {
		return map[uint64]consumerState{}, nil
	}
	if err != nil {
		return nil, err
	}
	states, whole := parseStates(b)
	if !whole {
		f.log.Error("JetStream: stream " + k.title(f) + ": states of consumers cannot be read; what the journal has not of them is lost")
	}
	return states, nil
}

// replayConsumer takes changes of a consumer from the journal.
func (k *kept) replayConsumer(commit uint64, fr *journal.Frame) error {
	if fr.Lost {
		return nil
	}
	b := join(fr.Body)
	n, used := binary.Uvarint(b)
	if used <= 0 {
		return fmt.Errorf("stream %d: commit %d: changes of consumer %d are damaged", k.id, commit, fr.First)
	}
	x := &k.consumers
	if n > x.states[fr.First].number && n > x.number[fr.First] {
		x.number[fr.First] = n
		x.changes[fr.First] = append(x.changes[fr.First], append([]byte(nil), b[used:]...))
	}
	return nil
}

// restoreConsumers makes the consumers that are kept for the stream. They deliver nothing yet.
func (s *Stream) restoreConsumers(f *files) error {
	x := &s.kept.consumers
	if was := s.kept.stream; was != nil { // of an account that was removed and is there again
		left := was.leaveConsumers()
		x = &left
	}
	// The next checkpoint writes what only the journal has, or who had the stream before has not written.
	s.consumersChanged.Store(x.left || x.sourced || len(x.changes) > 0)
	s.restoreSources(x.states[sourcesID].state)
	for _, e := range f.catalogue.List(store.Consumer, consumersOf(s.id)) {
		var en consumerEntry
		if err := fields.Read(e.Value, &en); err != nil {
			return fmt.Errorf("catalogue: consumer %q: %w", e.Key, err)
		}
		cfg := new(api.ConsumerConfig)
		if err := json.Unmarshal(en.Config, cfg); err != nil {
			return fmt.Errorf("catalogue: consumer %q: %w", en.Name, err)
		}
		c := s.newConsumer(en.Name, cfg, time.Unix(0, en.Created).UTC())
		c.id = en.ID
		if err := c.restore(x, f.clean || x.left); err != nil {
			s.acc.srv.log.Error("JetStream consumer '" + c.title() + "' begins anew: " + err.Error())
			c.m = consumer.New(machineOf(s, c.name, cfg), s.world(), s.now())
		}
		if err := c.m.Trouble(); err != nil {
			return fmt.Errorf("consumer %q: %w", c.name, err)
		}
		c.writeChanges(nil) // before the stream takes the first message
		s.adopt(c)
	}
	s.kept.consumers = keptConsumers{}
	return nil
}

// restore makes the machine as it was kept. One of which nothing was kept begins as it was asked to.
func (c *Consumer) restore(x *keptConsumers, clean bool) (err error) {
	c.numbered = max(x.states[c.id].number, x.number[c.id])
	c.m, err = x.machine(c.id, machineOf(c.s, c.name, c.config.Load()), c.s.world(), clean, c.s.now())
	return err
}

// machine makes the machine of a consumer.
func (x *keptConsumers) machine(id uint64, cfg consumer.Config, w consumer.World, clean bool, now int64) (*consumer.Machine, error) {
	state, known := x.states[id]
	if !known && len(x.changes[id]) == 0 {
		return consumer.New(cfg, w, now), nil
	}
	m := consumer.Reopen(cfg, w, now)
	if known {
		if err := m.Restore(state.state); err != nil {
			return nil, err
		}
	}
	for _, b := range x.changes[id] {
		if err := m.Apply(b); err != nil {
			return nil, err
		}
	}
	m.Resumed(clean)
	return m, nil
}

// unusedWorld is what a machine may ask about a stream that nobody has taken.
type unusedWorld struct{ world }

func (unusedWorld) Removals() uint64          { return 0 }
func (unusedWorld) Interested(string) bool    { return false }
func (unusedWorld) Bound(string, string) bool { return false }
func (unusedWorld) NewID() string             { return "" }

// saveUnused writes what the journal has of the consumers of a stream that nobody has taken, so that the journal need not keep
// it. The stream's handing is held.
func (f *files) saveUnused(k *kept) error {
	x := &k.consumers
	if len(x.changes) == 0 && !x.sourced && !k.rescheduled {
		return nil
	}
	k.keepSchedules()
	w := unusedWorld{world{s: &Stream{log: k.log}}}
	there := map[uint64]bool{leavingID: true, sourcesID: true, schedulesID: true}
	for _, e := range f.catalogue.List(store.Consumer, consumersOf(k.id)) {
		var en consumerEntry
		cfg := new(api.ConsumerConfig)
		err := fields.Read(e.Value, &en)
		if err == nil {
			err = json.Unmarshal(en.Config, cfg)
		}
		if err != nil {
			return fmt.Errorf("catalogue: consumer %q: %w", e.Key, err)
		}
		there[en.ID] = true
		if len(x.changes[en.ID]) == 0 {
			continue
		}
		m, err := x.machine(en.ID, machineFor(cfg), w, f.clean, time.Now().UnixNano())
		if err != nil {
			f.log.Error("JetStream: stream " + k.title(f) + ": consumer " + en.Name + ": " + err.Error())
			continue
		}
		x.states[en.ID] = consumerState{x.number[en.ID], m.State()}
		delete(x.changes, en.ID)
	}
	maps.DeleteFunc(x.changes, func(id uint64, _ [][]byte) bool { return !there[id] })
	maps.DeleteFunc(x.states, func(id uint64, _ consumerState) bool { return !there[id] })
	x.sourced = false
	return f.writeStates(k.id, x.states)
}

// adopt puts a consumer among the stream's.
func (s *Stream) adopt(c *Consumer) {
	c.lets = s.config.Load().Retention != api.Limits
	c.m.Report(c.lets)
	c.filter.Store(c.m.Filter())
	s.consumers.add(c)
	s.regard()
}
