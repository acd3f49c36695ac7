package journal

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/nats-broker/nats-broker/daemon/internal/crashtest"
	"github.com/nats-broker/nats-broker/daemon/vfs"
)

// mini is the smallest store that can stand on a journal: all messages of all streams lie in
// memory, and in one file that is written anew at each checkpoint.
type mini struct {
	fs      vfs.FS
	j       *Journal
	streams map[uint64]*miniStream
	upTo    uint64 // commit up to which the file is true, or that was applied last
	wanted  bool   // the journal asks for a checkpoint
	lost    bool   // something was lost of which it is not known what
	clean   bool
	sound   bool // no bit was turned over
	reports []Report
}

type miniStream struct {
	Last  uint64 // given
	Msgs  map[uint64][]byte
	Lost  []uint64
	Ahead Ahead
	wait  []func()
}

// miniFile is what the file holds.
type miniFile struct {
	UpTo    uint64
	Streams map[uint64]*miniStream
}

const (
	kindMessages Kind = 1
	kindSkip     Kind = 2 // sequences up to First are given
	miniName          = "/store/state"
)

// chance is where salts come from: not the same twice, and the same for the same seed.
type chance struct{ n uint64 }

var salts uint64

// trace is told what a store meets.
var trace = func(format string, args ...any) {}

func (c *chance) Read(p []byte) (int, error) {
	for i := range p {
		c.n = c.n*6364136223846793005 + 1442695040888963407
		p[i] = byte(c.n >> 56)
	}
	return len(p), nil
}

var miniKey = [16]byte{1, 2, 3}

func openMini(v vfs.FS, o Options, sound bool) (*mini, error) {
	m := &mini{fs: v, streams: map[uint64]*miniStream{}, sound: sound}
	if err := vfs.MkdirAll(v, "/store"); err != nil {
		return nil, err
	}
	switch b, err := vfs.ReadFile(v, miniName, vfs.Catalogue, 1<<30); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	default:
		f := miniFile{}
		if err := json.Unmarshal(b, &f); err != nil {
			return nil, fmt.Errorf("state: %w", err)
		}
		m.upTo, m.streams = f.UpTo, f.Streams
	}
	o.Rand, o.Now = &chance{salts}, func() time.Time { return time.Unix(0, 0) }
	salts++
	o.Checkpoint = func(uint64) { m.wanted = true }
	o.Report = func(r Report) {
		m.reports = append(m.reports, r)
		trace("report %+v", r)
	}
	j, err := Open(v, "/store/journal", miniKey, o)
	if err != nil {
		return nil, err
	}
	m.j = j
	r, err := j.Recover(m.replay)
	if err != nil {
		return nil, err
	}
	m.clean = r.Clean
	if m.sound && (len(r.Lost) > 0 || len(r.Quarantined) > 0) {
		return nil, fmt.Errorf("the disk is sound, and yet lost: %v, moved away: %v", r.Lost, r.Quarantined)
	}
	trace("recovered %+v", r)
	for n, s := range m.streams {
		next := s.Ahead.Next(s.Last, r.Clean || o.Mode == Durable)
		if next > s.Last+1 {
			s.Last = next - 1
			j.Append(&Frame{Kind: kindSkip, Stream: n, First: s.Last, Sync: true, Waiter: &miniWait{m: m}})
		}
	}
	m.upTo = max(m.upTo, r.End)
	return m, nil
}

func (m *mini) stream(n uint64) *miniStream {
	s := m.streams[n]
	if s == nil {
		s = &miniStream{}
		m.streams[n] = s
	}
	if s.Msgs == nil {
		s.Msgs = map[uint64][]byte{}
	}
	return s
}

func (m *mini) replay(commit uint64, f *Frame) error {
	if commit <= m.upTo {
		return nil // it may come again
	}
	if f.Kind == Unknown {
		m.lost = true
		return nil
	}
	return m.apply(f)
}

func (m *mini) apply(f *Frame) error {
	s := m.stream(f.Stream)
	if f.Kind == kindSkip {
		s.Last = max(s.Last, f.First)
		return nil
	}
	if f.Kind == Reserved {
		s.Ahead.Written(f.First)
		return nil
	}
	s.Last = max(s.Last, f.First+uint64(f.Count)-1)
	if f.Lost {
		for i := range uint64(f.Count) {
			s.Lost = append(s.Lost, f.First+i)
		}
		return nil
	}
	b := slices.Concat(f.Body...)
	for i := range uint64(f.Count) {
		if len(b) < 4 || int(binary.LittleEndian.Uint32(b)) > len(b)-4 {
			return fmt.Errorf("frame of stream %d at %d: it ends in message %d", f.Stream, f.First, i)
		}
		n := binary.LittleEndian.Uint32(b)
		s.Msgs[f.First+i] = slices.Clone(b[4 : 4+n])
		b = b[4+n:]
	}
	if len(b) > 0 {
		return fmt.Errorf("frame of stream %d at %d: %d bytes too many", f.Stream, f.First, len(b))
	}
	return nil
}

// miniWait is a waiter.
type miniWait struct {
	m    *mini
	done func(uint64, bool, error)
	weak bool
}

func (w *miniWait) Done(f *Frame, commit uint64, err error) {
	if err == nil {
		if err = w.m.apply(f); err == nil {
			w.m.upTo = commit
		}
	}
	if w.done != nil {
		w.done(f.First, w.weak, err)
	}
}

func (m *mini) Put(stream uint64, bodies [][]byte, done func(uint64, bool, error)) {
	s := m.stream(stream)
	weak := m.j.opts.Mode != Durable
	last := s.Last + uint64(len(bodies))
	if weak {
		if f, ok := s.Ahead.Ask(stream, last); ok {
			f.Waiter = &miniWait{m: m}
			m.j.Append(&f)
		}
		if !s.Ahead.May(last) {
			m.j.Flush()
		}
		if !s.Ahead.May(last) {
			done(0, false, errors.New("no sequences"))
			return
		}
	}
	f := &Frame{Kind: kindMessages, Stream: stream, First: s.Last + 1, Count: uint32(len(bodies)), Waiter: &miniWait{m, done, weak}}
	for _, b := range bodies {
		f.Body = append(f.Body, binary.LittleEndian.AppendUint32(nil, uint32(len(b))), b)
	}
	s.Last = last
	m.j.Append(f)
	if m.wanted {
		m.wanted = false
		m.j.Flush()
		_ = m.Checkpoint()
	}
}

func (m *mini) Flush() {
	for range 3 { // it may be full until a checkpoint
		m.j.Flush()
		if !m.j.Stats().Blocked || m.Checkpoint() != nil {
			return
		}
	}
}

func (m *mini) Sync() error { return m.j.Sync() }

func (m *mini) Checkpoint() error {
	// The file may be newer than what the journal has on the disk: its commits count no less.
	b, err := json.Marshal(miniFile{m.upTo, m.streams})
	if err != nil {
		return err
	}
	if err := vfs.Replace(m.fs, miniName, vfs.Catalogue, b); err != nil {
		return err
	}
	m.j.Release(m.upTo)
	return nil
}

func (m *mini) Contents() (crashtest.Contents, error) {
	c := crashtest.Contents{}
	for n, s := range m.streams {
		if len(s.Msgs) > 0 {
			c[n] = s.Msgs
		}
	}
	return c, nil
}

func (m *mini) Lost(stream, seq uint64) bool {
	return m.lost || slices.Contains(m.stream(stream).Lost, seq)
}

func (m *mini) Close() error { return m.j.Close() }

func opener(o Options) crashtest.Opener {
	return func(v vfs.FS) (crashtest.Store, error) {
		m, err := openMini(v, o, true)
		if err != nil {
			return nil, err
		}
		return m, nil
	}
}
