package segment

import (
	"fmt"
	"path/filepath"

	"github.com/nats-broker/nats-broker/daemon/vfs"
)

// checkpoint is what one Sync brings to the disk.
type checkpoint struct {
	state  *state
	files  []*file // to be synced
	dead   []byte  // a new file of deletions; nil: none
	deadID uint64
	away   []*file
	drop   []string // files that no state names any more
}

// Sync implements [stream.Log]. It seals the tail, writes anew what is mostly dead, and puts a
// state on the disk that names all of it. It is called between two commits, by the one who
// changes the log; see [Log.Checkpoint].
func (l *Log) Sync() error {
	l.syncing.Lock()
	defer l.syncing.Unlock()
	if err := l.Tidy(); err != nil {
		return err
	}
	c, err := l.prepare()
	if err != nil || c == nil {
		return err
	}
	return l.carryOut(c)
}

// Restate is a Sync that writes the state and all deletions anew although nothing has changed, so that both their copies are
// whole.
func (l *Log) Restate() error {
	l.writing.Lock()
	for _, r := range l.runs {
		if l.ready(r) == nil && r.dead != nil {
			r.changed = true
		}
	}
	l.mu.Lock()
	l.changes++
	l.mu.Unlock()
	l.writing.Unlock()
	return l.Sync()
}

// Checkpoint is the first step of a Sync: it decides what will be on the disk, and seals the
// tail. The caller is the one who changes the log, between two commits. It must call finish, which does
// the rest, on any goroutine, beside changes and questions; until then no other Sync begins.
func (l *Log) Checkpoint() (finish func() error, err error) {
	l.syncing.Lock()
	c, err := l.prepare()
	if err != nil {
		l.syncing.Unlock()
		return nil, err
	}
	return func() error {
		defer l.syncing.Unlock()
		if c != nil {
			if err := l.carryOut(c); err != nil {
				return err
			}
		}
		return l.Tidy() // what it makes is named by the next state
	}, nil
}

// carryOut does what a Sync does outside the lock.
func (l *Log) carryOut(c *checkpoint) error {
	if err := l.bring(c); err != nil {
		l.writing.Lock()
		defer l.writing.Unlock()
		// What reached the disk is not known. The log is opened anew and gets everything behind Durable
		// from the journal.
		if l.broken == nil {
			l.broken = fmt.Errorf("%s: sync failed: %w", l.dir, err)
		}
		return l.broken
	}
	l.finish(c)
	return nil
}

// prepare collects what is to be on the disk.
func (l *Log) prepare() (*checkpoint, error) {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.usable(); err != nil {
		return nil, err
	}
	if err := l.seal(); err != nil {
		return nil, err
	}
	l.recount()
	l.changed()
	if l.cleanAt == l.changes+1 && len(l.away) == 0 && len(l.leftovers) == 0 && l.durable.Load() == l.highest {
		return nil, nil // nothing has changed
	}
	l.gatherDeletions()
	c := &checkpoint{}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.placeDeletions(c)
	c.state = l.stateOf()
	c.away, l.away = l.away, nil
	c.drop, l.leftovers = append(c.drop, l.leftovers...), nil
	for _, f := range l.files {
		f.mu.Lock()
		if f.dirty {
			c.files = append(c.files, f)
		}
		f.mu.Unlock()
		f.fence = f.size
	}
	c.state.commit = l.highest
	l.pending = l.changes + 1
	return c, nil
}

// maxDeadFiles is how many files of deletions there are before all are put into one.
const maxDeadFiles = 8

// gatherDeletions sees to it that few files hold deletions.
func (l *Log) gatherDeletions() {
	ids := map[uint64]bool{}
	for _, r := range l.runs {
		if r.deadAt.file != 0 && !r.changed {
			ids[r.deadAt.file] = true
		}
	}
	if len(ids) < maxDeadFiles {
		return
	}
	for _, r := range l.runs {
		if r.deadAt.file != 0 && !r.changed && l.ready(r) == nil {
			r.changed = true
		}
	}
}

// placeDeletions writes the deletions that have changed into the checkpoint, under mu.
func (l *Log) placeDeletions(c *checkpoint) {
	used := map[uint64]bool{}
	for _, r := range l.runs {
		if !r.changed {
			used[r.deadAt.file] = true
			continue
		}
		r.changed = false
		if r.live == r.n || r.dead == nil {
			r.deadAt = deadPlace{}
			continue
		}
		if c.deadID == 0 {
			c.deadID = l.nextFile
			l.nextFile++
		}
		at := len(c.dead)
		c.dead = appendDead(c.dead, r.file.id, r.first, r.last, r.n, r.dead)
		r.deadAt = deadPlace{c.deadID, int64(at), len(c.dead) - at}
	}
	for id := range l.deadFiles {
		if !used[id] {
			c.drop = append(c.drop, l.deadName(id))
			delete(l.deadFiles, id)
		}
	}
	if c.deadID != 0 {
		l.deadFiles[c.deadID] = int64(len(c.dead))
		c.dead = append(c.dead, c.dead...)
	}
}

// stateOf returns the state as it is, under mu.
func (l *Log) stateOf() *state {
	s := &state{
		key: l.key, changed: l.changedAt, nextFile: l.nextFile, first: l.first, last: l.last, told: l.told, lastTime: l.lastTime,
		msgs: l.msgs, bytes: l.bytes, subjects: l.names, lost: l.lost,
	}
	at := map[*file]int{}
	for i, f := range l.files {
		at[f] = i
		s.files = append(s.files, fileState{f.id, f.size, f.keep})
	}
	for _, r := range l.runs {
		s.runs = append(s.runs, runState{
			file: at[r.file], off: r.off, body: r.body, head: r.head, n: r.n, first: r.first, last: r.last,
			minTime: r.minTime, maxTime: r.maxTime, live: r.live, bytes: r.bytes, dead: r.deadAt,
		})
	}
	return s
}

// bring writes and syncs: files, then their folder, then the state.
func (l *Log) bring(c *checkpoint) error {
	for _, f := range c.files {
		if err := f.sync(); err != nil {
			return err
		}
	}
	if c.deadID != 0 {
		if err := writeSynced(l.fs, l.deadName(c.deadID), c.dead); err != nil {
			return err
		}
	}
	if len(c.files) > 0 || c.deadID != 0 {
		if err := l.fs.SyncDir(l.dir); err != nil {
			return err
		}
	}
	return vfs.Replace(l.fs, filepath.Join(l.dir, stateName), vfs.Index, c.state.encode())
}

func writeSynced(fs vfs.FS, name string, b []byte) error {
	f, err := fs.Open(name, vfs.Write|vfs.Create|vfs.Exclusive, kindOfDead)
	if err != nil {
		return err
	}
	if _, err = f.WriteAt(b, 0); err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}

// sync brings what was written to the disk.
func (f *file) sync() error {
	f.mu.Lock()
	writes := f.writes
	f.mu.Unlock()
	if err := f.use(func(v vfs.File) error { return v.Sync() }); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.writes == writes {
		f.dirty = false
	}
	return nil
}

// finish ends a Sync that has succeeded: what no state names any more is removed.
func (l *Log) finish(c *checkpoint) {
	l.writing.Lock()
	l.begun = true
	l.cleanAt = l.pending
	l.writing.Unlock()
	l.durable.Store(max(l.durable.Load(), c.state.commit))
	for _, f := range c.away {
		f.close()
		l.discard(f.name)
	}
	for _, name := range c.drop {
		l.discard(name)
	}
}

// discard removes a file that no state names. If it stays it is removed after the next start.
func (l *Log) discard(name string) {
	if err := l.fs.Remove(name); err != nil {
		l.note("file could not be removed", name, err)
	}
}
