package jetstream

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-broker/nats-broker/daemon/fields"
	"github.com/nats-broker/nats-broker/daemon/journal"
	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/segment"
	"github.com/nats-broker/nats-broker/daemon/store"
	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/vfs"
)

// files keeps streams on a disk. What changes goes through the journal first, as frames; the logs in files follow, and
// are brought to the disk from time to time, so that the journal's files can be used again.
type files struct {
	log       *logging.Logger
	dir       *store.Dir
	catalogue *store.Catalogue
	journal   *journal.Journal
	memory    *memoryBound
	node      *segment.Node

	mu     sync.Mutex
	nextID uint64
	logs   map[uint64]*kept // of all streams in the catalogue, by id

	whole         atomic.Uint64 // the last commit of which everybody was told
	toldMu        sync.Mutex    // a leaf
	touched, idle []*Stream     // that were told since

	checkpoints sync.Mutex // one at a time
	behind      sync.WaitGroup
	ended       chan struct{} // closed with the storage
	room        *store.Room
	clean       bool // the process before wrote everything
	progress    *progress
	closing     atomic.Bool
	scrubber    scrubber
	patience    sync.WaitGroup // of [files.endWithoutRoom]
	noneWaits   chan struct{}  // closed when nobody waits for the journal any more
}

// Kinds of frames. Their numbers are on disks.
const (
	frameCatalogue journal.Kind = 1
	frameRecords   journal.Kind = 2
	frameChange    journal.Kind = 3
	frameBatch     journal.Kind = 8 // records, behind a bit for each that says whether it is stored
)

// kept is a stream as it is on the disk. Until somebody takes messages into it, machine is what the journal is replayed with.
type kept struct {
	id     uint64
	entry  entry
	log    *segment.Log
	memory *memoryShare // of the log
	stream *Stream      // nil until its account uses it; of handing

	machine *stream.Stream

	// handing is held by who takes the stream, and by a checkpoint of one that nobody has: a part of a commit must not be brought
	// to the disk, nor may changes of consumers be forgotten.
	handing   sync.Mutex
	consumers keptConsumers // until they are made

	schedules   []byte // those that repeat, as package stream keeps them, until somebody takes the stream
	rescheduled bool   // what is written of them is older

	sources bool   // it takes messages over from others
	bare    bool   // its folder was not there at the start
	lost    uint64 // messages that the journal had, found at the start
}

// openFiles opens the storage, or makes it, and brings all streams to where they were.
func openFiles(v vfs.FS, o *Options, log *logging.Logger, p *progress, m *memoryBound) (_ *files, err error) {
	f := &files{log: log, progress: p, memory: m, node: m.newNode(), logs: map[uint64]*kept{}}
	if f.dir, err = store.Open(v, o.StoreDir, store.Options{Empty: o.Empty, HowEmpty: o.HowEmpty}); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			f.release()
		}
	}()
	if f.catalogue, err = f.dir.Catalogue(); err != nil {
		return nil, err
	}
	for _, d := range f.catalogue.Damaged() {
		log.Error("JetStream: " + d.Error())
	}
	if err := f.prepareFolder(); err != nil {
		return nil, err
	}
	f.room, f.ended, f.noneWaits = f.dir.Room(), make(chan struct{}), make(chan struct{})
	jo := journal.Options{Checkpoint: f.checkpointSoon, Committed: f.told, Report: f.report}
	if o.SyncInterval > 0 {
		jo.Mode, jo.Interval = journal.Interval, o.SyncInterval
	}
	if f.journal, err = journal.Open(v, f.dir.Path("journal"), f.dir.Identity.Key, jo); err != nil {
		return nil, err
	}
	if err := f.recover(); err != nil {
		return nil, err
	}
	f.journal.Start()
	return f, nil
}

// prepareFolder makes the folder of the streams, and removes what is left of those that were being deleted.
func (f *files) prepareFolder() error {
	streams := f.dir.Path("streams")
	if err := vfs.MkdirAll(f.dir.FS(), streams); err != nil {
		return err
	}
	return segment.Sweep(f.dir.FS(), streams)
}

// newID returns a number that no stream and no consumer has.
func (f *files) newID() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.nextID++
	return f.nextID
}

// folder is where a stream's files are.
func (f *files) folder(id uint64) string { return f.dir.Path("streams", strconv.FormatUint(id, 10)) }

// openLog opens the log of a stream. Its share of the memory ends when it is closed.
func (f *files) openLog(id uint64) (*segment.Log, *memoryShare, error) {
	share := f.memory.shareOfLog()
	l, err := segment.Open(f.dir.FS(), f.folder(id), segment.Options{
		Node: f.node, Changed: share.changed, Closed: share.end, Report: func(r segment.Report) { f.reportLog(id, r) },
	})
	if err != nil {
		share.end()
		return nil, nil, err
	}
	share.log.Store(l)
	return l, share.memoryShare, nil
}

// hand gives a stream to somebody who takes messages into it and delivers them. more makes consumers that are not in files.
func (f *files) hand(k *kept, s *Stream, more func(*Stream)) error {
	k.handing.Lock()
	defer k.handing.Unlock()
	left := k.consumers.states[leavingID].state
	if err := s.restoreConsumers(f); err != nil {
		return err
	}
	s.resumeSchedules()
	more(s) // before it is looked for messages that nobody waits for
	s.retain(s.config.Load())
	if err := s.resume(left); err != nil {
		return err
	}
	k.stream = s
	f.progress.streams.Add(1)
	return nil
}

// find returns the stream of an entry of the catalogue.
func (f *files) find(value []byte) (*kept, error) {
	var e entry
	if err := fields.Read(value, &e); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if k := f.logs[e.ID]; k != nil {
		return k, nil
	}
	return nil, errors.New("its log is not open")
}

// report tells of trouble with the journal.
func (f *files) report(r journal.Report) {
	what := map[journal.What]string{
		journal.SlowCommit: "a commit takes long", journal.FileGivenUp: "a file is given up", journal.WentReadOnly: "the journal is read-only",
		journal.Full: "the journal is full", journal.NoSpare: "no file could be made",
	}[r.What]
	text := fmt.Sprintf("JetStream: %s: %s", what, filepath.Base(r.File))
	if r.Took > 0 {
		text += fmt.Sprintf(" (%v)", r.Took.Round(time.Millisecond))
	}
	if r.Err != nil {
		text += ": " + r.Err.Error()
	}
	switch r.What {
	case journal.SlowCommit, journal.NoSpare:
		f.log.Warn(text)
	case journal.WentReadOnly:
		f.log.Event(logging.Error, logging.StorageFailed, text, logging.String(logging.FieldStoreDir, f.dir.Path()), logging.Err(r.Err))
	default:
		f.log.Error(text)
	}
}

// release gives the storage up without writing anything.
func (f *files) release() {
	for _, k := range f.logs {
		_ = k.log.Close() // nothing was promised
	}
	_ = f.dir.Close()
}

// close ends the use of the storage, after all streams have been closed.
func (f *files) close() error {
	f.closing.Store(true)
	close(f.ended)
	f.scrubber.one.Lock() // for good
	f.behind.Wait()
	close(f.noneWaits)
	f.patience.Wait()
	err := f.journal.Sync()
	if err == nil {
		err = f.checkpoint(f.journal.Position())
	}
	if e := f.journal.Close(); err == nil || e != nil && e.Error() != err.Error() {
		err = errors.Join(err, e)
	}
	for _, k := range f.logs {
		err = errors.Join(err, k.log.Close())
	}
	return errors.Join(err, f.dir.Close())
}

// orphans puts away folders of streams that nobody knows.
func (f *files) orphans() error {
	list, err := f.dir.FS().ReadDir(f.dir.Path("streams"))
	if err != nil {
		return err
	}
	for _, e := range list {
		id, err := strconv.ParseUint(e.Name, 10, 64)
		if err == nil && f.logs[id] != nil || !e.Dir {
			continue
		}
		if err := f.putAway(e.Name); err != nil {
			return err
		}
	}
	return nil
}

// segmentsIn counts the segments in a folder.
func segmentsIn(v vfs.FS, dir string) (n int) {
	list, err := v.ReadDir(dir)
	if err != nil {
		return 0
	}
	for _, e := range list {
		if filepath.Ext(e.Name) == ".seg" {
			n++
		}
	}
	return n
}

// sayBare tells of the streams whose folders were gone: they were made with the streams, before these were acknowledged.
func (f *files) sayBare() {
	for _, k := range f.logs {
		if k.bare {
			f.log.Error("JetStream: lost: stream " + k.title(f) + ": its folder " + f.folder(k.id) + " is gone: what was acknowledged and stood only there is lost")
		}
	}
}

func (f *files) putAway(name string) error {
	v, to := f.dir.FS(), f.dir.Path("quarantine")
	if err := vfs.MkdirAll(v, to); err != nil {
		return err
	}
	for i := 0; ; i++ {
		at := filepath.Join(to, name+"."+strconv.Itoa(i))
		if _, err := v.Stat(at); !errors.Is(err, fs.ErrNotExist) {
			if err != nil {
				return err
			}
			continue
		}
		if n := segmentsIn(v, f.dir.Path("streams", name)); n > 0 {
			f.log.Error(fmt.Sprintf("JetStream: orphan: no stream has the folder %s, with %d segments of messages: it is put away in %s", f.dir.Path("streams", name), n, at))
		} else {
			f.log.Warn("JetStream: nobody knows the stream in " + f.dir.Path("streams", name) + ": it is put away in " + at)
		}
		if err := v.Rename(f.dir.Path("streams", name), at); err != nil {
			return err
		}
		return errors.Join(v.SyncDir(to), v.SyncDir(f.dir.Path("streams")))
	}
}
