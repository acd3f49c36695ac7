package segment

import (
	"slices"
	"sync"

	"github.com/nats-broker/nats-broker/daemon/subjects"
	"github.com/nats-broker/nats-broker/daemon/vfs"
)

// builder writes records, given in order, into a file as a new run.
type builder struct {
	l       *Log
	f       *file
	start   int64 // where buf will stand
	buf     []byte
	pw      pageWriter
	iw      indexWriter
	bytes   uint64
	durable uint64
	scratch *scratch // nil: done
	packs   bool     // pages are compressed
}

// unit is what no two syncs share of a file: a block under write may become anything.
const unit = 4096

func aligned(off int64) int64 { return (off + unit - 1) / unit * unit }

// spill is how much a builder keeps before it writes.
const spill = 1 << 20

// newBuilder begins a run behind what counts in f; behind a sync, at the next block.
func (l *Log) newBuilder(f *file) *builder {
	start := f.size
	if start == f.fence {
		start = aligned(start)
	}
	b := &builder{l: l, f: f, start: start, durable: l.Durable(), packs: l.compress.Load(), scratch: scratches.Get().(*scratch)}
	b.buf, b.pw, b.iw.next, b.iw.order = b.scratch.buf, b.scratch.pw, b.scratch.next, b.scratch.order
	return b
}

// scratch is the memory that a builder writes from. A run is built for each megabyte, so that builders hand it on.
type scratch struct {
	buf   []byte
	pw    pageWriter
	next  []uint32
	order []subjects.Ref
}

var scratches = sync.Pool{New: func() any { return &scratch{buf: make([]byte, 0, spill+128<<10)} }}

// done gives the memory back, as far as a usual run needs it. The builder is of no use any more.
func (b *builder) done() {
	s := b.scratch
	if s == nil {
		return
	}
	b.scratch = nil
	*s = scratch{buf: kept(b.buf, 2*spill), pw: b.pw.again(), next: kept(b.iw.next, maxTail), order: kept(b.iw.order, maxTail)}
	if cap(s.buf) > 0 {
		scratches.Put(s)
	}
}

// kept empties what is to be used again, if it is not larger than usual.
func kept[T any](list []T, most int) []T {
	if cap(list) > most {
		return nil
	}
	return list[:0]
}

// record is one for a builder: its data is subject, header and payload.
type record struct {
	seq     uint64
	time    int64
	commit  uint64
	subject uint16
	header  uint32
	payload uint32
	crc     uint32
	data    []byte
}

func (b *builder) add(r *record) error {
	if !b.pw.takes(r.seq, len(r.data)) {
		if err := b.flushPage(); err != nil {
			return err
		}
	}
	b.pw.add(r.seq, r.time, r.commit, r.subject, r.header, r.payload, r.crc, r.data)
	b.iw.add(r.data[:r.subject])
	b.bytes += size(int(r.subject), int(r.header), int(r.payload))
	return nil
}

func (b *builder) flushPage() error {
	if b.pw.n == 0 {
		return nil
	}
	w := &b.pw
	off := b.start + int64(len(b.buf))
	p := pagePlace{off: off, number: b.iw.n - w.n, n: w.n, first: w.first, last: w.lastSeq, minTime: w.minTime, maxTime: w.maxTime}
	if p.last-p.first+1 != uint64(p.n) {
		p.deltas = slices.Clone(w.deltas)
	}
	before := len(b.buf)
	b.buf = w.appendTo(b.buf, &b.l.key, b.f.id, off, b.durable, b.packs)
	p.size = uint32(len(b.buf) - before)
	b.iw.pages = append(b.iw.pages, p)
	if len(b.buf) >= spill {
		return b.write()
	}
	return nil
}

func (b *builder) write() error {
	if err := b.f.write(b.buf, b.start); err != nil {
		return err
	}
	b.start += int64(len(b.buf))
	b.buf = b.buf[:0]
	return nil
}

// finish writes what is left and the index, and returns the run, which is in no list yet.
func (b *builder) finish() (*run, error) {
	if err := b.flushPage(); err != nil {
		return nil, err
	}
	body, names := b.iw.finish()
	defer b.done()
	return b.l.writeIndex(b.f, b.start, b.buf, b.iw.pages, body, names, b.bytes)
}

// writeIndex writes an index behind what is in buf, which will stand at start.
func (l *Log) writeIndex(f *file, start int64, buf []byte, pages []pagePlace, body, names []byte, bytes uint64) (*run, error) {
	off := start + int64(len(buf))
	buf = append(buf, body...)
	at := len(buf)
	buf = appendHead(buf, pages, len(body), names, &l.key, f.id, start+int64(at))
	if err := f.write(buf, start); err != nil {
		return nil, err
	}
	last := &pages[len(pages)-1]
	r := &run{file: f, off: off, body: len(body), head: len(buf) - at, first: pages[0].first, last: last.last, bytes: bytes,
		minTime: pages[0].minTime, maxTime: pages[0].maxTime}
	for i := range pages {
		r.n += int(pages[i].n)
		r.minTime, r.maxTime = min(r.minTime, pages[i].minTime), max(r.maxTime, pages[i].maxTime)
	}
	r.live = r.n
	l.mu.Lock()
	f.size = start + int64(len(buf))
	l.mu.Unlock()
	return r, nil
}

// write writes b at off. What stood behind the end of what counts is cut off first, so that
// nothing of an earlier life is found there: from the next block on, since to cut a block is to write it. In the rest
// of the last one stands nothing, for no two syncs share one.
func (f *file) write(b []byte, off int64) error {
	return f.use(func(v vfs.File) error {
		f.mu.Lock()
		f.dirty = true
		f.writes++
		trim := !f.trimmed
		f.mu.Unlock()
		if trim {
			size, err := v.Size()
			if end := aligned(f.size); err == nil && size > end {
				err = v.Truncate(end)
			}
			if err != nil {
				return err
			}
			f.trimmed = true
		}
		_, err := v.WriteAt(b, off)
		return err
	})
}
