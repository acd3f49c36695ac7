package segment

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"sync/atomic"

	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/subjects"
)

// run is a piece of a log that is in a file: pages, and an index of their records. Its records
// have numbers from 0. What it is does not change; what of it is dead does.
type run struct {
	file             *file
	off              int64 // of the index's body
	body, head       int   // bytes
	n                int
	first, last      uint64
	minTime, maxTime int64

	// Of the log's lock.
	live    int
	bytes   uint64 // of the living, by [Log.Size]
	dead    bitset // nil: none, or not read yet
	deadAt  deadPlace
	unread  bool // deadAt has not been read
	untold  bool // that it cannot be was reported
	changed bool // dead is newer than deadAt

	remade atomic.Pointer[index] // in place of one that cannot be read
}

// dense reports whether the run has every sequence from the first to the last, so that
// numbers follow from sequences.
func (r *run) dense() bool { return r.last-r.first+1 == uint64(r.n) }

// errStale says that a run is not part of its log any more: look again.
var errStale = errors.New("run was replaced")

// index returns the index of a run, which it reads or, if it cannot be read, makes from the pages.
func (l *Log) index(r *run) (*index, error) {
	if x := r.remade.Load(); x != nil {
		return x, nil
	}
	k := cacheKey{of: r}
	if v, ok := l.node.cache.get(k); ok {
		return v.(*index), nil
	}
	x, err := l.readIndex(r)
	if err != nil {
		if err = l.stale(r, err); errors.Is(err, errStale) || !gone(err) {
			return nil, err
		}
		return l.remakeIndex(r, err)
	}
	l.node.cache.put(k, x, x.bytes)
	return x, nil
}

func (l *Log) readIndex(r *run) (*index, error) {
	at := r.off + int64(r.body)
	b, err := r.file.read(at, r.head)
	if err != nil {
		return nil, err
	}
	x, err := readHead(b, &l.key, r.file.id, at, leaves{r.file, r.off, r.body})
	if err != nil {
		return nil, err
	}
	if x.n != r.n || x.seq(0) != r.first || x.seq(uint32(x.n-1)) != r.last {
		return nil, subjects.ErrDamaged
	}
	return x, nil
}

// stale returns errStale in place of err if the file is away because the run was replaced.
func (l *Log) stale(r *run, err error) error {
	if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrClosed) {
		return err
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	if !slices.Contains(l.runs, r) {
		return errStale
	}
	return err
}

// readPage returns a page of a run.
func (l *Log) readPage(r *run, p *pagePlace) (*page, error) {
	k := cacheKey{of: r.file, off: p.off}
	if v, ok := l.node.cache.get(k); ok {
		if pg, ok := v.(*page); ok {
			return pg, nil
		}
	}
	b, err := r.file.read(p.off, int(p.size))
	if err != nil {
		return nil, l.stale(r, err)
	}
	pg, err := readPage(b, r.file.id, p.off)
	if err == nil && (len(pg.entries) != int(p.n) || pg.entries[0].seq != p.first || pg.entries[p.n-1].seq != p.last) {
		err = errPage
	}
	if err != nil {
		return nil, err
	}
	l.node.cache.put(k, pg, pg.bytes)
	return pg, nil
}

// pageOf returns the page with a record, and its place there.
func (l *Log) pageOf(r *run, number uint32) (*page, int, error) {
	x, err := l.index(r)
	if err != nil {
		return nil, 0, err
	}
	p := x.page(number)
	pg, err := l.readPage(r, p)
	if err != nil && !errors.Is(err, errStale) {
		l.losePage(r, p, err)
	}
	return pg, int(number - p.number), err
}

// numberAt returns the number of the first record of a run at or behind seq; r.n if none is.
func (l *Log) numberAt(r *run, seq uint64) (uint32, error) {
	switch {
	case seq <= r.first:
		return 0, nil
	case seq > r.last:
		return uint32(r.n), nil
	case r.dense():
		return uint32(seq - r.first), nil
	}
	x, err := l.index(r)
	if err != nil {
		return 0, err
	}
	return x.at(seq), nil
}

// seqAt returns the sequence of the record with a number.
func (l *Log) seqAt(r *run, number uint32) (uint64, error) {
	if r.dense() {
		return r.first + uint64(number), nil
	}
	x, err := l.index(r)
	if err != nil {
		return 0, err
	}
	return x.seq(number), nil
}

// ready reads the deletions of a run if they have not been read. An error says that nobody knows now which of its
// messages are there. Where the deletions are damaged they are lost.
func (l *Log) ready(r *run) error {
	l.mu.RLock()
	at, unread := r.deadAt, r.unread
	l.mu.RUnlock()
	if !unread {
		return nil
	}
	dead, err := l.readDeletions(r, at)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case !r.unread:
		return nil
	case err == nil:
		r.unread, r.dead = false, dead
		return nil
	case !slices.Contains(l.runs, r):
		return errStale // their file has gone with the run
	case !damaged(err):
		if !r.untold {
			r.untold = true
			l.note("deletions cannot be read, the messages neither as long", l.deadName(at.file), err)
		}
		return fmt.Errorf("%w: %w", errUntold, err)
	}
	r.unread = false
	// The deletions are lost: what they had taken out is there again, and counts again.
	l.tell(stream.Range{From: r.first, To: r.last}, err)
	per := r.bytes / uint64(max(r.live, 1))
	back := uint64(r.n - r.live)
	r.live, r.bytes = r.n, r.bytes+per*back
	l.msgs, l.bytes = l.msgs+back, l.bytes+per*back
	r.changed = true
	return nil
}

// readDeletions reads the deletions of a run, from the half of their file that is right. If none is, and the disk failed
// with one, the error is the disk's.
func (l *Log) readDeletions(r *run, at deadPlace) (bitset, error) {
	f, err := l.fs.Open(l.deadName(at.file), 0, kindOfDead)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // opened for reading only
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	var failed error
	for _, off := range []int64{at.off, at.off + size/2} {
		if off+int64(at.size) > size {
			err = errDead
			continue
		}
		b := make([]byte, at.size)
		if n, e := f.ReadAt(b, off); n < len(b) {
			failed = errors.Join(failed, e)
			continue
		}
		d, n, e := readDead(b, func(uint64) int { return r.n })
		if e == nil && (n != at.size || d.file != r.file.id || d.first != r.first || d.last != r.last || d.n != r.n) {
			e = errDead
		}
		if e == nil {
			return d.dead, nil
		}
		err = e
	}
	if failed != nil {
		return nil, failed
	}
	return nil, err
}

// selectOf returns which records of a run a filter asks for.
func (l *Log) selectOf(r *run, f *subjects.Filter) (*selection, error) {
	if f.All() {
		return &selection{all: true, n: r.n, msgs: r.n}, nil
	}
	k := cacheKey{of: r, filter: f}
	if v, ok := l.node.cache.get(k); ok {
		return v.(*selection), nil
	}
	x, err := l.index(r)
	if err != nil {
		return nil, err
	}
	var numbers []uint32
	if f.Literal() {
		for i, p := range f.Patterns() {
			if slices.Index(f.Patterns(), p) < i {
				continue
			}
			h, ok, err := x.names.Find([]byte(p))
			if err == nil && ok {
				numbers, err = x.names.Numbers(h, r.n, numbers)
			}
			if err != nil {
				return nil, l.badIndex(r, err)
			}
		}
	} else {
		it := x.names.Iter(f)
		for it.Next() {
			if numbers, err = x.names.Numbers(it.Hit(), r.n, numbers); err != nil {
				return nil, l.badIndex(r, err)
			}
		}
		if it.Err() != nil {
			return nil, l.badIndex(r, it.Err())
		}
	}
	s := newSelection(numbers, r.n)
	l.node.cache.put(k, s, s.bytes())
	return s, nil
}

// badIndex is called when a leaf of an index cannot be read: the index is made from the pages,
// and who asked asks again.
func (l *Log) badIndex(r *run, err error) error {
	if err = l.stale(r, err); errors.Is(err, errStale) {
		return err
	}
	if r.remade.Load() != nil || !gone(err) {
		return err // what was made anew cannot be wrong
	}
	if _, err = l.remakeIndex(r, err); err != nil {
		return err
	}
	return errStale
}

// remakeIndex makes the index of a run from its pages, since it could not be read. Records that
// are damaged are lost, and have a subject that no filter but all asks for; those that the disk does not give may have any, so
// that there is no index.
//
// The places of the pages come from the index's head if that can be read; otherwise the file
// is searched for pages.
func (l *Log) remakeIndex(r *run, cause error) (*index, error) {
	var pages []pagePlace
	at := r.off + int64(r.body)
	if b, err := r.file.read(at, r.head); err == nil {
		if x, err := readHead(b, &l.key, r.file.id, at, leaves{r.file, r.off, r.body}); err == nil && x.n == r.n {
			pages = x.pages
		}
	}
	searched := pages == nil
	if searched {
		found, err := l.searchPages(r.file, r.first, r.last)
		if err != nil {
			return nil, errors.Join(cause, err)
		}
		pages = fillGaps(found, r)
	}
	if pages == nil {
		return nil, cause
	}
	var w indexWriter
	for i := range pages {
		p := &pages[i]
		pg, err := l.readPage(r, p)
		if errors.Is(err, errStale) {
			return nil, err
		}
		if err != nil {
			if l.losePage(r, p, err); !damaged(err) {
				return nil, err
			}
			w.pages = append(w.pages, *p)
			continue
		}
		w.addPage(*p, pg)
	}
	x := w.inMemory()
	if x.n != r.n {
		return nil, cause
	}
	r.remade.Store(x)
	l.note("index made anew from the messages", r.file.name, cause)
	return x, nil
}

// fillGaps puts pages for what was not found of a run between those that were: without a place,
// so that reading them fails. It returns nil if what is missing cannot be counted.
func fillGaps(found []pagePlace, r *run) []pagePlace {
	have := 0
	for _, p := range found {
		have += int(p.n)
	}
	missing := r.n - have
	if missing < 0 {
		return nil
	}
	pages := make([]pagePlace, 0, len(found)+2)
	number, seq := uint32(0), r.first
	gap := func(to uint64) bool { // what is missing below to, if it was there
		span := to - seq
		if span == 0 || missing == 0 {
			return true
		}
		// Only a run without gaps says how many records were there.
		if !r.dense() || span > uint64(missing) || span > math.MaxUint32 {
			return false
		}
		pages = append(pages, pagePlace{number: number, n: uint32(span), first: seq, last: to - 1, minTime: r.minTime, maxTime: r.maxTime})
		number += uint32(span)
		missing -= int(span)
		return true
	}
	for _, p := range found {
		if !gap(p.first) {
			return nil
		}
		p.number = number
		number += p.n
		seq = p.last + 1
		pages = append(pages, p)
	}
	if !gap(r.last+1) || missing != 0 {
		return nil
	}
	return pages
}
