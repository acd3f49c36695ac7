package journal

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
)

var errFull = errors.New("no file is free until what the journal holds is released")

// nextFile goes on in the next file and reports whether there is one. If clean is set it is one that
// holds nothing else, made if need be, whatever the journal may take. The caller is the committer.
func (j *Journal) nextFile(clean bool) bool {
	f := j.current()
	if j.durable != j.written {
		if err := j.syncFile(f); err != nil {
			j.fail(nil, err)
			return false
		}
		if j.current() != f { // it was given up: there is another one already
			return true
		}
	}
	g, err := j.fresh(0, clean)
	if err != nil {
		return j.full(f, err)
	}
	if err := j.begin(g, j.next); err != nil {
		j.report(Report{What: FileGivenUp, File: g.name, Err: err})
		g, e := j.fresh(0, clean)
		if e == nil {
			e = j.begin(g, j.next)
		}
		if e != nil {
			j.fail(nil, fmt.Errorf("%w; then %w", err, e))
			return false
		}
	}
	j.tidySoon()
	return true
}

// full notes that no file is free. If a frame that is partly written keeps files from being
// released and there is no room for the rest of it, it is given up.
func (j *Journal) full(f *file, err error) bool {
	var given []*Frame
	j.mu.Lock()
	if len(j.open) > 0 {
		given = j.queue.giveUp()
		clear(j.open)
		j.free()
	}
	again := j.blocked
	j.blocked = true
	if len(j.spare) > 0 {
		j.blocked, again = false, true
	}
	blocked := j.blocked
	j.mu.Unlock()
	tell(given, fmt.Errorf("%w: %w", ErrTooLarge, err))
	if !again {
		j.report(Report{What: Full, File: f.name, Err: err})
	}
	j.ask(f.last)
	return !blocked && j.nextFile(false)
}

// ended notes that the last part of a frame is in a commit; mu is held.
func (j *Journal) ended(f *Frame, commit uint64) {
	from := j.open[f]
	delete(j.open, f)
	for _, l := range j.live {
		if l.h.file >= from {
			l.needs = max(l.needs, commit)
		}
	}
}

// free takes the files that are not needed any more from those that are, and reports whether
// there were some; mu is held.
func (j *Journal) free() bool {
	held := uint64(math.MaxUint64)
	for _, from := range j.open {
		if mutated("parts released") {
			break
		}
		held = min(held, from)
	}
	n := 0
	for n < len(j.live)-1 {
		f := j.live[n]
		if f.needs > j.released || f.holds() && f.last > j.released || f.h.file >= held {
			break
		}
		if f.failed || f.rotten {
			j.retired = append(j.retired, f)
		} else {
			j.spare = append(j.spare, f)
			j.blocked = false
		}
		n++
	}
	j.live = slices.Delete(j.live, 0, n)
	return n > 0
}

// bytes returns what all files take; mu is held.
func (j *Journal) bytes() int64 {
	var n int64
	for _, f := range slices.Concat(j.live, j.spare, j.retired) {
		n += f.size
	}
	return n
}

// fresh returns a file that is not in use, in which a commit of n bytes has room. It is made if
// there is none, as far as the disk may be used.
func (j *Journal) fresh(n int64, clean bool) (*file, error) {
	j.mu.Lock()
	best := -1
	for i, f := range j.spare {
		if clean && (f.stale || f.h.file != 0) {
			continue
		}
		if capacity(f.size) >= n && (best < 0 || f.size > j.spare[best].size) {
			best = i
		}
	}
	if best >= 0 {
		f := j.spare[best]
		j.spare = slices.Delete(j.spare, best, best+1)
		j.mu.Unlock()
		return f, nil
	}
	size := j.sizes.next(j.live[len(j.live)-1].size)
	if clean {
		size = minFile
	} else if n > 0 { // a commit that failed waits: nothing is as important
		size = max(minFile, (n+2*Block+minFile-1)/minFile*minFile)
	} else if j.bytes()+size > j.sizes.total && len(j.open) == 0 {
		size = minFile
		if j.bytes()+size > j.sizes.total {
			j.mu.Unlock()
			return nil, errFull
		}
	}
	j.mu.Unlock()
	return j.makeFile(size)
}

// makeFile makes a file of zeros.
func (j *Journal) makeFile(size int64) (*file, error) {
	j.mu.Lock()
	j.slot++
	name := filepath.Join(j.dir, fileName(j.slot))
	j.mu.Unlock()
	return makeFile(j.fs, name, size, j.key)
}

// ask asks the owner for a checkpoint.
func (j *Journal) ask(upTo uint64) {
	j.mu.Lock()
	again := upTo <= j.asked
	j.asked = max(j.asked, upTo)
	j.mu.Unlock()
	if !again && j.opts.Checkpoint != nil {
		j.opts.Checkpoint(upTo)
	}
}

// askInTime asks for a checkpoint when half of what the journal may take is used.
func (j *Journal) askInTime() {
	j.mu.Lock()
	old := j.live[:len(j.live)-1]
	var held int64
	for _, f := range old {
		held += f.size
	}
	var upTo uint64
	if len(old) > 0 && (2*held >= j.sizes.total || len(j.spare) == 0) {
		upTo = old[len(old)-1].last
	}
	j.mu.Unlock()
	if upTo > 0 {
		j.ask(upTo)
	}
}

// tidySoon has the files looked after.
func (j *Journal) tidySoon() {
	select {
	case j.keep <- struct{}{}:
	default:
	}
}

// tidy makes the file that comes next and takes away those that are of no use. It is called by
// the goroutine of Start that makes files; without it by those who flush.
func (j *Journal) tidy() {
	j.mu.Lock()
	if j.making || j.state != running {
		j.mu.Unlock()
		return
	}
	j.making = true
	var retired []*file
	j.retired = slices.DeleteFunc(j.retired, func(f *file) bool {
		if !j.forgotten(f) {
			return false
		}
		retired = append(retired, f)
		return true
	})
	j.mu.Unlock()
	for _, f := range retired {
		j.retire(f)
	}
	j.makeSpare()
	j.dropSmall()
	j.mu.Lock()
	j.making = false
	late := j.state == closed
	var spare []*file
	if late {
		spare, j.spare = j.spare, nil
	}
	j.mu.Unlock()
	for _, f := range spare { // the journal was closed meanwhile
		_ = f.f.Close()
	}
	if !late {
		j.askInTime()
	}
}

// forgotten reports whether a file may go: the header of the file that is being written says that it
// is not needed. A later one that went before it would be missed by the next start. To use a
// file again is another thing: its old header is there until the new one, which says so, is.
// mu is held.
func (j *Journal) forgotten(f *file) bool {
	return f.h.file < j.live[len(j.live)-1].h.oldest || mutated("removed too early")
}

// retire ends the use of a file that failed, or that could not be read, which is kept.
func (j *Journal) retire(f *file) {
	err := f.f.Close()
	if f.rotten {
		err = errors.Join(err, j.quarantine(f.name))
	} else {
		err = errors.Join(err, j.fs.Remove(f.name), j.fs.SyncDir(j.dir))
	}
	if err != nil {
		j.report(Report{What: FileGivenUp, File: f.name, Err: err})
	}
}

// makeSpare makes the next file, if there is none that is large enough and the disk may be used.
func (j *Journal) makeSpare() {
	j.mu.Lock()
	size := j.sizes.next(j.live[len(j.live)-1].size)
	if len(j.live) == 1 && j.live[0].at <= Block { // nothing has filled yet
		size = j.live[0].size
	}
	wanted := !slices.ContainsFunc(j.spare, func(f *file) bool { return f.size >= size })
	if room := j.sizes.total - j.bytes(); room < size && len(j.spare) == 0 && room >= minFile {
		size = room / minFile * minFile
	} else if room < size {
		wanted = false
	}
	j.mu.Unlock()
	if !wanted {
		return
	}
	f, err := j.makeFile(size)
	if err != nil {
		j.report(Report{What: NoSpare, File: j.dir, Err: err})
		return
	}
	j.mu.Lock()
	j.spare = append(j.spare, f)
	j.blocked = false
	j.mu.Unlock()
	j.signal()
}

// dropSmall removes the spare files that larger ones have taken the place of, and those above
// what the journal may take.
func (j *Journal) dropSmall() {
	for {
		j.mu.Lock()
		var f *file
		slices.SortFunc(j.spare, func(a, b *file) int { return int(b.size - a.size) })
		for n := len(j.spare) - 1; n > 0 && f == nil; n-- {
			if s := j.spare[n]; j.forgotten(s) && (s.size < j.spare[0].size || j.bytes() > j.sizes.total) {
				f, j.spare = s, slices.Delete(j.spare, n, n+1)
			}
		}
		j.mu.Unlock()
		if f == nil {
			return
		}
		j.retire(f)
	}
}

// Roll goes on in a file that holds nothing else and returns the last commit in those before: once that is
// released they can be wiped.
func (j *Journal) Roll() (upTo uint64, err error) {
	j.enter()
	defer j.leave()
	for j.round() {
	}
	if err := j.standing(); err != nil {
		return 0, err
	}
	if f := j.current(); (f.holds() || f.stale) && !j.nextFile(true) {
		return 0, errors.Join(errFull, j.standing())
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, f := range j.live[:len(j.live)-1] {
		if f.holds() {
			upTo = max(upTo, f.last)
		}
	}
	return upTo, nil
}

// Wipe overwrites the files that were released, so that none holds a byte of what was in them. What
// shall be gone from the journal goes by [Journal.Roll], a checkpoint, Release and Wipe; that it
// shall go must be known elsewhere until Wipe has returned nil, and is done again after a crash.
func (j *Journal) Wipe() error {
	list, err := j.setAside()
	for _, f := range list {
		if e := j.wipe(f); e != nil {
			err = errors.Join(err, e, f.f.Close())
			continue
		}
		j.mu.Lock()
		late := j.state == closed
		if !late {
			j.spare = append(j.spare, f)
			j.blocked = false
		}
		j.mu.Unlock()
		if late {
			err = errors.Join(err, f.f.Close())
		}
	}
	j.signal()
	return err
}

// wipe fills a file anew, under the name of one that is not complete: if that is not finished the
// next start takes it away.
func (j *Journal) wipe(f *file) error {
	if err := j.fs.Rename(f.name, f.name+unfinished); err != nil {
		return err
	}
	if err := j.fs.SyncDir(j.dir); err != nil {
		return err
	}
	if err := f.fill(j.key); err != nil {
		return errors.Join(err, j.fs.Remove(f.name+unfinished))
	}
	if err := j.fs.Rename(f.name+unfinished, f.name); err != nil {
		return err
	}
	return j.fs.SyncDir(j.dir)
}

// setAside takes out the files that were released, when a header on the disk says that they are not
// needed.
func (j *Journal) setAside() ([]*file, error) {
	j.enter()
	defer j.leave()
	var list []*file
	j.mu.Lock()
	j.spare = slices.DeleteFunc(j.spare, func(f *file) bool {
		if f.h.file > 0 {
			list = append(list, f)
		}
		return f.h.file > 0
	})
	known := !slices.ContainsFunc(list, func(f *file) bool { return !j.forgotten(f) })
	running := j.state == running
	j.mu.Unlock()
	if running && (known || j.nextFile(true)) {
		return list, nil
	}
	j.mu.Lock()
	j.spare = append(j.spare, list...)
	j.mu.Unlock()
	if err := j.standing(); err != nil {
		return nil, err
	}
	return nil, errFull
}
