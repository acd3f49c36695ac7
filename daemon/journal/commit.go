package journal

import (
	"fmt"
	"io"
	"time"
)

// round writes one commit, if frames wait and there is room, tells their waiters, and reports
// whether it wrote one. The caller is the committer.
func (j *Journal) round() bool {
	pieces, sync, ok := j.take()
	if !ok {
		return false
	}
	t := j.opts.Now()
	j.since.Store(t.UnixNano())
	err := j.write(head{}, pieces, sync)
	took := j.opts.Now().Sub(t)
	j.since.Store(0)
	if took >= j.opts.Slow {
		j.report(Report{What: SlowCommit, File: j.current().name, Took: took})
	}
	if err != nil {
		j.fail(pieces, err)
		return false
	}
	j.finish(pieces, took)
	if mutated("acknowledged before the sync") {
		_ = j.current().f.Sync()
	}
	return true
}

// current returns the file that is being written.
func (j *Journal) current() *file {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.live[len(j.live)-1]
}

// take moves what waits into pieces, into the next file if this one is full. sync reports whether
// one of the frames asks for it.
func (j *Journal) take() (pieces []piece, sync, ok bool) {
	for {
		j.mu.Lock()
		if j.queue.frames == 0 || j.state != running || j.blocked {
			j.mu.Unlock()
			return nil, false, false
		}
		f := j.live[len(j.live)-1]
		most := min(maxCommit, capacity(f.size))
		asked := j.queue.sync
		j.pieces = j.queue.take(j.pieces[:0], min(f.room(), most), most, j.pace.share())
		sync = asked > 0 // of those that are left some may ask again: a sync too many
		j.mu.Unlock()
		if len(j.pieces) > 0 {
			return j.pieces, sync, true
		}
		if !j.nextFile(false) {
			return nil, false, false
		}
	}
}

// write writes a commit, and syncs it if the mode or a frame asks for that. If that fails it does
// so once more in another file. The error is why it is not known to be on the disk.
func (j *Journal) write(h head, pieces []piece, sync bool) error {
	f := j.current()
	sync = sync || j.opts.Mode == Durable
	err := j.writeTo(f, h, pieces, sync)
	if err == nil {
		return nil
	}
	j.report(Report{What: FileGivenUp, File: f.name, Err: err})
	if mutated("failed sync repeated") {
		return f.f.Sync()
	}
	g, e := j.carry(f, commitOf(pieces))
	if e != nil {
		return fmt.Errorf("%w; then %w", err, e)
	}
	if e := j.writeTo(g, h, pieces, sync); e != nil {
		return fmt.Errorf("%w; then %w", err, e)
	}
	return nil
}

// commitOf returns how many bytes a commit of pieces takes.
func commitOf(pieces []piece) int64 {
	var n int64
	for i := range pieces {
		n += pieces[i].len
	}
	return int64(commitSize(len(pieces), n))
}

// writeTo writes a commit behind the others of a file.
func (j *Journal) writeTo(f *file, h head, pieces []piece, sync bool) error {
	h.number, h.place, h.before, h.durable = j.next, uint64(f.at), j.written, j.durable.number
	h.oldest = j.oldest()
	bytes := j.build.build(&h, pieces, f.k)
	if _, err := f.f.WriteVec(bytes, f.at); err != nil {
		return err
	}
	if sync && !mutated("sync left out") && !mutated("acknowledged before the sync") {
		if err := f.f.Sync(); err != nil {
			return err
		}
	}
	j.mu.Lock()
	f.at += int64(h.bytes)
	f.last = h.number
	f.needs = max(f.needs, h.number)
	j.stats.Commits++
	j.stats.Bytes += h.bytes
	j.mu.Unlock()
	j.written = h.mark()
	j.next = h.number + 1
	j.closing = h.flags&flagClosing != 0
	if sync {
		j.durable = j.written
		j.unsynced = j.unsynced[:0]
	} else {
		j.unsynced = append(j.unsynced, placed{j.written, int64(h.place)})
	}
	return nil
}

func (j *Journal) oldest() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.live[0].h.file
}

// syncWritten brings what was written to the disk.
func (j *Journal) syncWritten() {
	if j.durable == j.written || j.failed() {
		return
	}
	if err := j.syncFile(j.current()); err != nil {
		j.fail(nil, err)
	}
}

// syncFile syncs a file, or writes what it held and was not synced to another one.
func (j *Journal) syncFile(f *file) error {
	err := f.f.Sync()
	if err == nil {
		j.durable = j.written
		j.unsynced = j.unsynced[:0]
		return nil
	}
	j.report(Report{What: FileGivenUp, File: f.name, Err: err})
	if _, e := j.carry(f, Block); e != nil {
		return fmt.Errorf("%w; then %w", err, e)
	}
	return nil
}

// vouch writes a closing commit behind the last one.
func (j *Journal) vouch(flags uint32) {
	if j.failed() || flags == 0 && (j.closing || j.written.number < j.current().h.first) {
		return
	}
	j.syncWritten()
	if j.failed() {
		return
	}
	if j.current().room() < Block && !j.nextFile(false) {
		return
	}
	if err := j.write(head{flags: flagClosing | flags}, nil, true); err != nil {
		j.fail(nil, err)
		return
	}
	j.mu.Lock()
	j.done = j.written.number
	j.mu.Unlock()
}

func (j *Journal) failed() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.state != running
}

// finish tells the waiters of a commit.
func (j *Journal) finish(pieces []piece, took time.Duration) {
	commit := j.written.number
	file := j.current()
	j.mu.Lock()
	j.frames = j.frames[:0]
	for i := range pieces {
		p := &pieces[i]
		switch {
		case p.whole():
		case p.last():
			j.ended(p.f, commit)
		case p.part == 0:
			j.open[p.f] = file.h.file
			continue
		default:
			continue
		}
		j.frames = append(j.frames, p.f)
	}
	j.stats.Frames += uint64(len(j.frames))
	j.stats.Took += took
	j.mu.Unlock()
	j.pace.took(took, commitOf(pieces), len(pieces))
	clear(pieces)
	for i, f := range j.frames {
		j.frames[i] = nil
		if f.Waiter != nil {
			f.Waiter.Done(f, commit, nil)
		}
	}
	j.mu.Lock()
	j.done = commit
	j.mu.Unlock()
	if j.opts.Committed != nil {
		j.opts.Committed(commit)
	}
}

// fail makes the journal read-only and tells everybody who waits. Of the pieces that were being
// written nobody knows whether they are on the disk.
func (j *Journal) fail(pieces []piece, err error) {
	var unknown, waiting []*Frame
	for i := range pieces {
		if pieces[i].last() {
			unknown = append(unknown, pieces[i].f)
		}
	}
	j.mu.Lock()
	j.state, j.err = readOnly, err
	j.queue.clear(func(f *Frame) { waiting = append(waiting, f) })
	j.mu.Unlock()
	j.report(Report{What: WentReadOnly, Err: err})
	tell(unknown, fmt.Errorf("%w: %w", ErrUnknown, err))
	tell(waiting, fmt.Errorf("%w: %w", ErrReadOnly, err))
}

func (j *Journal) report(r Report) {
	if j.opts.Report != nil {
		j.opts.Report(r)
	}
}

// carry gives a file up and goes on in another one, that has room for a commit of n bytes. What
// was written to the old one and not synced is written to the new one, from what can be read of
// it: whether it can is known, since all of it carries sums.
func (j *Journal) carry(f *file, n int64) (*file, error) {
	lost := j.unsynced
	j.unsynced = nil
	for _, p := range lost {
		n += int64(Block) + p.bytesIn(f)
	}
	j.mu.Lock()
	f.failed, f.last = true, max(j.durable.number, f.h.first-1)
	j.mu.Unlock()
	g, err := j.fresh(n, false)
	if err != nil {
		return nil, err
	}
	first := j.next
	if len(lost) > 0 {
		first = lost[0].number
	}
	if err := j.begin(g, first); err != nil {
		return nil, err
	}
	return g, j.rewrite(f, g, lost)
}

// bytesIn returns how many bytes a commit has, or the most that it may have.
func (p placed) bytesIn(f *file) int64 {
	w := walker{f: f, w: window{f: f.f, size: f.size}}
	if h, ok, err := w.headAt(p.place); err == nil && ok {
		return int64(h.bytes)
	}
	return maxCommit
}

// rewrite writes commits of a file that was given up behind those of another one, and syncs.
func (j *Journal) rewrite(f, g *file, lost []placed) error {
	if len(lost) == 0 {
		return nil
	}
	next := j.next
	j.written = j.durable
	for _, p := range lost {
		w := walker{f: f, w: window{f: f.f, size: f.size}}
		h, ok, err := w.headAt(p.place)
		if err == nil && (!ok || h.mark() != p.mark) {
			err = io.ErrUnexpectedEOF
		}
		var c *commit
		if err == nil {
			if c, err = w.content(h); err == nil && c.damaged {
				err = errBody
			}
		}
		if err != nil {
			return fmt.Errorf("commit %d cannot be read again: %w", p.number, err)
		}
		j.next = p.number
		if err := j.writeTo(g, head{flags: h.flags}, c.pieces(), false); err != nil {
			return err
		}
	}
	j.next = next
	if err := g.f.Sync(); err != nil {
		return err
	}
	j.durable = j.written
	j.unsynced = j.unsynced[:0]
	return nil
}

// pieces returns what a commit that was read consists of, to be written again.
func (c *commit) pieces() []piece {
	list := make([]piece, len(c.entries))
	for i := range c.entries {
		e := &c.entries[i]
		f := e.frame()
		f.Body, f.size, f.sum, f.raw = [][]byte{c.bodies[i]}, int64(e.length), e.body, e
		list[i] = piece{f: f, len: f.size, part: e.part}
	}
	return list
}

// begin begins the use of a file behind the last durable commit; first is the number of the
// first commit in it.
func (j *Journal) begin(f *file, first uint64) error {
	j.uses++
	h := header{file: j.uses, generation: j.generation, after: j.durable, first: first, oldest: j.oldest()}
	if mutated("fixed salt") {
		h.salt = [16]byte{1}
	} else if _, err := io.ReadFull(j.opts.Rand, h.salt[:]); err != nil {
		return err
	}
	if err := f.use(h, j.key); err != nil {
		j.mu.Lock()
		f.failed = true
		j.retired = append(j.retired, f)
		j.mu.Unlock()
		return err
	}
	j.mu.Lock()
	j.live = append(j.live, f)
	j.mu.Unlock()
	return nil
}
