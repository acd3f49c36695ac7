package segment

import (
	"hash/crc32"
	"sync"

	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/subjects"
)

// tail holds the records that are in no file yet. A record that is overwritten or acknowledged
// while it is here is never written.
type tail struct {
	recs   []tailRecord
	blocks [][]byte
	names  subjects.Table // totals are numbers of records here: first, last, all; the dead included
	live   int
	data   int // bytes of live records
	room   int // bytes of blocks
}

type tailRecord struct {
	seq             uint64
	time            int64
	commit          uint64
	name            subjects.Ref
	next            uint32 // number of the next record with this subject; 0: none
	crc             uint32
	block           uint32
	off             uint32
	header, payload uint32
	subject         uint16
	dead            bool
}

const (
	tailRecordSize = 64
	firstBlock     = 512
	tailBlock      = 64 << 10
)

func (r *tailRecord) size() int { return int(r.subject) + int(r.header) + int(r.payload) }

// bytes returns what the tail takes in memory.
func (t *tail) bytes() int { return t.room + cap(t.recs)*tailRecordSize + t.names.Bytes() }

// add copies a record.
func (t *tail) add(r *stream.Record, commit uint64) {
	n := len(r.Subject) + len(r.Header) + len(r.Payload)
	last := len(t.blocks) - 1
	if last < 0 || len(t.blocks[last])+n > cap(t.blocks[last]) {
		size := firstBlock
		if last >= 0 {
			size = min(2*cap(t.blocks[last]), tailBlock)
		}
		size = max(size, n)
		t.blocks = append(t.blocks, makeBlock(size))
		t.room += size
		last++
	}
	b := t.blocks[last]
	off := len(b)
	b = append(append(append(b, r.Subject...), r.Header...), r.Payload...)
	t.blocks[last] = b
	ref, made := t.names.Insert(r.Subject)
	i := uint64(len(t.recs))
	v := subjects.Totals{First: i, Last: i, Msgs: 1}
	if !made {
		v = t.names.Totals(ref)
		t.recs[v.Last].next = uint32(i)
		v.Last, v.Msgs = i, v.Msgs+1
	}
	t.names.Set(ref, v)
	if len(t.recs) == cap(t.recs) && len(t.recs) >= manyRecords/2 {
		t.recs = moreRecords(t.recs)
	}
	t.recs = append(t.recs, tailRecord{
		seq: r.Seq, time: r.Time, commit: commit, name: ref,
		crc: crc32.Checksum(b[off:], castagnoli), block: uint32(last), off: uint32(off),
		header: uint32(len(r.Header)), payload: uint32(len(r.Payload)), subject: uint16(len(r.Subject)),
	})
	t.live++
	t.data += n
}

// record returns the data of a record.
func (t *tail) record(i int) []byte {
	r := &t.recs[i]
	return t.blocks[r.block][r.off : int(r.off)+r.size()]
}

func (t *tail) subject(i int) []byte { return t.record(i)[:t.recs[i].subject] }

// at returns the number of the first record at or behind seq, dead or not.
func (t *tail) at(seq uint64) int {
	lo, hi := 0, len(t.recs)
	if hi > 0 && seq >= t.recs[0].seq && t.recs[hi-1].seq-t.recs[0].seq == uint64(hi-1) {
		return int(min(seq-t.recs[0].seq, uint64(hi)))
	}
	for lo < hi {
		if m := int(uint(lo+hi) >> 1); t.recs[m].seq < seq {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo
}

// kill takes a record out.
func (t *tail) kill(i int) {
	t.recs[i].dead = true
	t.live--
	t.data -= t.recs[i].size()
}

// totals returns what the tail holds of a subject, in sequences.
func (t *tail) totals(name []byte) (v subjects.Totals) {
	ref, ok := t.names.Find(name)
	if !ok {
		return v
	}
	for i := t.names.Totals(ref).First; ; i = uint64(t.recs[i].next) {
		if r := &t.recs[i]; !r.dead {
			if v.Msgs == 0 {
				v.First = r.seq
			}
			v.Last = r.seq
			v.Msgs++
		}
		if t.recs[i].next == 0 {
			return v
		}
	}
}

// next returns the number of the first record at or behind number i that f asks for.
func (t *tail) next(i int, f *subjects.Filter) (int, bool) {
	if f.Literal() && len(f.Patterns()) == 1 {
		ref, ok := t.names.Find([]byte(f.Patterns()[0]))
		if !ok {
			return 0, false
		}
		for ; i < len(t.recs); i++ {
			if r := &t.recs[i]; r.name == ref && !r.dead {
				return i, true
			}
		}
		return 0, false
	}
	for ; i < len(t.recs); i++ {
		if !t.recs[i].dead && f.Match(t.subject(i)) {
			return i, true
		}
	}
	return 0, false
}

// prev returns the number of the last record at or before number i that f asks for.
func (t *tail) prev(i int, f *subjects.Filter) (int, bool) {
	for i = min(i, len(t.recs)-1); i >= 0; i-- {
		if !t.recs[i].dead && f.Match(t.subject(i)) {
			return i, true
		}
	}
	return 0, false
}

// release gives up everything.
func (t *tail) release() {
	t.names.Release()
	for _, b := range t.blocks {
		if cap(b) == tailBlock {
			tailBlocks.Put((*[tailBlock]byte)(b[:tailBlock]))
		}
	}
	if cap(t.recs) == manyRecords {
		tailRecords.Put((*[manyRecords]tailRecord)(t.recs[:manyRecords]))
	}
	*t = tail{}
}

// A stream that is written to fills a tail for each megabyte: what it takes is handed on from one to the next.
const manyRecords = 8 << 10

var (
	tailBlocks  = sync.Pool{New: func() any { return new([tailBlock]byte) }}
	tailRecords = sync.Pool{New: func() any { return new([manyRecords]tailRecord) }}
)

func makeBlock(size int) []byte {
	if size != tailBlock {
		return make([]byte, 0, size)
	}
	return tailBlocks.Get().(*[tailBlock]byte)[:0]
}

// moreRecords moves records to where there is room for twice as many.
func moreRecords(list []tailRecord) []tailRecord {
	if len(list) >= manyRecords {
		more := append(make([]tailRecord, 0, 2*len(list)), list...)
		if cap(list) == manyRecords {
			tailRecords.Put((*[manyRecords]tailRecord)(list[:manyRecords]))
		}
		return more
	}
	return append(tailRecords.Get().(*[manyRecords]tailRecord)[:0], list...)
}
