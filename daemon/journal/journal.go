package journal

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-broker/nats-broker/daemon/vfs"
)

// Mode says when a waiter is told.
type Mode uint8

const (
	// Durable tells it when the commit is on the disk.
	Durable Mode = iota
	// Interval tells it when the commit is written; it is synced at least once in the interval.
	// The end of the process loses nothing, that of the power what is not synced.
	Interval
)

// Options of a journal. The zero value is of use.
type Options struct {
	Mode     Mode
	Interval time.Duration // of the mode of that name; 0: two minutes

	// Quiet is how long after the last commit a closing one vouches for it; 0: a second.
	Quiet time.Duration
	// Slow is how long a commit may take before it is reported; 0: a second.
	Slow time.Duration
	// Force takes what the disk cannot read at the end of the journal for lost. Without it that
	// is an error, since it may be there the next time.
	Force bool

	// Checkpoint asks the owner to bring everything up to a commit to its own files and to
	// call [Journal.Release]. It is called by the committer, must not wait, and is not repeated
	// for a commit.
	Checkpoint func(upTo uint64)
	// Committed is called by the committer when all waiters of a commit have been told. Only then
	// may anything say of itself that it is true up to that commit: a commit may hold several
	// frames of one stream.
	Committed func(commit uint64)
	// Report is told what an operator must know. It is called by the committer.
	Report func(Report)

	// Rand is where salts come from; nil: crypto/rand.
	Rand io.Reader
	// Now is the clock that commits are measured with; nil: time.Now.
	Now func() time.Time
}

// What a Report is about.
type What uint8

const (
	SlowCommit   What = iota + 1
	FileGivenUp       // a write or sync failed; the commit goes to the next file
	WentReadOnly      // that failed too
	Full              // the journal waits for a Release
	NoSpare           // a file could not be made
)

// Report is something that an operator must know.
type Report struct {
	What What
	File string
	Took time.Duration
	Err  error
}

type state uint8

const (
	opened state = iota
	running
	readOnly
	closed
)

// Journal is a node's journal. Its methods may be called by many goroutines, but for Recover.
//
// One goroutine at a time is the committer: the one that [Journal.Start] made, or whoever calls
// [Journal.Commit] or [Journal.Flush]. It alone writes, and changes what stands below its name.
type Journal struct {
	fs   vfs.FS
	dir  string
	key  key
	opts Options

	mu       sync.Mutex // guards what follows; leaf lock, never held during a call to the disk
	queue    queue
	state    state
	err      error // why it is read-only
	busy     bool  // somebody is the committer
	turn     *sync.Cond
	blocked  bool              // no file is free
	givenUp  bool              // nothing is taken any more, since none was
	live     []*file           // ascending; the last one is being written
	spare    []*file           // ready for use
	retired  []*file           // not to be used again
	making   bool              // somebody makes a file
	open     map[*Frame]uint64 // frames of which a part is in a commit: the file of the first
	sizes    sizes
	slot     uint64 // the highest file name
	released uint64
	asked    uint64 // up to where a checkpoint was asked for
	stats    Stats

	done  uint64       // the last commit whose waiters were told; guarded by mu
	since atomic.Int64 // when the commit began that is under way; 0: none

	// The committer's.
	behind     uint64 // see Behind
	next       uint64 // number of the next commit
	written    mark   // the last commit
	durable    mark   // the last one that is on the disk
	unsynced   []placed
	closing    bool // the last commit is a closing one
	generation uint64
	uses       uint64 // the number of the file that is being written
	pace       pace
	build      builder
	pieces     []piece
	frames     []*Frame

	armed atomic.Bool   // the goroutine of Start looks after the last commit
	wake  chan struct{} // to it
	keep  chan struct{} // to the one that makes files
	quit  chan struct{}
	over  sync.WaitGroup
}

// placed is a commit that is written and not synced.
type placed struct {
	mark
	place int64
}

// Stats are figures of a journal.
type Stats struct {
	Commits, Frames, Bytes uint64        // since the start; bytes as written
	Took                   time.Duration // all commits together
	Waiting                int           // frames
	WaitingBytes           int64
	Files                  int
	FileBytes              int64         // of all files
	Live                   int           // files that are needed
	Flush                  time.Duration // what a small commit takes, levelled
	UnderWay               time.Duration // how long the commit under way has taken; 0: none is
	ReadOnly               error         // why it is read-only; nil: it is not
	Blocked                bool          // it waits for a Release
}

// Open opens the journal in a folder, which is made if it is not there. The key is the
// store's: 128 random bits. [Journal.Recover] comes next.
func Open(fs vfs.FS, dir string, storeKey [16]byte, opts Options) (*Journal, error) {
	if opts.Interval <= 0 {
		opts.Interval = 2 * time.Minute
	}
	if opts.Quiet <= 0 {
		opts.Quiet = time.Second
	}
	if opts.Slow <= 0 {
		opts.Slow = time.Second
	}
	if opts.Rand == nil {
		opts.Rand = rand.Reader
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if err := vfs.MkdirAll(fs, dir); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	if err := fs.SyncDir(filepath.Dir(dir)); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	space, err := fs.Space(dir)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	j := &Journal{
		fs: fs, dir: dir, key: keyOf(storeKey), opts: opts,
		sizes: sizesFor(space), open: map[*Frame]uint64{},
	}
	j.turn = sync.NewCond(&j.mu)
	return j, nil
}

// Append hands a frame over. Its waiter is told what becomes of it, also of an error that Append
// knows at once; then by the caller's goroutine. It never waits for the disk.
func (j *Journal) Append(f *Frame) {
	if j.append(f) {
		j.signal()
	}
}

// Commit is Append, and if nobody commits just now, the caller does it: that saves two wake-ups
// when a single frame waits. It calls the disk, and waiters.
func (j *Journal) Commit(f *Frame) {
	if !j.append(f) {
		return
	}
	j.mu.Lock()
	if j.busy || j.state != running {
		j.mu.Unlock()
		j.signal()
		return
	}
	j.busy = true
	j.mu.Unlock()
	j.round()
	if j.leave() || !j.armed.Swap(true) {
		j.signal()
	}
}

func (j *Journal) append(f *Frame) bool {
	f.measure()
	j.mu.Lock()
	err := j.refuse()
	if err == nil && f.size > maxFrame {
		err = ErrTooLarge
	}
	if err == nil {
		j.queue.add(f)
	}
	j.mu.Unlock()
	if err != nil && f.Waiter != nil {
		f.Waiter.Done(f, 0, err)
	}
	return err == nil
}

// maxFrame is what a frame may be at most. It is taken in parts.
const maxFrame = 1 << 30

// refuse returns why nothing can be appended; mu is held.
func (j *Journal) refuse() error {
	switch j.state {
	case running:
		if j.givenUp {
			return fmt.Errorf("%w: %w", ErrReadOnly, errFull)
		}
		return nil
	case readOnly:
		return fmt.Errorf("%w: %w", ErrReadOnly, j.err)
	case closed:
		return ErrClosed
	}
	return errors.New("journal: not recovered")
}

func (j *Journal) signal() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// enter makes the caller the committer, when nobody else is.
func (j *Journal) enter() {
	j.mu.Lock()
	defer j.mu.Unlock()
	for j.busy {
		j.turn.Wait()
	}
	j.busy = true
}

// leave ends that and reports whether frames wait that could be written.
func (j *Journal) leave() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.busy = false
	j.turn.Signal()
	return j.queue.frames > 0 && !j.blocked && j.state == running
}

// Flush commits until nothing waits or nothing can be written, by the caller.
func (j *Journal) Flush() {
	j.enter()
	for j.round() {
	}
	j.leave()
	if j.keep == nil {
		j.tidy()
	}
}

// Sync is Flush and brings everything that was written to the disk, in any mode. When it returns
// nil what was appended before it was called is on the disk.
func (j *Journal) Sync() error {
	j.enter()
	defer j.leave()
	for j.round() {
	}
	j.syncWritten()
	return j.standing()
}

// Vouch writes a closing commit if the last one is not one: from then on the commits before it
// are known to have been on the disk. The goroutine of Start does so after a while of quiet.
func (j *Journal) Vouch() error {
	j.enter()
	defer j.leave()
	j.vouch(0)
	return j.standing()
}

// standing returns why the journal takes nothing any more.
func (j *Journal) standing() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case j.state == readOnly || j.state == closed || j.givenUp:
		return j.refuse()
	case j.blocked && j.queue.frames > 0:
		return errors.New("journal: full until what it holds is released")
	}
	return nil
}

// Position returns the last commit whose waiters were told.
func (j *Journal) Position() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.done
}

// Behind has commits be numbered above one that files beside the journal are true up to: they would take what is appended for what
// they hold. That matters where files of the journal were taken away or are older than the others. It is called before
// [Journal.Recover].
func (j *Journal) Behind(commit uint64) { j.behind = max(j.behind, commit) }

// GiveUp ends the wait for a file, if the journal waits for one: what has not been committed ends with an error, and nothing is taken
// any more. It is for an end of the process that cannot wait for room on the disk. It reports whether anything was given up.
func (j *Journal) GiveUp() bool {
	var waiting []*Frame
	j.mu.Lock()
	if !j.blocked || j.state != running || j.givenUp {
		j.mu.Unlock()
		return false
	}
	j.givenUp = true
	err := j.refuse()
	j.queue.clear(func(f *Frame) { waiting = append(waiting, f) })
	j.mu.Unlock()
	tell(waiting, err)
	return true
}

// Release says that everything up to a commit is durable elsewhere, so that the files that hold
// it may be used again. What is not committed entirely is not released, whatever commit says.
func (j *Journal) Release(commit uint64) {
	j.mu.Lock()
	j.released = max(j.released, min(commit, j.done))
	freed := j.free()
	j.mu.Unlock()
	if freed {
		j.tidySoon()
		j.signal()
	}
}

// Stats returns figures.
func (j *Journal) Stats() Stats {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.stats
	s.Waiting, s.WaitingBytes = j.queue.frames, j.queue.bytes
	for _, f := range j.live {
		s.Files, s.FileBytes, s.Live = s.Files+1, s.FileBytes+f.size, s.Live+1
	}
	for _, f := range slices.Concat(j.spare, j.retired) {
		s.Files, s.FileBytes = s.Files+1, s.FileBytes+f.size
	}
	if t := j.since.Load(); t != 0 {
		s.UnderWay = time.Duration(j.opts.Now().UnixNano() - t)
	}
	s.Blocked = j.blocked
	if j.state == readOnly {
		s.ReadOnly = j.err
	}
	return s
}

// Close commits what waits, says so on the disk, and ends the use of the journal. Frames that
// could not be written end with an error.
func (j *Journal) Close() error {
	if j.quit != nil {
		j.mu.Lock()
		if j.state != closed {
			close(j.quit)
		}
		j.mu.Unlock()
		j.over.Wait()
	}
	j.enter()
	defer j.leave()
	j.mu.Lock()
	was := j.state
	j.mu.Unlock()
	var err error
	switch was {
	case closed:
		return nil
	case running:
		for j.round() {
		}
		flags := uint32(0)
		if j.standing() == nil { // everything that was appended is there
			flags = flagClean
		}
		j.vouch(flags)
		err = j.standing()
	case readOnly:
		err = j.standing()
	}
	j.mu.Lock()
	j.state = closed
	files := slices.Concat(j.live, j.spare, j.retired)
	j.live, j.spare, j.retired = nil, nil, nil
	var waiting []*Frame
	j.queue.clear(func(f *Frame) { waiting = append(waiting, f) })
	j.mu.Unlock()
	tell(waiting, ErrClosed)
	for _, f := range files {
		if e := f.f.Close(); err == nil {
			err = e
		}
	}
	return err
}

func tell(list []*Frame, err error) {
	for _, f := range list {
		if f.Waiter != nil {
			f.Waiter.Done(f, 0, err)
		}
	}
}
