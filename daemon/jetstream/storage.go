package jetstream

import (
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-broker/nats-broker/daemon/fields"
	"github.com/nats-broker/nats-broker/daemon/journal"
	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/segment"
	"github.com/nats-broker/nats-broker/daemon/store"
	"github.com/nats-broker/nats-broker/daemon/vfs"
)

// StorageReport says how the disk is that streams are on.
type StorageReport struct {
	Failed error         // nothing can be stored any more
	Full   bool          // messages are refused for want of room
	Free   uint64        // bytes, at the last look
	Need   uint64        // bytes that must be free for messages to be taken
	Stuck  time.Duration // how long the write under way, or the wait for a file, has taken; 0: there is none

	Journal journal.Stats
	Written map[string]uint64 // bytes, by the kind of file
	Stored  uint64            // bytes of messages that streams in files have taken: subjects, headers and payloads

	Scrubbed uint64    // bytes that scrubs have read
	ScrubEnd time.Time // when one came to its end; zero: none has since the start
}

// Storage reports on the disk; ok is false if there is none. It does not wait for it.
func (s *Server) Storage() (r StorageReport, ok bool) {
	f := s.files
	if f == nil {
		return r, false
	}
	j := f.journal.Stats()
	r = StorageReport{Failed: j.ReadOnly, Full: !f.room.Enough(), Free: f.room.Free(), Need: f.room.Need(), Stuck: j.UnderWay, Journal: j, Written: map[string]uint64{}, Stored: s.taken.Load()}
	r.Scrubbed = f.scrubber.bytes.Load()
	if t := f.scrubber.ended.Load(); t != 0 {
		r.ScrubEnd = time.Unix(0, t)
	}
	for k := range vfs.Kinds {
		r.Written[k.String()] = s.counted.Figures(k).WriteBytes
	}
	if t := s.watch.blocked.Load(); t != 0 && j.Blocked && !r.Full { // on a full disk it waits for room
		r.Stuck = max(r.Stuck, time.Duration(s.watch.now().UnixNano()-t))
	}
	return r, true
}

// stuckAfter is how long a write may take until the disk is taken for stuck.
const stuckAfter = 5 * time.Second

// diskWatch notices a disk that does not answer while it does not.
type diskWatch struct {
	now     func() time.Time
	after   time.Duration // how long a write may take
	blocked atomic.Int64  // when the journal was first seen waiting for a file; 0: it does not
	stuck   bool          // it was said; the watching goroutine's
	looking atomic.Bool   // somebody asks the disk for its room, which may take as long as the disk likes

	soon chan struct{} // so much was stored that the disk is to be asked before the next second
	seen atomic.Uint64 // what was taken when it was asked last

	pressing atomic.Bool   // a checkpoint is tried
	freed    atomic.Uint64 // the commit up to which everything removed was brought to a full disk
}

// took counts bytes of messages that were stored in files. Who stores fast must not fill what has to stay free before somebody
// looks: what is stored is written to the journal and to the stream's files.
func (s *Server) took(n uint64) {
	if s.taken.Add(n)-s.watch.seen.Load() < s.files.room.Need()/8 {
		return
	}
	select {
	case s.watch.soon <- struct{}{}:
	default:
	}
}

// lookForRoom has the disk asked how much is free, and what could not be written written, unless that is being done.
func (s *Server) lookForRoom() {
	w := &s.watch
	if !w.looking.CompareAndSwap(false, true) {
		return
	}
	w.seen.Store(s.taken.Load())
	s.files.behind.Go(func() {
		defer w.looking.Store(false)
		s.lookAtRoom()
		s.files.tryAgain()
	})
}

// lookAtDisk is called every second or so.
func (s *Server) lookAtDisk() {
	w := &s.watch
	blocked := s.files.journal.Stats().Blocked
	switch {
	case !blocked:
		w.blocked.Store(0)
	case w.blocked.Load() == 0:
		w.blocked.Store(w.now().UnixNano())
	default: // the journal asks once for what it waits for, and that has failed
		s.press(s.files.journal.Position())
	}
	r, _ := s.Storage()
	switch stuck := r.Stuck >= w.after; {
	case stuck == w.stuck:
	case stuck:
		w.stuck = true
		s.log.Event(logging.Error, logging.StorageStuck, fmt.Sprintf("JetStream: the disk does not answer: a write has taken %v so far",
			r.Stuck.Round(time.Second)), logging.String(logging.FieldStoreDir, s.Folder()))
	default:
		w.stuck = false
		s.log.Info("JetStream: the disk answers again")
	}
	s.lookForRoom()
}

// reportLog tells of trouble with the log of a stream. The log waits for it.
func (f *files) reportLog(id uint64, r segment.Report) {
	text := fmt.Sprintf("JetStream: %s: %s: %v", r.What, r.File, r.Err)
	if r.What != segment.Unreadable {
		f.log.Error(text)
		return
	}
	account, stream := f.names(id)
	f.lost(account, stream, r.Lost.To-r.Lost.From+1, text)
}

// lost tells of messages that were stored and cannot be read.
func (f *files) lost(account, stream string, n uint64, text string) {
	f.log.Event(logging.Error, logging.MessagesLost, text, logging.String(logging.FieldAccount, account), logging.String(logging.FieldStream, stream),
		logging.Uint(logging.FieldCount, n), logging.String(logging.FieldReason, text))
}

// names returns whose a stream is, and its name; its number if the catalogue does not have it.
func (f *files) names(id uint64) (account, stream string) {
	for _, e := range f.catalogue.List(store.Stream, "") {
		var en entry
		if fields.Read(e.Value, &en) == nil && en.ID == id {
			return splitKey(e.Key)
		}
	}
	return "?", strconv.FormatUint(id, 10)
}

// progress is how far Start is.
type progress struct{ found, streams, frames atomic.Uint64 }

// Recovery says how far Start is: of the streams that were found so many take messages.
type Recovery struct {
	Streams, Of, Frames uint64
}

// Recovery may be asked while Start runs.
func (s *Server) Recovery() Recovery {
	p := &s.progress
	return Recovery{Streams: p.streams.Load(), Of: p.found.Load(), Frames: p.frames.Load()}
}
