package segment

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/vfs"
)

// Examined is what [Examine] found of a log.
type Examined struct {
	// Unstated says that neither copy of the state can be read: a start makes the log anew from its pages. The
	// figures are then of what the pages hold, deleted or not.
	Unstated bool

	Messages, Bytes uint64 // bytes as [Log.Size] has them
	First, Last     uint64 // sequences
	Durable         uint64 // the commit up to which all this is true

	Files     []ExaminedFile
	Runs      int
	Pages     int
	Lost      []stream.Range // messages that cannot be read
	Leftovers []string       // files that no state names: the next start removes them
	Kept      []string       // in the log's own quarantine
}

// ExaminedFile is a segment.
type ExaminedFile struct {
	Name string
	Size int64 // what counts of it
	Keep bool  // something in it could not be read before
}

// Examine reads all that there is of the log in a folder, verifies it, and changes nothing. What is wrong is told to o.Report,
// each thing once; progress is told how many more bytes were read, nil: nobody. An error is of the disk, or of a version that
// is not known: what it is about may be whole.
func Examine(v vfs.FS, dir string, o Options, progress func(int64)) (x Examined, err error) {
	if progress == nil {
		progress = func(int64) {}
	}
	v = vfs.ReadOnly(v)
	switch _, err := v.Stat(dir); {
	case errors.Is(err, fs.ErrNotExist):
		return x, nil // nothing of it has come to the disk yet
	case err != nil:
		return x, err
	}
	l, found, s, err := attach(v, dir, o)
	if err != nil {
		if errors.Is(err, errState) || errors.Is(err, fs.ErrNotExist) {
			return l.examinePages(found, err, progress)
		}
		return x, err
	}
	if s == nil {
		return x, nil
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	l.restore(s, found)
	before := int64(0)
	for from, more := uint64(0), true; more; {
		var n int64
		from, n, more = l.ScrubStep(from, 4<<20)
		before += n
		progress(n)
	}
	for _, r := range l.runs {
		l.examineDeletions(r)
		if in, err := l.index(r); err == nil {
			x.Pages += len(in.pages)
		}
	}
	x.Messages, x.Bytes, x.First, x.Last, x.Durable = l.msgs, l.bytes, l.first, l.last, l.Durable()
	for _, f := range l.files {
		l.examineHeader(f)
		x.Files = append(x.Files, ExaminedFile{f.name, f.size, f.keep})
	}
	x.Runs, x.Lost, x.Leftovers = len(l.runs), l.Lost(), l.leftovers
	x.Kept = l.quarantined()
	return x, nil
}

// DamagedHead is what a Report says of a segment's beginning. Nothing but a rewriting of the file makes it whole.
const DamagedHead = "the beginning of a segment is damaged, which costs nothing while the state is there"

// examineHeader reads what a segment begins with: it is of use only when the state is lost.
func (l *Log) examineHeader(f *file) {
	b, err := f.read(0, fileHead)
	if err == nil {
		var id uint64
		var k key
		if id, k, err = readFileHeader(b); err == nil && (id != f.id || k != l.key) {
			err = errPage
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // then its messages were told of
		l.note(DamagedHead, f.name, err)
	}
}

// examineDeletions reads both copies of a run's deletions.
func (l *Log) examineDeletions(r *run) {
	if l.ready(r) != nil || r.deadAt.file == 0 {
		return // told, or there are none
	}
	name := l.deadName(r.deadAt.file)
	f, err := l.fs.Open(name, 0, kindOfDead)
	if err != nil {
		l.note("deletions cannot be read a second time", name, err)
		return
	}
	defer f.Close() //nolint:errcheck // opened for reading only
	size, err := f.Size()
	for _, at := range []int64{r.deadAt.off, r.deadAt.off + size/2} {
		if at+int64(r.deadAt.size) > size {
			err = errDead
			continue
		}
		b := make([]byte, r.deadAt.size)
		n, e := f.ReadAt(b, at)
		if n == len(b) {
			_, _, e = readDead(b, func(uint64) int { return r.n })
		}
		if e != nil {
			err = e
		}
	}
	if err != nil {
		l.note("one of two copies of the deletions is damaged", name, err)
	}
}

// quarantined lists what an earlier start has put away.
func (l *Log) quarantined() (names []string) {
	list, err := l.fs.ReadDir(filepath.Join(l.dir, quarantine))
	if err != nil {
		return nil
	}
	for _, e := range list {
		names = append(names, filepath.Join(l.dir, quarantine, e.Name))
	}
	return names
}

// examinePages looks through the segments of a log whose state is lost.
func (l *Log) examinePages(found *found, cause error, progress func(int64)) (Examined, error) {
	x := Examined{Unstated: true, Kept: l.quarantined()}
	l.note("state cannot be read, in both its copies", filepath.Join(l.dir, stateName), cause)
	var ids []uint64
	for id := range found.segments {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	if err := l.findKey(ids); err != nil {
		l.note("no segment says which key it was written with: nothing of it can be read", l.dir, err)
		return x, nil
	}
	for _, id := range ids {
		f := l.old(id)
		err := l.eachPage(f, func(off int64, size int, pg *page) bool {
			x.Pages++
			for i := range pg.entries {
				e := &pg.entries[i]
				if _, err := pg.record(i); err != nil {
					l.addLost(f.name, e.seq, e.seq, err)
					continue
				}
				if x.Messages++; x.First == 0 || e.seq < x.First {
					x.First = e.seq
				}
				x.Bytes += size64(e)
				x.Last = max(x.Last, e.seq)
			}
			x.Durable = max(x.Durable, pg.durable)
			progress(int64(size))
			return true
		})
		if err != nil {
			return x, err
		}
		end, err := f.end()
		if err != nil {
			return x, err
		}
		x.Files = append(x.Files, ExaminedFile{Name: f.name, Size: end})
		f.close()
	}
	x.Lost = l.Lost()
	return x, nil
}

func size64(e *entry) uint64 { return size(int(e.subject), int(e.header), int(e.payload)) }

// Each calls fn with the messages of the log in a folder that are there and can be read, in order, from a sequence on,
// until fn returns false. It changes nothing. What cannot be read is told to o.Report. The record is fn's during the
// call.
func Each(v vfs.FS, dir string, o Options, from uint64, fn func(r *stream.Record) bool) (durable uint64, err error) {
	v = vfs.ReadOnly(v)
	if _, err := v.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	l, found, s, err := attach(v, dir, o)
	switch {
	case errors.Is(err, errState), errors.Is(err, fs.ErrNotExist):
		return l.eachFound(found, err, from, fn)
	case err != nil || s == nil:
		return 0, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	l.restore(s, found)
	var r stream.Record
	for seq := max(from, l.first); ; seq++ {
		next, ok := l.Next(seq, nil)
		if !ok {
			return l.Durable(), nil
		}
		seq = next
		switch err := l.Load(seq, &r); {
		case errors.Is(err, stream.ErrNotNow):
			return l.Durable(), err
		case err != nil:
			continue // told, and gone
		}
		if !fn(&r) {
			return l.Durable(), nil
		}
	}
}

// eachFound is Each for a log whose state is lost: what the pages hold.
func (l *Log) eachFound(found *found, cause error, from uint64, fn func(r *stream.Record) bool) (uint64, error) {
	l.note("state cannot be read, messages that were deleted may be among these", filepath.Join(l.dir, stateName), cause)
	var ids []uint64
	for id := range found.segments {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	if err := l.findKey(ids); err != nil {
		return 0, err
	}
	pages, vouched, err := l.collect(ids)
	if err != nil {
		return vouched, err
	}
	dead, err := l.allDeletions(found)
	if err != nil {
		return vouched, err
	}
	var r stream.Record
	for i := range pages {
		pg, err := l.readPage(&run{file: pages[i].f}, &pages[i].pagePlace)
		if err != nil {
			return vouched, err
		}
		for j := range pg.entries {
			if seq := pg.entries[j].seq; seq < from || dead.has(seq) {
				continue
			}
			if err := pg.load(j, &r); err != nil {
				l.addLost(pages[i].f.name, pg.entries[j].seq, pg.entries[j].seq, err)
			} else if !fn(&r) {
				return vouched, nil
			}
		}
	}
	return vouched, nil
}
