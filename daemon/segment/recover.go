package segment

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/vfs"
)

// searchStep is how much of a file is looked at at once. Pages begin anywhere: where one does not
// follow the page before, the next magic is looked for.
const searchStep = 1 << 20

// searchPages looks through a file for pages with sequences from first through last. It is the
// way back when an index is lost, and reads the whole file.
func (l *Log) searchPages(f *file, first, last uint64) ([]pagePlace, error) {
	var pages []pagePlace
	err := l.eachPage(f, func(off int64, size int, pg *page) bool {
		p := placeOf(off, size, pg)
		// The same messages do not stand twice in a file.
		if p.first >= first && p.last <= last {
			pages = append(pages, p)
		}
		return true
	})
	slices.SortFunc(pages, func(a, b pagePlace) int { return int(int64(a.first) - int64(b.first)) })
	return pages, err
}

func placeOf(off int64, size int, pg *page) pagePlace {
	n := len(pg.entries)
	p := pagePlace{off: off, size: uint32(size), n: uint32(n), first: pg.entries[0].seq, last: pg.entries[n-1].seq}
	p.minTime, p.maxTime = pg.entries[0].time, pg.entries[0].time
	for i := range pg.entries {
		p.minTime, p.maxTime = min(p.minTime, pg.entries[i].time), max(p.maxTime, pg.entries[i].time)
	}
	if p.last-p.first+1 != uint64(n) {
		for i := range pg.entries {
			p.deltas = append(p.deltas, uint32(pg.entries[i].seq-p.first))
		}
	}
	return p
}

// eachPage calls fn for the pages of a file that verify, in the order in which they stand there.
func (l *Log) eachPage(f *file, fn func(off int64, size int, pg *page) bool) error {
	size, err := f.end()
	if err != nil {
		return err
	}
	magic := binary.LittleEndian.AppendUint32(nil, pageMagic)
	for off := int64(0); off+pageHead <= size; {
		window, err := f.read(off, int(min(searchStep, size-off)))
		if err != nil {
			return err
		}
		i := strings.Index(string(window), string(magic))
		if i < 0 {
			off += int64(max(len(window)-len(magic)+1, 1))
			continue
		}
		off += int64(i)
		if off+pageHead > size {
			return nil
		}
		head, err := f.read(off, pageHead)
		if err != nil {
			return err
		}
		n, err := pageSize(head)
		if err != nil || off+int64(n) > size {
			off++
			continue
		}
		b, err := f.read(off, n)
		if err != nil {
			return err
		}
		pg, err := readPage(b, f.id, off)
		if err != nil || len(pg.entries) == 0 || !genuine(b, &l.key, f.id, off) {
			off++
			continue
		}
		if !fn(off, n, pg) {
			return nil
		}
		off += int64(n)
	}
	return nil
}

// end returns how much of a file counts: all of it if no state says so.
func (f *file) end() (size int64, err error) {
	if f.size > 0 {
		return f.size, nil
	}
	err = f.use(func(v vfs.File) error {
		size, err = v.Size()
		return err
	})
	return size, err
}

// rebuild makes the log anew from its segments, since the state on the disk cannot be read, in
// both its copies, or is away. Nothing is removed: what was there goes into quarantine once all
// that is readable of it stands in new files.
//
// Up to which commit the files are true is not known any more. Every page says which commit was
// known durable when it was written; behind the highest of those, pages count as long as none
// is missing before them. Whoever uses the log gives it everything that the journal has.
func (l *Log) rebuild(found *found, cause error) error {
	l.note("state cannot be read, the log is made anew from its messages", filepath.Join(l.dir, stateName), cause)
	var ids []uint64
	for id := range found.segments {
		ids = append(ids, id)
		l.nextFile = max(l.nextFile, id+1)
	}
	for id := range found.deletions {
		l.nextFile = max(l.nextFile, id+1)
	}
	slices.Sort(ids)
	if err := l.findKey(ids); err != nil {
		return fmt.Errorf("no segment says which key it was written with: %w", errors.Join(cause, err))
	}
	pages, vouched, err := l.collect(ids)
	if err != nil {
		return err
	}
	dead, err := l.allDeletions(found)
	if err != nil {
		return err
	}
	if found.state {
		if err := l.toQuarantine(stateName); err != nil {
			return err
		}
	}
	l.begun = true // a crash from here on leads here again
	if err := l.refill(pages, vouched, dead); err != nil {
		return err
	}
	for _, f := range l.files {
		if err := f.sync(); err != nil {
			return err
		}
	}
	if err := l.fs.SyncDir(l.dir); err != nil {
		return err
	}
	for _, id := range ids {
		if err := l.toQuarantine(filepath.Base(l.segName(id))); err != nil {
			return err
		}
	}
	for id := range found.deletions {
		if err := l.toQuarantine(filepath.Base(l.deadName(id))); err != nil {
			return err
		}
	}
	return l.Sync()
}

// findKey takes the key from the first segment that has one.
func (l *Log) findKey(ids []uint64) (failed error) {
	for _, id := range ids {
		f := l.old(id)
		b, err := f.read(0, fileHead)
		f.close()
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		if at, k, err := readFileHeader(b); err == nil && at == id {
			l.key = k
			return nil
		}
	}
	return errors.Join(failed, errPage)
}

func (l *Log) old(id uint64) *file {
	return &file{id: id, name: l.segName(id), fs: l.fs, node: l.node}
}

// oldPage is a page that was found.
type oldPage struct {
	pagePlace
	f      *file
	commit uint64
}

// collect lists the pages of all files in the order of their messages. Where two files hold the
// same messages, one was written anew from the other, and the later one counts. An error of the disk
// ends it: what it keeps from us now may be there the next time.
func (l *Log) collect(ids []uint64) (kept []oldPage, vouched uint64, err error) {
	var all []oldPage
	for _, id := range ids {
		f := l.old(id)
		err := l.eachPage(f, func(off int64, size int, pg *page) bool {
			all = append(all, oldPage{placeOf(off, size, pg), f, pg.commit})
			vouched = max(vouched, pg.durable)
			return true
		})
		if err != nil {
			return nil, 0, err
		}
	}
	slices.SortStableFunc(all, func(a, b oldPage) int {
		return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(b.f.id, a.f.id))
	})
	for _, p := range all {
		n := len(kept)
		for n > 0 && kept[n-1].last >= p.first && kept[n-1].f.id < p.f.id {
			n--
		}
		if n > 0 && kept[n-1].last >= p.first {
			continue
		}
		kept = append(kept[:n], p)
	}
	if len(kept) > 0 && kept[0].commit > vouched && kept[0].off != fileHead {
		kept = nil // the first page of its file is missing, and the journal has that
	}
	for i := 1; i < len(kept); i++ {
		if kept[i].commit > vouched && kept[i].first != kept[i-1].last+1 {
			kept = kept[:i] // something is missing before it, which the journal has
		}
	}
	return kept, vouched, nil
}

// refill gives the log the records of pages that are not deleted. What is missing between
// pages was deleted, or is lost: nobody can tell, and so it is said to be lost if the
// pages before and behind it were written without a gap.
func (l *Log) refill(pages []oldPage, vouched uint64, dead buried) error {
	l.commit, l.highest = vouched, vouched
	for i := range pages {
		p := &pages[i]
		r := &run{file: p.f}
		pg, err := l.readPage(r, &p.pagePlace)
		if err != nil {
			return err
		}
		for j := range pg.entries {
			e := &pg.entries[j]
			if dead.has(e.seq) {
				l.last = max(l.last, e.seq)
				continue
			}
			var rec stream.Record
			if err := pg.load(j, &rec); err != nil {
				l.addLost(p.f.name, e.seq, e.seq, err)
				continue
			}
			l.changedAt = max(l.changedAt, pg.commit)
			if err := l.add(&rec, pg.commit); err != nil {
				return err
			}
		}
		if i > 0 && p.f == pages[i-1].f && p.first > pages[i-1].last+1 && p.off > pages[i-1].off+int64(pages[i-1].size)+unit {
			l.addLost(p.f.name, pages[i-1].last+1, p.first-1, errPage)
		}
	}
	return l.Full()
}

// buried are sequences that were deleted, as ranges: what is announced takes no more memory than what announces it.
type buried []stream.Range

func (b buried) has(seq uint64) bool {
	i := sort.Search(len(b), func(i int) bool { return b[i].To >= seq })
	return i < len(b) && b[i].From <= seq
}

// sorted returns the ranges in order, each sequence in one.
func (b buried) sorted() buried {
	slices.SortFunc(b, func(x, y stream.Range) int { return cmp.Compare(x.From, y.From) })
	out := b[:0]
	for _, r := range b {
		if n := len(out); n > 0 && r.From <= out[n-1].To {
			out[n-1].To = max(out[n-1].To, r.To)
		} else {
			out = append(out, r)
		}
	}
	return out
}

// allDeletions returns the sequences that the files of deletions name.
func (l *Log) allDeletions(found *found) (dead buried, err error) {
	holds := map[uint64]int{}
	for id := range found.segments {
		size, err := l.old(id).end()
		if err != nil {
			return nil, err
		}
		holds[id] = int(min(size/leastEntry, maxRecords))
	}
	for id := range found.deletions {
		b, err := vfs.ReadFile(l.fs, l.deadName(id), kindOfDead, maxState)
		if err != nil {
			return nil, err
		}
		// Both halves hold the same; a record that is wrong in one ends only that half, or is left out.
		for _, half := range [][]byte{b[:len(b)/2], b[len(b)/2:]} {
			for len(half) > 0 {
				d, n, err := readDead(half, func(file uint64) int { return holds[file] })
				if err != nil {
					l.note("deletions cannot be read", l.deadName(id), err)
					if n == 0 {
						break
					}
				} else if dead, err = l.deadSequences(&d, dead); err != nil {
					return nil, err
				}
				half = half[n:]
			}
		}
	}
	return dead.sorted(), nil
}

// deadSequences adds the sequences of one run's deletions.
func (l *Log) deadSequences(d *deadRecord, dead buried) (buried, error) {
	if d.last-d.first+1 == uint64(d.n) {
		d.dead.spans(d.n, func(from, to uint32) {
			dead = append(dead, stream.Range{From: d.first + uint64(from), To: d.first + uint64(to)})
		})
		return dead, nil
	}
	var seqs []uint64
	f := l.old(d.file)
	defer f.close()
	err := l.eachPage(f, func(_ int64, _ int, pg *page) bool {
		for i := range pg.entries {
			if s := pg.entries[i].seq; s >= d.first && s <= d.last {
				seqs = append(seqs, s)
			}
		}
		return true
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if len(seqs) != d.n {
		return dead, nil // some of its pages are lost, so that numbers say nothing
	}
	slices.Sort(seqs)
	d.dead.spans(d.n, func(from, to uint32) { // what is between was deleted before
		dead = append(dead, stream.Range{From: seqs[from], To: seqs[to]})
	})
	return dead, nil
}

// toQuarantine moves a file where nobody looks for messages and nobody removes it.
func (l *Log) toQuarantine(name string) error {
	dir := filepath.Join(l.dir, quarantine)
	if err := vfs.MkdirAll(l.fs, dir); err != nil {
		return err
	}
	to := filepath.Join(dir, name)
	for i := 1; ; i++ {
		_, err := l.fs.Stat(to)
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return err
		}
		to = filepath.Join(dir, fmt.Sprintf("%s.%d", name, i))
	}
	l.note("file kept in quarantine", to, nil)
	if err := l.fs.Rename(filepath.Join(l.dir, name), to); err != nil {
		return err
	}
	return errors.Join(l.fs.SyncDir(dir), l.fs.SyncDir(l.dir))
}
