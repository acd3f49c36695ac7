// Package mini is the smallest store that can stand on a journal: all messages of all streams lie in
// memory, and in one file that is written anew at each checkpoint. With it the journal is driven
// through crashes alone.
package mini

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"sync"

	"github.com/nats-broker/nats-broker/daemon/internal/crashtest"
	"github.com/nats-broker/nats-broker/daemon/journal"
	"github.com/nats-broker/nats-broker/daemon/vfs"
)

// Options of a store.
type Options struct {
	Journal journal.Options
	// Sound says that no bit of the disk was turned over: to find anything lost is a mistake then.
	Sound bool
	// Reused says that a name which was removed may come back for another file, as on a file
	// system without a journal of its names, when the inode was used again.
	Reused bool
	// Start lets the journal commit by itself, and makes checkpoints when it asks for them.
	Start bool
	// Trace is told what the store meets; nil: nobody.
	Trace func(format string, args ...any)
}

// Store is a crashtest.Store.
type Store struct {
	fs   vfs.FS
	dir  string
	opts Options
	j    *journal.Journal

	mu      sync.Mutex // guards what follows; taken before the journal's
	streams map[uint64]*stream
	upTo    uint64 // commit up to which the file is true, or that was applied last
	lost    bool   // something was lost of which it is not known what

	writing sync.Mutex // one checkpoint at a time

	ask  chan bool // the journal asks for a checkpoint
	over sync.WaitGroup
}

type stream struct {
	last  uint64 // given
	msgs  map[uint64][]byte
	lost  []uint64
	ahead journal.Ahead
}

// Kinds of frames.
const (
	messages journal.Kind = 1
	skip     journal.Kind = 2 // sequences up to First are given
	remove   journal.Kind = 3 // the message at First goes
)

var key = [16]byte{1, 2, 3}

// Open opens the store in a folder, which is made.
func Open(v vfs.FS, dir string, o Options) (*Store, error) {
	m := &Store{fs: v, dir: dir, opts: o, streams: map[uint64]*stream{}, ask: make(chan bool, 1)}
	if m.opts.Trace == nil {
		m.opts.Trace = func(string, ...any) {}
	}
	if err := vfs.MkdirAll(v, dir); err != nil {
		return nil, err
	}
	if err := m.load(); err != nil {
		return nil, err
	}
	o.Journal.Checkpoint = func(uint64) {
		select {
		case m.ask <- true:
		default:
		}
	}
	o.Journal.Committed = func(commit uint64) { // not before: a commit has several frames
		m.mu.Lock()
		defer m.mu.Unlock()
		m.upTo = commit
	}
	o.Journal.Report = func(r journal.Report) { m.opts.Trace("report %+v", r) }
	j, err := journal.Open(v, filepath.Join(dir, "journal"), key, o.Journal)
	if err != nil {
		return nil, err
	}
	m.j = j
	r, err := j.Recover(m.replay)
	if err != nil {
		return nil, err
	}
	m.opts.Trace("recovered %+v", r)
	if o.Sound && (len(r.Lost) > 0 || len(r.Quarantined) > 0 && !o.Reused) {
		return nil, fmt.Errorf("the disk is sound, and yet lost: %v, moved away: %v", r.Lost, r.Quarantined)
	}
	m.goOn(r.Clean)
	m.upTo = max(m.upTo, r.End)
	if o.Start {
		j.Start()
		m.over.Go(m.checkpoints)
	}
	return m, nil
}

// goOn leaves out the sequences that may have been given and lost, and writes that down.
func (m *Store) goOn(clean bool) {
	for n, s := range m.streams {
		next := s.ahead.Next(s.last, clean || m.opts.Journal.Mode == journal.Durable)
		if next > s.last+1 {
			s.last = next - 1
			m.j.Append(&journal.Frame{Kind: skip, Stream: n, First: s.last, Sync: true, Waiter: &waiter{m: m}})
		}
	}
}

func (m *Store) checkpoints() {
	for range m.ask {
		if err := m.Checkpoint(); err != nil {
			m.opts.Trace("checkpoint: %v", err)
		}
	}
}

func (m *Store) stream(n uint64) *stream {
	s := m.streams[n]
	if s == nil {
		s = &stream{msgs: map[uint64][]byte{}}
		m.streams[n] = s
	}
	return s
}

func (m *Store) replay(commit uint64, f *journal.Frame) error {
	if commit <= m.upTo {
		return nil // it may come again
	}
	if f.Kind == journal.Unknown {
		m.lost = true
		return nil
	}
	return m.apply(f)
}

func (m *Store) apply(f *journal.Frame) error {
	s := m.stream(f.Stream)
	switch f.Kind {
	case skip:
		s.last = max(s.last, f.First)
		return nil
	case remove:
		delete(s.msgs, f.First)
		return nil
	case journal.Reserved:
		s.ahead.Written(f.First)
		return nil
	}
	s.last = max(s.last, f.First+uint64(f.Count)-1)
	if f.Lost {
		for i := range uint64(f.Count) {
			s.lost = append(s.lost, f.First+i)
		}
		return nil
	}
	b := slices.Concat(f.Body...)
	for i := range uint64(f.Count) {
		if len(b) < 4 || int(binary.LittleEndian.Uint32(b)) > len(b)-4 {
			return fmt.Errorf("frame of stream %d at %d: it ends in message %d", f.Stream, f.First, i)
		}
		n := binary.LittleEndian.Uint32(b)
		s.msgs[f.First+i] = slices.Clone(b[4 : 4+n])
		b = b[4+n:]
	}
	if len(b) > 0 {
		return fmt.Errorf("frame of stream %d at %d: %d bytes too many", f.Stream, f.First, len(b))
	}
	return nil
}

// waiter applies a frame that is committed.
type waiter struct {
	m    *Store
	done func(uint64, bool, error)
	weak bool
}

func (w *waiter) Done(f *journal.Frame, _ uint64, err error) {
	if err == nil {
		w.m.mu.Lock()
		err = w.m.apply(f)
		w.m.mu.Unlock()
	}
	if w.done != nil {
		w.done(f.First, w.weak, err)
	}
}

// Put hands over messages.
func (m *Store) Put(n uint64, bodies [][]byte, done func(uint64, bool, error)) {
	weak := m.opts.Journal.Mode != journal.Durable
	f := &journal.Frame{Kind: messages, Stream: n, Count: uint32(len(bodies)), Waiter: &waiter{m, done, weak}}
	for _, b := range bodies {
		f.Body = append(f.Body, binary.LittleEndian.AppendUint32(nil, uint32(len(b))), b)
	}
	if weak && !m.reserve(n, uint64(len(bodies))) {
		done(0, false, errors.New("no sequences"))
		return
	}
	m.mu.Lock()
	s := m.stream(n)
	f.First = s.last + 1
	s.last += uint64(len(bodies))
	m.j.Append(f)
	m.mu.Unlock()
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

// reserve sees to it that so many sequences may be given. It is for one goroutine.
func (m *Store) reserve(n, count uint64) bool {
	m.mu.Lock()
	s := m.stream(n)
	last := s.last + count
	f, ask := s.ahead.Ask(n, last)
	m.mu.Unlock()
	if ask {
		f.Waiter = &waiter{m: m}
		m.j.Append(&f)
	}
	m.mu.Lock()
	may := s.ahead.May(last)
	m.mu.Unlock()
	if !may {
		m.j.Flush()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return s.ahead.May(last)
}

// Remove takes a message out.
func (m *Store) Remove(n, seq uint64, done func(error)) {
	m.j.Append(&journal.Frame{
		Kind: remove, Stream: n, First: seq, Sync: true,
		Waiter: &waiter{m: m, done: func(_ uint64, _ bool, err error) { done(err) }},
	})
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

// Checkpoint writes the file and releases the journal. The file may be newer than what the journal
// has on the disk: its commits count no less.
func (m *Store) Checkpoint() error {
	m.writing.Lock()
	defer m.writing.Unlock()
	m.mu.Lock()
	b, upTo := m.encode(), m.upTo
	m.mu.Unlock()
	if err := vfs.Replace(m.fs, m.file(), vfs.Catalogue, b); err != nil {
		return err
	}
	m.j.Release(upTo)
	return nil
}

func (m *Store) file() string { return filepath.Join(m.dir, "state") }

// encode writes what the file holds: the commit, then each stream with its messages, then a sum.
func (m *Store) encode() []byte {
	le := binary.LittleEndian
	b := le.AppendUint64(nil, m.upTo)
	for _, n := range slices.Sorted(maps.Keys(m.streams)) {
		s := m.streams[n]
		for _, v := range []uint64{n, s.last, s.ahead.UpTo, uint64(len(s.msgs)), uint64(len(s.lost))} {
			b = le.AppendUint64(b, v)
		}
		for _, seq := range slices.Sorted(maps.Keys(s.msgs)) {
			b = le.AppendUint64(b, seq)
			b = le.AppendUint64(b, uint64(len(s.msgs[seq])))
			b = append(b, s.msgs[seq]...)
		}
		for _, seq := range s.lost {
			b = le.AppendUint64(b, seq)
		}
	}
	return le.AppendUint32(b, crc32.ChecksumIEEE(b))
}

func (m *Store) load() error {
	b, err := vfs.ReadFile(m.fs, m.file(), vfs.Catalogue, 1<<32)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if len(b) < 12 || binary.LittleEndian.Uint32(b[len(b)-4:]) != crc32.ChecksumIEEE(b[:len(b)-4]) {
		return fmt.Errorf("%s: it is not whole", m.file())
	}
	b = b[:len(b)-4]
	next := func() uint64 {
		v := binary.LittleEndian.Uint64(b)
		b = b[8:]
		return v
	}
	m.upTo = next()
	for len(b) > 0 {
		s := m.stream(next())
		s.last, s.ahead.UpTo = next(), next()
		msgs, lost := next(), next()
		for range msgs {
			seq, size := next(), next()
			s.msgs[seq] = b[:size:size]
			b = b[size:]
		}
		for range lost {
			s.lost = append(s.lost, next())
		}
	}
	return nil
}

// Contents returns what the store holds.
func (m *Store) Contents() (crashtest.Contents, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := crashtest.Contents{}
	for n, s := range m.streams {
		if len(s.msgs) > 0 {
			c[n] = maps.Clone(s.msgs)
		}
	}
	return c, nil
}

// Lost reports whether a message was lost.
func (m *Store) Lost(n, seq uint64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lost || slices.Contains(m.stream(n).lost, seq)
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
	return err
}
