// Package whole is a store of whole streams without anything above them: a journal, and a log of
// package segment for each stream. With it both are driven through crashes together.
package whole

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/nats-broker/nats-broker/daemon/internal/crashtest"
	"github.com/nats-broker/nats-broker/daemon/journal"
	"github.com/nats-broker/nats-broker/daemon/segment"
	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/vfs"
)

// Options of a store.
type Options struct {
	Journal journal.Options
	Segment segment.Options
	// Sound says that no bit of the disk was turned over: to find anything lost is a mistake then.
	Sound bool
	// Start lets the journal commit by itself, and makes checkpoints when it asks for them.
	Start bool
	// Back is told of sequences of a stream of which what was removed is there again, because the
	// deletions cannot be read; nil: nobody.
	Back func(n uint64, at stream.Range)
	// Trace is told what the store meets; nil: nobody.
	Trace func(format string, args ...any)
}

// Store is a crashtest.Store. Everything it acknowledges is durable.
type Store struct {
	fs   vfs.FS
	dir  string
	opts Options
	j    *journal.Journal

	mu      sync.Mutex // guards what follows; taken before the journal's
	between *sync.Cond // within is 0
	logs    map[uint64]*segment.Log
	given   map[uint64]uint64 // the last sequence of each stream
	within  uint64            // a commit of which some frames are applied; 0: none
	upTo    uint64            // the last one of which all are
	broken  error             // a log could not take what is committed: the next start gives it again
	lost    bool              // something was lost of which it is not known what

	writing sync.Mutex // one checkpoint at a time
	ask     chan bool  // the journal asks for one
	over    sync.WaitGroup
}

// Kinds of frames.
const (
	messages journal.Kind = 1
	remove   journal.Kind = 2 // the message at First goes
)

var key = [16]byte{3, 2, 1}

// Open opens the store in a folder, which is made.
func Open(v vfs.FS, dir string, o Options) (*Store, error) {
	m := &Store{fs: v, dir: dir, opts: o, logs: map[uint64]*segment.Log{}, given: map[uint64]uint64{}, ask: make(chan bool, 1)}
	m.between = sync.NewCond(&m.mu)
	if m.opts.Trace == nil {
		m.opts.Trace = func(string, ...any) {}
	}
	if err := m.openLogs(); err != nil {
		return nil, err
	}
	o.Journal.Checkpoint = func(uint64) {
		select {
		case m.ask <- true:
		default:
		}
	}
	o.Journal.Committed = m.committed
	o.Journal.Report = func(r journal.Report) { m.opts.Trace("journal: %+v", r) }
	j, err := journal.Open(v, filepath.Join(dir, "journal"), key, o.Journal)
	if err != nil {
		return nil, err
	}
	m.j = j
	for _, l := range m.logs {
		j.Behind(l.Durable())
	}
	r, err := j.Recover(m.replay)
	if err != nil {
		return nil, err
	}
	m.opts.Trace("recovered %+v", r)
	if o.Sound && len(r.Lost) > 0 {
		return nil, fmt.Errorf("the disk is sound, and yet lost: %v", r.Lost)
	}
	m.upTo = r.End
	for n, l := range m.logs {
		m.given[n] = l.State().Last
	}
	if o.Start {
		j.Start()
		m.over.Go(func() {
			for range m.ask {
				if err := m.Checkpoint(); err != nil {
					m.opts.Trace("checkpoint: %v", err)
				}
			}
		})
	}
	return m, nil
}

func (m *Store) openLogs() error {
	dir := filepath.Join(m.dir, "streams")
	if err := vfs.MkdirAll(m.fs, dir); err != nil {
		return err
	}
	if err := m.fs.SyncDir(m.dir); err != nil {
		return err
	}
	list, err := m.fs.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range list {
		if n, err := strconv.ParseUint(e.Name, 10, 64); err == nil && e.Dir {
			if _, err := m.log(n); err != nil {
				return err
			}
		}
	}
	return m.fs.SyncDir(dir)
}

// log returns the log of a stream.
func (m *Store) log(n uint64) (*segment.Log, error) {
	if l := m.logs[n]; l != nil {
		return l, nil
	}
	o := m.opts.Segment
	o.Report = func(r segment.Report) {
		m.opts.Trace("log: %+v", r)
		if m.opts.Back != nil && strings.HasPrefix(r.What, "deletions cannot be read") {
			m.opts.Back(n, r.Lost)
		}
	}
	l, err := segment.Open(m.fs, filepath.Join(m.dir, "streams", strconv.FormatUint(n, 10)), o)
	if err != nil {
		return nil, err
	}
	m.logs[n] = l
	return l, nil
}

func (m *Store) replay(commit uint64, f *journal.Frame) error {
	if f.Kind == journal.Unknown {
		m.lost = true
		return nil
	}
	l, err := m.log(f.Stream)
	if err != nil {
		return err
	}
	if commit <= l.Durable() {
		return nil
	}
	return apply(l, commit, f)
}

func apply(l *segment.Log, commit uint64, f *journal.Frame) error {
	l.Begin(commit)
	if f.Kind == remove {
		_, err := l.Remove(f.First)
		return err
	}
	if f.Lost {
		return l.Skip(f.First + uint64(f.Count) - 1)
	}
	var b []byte
	for _, p := range f.Body {
		b = append(b, p...)
	}
	for i := range uint64(f.Count) {
		if len(b) < 4 || int(binary.LittleEndian.Uint32(b)) > len(b)-4 {
			return fmt.Errorf("frame of stream %d at %d: it ends in message %d", f.Stream, f.First, i)
		}
		n := binary.LittleEndian.Uint32(b)
		r := stream.Record{
			Seq: f.First + i, Time: int64(f.First + i), Subject: fmt.Appendf(nil, "s.%d", (f.First+i)%5), Payload: b[4 : 4+n],
		}
		if err := l.Append(&r); err != nil {
			return err
		}
		b = b[4+n:]
	}
	return nil
}

// waiter applies a frame that is committed.
type waiter struct {
	m    *Store
	done func(uint64, error)
}

func (w *waiter) Done(f *journal.Frame, commit uint64, err error) {
	if err == nil {
		err = w.m.apply(commit, f)
	}
	if w.done != nil {
		w.done(f.First, err)
	}
}

func (m *Store) apply(commit uint64, f *journal.Frame) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.within = commit
	if m.broken != nil {
		return m.broken
	}
	l, err := m.log(f.Stream)
	if err == nil {
		err = apply(l, commit, f)
	}
	m.broken = err
	return err
}

// committed notes that all frames of a commit are applied.
func (m *Store) committed(commit uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.within, m.upTo = 0, commit
	m.between.Broadcast()
}

// Put hands over messages.
func (m *Store) Put(n uint64, bodies [][]byte, done func(uint64, bool, error)) {
	f := &journal.Frame{Kind: messages, Stream: n, Count: uint32(len(bodies)), Waiter: &waiter{m, func(first uint64, err error) { done(first, false, err) }}}
	for _, b := range bodies {
		f.Body = append(f.Body, binary.LittleEndian.AppendUint32(nil, uint32(len(b))), b)
	}
	m.mu.Lock()
	err := m.broken
	if err == nil {
		f.First = m.given[n] + 1
		m.given[n] += uint64(len(bodies))
		m.j.Append(f)
	}
	m.mu.Unlock()
	if err != nil {
		done(0, false, err)
	}
	m.checkpointIfAsked()
}

// checkpointIfAsked does what a started store has a goroutine for.
func (m *Store) checkpointIfAsked() {
	if m.opts.Start {
		return
	}
	select {
	case <-m.ask:
		m.j.Flush()
		_ = m.Checkpoint()
	default:
	}
}

// Remove takes a message out.
func (m *Store) Remove(n, seq uint64, done func(error)) {
	m.j.Append(&journal.Frame{Kind: remove, Stream: n, First: seq, Waiter: &waiter{m, func(_ uint64, err error) { done(err) }}})
}

// Flush works off what was handed over.
func (m *Store) Flush() {
	for range 3 { // it may be full until a checkpoint
		m.j.Flush()
		if !m.j.Stats().Blocked || m.Checkpoint() != nil {
			return
		}
	}
}

// Sync brings everything to the disk.
func (m *Store) Sync() error { return m.j.Sync() }

// Checkpoint syncs the logs and releases the journal.
func (m *Store) Checkpoint() error {
	m.writing.Lock()
	defer m.writing.Unlock()
	m.mu.Lock()
	for m.within != 0 {
		m.between.Wait()
	}
	upTo := m.upTo
	var finish []func() error
	err := m.broken
	for _, l := range m.logs {
		if err != nil {
			break
		}
		var f func() error
		if f, err = l.Checkpoint(); err == nil {
			finish = append(finish, f)
		}
	}
	m.mu.Unlock()
	for _, f := range finish {
		err = errors.Join(err, f())
	}
	if err != nil {
		m.mu.Lock()
		m.broken = err
		m.mu.Unlock()
		return err
	}
	m.j.Release(upTo)
	return nil
}

// Contents returns what the store holds.
func (m *Store) Contents() (crashtest.Contents, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := crashtest.Contents{}
	for n, l := range m.logs {
		s := l.State()
		if m.opts.Sound && len(l.Lost()) > 0 {
			return nil, fmt.Errorf("the disk is sound, and yet stream %d has lost %v", n, l.Lost())
		}
		for seq := s.First; s.Msgs > 0 && seq <= s.Last; seq++ {
			var r stream.Record
			switch err := l.Load(seq, &r); {
			case errors.Is(err, stream.ErrNoMessage):
				continue
			case err != nil:
				return nil, fmt.Errorf("stream %d, message %d: %w", n, seq, err)
			}
			if c[n] == nil {
				c[n] = map[uint64][]byte{}
			}
			c[n][seq] = r.Payload
		}
		if uint64(len(c[n])) != s.Msgs {
			return nil, fmt.Errorf("stream %d says that it has %d messages, and has %d", n, s.Msgs, len(c[n]))
		}
	}
	return c, nil
}

// Lost reports whether a message was lost.
func (m *Store) Lost(n, seq uint64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.lost {
		return true
	}
	if l := m.logs[n]; l != nil {
		for _, r := range l.Lost() {
			if seq >= r.From && seq <= r.To {
				return true
			}
		}
	}
	return false
}

// Close ends the use of the store.
func (m *Store) Close() error {
	for range 20 { // what waits may need a file that a checkpoint frees
		if m.j.Sync() == nil || m.Checkpoint() != nil {
			break
		}
	}
	err := m.j.Close()
	close(m.ask)
	m.over.Wait()
	for _, l := range m.logs {
		err = errors.Join(err, l.Close())
	}
	return err
}
