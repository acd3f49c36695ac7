package jetstream

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/nats-broker/nats-broker/daemon/fields"
	"github.com/nats-broker/nats-broker/daemon/journal"
	"github.com/nats-broker/nats-broker/daemon/store"
	"github.com/nats-broker/nats-broker/daemon/stream"
)

// recover opens all streams of the catalogue and applies what the journal has.
func (f *files) recover() error {
	if err := f.follow(0); err != nil {
		return err
	}
	f.journal.Behind(f.catalogue.UpTo())
	for _, k := range f.logs {
		f.journal.Behind(k.log.Durable())
	}
	rec, err := f.journal.Recover(f.replay)
	if err != nil {
		return err
	}
	f.clean = rec.Clean
	if rec.Gone {
		f.log.Error("JetStream: the files of the journal are gone: what was acknowledged and stood only in them is lost")
	}
	for _, l := range rec.Lost {
		f.log.Error("JetStream: lost: " + l.String())
	}
	for _, q := range rec.Quarantined {
		f.log.Error("JetStream: put away, for it is no file of the journal any more: " + q)
	}
	if err := f.follow(0); err != nil {
		return err
	}
	for _, k := range f.logs {
		// A change of the configuration may have been the last thing.
		if err := k.machine.Configure(k.machine.Config()); err != nil {
			return err
		}
		k.schedules, k.machine = k.machine.Schedules(), nil
	}
	f.sayBare()
	for _, e := range f.catalogue.List(goneKind, "") {
		f.finishGone(e.Key)
	}
	return f.orphans()
}

// follow opens the streams that the catalogue has and nobody has opened, and forgets those that it has not.
// commit is the one that has changed the catalogue; 0: none.
func (f *files) follow(commit uint64) error {
	there := map[uint64]bool{}
	for _, e := range f.catalogue.List(store.Stream, "") {
		var en entry
		if err := fields.Read(e.Value, &en); err != nil {
			return fmt.Errorf("catalogue: %q: %w", e.Key, err)
		}
		there[en.ID] = true
		f.nextID = max(f.nextID, en.ID)
		k := f.logs[en.ID]
		if k != nil {
			was := k.entry.Config
			k.entry = en
			if string(was) != string(en.Config) {
				f.compressKept(k)
				if err := f.replayConfig(commit, k); err != nil {
					return err
				}
			}
			continue
		}
		k = &kept{id: en.ID, entry: en}
		_, err := f.dir.FS().Stat(f.folder(en.ID))
		k.bare = errors.Is(err, fs.ErrNotExist)
		if k.log, k.memory, err = f.openLog(en.ID); err != nil {
			return err
		}
		f.progress.found.Add(1)
		f.logs[en.ID] = k
		f.compressKept(k)
		if err = f.readConsumers(k); err != nil {
			return err
		}
		if k.machine, err = k.open(stream.Key{}); err != nil {
			return err
		}
		k.machine.ResumeSchedules(k.consumers.states[schedulesID].state)
	}
	for id, k := range f.logs {
		if !there[id] {
			delete(f.logs, id)
			if err := k.log.Close(); err != nil {
				return err
			}
		}
	}
	for _, e := range f.catalogue.List(store.Consumer, "") {
		if _, id, ok := strings.Cut(e.Key, "\x00"); ok {
			if n, err := strconv.ParseUint(id, 10, 64); err == nil {
				f.nextID = max(f.nextID, n)
			}
		}
	}
	for _, e := range f.catalogue.List(goneKind, "") {
		if id, err := strconv.ParseUint(e.Key, 10, 64); err == nil {
			f.nextID = max(f.nextID, id)
		}
	}
	return nil
}

// open makes the machine that the journal is replayed with.
func (k *kept) open(key stream.Key) (*stream.Stream, error) {
	m, err := k.machineConfig()
	if err != nil {
		return nil, err
	}
	m.Window = 0 // ids are found when somebody takes messages
	return stream.Open(m, k.log, key, time.Now().UnixNano())
}

func (k *kept) machineConfig() (stream.Config, error) {
	c, err := k.entry.config()
	if err != nil {
		return stream.Config{}, fmt.Errorf("stream %d: its configuration cannot be read: %w", k.id, err)
	}
	k.sources = len(c.Sources) > 0
	return machineConfig(c)
}

// replayConfig works by the configuration of a commit from here on. A log that has the commit was brought within the limits
// then, and what it holds now may have come after them: nothing is taken out of it.
func (f *files) replayConfig(commit uint64, k *kept) (err error) {
	if commit <= k.log.Durable() {
		before := k.machine.Schedules()
		if k.machine, err = k.open(stream.Key{}); err == nil {
			k.machine.ResumeSchedules(before)
		}
		return err
	}
	k.log.Begin(commit)
	m, err := k.machineConfig()
	if err != nil {
		return err
	}
	return k.machine.Configure(m)
}

// replay applies one frame of the journal.
func (f *files) replay(commit uint64, fr *journal.Frame) error {
	f.progress.frames.Add(1)
	if fr.Kind == frameCatalogue {
		if fr.Lost {
			f.log.Error("JetStream: a change of streams was on the disk and cannot be read")
			return nil
		}
		if err := f.catalogue.Apply(commit, join(fr.Body), true); err != nil {
			return err
		}
		return f.follow(commit)
	}
	k := f.logs[fr.Stream]
	if k != nil && fr.Kind == frameConsumer {
		return k.replayConsumer(commit, fr)
	}
	if k != nil && fr.Kind == frameAcked {
		return k.replayAcked(commit, fr, time.Now().UnixNano())
	}
	if k != nil && k.sources && fr.Kind == frameRecords && !fr.Lost {
		k.noteSources(fr)
	}
	if k == nil {
		return nil // deleted later
	}
	if commit <= k.log.Durable() {
		return k.noteSchedules(fr) // the rest is in its files
	}
	k.log.Begin(commit)
	switch {
	case (fr.Kind == frameRecords || fr.Kind == frameBatch) && fr.Lost:
		account, stream := f.names(k.id)
		k.lost += uint64(fr.Count)
		f.lost(account, stream, uint64(fr.Count), fmt.Sprintf("JetStream: stream %s: messages %d to %d were on the disk and cannot be read",
			k.title(f), fr.First, fr.First+uint64(fr.Count)-1))
		return k.log.Skip(fr.First + uint64(fr.Count) - 1)
	case fr.Kind == frameMirrored && fr.Lost:
		// What follows says where it stands; at the end of the stream the origin is asked for it again.
		account, stream := f.names(k.id)
		k.lost += uint64(fr.Count)
		f.lost(account, stream, uint64(fr.Count), fmt.Sprintf("JetStream: stream %s: %d messages from %d on were on the disk and cannot be read",
			k.title(f), fr.Count, fr.First))
		return nil
	case fr.Lost:
		f.log.Error("JetStream: stream " + k.title(f) + ": a change was on the disk and cannot be read")
		return nil
	case fr.Kind == frameRecords || fr.Kind == frameBatch:
		k.rescheduled = k.rescheduled || k.machine.Config().Schedules
		return k.eachRecord(fr, func(c stream.Change) error { return k.machine.Replay(c, fr.Time) })
	case fr.Kind == frameMirrored:
		if err := k.replayMirrored(fr, time.Now().UnixNano()); err != nil {
			return fmt.Errorf("stream %d: messages from %d on: %w", k.id, fr.First, err)
		}
		return nil
	case fr.Kind == frameChange:
		c, err := stream.ParseChange(join(fr.Body))
		if err != nil {
			return fmt.Errorf("stream %s: %w", k.title(f), err)
		}
		k.rescheduled = k.rescheduled || c.Runs()
		return k.machine.Replay(c, time.Now().UnixNano())
	}
	return nil // of a later version
}

// title names a stream for people.
func (k *kept) title(f *files) string {
	account, stream := f.names(k.id)
	return account + " > " + stream
}

// skippedOf returns the bits in front of a frame of a batch; nil for another one.
func skippedOf(fr *journal.Frame) ([]byte, error) {
	if fr.Kind != frameBatch {
		return nil, nil
	}
	body, n := join(fr.Body), (int(fr.Count)+7)/8
	if len(body) < n {
		return nil, errRecord
	}
	return body[:n], nil
}

// isSkipped reports whether a message of such a frame takes a sequence and is not stored.
func isSkipped(bits []byte, i uint64) bool { return bits != nil && bits[i/8]&(1<<(i%8)) != 0 }

// eachRecord calls a function for the messages of a frame, stored or not. Their memory is the journal's.
func (k *kept) eachRecord(fr *journal.Frame, fn func(stream.Change) error) error {
	fr.Body = [][]byte{join(fr.Body)}
	skipped, err := skippedOf(fr)
	if err != nil {
		return fmt.Errorf("stream %d: message %d: %w", k.id, fr.First, err)
	}
	body := fr.Body[0][len(skipped):]
	for i := range uint64(fr.Count) {
		r, rest, err := parseRecord(body)
		if err != nil {
			return fmt.Errorf("stream %d: message %d: %w", k.id, fr.First+i, err)
		}
		body = rest
		c := stream.Change{Kind: stream.Append, Record: stream.Record{
			Seq: fr.First + i, Time: fr.Time, Subject: r.subject, Header: r.header, Payload: r.payload,
		}}
		if isSkipped(skipped, i) {
			c = k.machine.Skipping(&c.Record)
		}
		if err := fn(c); err != nil {
			return fmt.Errorf("stream %d: message %d: %w", k.id, fr.First+i, err)
		}
	}
	return nil
}

// parseRecord takes a record off a frame, where nothing lies apart: it stands behind it.
func parseRecord(b []byte) (raw, []byte, error) {
	if len(b) < recordHead {
		return raw{}, nil, errRecord
	}
	var n [4]uint64
	for i := range n {
		n[i] = uint64(b[4*i]) | uint64(b[4*i+1])<<8 | uint64(b[4*i+2])<<16 | uint64(b[4*i+3])<<24
	}
	n[3] &^= apart
	if n[0]+n[1]+n[2]+n[3] > uint64(len(b)-recordHead) {
		return raw{}, nil, errRecord
	}
	b = b[recordHead:]
	var r raw
	take := func(n uint64) (p []byte) {
		p, b = b[:n:n], b[n:]
		return p
	}
	r.subject, r.reply = take(n[0]), take(n[1])
	if n[2] > 0 {
		r.header = take(n[2])
	}
	r.payload = take(n[3])
	return r, b, nil
}

func join(pieces [][]byte) []byte {
	if len(pieces) == 1 {
		return pieces[0]
	}
	var b []byte
	for _, p := range pieces {
		b = append(b, p...)
	}
	return b
}
