package jetstream

import (
	"encoding/json"
	"errors"
	"io/fs"
	"strconv"
	"sync"

	"github.com/nats-broker/nats-broker/daemon/fields"
	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
	"github.com/nats-broker/nats-broker/daemon/journal"
	"github.com/nats-broker/nats-broker/daemon/segment"
	"github.com/nats-broker/nats-broker/daemon/store"
	"github.com/nats-broker/nats-broker/daemon/stream"
)

// files is the ledger of the streams on the disk.
var _ ledger = (*files)(nil)

// handed is a frame of a stream on its way: when it is committed, so many changes are.
type handed struct {
	journal.Frame
	s       *Stream
	changes int
}

var handedPool = sync.Pool{New: func() any { return new(handed) }}

func (f *files) record(s *Stream, body [][]byte, first uint64, count int, time int64) {
	h := handedPool.Get().(*handed)
	h.s, h.changes = s, count
	h.Frame = journal.Frame{Kind: frameRecords, Stream: s.id, First: first, Count: uint32(count), Time: time, Body: body, Waiter: h}
	f.journal.Append(&h.Frame)
}

func (f *files) batch(s *Stream, body [][]byte, skipped []bool, first uint64, time int64) {
	h := handedPool.Get().(*handed)
	h.s, h.changes = s, len(body)
	h.Frame = journal.Frame{Kind: frameRecords, Stream: s.id, First: first, Count: uint32(len(body)), Time: time, Body: body, Waiter: h}
	if skipped != nil {
		h.Kind, h.Body = frameBatch, append([][]byte{asBits(skipped)}, body...)
	}
	f.journal.Append(&h.Frame)
}

// asBits is a bit for each of a list, the first ones in the lowest bits of the first byte.
func asBits(list []bool) []byte {
	b := make([]byte, (len(list)+7)/8)
	for i, set := range list {
		if set {
			b[i/8] |= 1 << (i % 8)
		}
	}
	return b
}

func (f *files) mirrored(s *Stream, body [][]byte, first uint64, count int) {
	h := handedPool.Get().(*handed)
	h.s, h.changes = s, count
	h.Frame = journal.Frame{Kind: frameMirrored, Stream: s.id, First: first, Count: uint32(count), Body: body, Waiter: h}
	f.journal.Append(&h.Frame)
}

func (f *files) change(s *Stream, c stream.Change, changes int) {
	h := handedPool.Get().(*handed)
	h.s, h.changes = s, changes
	h.Frame = journal.Frame{Kind: frameChange, Stream: s.id, Body: [][]byte{stream.AppendChange(nil, c)}, Waiter: h}
	f.journal.Append(&h.Frame)
}

// Done is told by the journal that the frame is committed, or will not be.
func (h *handed) Done(_ *journal.Frame, commit uint64, err error) {
	s, n := h.s, h.changes
	*h = handed{}
	handedPool.Put(h)
	s.settle(n, commit, err)
}

// asked is a frame that somebody waits for.
type asked struct {
	journal.Frame
	f    *files
	done chan error
}

// Done applies the change of the catalogue, so that whoever writes the catalogue after this commit has it.
func (a *asked) Done(_ *journal.Frame, commit uint64, err error) {
	if err == nil {
		err = a.f.catalogue.Apply(commit, join(a.Body), false)
	}
	a.done <- err
}

// enter makes changes of the catalogue last.
func (f *files) enter(changes ...store.Entry) error {
	a := &asked{f: f, done: make(chan error, 1)}
	a.Frame = journal.Frame{Kind: frameCatalogue, Body: [][]byte{store.AppendChanges(nil, changes...)}, Waiter: a, Sync: true}
	f.journal.Append(&a.Frame)
	return <-a.done
}

// create makes the files of a new stream and enters it.
func (f *files) create(account string, c *api.StreamConfig, created int64) (*kept, error) {
	config, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	id := f.newID()
	k := &kept{id: id, entry: entry{ID: id, Created: created, Config: config}}
	if k.log, k.memory, err = f.openLog(id); err != nil {
		return nil, err
	}
	if err = f.compress(k.log, c); err == nil {
		err = f.begin(k, c)
	}
	if err == nil {
		err = f.enter(store.Entry{Kind: store.Stream, Key: entryKey(account, c.Name), Value: fields.Append(nil, &k.entry)})
	}
	if err != nil {
		_ = k.log.Destroy() // it was told to nobody
		return nil, err
	}
	f.mu.Lock()
	f.logs[id] = k
	f.mu.Unlock()
	return k, nil
}

// begin brings an empty log to its first sequence, on the disk.
func (f *files) begin(k *kept, c *api.StreamConfig) error {
	k.log.Begin(f.journal.Position() + 1)
	if c.FirstSeq > 0 {
		if err := k.log.Truncate(c.FirstSeq); err != nil {
			return err
		}
	}
	return k.log.Sync()
}

// reconfigure enters another configuration of a stream of which nothing is pending.
func (f *files) reconfigure(account string, k *kept, c *api.StreamConfig) error {
	config, err := json.Marshal(c)
	if err != nil {
		return err
	}
	// What the journal holds of the stream was decided by the old configuration: none of it may be replayed by the new one.
	if err := k.log.Sync(); err != nil {
		return err
	}
	if err := f.compress(k.log, c); err != nil {
		return err
	}
	e := k.entry
	e.Config = config
	if err := f.enter(store.Entry{Kind: store.Stream, Key: entryKey(account, c.Name), Value: fields.Append(nil, &e)}); err != nil {
		return err
	}
	k.entry = e
	k.log.Begin(f.journal.Position())
	return nil
}

// remove takes a closed stream out of the catalogue, and its files away.
func (f *files) remove(account, name string, k *kept) error {
	id := strconv.FormatUint(k.id, 10)
	changes := []store.Entry{{Kind: store.Stream, Key: entryKey(account, name)}, {Kind: goneKind, Key: id, Value: []byte{1}}}
	for _, c := range f.catalogue.List(store.Consumer, consumersOf(k.id)) {
		changes = append(changes, store.Entry{Kind: store.Consumer, Key: c.Key})
	}
	err := f.enter(changes...)
	if err != nil {
		return err
	}
	f.mu.Lock()
	delete(f.logs, k.id)
	f.mu.Unlock()
	f.behind.Go(func() { // a large one takes its time
		if err := k.log.Destroy(); err != nil {
			f.log.Error("JetStream: files of the deleted stream " + name + " cannot be removed: " + err.Error())
			return
		}
		_ = f.enter(store.Entry{Kind: goneKind, Key: id}) // if that fails they are looked for at the next start
	})
	return nil
}

// finishGone removes the files of a stream that was deleted before this start.
func (f *files) finishGone(id string) {
	n, err := strconv.ParseUint(id, 10, 64)
	if err != nil {
		return
	}
	if _, err := f.dir.FS().Stat(f.folder(n)); !errors.Is(err, fs.ErrNotExist) {
		var l *segment.Log
		if err == nil {
			l, _, err = f.openLog(n)
		}
		if err == nil {
			err = l.Destroy()
		}
		if err != nil {
			f.log.Error("JetStream: files of a deleted stream cannot be removed: " + err.Error())
			return
		}
	}
	f.behind.Go(func() { _ = f.enter(store.Entry{Kind: goneKind, Key: id}) })
}

// settle notes that changes of the stream are committed, or will not be. What a commit holds is applied when all of it is
// told: nobody may see, or bring to the disk, a part of it. It does not wait.
func (s *Stream) settle(n int, commit uint64, err error) {
	s.inboxMu.Lock()
	s.commits = append(s.commits, committed{n, commit, err})
	s.inboxMu.Unlock()
	f := s.acc.srv.files
	f.toldMu.Lock()
	f.touched = append(f.touched, s)
	f.toldMu.Unlock()
	if err != nil {
		s.begin()
	}
}

// told is called by the journal when all of a commit is told.
func (f *files) told(commit uint64) {
	f.whole.Store(commit)
	f.toldMu.Lock()
	list := f.touched
	f.touched = f.idle[:0]
	f.idle = list
	f.toldMu.Unlock()
	for i, s := range list {
		if i == 0 || s != list[i-1] {
			s.begin()
		}
	}
	clear(list)
}

// begin has what is committed applied.
func (s *Stream) begin() {
	s.inboxMu.Lock()
	busy := s.settling
	s.settling = true
	s.inboxMu.Unlock()
	if !busy {
		s.acc.srv.work.Go(s.settleAll)
	}
}

// committed says what became of some changes.
type committed struct {
	changes int
	commit  uint64
	err     error
}

// settleAll applies what is committed.
func (s *Stream) settleAll() {
	for s.takeCommits() {
		s.mu.Lock()
		for _, c := range s.taken {
			s.commit(c)
			s.stall()
		}
		s.inboxMu.Lock()
		s.taken = s.taken[:0]
		s.inboxMu.Unlock()
		s.settled.Broadcast()
		s.unlock()
	}
}

// takeCommits moves whole commits to what is being applied. If there is none, whoever tells of one next begins anew.
func (s *Stream) takeCommits() bool {
	s.inboxMu.Lock()
	defer s.inboxMu.Unlock()
	whole := s.acc.srv.files.whole.Load() // under the lock, so that [Stream.begin] need not begin twice
	n := 0
	for n < len(s.commits) && s.commits[n].commit <= whole {
		n++
	}
	s.taken = append(s.taken[:0], s.commits[:n]...)
	s.commits = append(s.commits[:0], s.commits[n:]...)
	s.settling = n > 0
	return s.settling
}

// owes reports whether changes of a commit are told of and not applied.
func (s *Stream) owes(upTo uint64) bool {
	s.inboxMu.Lock()
	defer s.inboxMu.Unlock()
	return len(s.taken) > 0 && s.taken[0].commit <= upTo || len(s.commits) > 0 && s.commits[0].commit <= upTo
}
