package segment

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"path/filepath"

	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/subjects"
	"github.com/nats-broker/nats-broker/daemon/vfs"
)

// A segment file begins with
//
//	magic (4), version (1), 0 (3), number of the file (8), key of the log (16), CRC32C of that (4)
//
// and goes on with pages and indexes.
const (
	fileMagic   = 0x6773424e // "NBsg"
	fileVersion = 1
	fileHead    = 64

	kindOfDead = vfs.Segment
)

func (l *Log) segName(id uint64) string  { return filepath.Join(l.dir, fmt.Sprintf("%016x.seg", id)) }
func (l *Log) deadName(id uint64) string { return filepath.Join(l.dir, fmt.Sprintf("%016x.del", id)) }

func (l *Log) fileHeader(id uint64) []byte {
	b := make([]byte, fileHead)
	binary.LittleEndian.PutUint32(b, fileMagic)
	b[4] = fileVersion
	binary.LittleEndian.PutUint64(b[8:], id)
	copy(b[16:], l.key[:])
	binary.LittleEndian.PutUint32(b[32:], crc32.Checksum(b[:32], castagnoli))
	return b
}

// readFileHeader returns the number and the key that a segment file begins with.
func readFileHeader(b []byte) (id uint64, k key, err error) {
	if len(b) < fileHead || binary.LittleEndian.Uint32(b) != fileMagic || crc32.Checksum(b[:32], castagnoli) != binary.LittleEndian.Uint32(b[32:]) {
		return 0, k, errPage
	}
	if b[4] != fileVersion {
		return 0, k, fmt.Errorf("segment of version %d: %w", b[4], errUnknown)
	}
	copy(k[:], b[16:])
	return binary.LittleEndian.Uint64(b[8:]), k, nil
}

// newFile makes a segment file. Before the first one there is a state on the disk, so that
// segments without a state are one that was lost.
func (l *Log) newFile() (*file, error) {
	if !l.begun {
		s := state{key: l.key, nextFile: l.nextFile}
		if err := vfs.Replace(l.fs, filepath.Join(l.dir, stateName), vfs.Index, s.encode()); err != nil {
			return nil, err
		}
		l.begun = true
	}
	id := l.nextFile
	f := &file{id: id, name: l.segName(id), fs: l.fs, node: l.node, trimmed: true}
	v, err := l.fs.Open(f.name, vfs.Write|vfs.Create|vfs.Exclusive, vfs.Segment)
	if err != nil {
		return nil, err
	}
	l.nextFile++
	f.f = v
	if err := f.write(l.fileHeader(id), 0); err != nil {
		f.close()
		_ = l.fs.Remove(f.name) // if it stays it is found at the next start
		return nil, err
	}
	l.mu.Lock()
	f.size, f.fence = fileHead, -1
	l.mu.Unlock()
	return f, nil
}

// seal writes what waits into the file as a run. If that cannot be done it stays where it is.
func (l *Log) seal() error {
	if l.tail.live == 0 {
		l.full.Store(nil)
		l.mu.Lock()
		l.tail.release()
		l.mu.Unlock()
		return nil
	}
	r, err := l.writeTail()
	if err != nil {
		if l.Full() == nil {
			l.note("messages cannot be written and stay in memory and in the journal", l.dir, err)
		}
		l.full.Store(&err)
		l.retryAt = l.tail.room + l.o.Tail/4
		l.cur = nil // what was written of it is not looked at again
		l.mu.Lock()
		l.sweep()
		l.mu.Unlock()
		return err
	}
	l.full.Store(nil)
	l.mu.Lock()
	runs := append(l.runs[:len(l.runs):len(l.runs)], r)
	l.setRuns(runs)
	l.tail.release()
	l.mu.Unlock()
	if l.cur.size >= l.segment() {
		return l.finishFile()
	}
	return nil
}

func (l *Log) writeTail() (*run, error) {
	if l.cur == nil {
		f, err := l.newFile()
		if err != nil {
			return nil, err
		}
		l.cur = f
		l.mu.Lock()
		l.files = append(l.files, f)
		l.mu.Unlock()
	}
	b := l.newBuilder(l.cur)
	for i := range l.tail.recs {
		t := &l.tail.recs[i]
		if t.dead {
			continue
		}
		r := record{t.seq, t.time, t.commit, t.subject, t.header, t.payload, t.crc, l.tail.record(i)}
		if err := b.add(&r); err != nil {
			return nil, err
		}
	}
	return b.finish()
}

// squeeze takes the dead out of the tail.
func (l *Log) squeeze() {
	var next tail
	for i := range l.tail.recs {
		t := &l.tail.recs[i]
		if t.dead {
			continue
		}
		b := l.tail.record(i)
		s, h := int(t.subject), int(t.subject)+int(t.header)
		next.add(&stream.Record{Seq: t.seq, Time: t.time, Subject: b[:s], Header: b[s:h], Payload: b[h:]}, t.commit)
	}
	l.mu.Lock()
	old := l.tail
	l.tail = next
	old.release()
	l.mu.Unlock()
}

// finishFile ends the writing of the current file: its runs become one, with an index of all.
// Where that cannot be done they stay several.
func (l *Log) finishFile() error {
	f := l.cur
	l.cur = nil
	var parts []*run
	for _, r := range l.runs {
		if r.file == f {
			parts = append(parts, r)
		}
	}
	if len(parts) < 2 {
		return nil
	}
	whole, err := l.joinRuns(f, parts)
	if err != nil {
		l.note("index of a whole file not written", f.name, err)
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.replaceRuns(parts, whole)
	return nil
}

// joinRuns writes one index for several runs that follow one another in a file.
func (l *Log) joinRuns(f *file, parts []*run) (*run, error) {
	var pages []pagePlace
	var cursors []*cursor
	var base []uint32
	n := uint32(0)
	for _, r := range parts {
		if err := l.ready(r); err != nil {
			return nil, err
		}
		x, err := l.index(r)
		if err != nil {
			return nil, err
		}
		base = append(base, n)
		for _, p := range x.pages {
			p.number += n
			pages = append(pages, p)
		}
		n += uint32(r.n)
		cursors = append(cursors, &cursor{r: r, x: x, it: x.names.Iter(nil)})
	}
	var w subjects.RunWriter
	var numbers []uint32
	var failed error
	err := subjects.Merge(cursors, func(name []byte, at []int) bool {
		numbers = numbers[:0]
		for _, i := range at {
			from := len(numbers)
			if numbers, failed = cursors[i].x.names.Numbers(cursors[i].it.Hit(), cursors[i].r.n, numbers); failed != nil {
				return false
			}
			for j := from; j < len(numbers); j++ {
				numbers[j] += base[i]
			}
		}
		w.Add(name, numbers)
		return true
	})
	if failed != nil {
		err = failed
	}
	if err != nil {
		return nil, err
	}
	body, names := w.Finish()
	start := f.size
	if start == f.fence {
		start = aligned(start)
	}
	whole, err := l.writeIndex(f, start, nil, pages, body, names, 0)
	if err != nil {
		return nil, err
	}
	whole.live = 0
	for i, r := range parts {
		whole.live += r.live
		whole.bytes += r.bytes
		for j := range uint32(r.n) {
			if r.dead.has(j) {
				if whole.dead == nil {
					whole.dead = newBitset(whole.n)
				}
				whole.dead.set(base[i] + j)
				whole.changed = true
			}
		}
	}
	return whole, nil
}

// replaceRuns puts one run in the place of several that follow one another, under mu.
func (l *Log) replaceRuns(parts []*run, with *run) {
	old := map[*run]bool{}
	for _, r := range parts {
		old[r] = true
	}
	var runs []*run
	for _, r := range l.runs {
		if !old[r] {
			runs = append(runs, r)
			continue
		}
		if with != nil {
			runs = append(runs, with)
			with = nil
		}
	}
	l.setRuns(runs)
}
