package jetstream

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/klauspost/compress/s2"

	"github.com/nats-broker/nats-broker/daemon/consumer"
	"github.com/nats-broker/nats-broker/daemon/fields"
	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
	"github.com/nats-broker/nats-broker/daemon/jetstream/archive"
	"github.com/nats-broker/nats-broker/daemon/store"
	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/stream/memlog"
	"github.com/nats-broker/nats-broker/daemon/subject"
)

// rebuilt is a stream that an archive is made into. Nobody knows of it before it is whole.
type rebuilt struct {
	a         *account
	config    *api.StreamConfig
	state     api.StreamState
	log       stream.Log
	kept      *kept // nil: it is in memory
	consumers []rebuiltConsumer
	bytes     uint64 // stored so far
}

type rebuiltConsumer struct {
	name   string
	config *api.ConsumerConfig
	state  []byte // of its machine
}

// build reads the archive and makes the stream.
func (x *delivery) build() (*api.StreamInfo, error) {
	b := &rebuilt{a: x.a, config: x.config}
	plain := bufio.NewReaderSize(s2.NewReader(x), 64<<10)
	begins, err := plain.Peek(len(archive.Magic))
	switch {
	case err != nil && !errors.Is(err, io.EOF):
	case string(begins) == archive.Magic || len(begins) < len(archive.Magic):
		err = b.read(archive.NewReader(plain))
	default:
		err = b.readOld(plain, x.state)
	}
	if err == nil {
		var info *api.StreamInfo
		if info, err = b.finish(); err == nil {
			return info, nil
		}
	}
	if b.log != nil {
		_ = b.log.Destroy() // it was told to nobody
	}
	return nil, err
}

// read reads the archive into a log of its own.
func (b *rebuilt) read(r *archive.Reader) error {
	e, err := r.Next()
	if err != nil {
		return err
	}
	if e.Name != archive.State || e.Seq != 0 {
		return fmt.Errorf("%w: it begins with %q", archive.ErrDamaged, e.Name)
	}
	_, text, err := r.Body()
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &b.state); err != nil {
		return fmt.Errorf("%s: %w", archive.State, err)
	}
	if err := b.sound(); err != nil {
		return err
	}
	if err := b.begin(); err != nil {
		return err
	}
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := b.take(r, &e); err != nil {
			return err
		}
	}
	if b.log.State().Last < b.state.LastSeq {
		if err := b.log.Skip(b.state.LastSeq); err != nil {
			return err
		}
	}
	return b.trim()
}

// trim brings what has come within the limits, which may be others than the stream had.
func (b *rebuilt) trim() error {
	m, err := machineConfig(b.config)
	if err != nil {
		return err
	}
	m.Window = 0
	s, err := stream.Open(m, b.log, stream.Key{}, time.Now().UnixNano())
	if err != nil {
		return err
	}
	return s.Configure(m)
}

// sound checks whether the state can be that of a stream.
func (b *rebuilt) sound() error {
	s := &b.state
	switch {
	case s.Consumers < 0, s.FirstSeq == 0 && (s.LastSeq != 0 || s.Msgs != 0), s.FirstSeq > 1<<62, s.LastSeq > 1<<62:
	case s.FirstSeq > s.LastSeq && (s.FirstSeq-1 != s.LastSeq || s.Msgs != 0):
	case s.FirstSeq > 0 && s.FirstSeq <= s.LastSeq && s.Msgs > s.LastSeq-s.FirstSeq+1:
	default:
		return nil
	}
	return errors.New("invalid stream state")
}

// begin makes an empty log that begins where the stream does.
func (b *rebuilt) begin() error {
	if b.config.Storage == api.File {
		f := b.a.srv.files
		if f == nil {
			return errNoFiles
		}
		id := f.newID()
		l, share, err := f.openLog(id)
		if err != nil {
			return err
		}
		b.log, b.kept = l, &kept{id: id, log: l, memory: share}
		if err := f.compress(l, b.config); err != nil {
			return err
		}
		l.Begin(f.journal.Position() + 1)
	} else {
		b.log = memlog.New()
	}
	if b.state.FirstSeq > 1 {
		return b.log.Truncate(b.state.FirstSeq)
	}
	return nil
}

// take takes one entry.
func (b *rebuilt) take(r *archive.Reader, e *archive.Entry) error {
	if name, ok := strings.CutPrefix(e.Name, archive.Consumer); ok && e.Seq == 0 {
		_, text, err := r.Body()
		if err != nil {
			return err
		}
		return b.consumer(name, text)
	}
	if e.Seq == 0 {
		return fmt.Errorf("%w: %q has no sequence", archive.ErrDamaged, e.Name)
	}
	if most := b.a.srv.broker.Options().MaxPayload; e.Header+e.Payload > most {
		return fmt.Errorf("message sequence %d exceeds maximum payload size", e.Seq)
	}
	if last := b.log.State().Last; e.Seq <= last || e.Seq > b.state.LastSeq {
		return fmt.Errorf("message sequence %d out of order", e.Seq)
	}
	h, p, err := r.Body()
	if err != nil {
		return err
	}
	return b.store(&stream.Record{Seq: e.Seq, Time: e.Time, Subject: []byte(e.Name), Header: h, Payload: p})
}

// store takes a message into the log.
func (b *rebuilt) store(r *stream.Record) error {
	if subj := string(r.Subject); !subject.ValidStrict(subj, false) || !subject.IsLiteral(subj) {
		return fmt.Errorf("message sequence %d has the subject %q", r.Seq, subj)
	}
	if h := r.Header; len(h) == 0 {
		r.Header = nil
	} else if !bytes.HasPrefix(h, []byte("NATS/1.0")) || !bytes.HasSuffix(h, []byte("\r\n\r\n")) {
		return fmt.Errorf("message sequence %d has a header that is none", r.Seq)
	}
	b.bytes += b.log.Size(len(r.Subject), len(r.Header), len(r.Payload))
	if err := b.room(); err != nil {
		return err
	}
	return b.log.Append(r)
}

// room checks whether what has come fits.
func (b *rebuilt) room() error {
	k := b.config.Storage
	if !b.a.room(k, b.bytes) || b.a.srv.full(k) || k == api.File && b.a.srv.crowded() {
		if k == api.Memory {
			return api.NoMemory.Error()
		}
		return api.NoStorage.Error()
	}
	return nil
}

func (b *rebuilt) consumer(name string, text []byte) error {
	var x api.ArchivedConsumer
	if err := json.Unmarshal(text, &x); err != nil {
		return fmt.Errorf("failed to decode consumer %q state: %w", name, err)
	}
	return b.addConsumer(name, &x)
}

func (b *rebuilt) addConsumer(name string, x *api.ArchivedConsumer) error {
	if x.Config == nil || x.State == nil {
		return fmt.Errorf("consumer %q is missing config or state", name)
	}
	if !api.ValidName(name) || x.Config.Durable != "" && x.Config.Durable != name {
		return fmt.Errorf("consumer %q has a name that it may not have", name)
	}
	if x.Config.Durable == "" {
		x.Config.Name = name
	}
	if x.Config.Sourcing || x.Config.Direct {
		b.a.srv.log.Warn("JetStream: restore of stream '" + b.config.Name + "': consumer " + name + " of a mirror or a source is left out")
		return nil
	}
	x.Config.Stamp()
	cfg, err := x.Config.Check(&api.ConsumerSurroundings{Stream: b.config}, false)
	if err != nil {
		return fmt.Errorf("failed to add consumer %q: %w", name, err)
	}
	p := consumer.Picture{
		Delivered: consumer.Position{Consumer: x.State.Delivered.Consumer, Stream: x.State.Delivered.Stream},
		Floor:     consumer.Position{Consumer: x.State.AckFloor.Consumer, Stream: x.State.AckFloor.Stream}, Redelivered: x.State.Redelivered,
	}
	for seq, d := range x.State.Pending {
		p.Pending = append(p.Pending, consumer.Waiting{Stream: seq, Consumer: d.Sequence, Time: d.Timestamp})
	}
	b.consumers = append(b.consumers, rebuiltConsumer{name, cfg, consumer.StateOf(machineFor(cfg), &p, time.Now().UnixNano())})
	return nil
}

// finish lets everybody see the stream, unless there is one of its name by now.
func (b *rebuilt) finish() (*api.StreamInfo, error) {
	a := b.a
	a.changing.Lock()
	defer a.changing.Unlock()
	c := b.config
	if a.stream(c.Name) != nil {
		return nil, api.RestoreExists.Error()
	}
	if err := a.fits(c, reserves(c.MaxBytes), reserves(c.MaxBytes)); err != nil {
		return nil, err
	}
	if a.overlaps(c, nil) {
		return nil, fmt.Errorf("error adding stream: %w", api.SubjectsOverlap.Error())
	}
	s, err := b.open(time.Now().UTC())
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	a.streams[c.Name] = s
	a.mu.Unlock()
	a.srv.reserved[c.Storage].Add(max(c.MaxBytes, 0))
	s.pursue()
	i := s.info(false)
	i.Domain, i.Cluster = "", nil
	return i, nil
}

// open makes the stream of what has come.
func (b *rebuilt) open(created time.Time) (*Stream, error) {
	if b.kept == nil {
		return b.openMemory(created)
	}
	a, f, k := b.a, b.a.srv.files, b.kept
	changes, err := b.write(created)
	if err != nil {
		return nil, err
	}
	k.log.Begin(f.journal.Position() + 1)
	if err := k.log.Sync(); err != nil {
		return nil, err
	}
	if err := f.enter(changes...); err != nil {
		return nil, err
	}
	if err := f.readConsumers(k); err != nil {
		return nil, err
	}
	f.mu.Lock()
	f.logs[k.id] = k
	f.mu.Unlock()
	b.log = nil // it is the catalogue's
	s, err := a.use(b.config, k)
	if err != nil {
		return nil, errors.Join(err, f.remove(a.name(), b.config.Name, k))
	}
	for _, x := range b.consumers {
		if x.config.MemoryStorage {
			c, err := s.bring(&x, created)
			if err == nil {
				err = c.open()
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

// bring makes a consumer that came with the stream and is kept in memory. It delivers nothing before it is opened.
func (s *Stream) bring(x *rebuiltConsumer, created time.Time) (*Consumer, error) {
	c := s.newConsumer(x.name, x.config, created)
	c.m = consumer.Reopen(machineOf(s, x.name, x.config), s.world(), s.now())
	if err := c.m.Restore(x.state); err != nil {
		return nil, err
	}
	s.look(func() { c.m.Resumed(true) })
	s.adopt(c)
	return c, nil
}

// write writes down what is kept of consumers, and returns what the catalogue is to say.
func (b *rebuilt) write(created time.Time) ([]store.Entry, error) {
	f, k := b.a.srv.files, b.kept
	config, err := json.Marshal(b.config)
	if err != nil {
		return nil, err
	}
	k.entry = entry{ID: k.id, Created: created.UnixNano(), Config: config}
	changes := []store.Entry{{Kind: store.Stream, Key: entryKey(b.a.name(), b.config.Name), Value: fields.Append(nil, &k.entry)}}
	states := map[uint64]consumerState{}
	for _, c := range b.consumers {
		if c.config.MemoryStorage {
			continue
		}
		id := f.newID()
		config, err := json.Marshal(c.config)
		if err != nil {
			return nil, err
		}
		e := consumerEntry{id, c.name, created.UnixNano(), config}
		changes = append(changes, store.Entry{Kind: store.Consumer, Key: consumersOf(k.id) + fmt.Sprint(id), Value: fields.Append(nil, &e)})
		states[id] = consumerState{state: c.state}
	}
	if len(states) == 0 {
		return changes, nil
	}
	return changes, f.writeStates(k.id, states)
}

func (b *rebuilt) openMemory(created time.Time) (*Stream, error) {
	s, err := b.a.newStream(b.config, b.log, created)
	if err != nil {
		return nil, err
	}
	var brought []*Consumer
	for _, x := range b.consumers {
		c, err := s.bring(&x, created)
		if err != nil {
			return nil, err
		}
		brought = append(brought, c)
	}
	s.retain(b.config)
	if err := s.resume(nil); err != nil {
		return nil, err
	}
	if err := s.open(); err != nil {
		return nil, err
	}
	for _, c := range brought {
		if err := c.open(); err != nil {
			return nil, err
		}
	}
	return s, nil
}
