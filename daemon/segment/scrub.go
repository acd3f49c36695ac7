package segment

import (
	"errors"

	"github.com/nats-broker/nats-broker/daemon/subjects"
)

// Scrub reads messages and indexes from a sequence on and verifies them, past the cache, until it has
// read about so many bytes. It returns where to go on; more is false at the end. What cannot be read is
// lost, and reported, as if somebody had asked for it; an index that is damaged is made anew, and the next
// [Log.Tidy] writes its file anew. It may be called beside everything.
func (l *Log) Scrub(from uint64, bytes int64) (next uint64, more bool) {
	next, _, more = l.ScrubStep(from, bytes)
	return next, more
}

// ScrubStep is Scrub and says how many bytes were read. Of a log that is closed nothing is.
func (l *Log) ScrubStep(from uint64, bytes int64) (next uint64, read int64, more bool) {
	l.scrubbing.RLock()
	defer l.scrubbing.RUnlock()
	if l.ended {
		return from, 0, false
	}
	for read < bytes {
		l.mu.RLock()
		var r *run
		if i := l.runFrom(l.runs, from); i < len(l.runs) {
			r = l.runs[i]
		}
		l.mu.RUnlock()
		if r == nil {
			return from, read, false
		}
		from = max(from, r.first)
		n, at, err := l.scrubRun(r, from, bytes-read)
		read += n
		if errors.Is(err, errStale) {
			continue
		}
		from = at
	}
	return from, read, true
}

// scrubRun verifies a run from a sequence on and returns how many bytes were read, and where
// to go on.
func (l *Log) scrubRun(r *run, from uint64, bytes int64) (n int64, next uint64, err error) {
	if from == r.first && r.remade.Load() == nil {
		n += int64(r.body + r.head)
		if err := l.scrubIndex(r); errors.Is(err, errStale) {
			return n, from, err
		}
	}
	x, err := l.index(r)
	if err != nil {
		return n, r.last + 1, l.skipped(r, err)
	}
	pages := 0
	for i := range x.pages {
		p := &x.pages[i]
		if p.last < from {
			continue
		}
		if n >= bytes && pages > 0 { // one is read at least, else an index larger than that would be read for ever
			return n, p.first, nil
		}
		n += int64(p.size)
		pages++
		b, err := r.file.read(p.off, int(p.size))
		var pg *page
		if err == nil {
			pg, err = readPage(b, r.file.id, p.off)
		}
		if err != nil {
			if err = l.stale(r, err); errors.Is(err, errStale) {
				return n, from, err
			}
			l.losePage(r, p, err)
			continue
		}
		for j := range pg.entries {
			if _, err := pg.record(j); err != nil {
				l.loseRecord(r, p, uint32(j), pg.entries[j].seq, err)
			}
		}
	}
	return n, r.last + 1, nil
}

// loseRecord notes that a record cannot be read, unless it was deleted.
func (l *Log) loseRecord(r *run, p *pagePlace, i uint32, seq uint64, err error) {
	if l.ready(r) != nil {
		return
	}
	l.mu.RLock()
	dead := r.dead.has(p.number + i)
	l.mu.RUnlock()
	if !dead {
		l.lose(r, seq, seq, err)
	}
}

// scrubIndex reads an index from the disk, all of it.
func (l *Log) scrubIndex(r *run) error {
	x, err := l.readIndex(r)
	if err == nil {
		var b []byte
		if b, err = r.file.read(r.off, r.body); err == nil {
			err = x.names.Verify(subjects.Bytes(b))
		}
	}
	if err != nil {
		return l.badIndex(r, err)
	}
	return nil
}
