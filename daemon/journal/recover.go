package journal

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Recovery says what a start found.
type Recovery struct {
	// Clean says that the journal was closed and nothing is missing.
	Clean bool
	// End is the last commit that counts; 0: there was none.
	End uint64
	// Frames is how many were given to the caller.
	Frames uint64
	// Lost is what had been on the disk and cannot be read.
	Lost []Loss
	// Gone says that there have been commits, by [Journal.Behind], and no file has any.
	Gone bool
	// Quarantined are files that had been the journal's and have no header any more. They were
	// moved to the folder "quarantine".
	Quarantined []string
}

const (
	suffix     = ".journal"
	quarantine = "quarantine"
	// numberStep is how far commit numbers go on behind a start: further than there can be
	// commits that were lost with the power.
	numberStep = 1 << 32
)

func fileName(slot uint64) string { return fmt.Sprintf("%06d%s", slot, suffix) }

func slotOf(name string) (uint64, bool) {
	s, ok := strings.CutSuffix(name, suffix)
	n, err := strconv.ParseUint(s, 10, 64)
	return n, ok && err == nil && fileName(n) == name
}

// Recover reads what is there and gives it to fn, commit by commit and within a commit in order,
// and makes the journal ready for what is new. It is called once, before anything else.
//
// A frame and its body are fn's during the call. What is given may have been released before. A
// frame that had been on the disk and cannot be read is given with Lost set and no body; where
// not even its head can be read its kind is [Unknown], and any stream may have lost its
// newest frames: nobody can tell which. An error of fn ends the recovery.
func (j *Journal) Recover(fn func(commit uint64, f *Frame) error) (Recovery, error) {
	if j.state != opened {
		return Recovery{}, errors.New("journal: recovered before")
	}
	r := &recovering{j: j, fn: fn}
	if err := r.run(); err != nil {
		for _, f := range r.files {
			_ = f.f.Close()
		}
		return r.report, fmt.Errorf("journal: %w", err)
	}
	j.state = running
	return r.report, nil
}

type recovering struct {
	j      *Journal
	look   bool // nothing is changed
	fn     func(uint64, *Frame) error
	files  []*file // those with a header
	parts  parts
	report Recovery

	current    *file
	end        mark
	clean      bool
	generation uint64
	number     uint64 // of the last use of a file
}

func (r *recovering) run() error {
	if err := r.open(); err != nil {
		return err
	}
	if err := r.j.fs.SyncDir(r.j.dir); err != nil { // a file may have been made and not that
		return err
	}
	used := r.used()
	if err := r.settle(used); err != nil {
		return err
	}
	for i, f := range used {
		var next *header
		if i+1 < len(used) {
			next = &used[i+1].h
		}
		if err := r.read(f, next); err != nil {
			return err
		}
	}
	r.report.End = r.end.number
	r.report.Gone = len(used) == 0 && r.j.behind > 0
	r.report.Clean = len(used) == 0 && !r.report.Gone || r.clean && len(r.report.Lost) == 0
	if r.look {
		return nil
	}
	return r.begin(used)
}

// open opens all files and sorts out what is none.
func (r *recovering) open() error {
	j := r.j
	list, err := j.fs.ReadDir(j.dir)
	if err != nil {
		return err
	}
	var headless, unfilled []string
	for _, e := range list {
		slot, ok := slotOf(strings.TrimSuffix(e.Name, unfinished))
		if !ok || e.Dir {
			continue // not ours to touch
		}
		j.slot = max(j.slot, slot)
		name := filepath.Join(j.dir, e.Name)
		if strings.HasSuffix(name, unfinished) {
			unfilled = append(unfilled, name)
			continue
		}
		f, whole, err := openFile(j.fs, name, j.key)
		switch {
		case err != nil:
			return err
		case whole:
			r.files = append(r.files, f)
			r.generation, r.number = max(r.generation, f.h.generation), max(r.number, f.h.file)
			continue
		}
		_ = f.f.Close()
		headless = append(headless, name)
	}
	if len(r.files) == 0 && len(headless) > 0 {
		return fmt.Errorf("%s: none of %d files has a header of this store: they are another's, or all are damaged; nothing was changed", j.dir, len(headless))
	}
	for _, name := range unfilled {
		if r.look {
			break
		}
		if err := j.fs.Remove(name); err != nil {
			return err
		}
	}
	for _, name := range headless {
		if !r.look {
			if err := j.quarantine(name); err != nil {
				return err
			}
		}
		r.report.Quarantined = append(r.report.Quarantined, filepath.Base(name))
	}
	slices.SortFunc(r.files, func(a, b *file) int { return cmp.Compare(a.h.file, b.h.file) })
	for i := 1; i < len(r.files); i++ {
		if a, b := r.files[i-1], r.files[i]; a.h.file == b.h.file && a.h.file != 0 {
			return fmt.Errorf("%s and %s are the same file: one is a copy", a.name, b.name)
		}
	}
	return nil
}

// quarantine moves a file away that cannot be used and must not be deleted.
func (j *Journal) quarantine(name string) error {
	dir := filepath.Join(j.dir, quarantine)
	if err := j.fs.Mkdir(dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	to := filepath.Join(dir, filepath.Base(name))
	for i := 1; ; i++ {
		if _, err := j.fs.Stat(to); errors.Is(err, fs.ErrNotExist) {
			break
		} else if err != nil {
			return err
		}
		to = filepath.Join(dir, fmt.Sprintf("%s.%d", filepath.Base(name), i))
	}
	if err := j.fs.Rename(name, to); err != nil {
		return err
	}
	if err := j.fs.SyncDir(dir); err != nil {
		return err
	}
	return j.fs.SyncDir(j.dir)
}

// used returns the files that may be needed; the others are ready for use.
func (r *recovering) used() []*file {
	var oldest uint64
	for _, f := range r.files {
		oldest = max(oldest, f.h.oldest)
	}
	var used []*file
	for _, f := range r.files {
		switch {
		case f.h.file != 0 && f.h.file >= oldest:
			used = append(used, f)
		case f.rotten:
			r.j.retired = append(r.j.retired, f)
		default:
			r.j.spare = append(r.j.spare, f)
		}
	}
	return used
}

// settle brings to the disk what the last process wrote, since from now on it counts, and makes
// sure that what is read is what is on the disk: all files but the last one were synced before the
// next one was begun.
func (r *recovering) settle(used []*file) error {
	if len(used) == 0 {
		return nil
	}
	last := used[len(used)-1]
	if !mutated("recovery sync left out") {
		if err := last.f.Sync(); err != nil {
			return err
		}
	}
	last.f.Forget(0, last.size)
	return nil
}

// read reads one file; next is the header of the one that follows, if there is one.
func (r *recovering) read(f *file, next *header) error {
	w := &walker{
		f: f, w: window{f: f.f, size: f.size}, end: f.h.after, next: f.h.first,
		commit: r.commit, lost: r.lost, force: r.j.opts.Force,
	}
	if next != nil {
		w.known, w.limit = true, next.after
	}
	if r.current != nil {
		if r.end.number == f.h.after.number && r.end.sum != f.h.after.sum && r.end.sum != 0 {
			return fmt.Errorf("%s follows another commit %d than the one before it: the files are not of one journal", f.name, r.end.number)
		}
		if f.h.generation != r.current.h.generation {
			r.parts = parts{} // what had no end then has none
		}
	}
	r.current = f
	if err := w.run(); err != nil {
		return err
	}
	r.end, r.clean = w.end, w.clean
	f.last = max(f.h.first-1, w.end.number)
	return nil
}

// commit gives the frames of a commit to the caller.
func (r *recovering) commit(c *commit) error {
	if c.damaged {
		l := Loss{File: r.current.name, Offset: int64(c.place), From: c.number, To: c.number, Err: errBody}
		for _, bad := range c.bad {
			l.Unknown = l.Unknown || bad
		}
		r.report.Lost = append(r.report.Lost, l)
	}
	for i := range c.entries {
		f := &Frame{Kind: Unknown, Lost: true}
		if !c.bad[i] {
			f = r.parts.add(&c.entries[i], c.bodies[i], r.current.h.file)
		}
		if f == nil {
			continue
		}
		for _, u := range r.files {
			if f.from > 0 && u.h.file >= f.from {
				u.needs = max(u.needs, c.number)
			}
		}
		if err := r.give(c.number, f); err != nil {
			return err
		}
	}
	return nil
}

func (r *recovering) give(commit uint64, f *Frame) error {
	r.report.Frames++
	for _, b := range f.Body {
		f.size += int64(len(b))
	}
	return r.fn(commit, f)
}

// lost notes commits of which nothing can be read.
func (r *recovering) lost(l Loss) error {
	r.report.Lost = append(r.report.Lost, l)
	return r.give(l.To, &Frame{Kind: Unknown, Lost: true})
}

// begin takes a file for what is new, whose header says what of the old ones counts.
func (r *recovering) begin(used []*file) error {
	j := r.j
	h := header{
		file: r.number + 1, generation: r.generation + 1, after: r.end, first: 1,
		oldest: r.number + 1,
	}
	if mutated("fixed salt") {
		h.salt = [16]byte{1}
	} else if _, err := io.ReadFull(j.opts.Rand, h.salt[:]); err != nil {
		return err
	}
	if r.number > 0 {
		// Also behind what a file in between was to begin with.
		far := r.end.number
		for _, f := range r.files {
			far = max(far, f.h.first)
		}
		h.first = (far/numberStep + 1) * numberStep
		if mutated("generation not raised") {
			h.generation, h.first = r.generation, far+1
		}
	}
	if j.behind >= h.first {
		h.first = (j.behind/numberStep + 1) * numberStep
	}
	var keep []*file
	for _, f := range used {
		if f.last >= f.h.first || f.rotten {
			f.needs = max(f.needs, f.last)
			keep = append(keep, f)
		}
	}
	if len(keep) > 0 {
		h.oldest = keep[0].h.file
	}
	f, err := r.startFile(used, keep)
	if err != nil {
		return err
	}
	if err := f.use(h, j.key); err != nil {
		return errors.Join(err, f.f.Close())
	}
	for _, e := range used {
		if e != f && !slices.Contains(keep, e) {
			j.spare = append(j.spare, e) // nothing is in it, and nothing depends on its header any more
		}
	}
	j.live = append(keep, f)
	j.generation, j.uses = h.generation, h.file
	j.next, j.written, j.durable, j.done = h.first, r.end, r.end, r.end.number
	return nil
}

// startFile returns a file that a start can use: a spare one; else one in which there is no commit,
// so that on a full disk a start that was used for nothing does not cost a file; else a new one.
func (r *recovering) startFile(used, keep []*file) (*file, error) {
	j := r.j
	if n := len(j.spare); n > 0 {
		f := j.spare[n-1]
		j.spare = j.spare[:n-1]
		return f, nil
	}
	for _, f := range used {
		if !slices.Contains(keep, f) {
			return f, nil
		}
	}
	return j.makeFile(minFile)
}
