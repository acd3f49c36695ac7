package segment

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"slices"

	"github.com/klauspost/compress/s2"

	"github.com/nats-broker/nats-broker/daemon/stream"
)

// A page is what is read at once: records of up to 64 KiB, or a single larger one.
//
//	 0  magic (4), version (1), flags (1), 0 (2)
//	 8  records (4), bytes of the list (4), bytes of the data (4)
//	20  first sequence (8), time of the first record (8), commit of the last one (8)
//	44  the last commit known durable when it was written (8), keyed sum of all this and the list (8)
//	60  CRC32C of file number, place, all this and the list (4)
//	64  list: of each record CRC32C of its data (4), sequence and time as differences from the record
//	    before, lengths of subject, header and payload; varints
//	    data: subject, header, payload, record by record; with flag 1 compressed, as a block of S2
//
// The list says where each record is and carries its sum, so that a flipped bit costs a
// record if it is in the data, and the page if it is before.
//
// A page that an index names is verified by its CRC; one that was found by searching must have the
// keyed sum as well.
//
// What is compressed is the data alone: sums of records are of what it was before, so that they say whether it was unpacked
// right. A flipped bit there may cost all that follows in the page.
const (
	pageMagic   = 0x6770424e // "NBpg"
	pageHead    = 64
	pageVersion = 1
	pageData    = 64 << 10

	// flagPacked is the flag of a page whose data is compressed.
	flagPacked = 1
	// Data of fewer bytes is not worth it, and of more it is not done: whoever reads must have them in memory, and a page says
	// only how many they are.
	leastPacked, maxPacked = 128, 8 << 20
)

var (
	errNoPage   = errors.New("no page here")
	errPage     = errors.New("page damaged")
	errRecord   = errors.New("record damaged")
	errUnknown  = errors.New("written by a later version")
	errTooLarge = errors.New("message too large for a segment")
)

// maxRecord bounds the data of a record, so that lengths fit 31 bits.
const maxRecord = 1 << 30

// leastEntry is how many bytes of a page's list a record takes at least.
const leastEntry = 8

// entry is a record in the list of a page.
type entry struct {
	seq             uint64
	time            int64
	crc             uint32
	off             uint32 // of the data in the page's
	header, payload uint32 // lengths
	subject         uint16
}

func (e *entry) size() int { return int(e.subject) + int(e.header) + int(e.payload) }

// page is a page that was read, its list verified; its records are verified when they are used.
type page struct {
	commit  uint64 // of its last record
	durable uint64 // known as durable when it was written
	entries []entry
	data    []byte
	bytes   int // what it takes in memory
}

// pageWriter makes a page.
type pageWriter struct {
	list     []byte
	data     []byte
	n        uint32
	first    uint64
	firstAt  int64
	lastSeq  uint64
	lastTime int64
	minTime  int64
	maxTime  int64
	commit   uint64
	deltas   []uint32 // sequences from the first one, for the index
	packed   []byte   // what the data is compressed into
}

func (w *pageWriter) add(seq uint64, time int64, commit uint64, subject uint16, header, payload uint32, crc uint32, data []byte) {
	if w.n == 0 {
		w.first, w.lastSeq, w.firstAt, w.lastTime = seq, seq, time, time
		w.minTime, w.maxTime = time, time
	}
	b := binary.LittleEndian.AppendUint32(w.list, crc)
	b = binary.AppendUvarint(b, seq-w.lastSeq)
	b = binary.AppendVarint(b, time-w.lastTime)
	b = binary.AppendUvarint(b, uint64(subject))
	b = binary.AppendUvarint(b, uint64(header))
	w.list = binary.AppendUvarint(b, uint64(payload))
	w.data = append(w.data, data...)
	w.lastSeq, w.lastTime = seq, time
	w.minTime, w.maxTime = min(w.minTime, time), max(w.maxTime, time)
	w.commit = max(w.commit, commit)
	w.deltas = append(w.deltas, uint32(seq-w.first))
	w.n++
}

// takes reports whether a record of size bytes belongs into this page.
func (w *pageWriter) takes(seq uint64, size int) bool {
	return w.n == 0 || len(w.data)+size <= pageData && seq-w.first <= math.MaxUint32
}

// appendTo appends the page, which will stand at off in a file, and makes the writer ready for another.
// Its data is compressed if that is asked for and makes it smaller.
func (w *pageWriter) appendTo(b []byte, k *key, file uint64, off int64, durable uint64, compress bool) []byte {
	at := len(b)
	data, flags := w.data, byte(0)
	if compress && w.pack() {
		data, flags = w.packed, flagPacked
	}
	b = binary.LittleEndian.AppendUint32(b, pageMagic)
	b = append(b, pageVersion, flags, 0, 0)
	b = binary.LittleEndian.AppendUint32(b, w.n)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(w.list)))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
	b = binary.LittleEndian.AppendUint64(b, w.first)
	b = binary.LittleEndian.AppendUint64(b, uint64(w.firstAt))
	b = binary.LittleEndian.AppendUint64(b, w.commit)
	b = binary.LittleEndian.AppendUint64(b, durable)
	b = binary.LittleEndian.AppendUint64(b, k.sum(file, off, b[at:], w.list))
	b = append(b, 0, 0, 0, 0)
	b = append(append(b, w.list...), data...)
	binary.LittleEndian.PutUint32(b[at+pageHead-4:], pageSum(b[at:at+pageHead+len(w.list)], file, off))
	*w = w.again()
	return b
}

// again returns the writer for another page, with the memory of this one unless that was large.
func (w *pageWriter) again() pageWriter {
	return pageWriter{list: kept(w.list, 4*pageData), data: kept(w.data, 4*pageData), deltas: kept(w.deltas, maxTail), packed: kept(w.packed, 4*pageData)}
}

// pack compresses the data, and reports whether that is of use.
func (w *pageWriter) pack() bool {
	n := len(w.data)
	if n < leastPacked || n > maxPacked {
		return false
	}
	w.packed = slices.Grow(w.packed[:0], s2.MaxEncodedLen(n))
	w.packed = s2.Encode(w.packed[:cap(w.packed)], w.data)
	return len(w.packed) < n-n/16
}

// unpack returns the data of a page, which takes size bytes, out of what is compressed.
func unpack(b []byte, size int) ([]byte, error) {
	if n, err := s2.DecodedLen(b); err != nil || n != size || n > maxPacked {
		return nil, errPage
	}
	data, err := s2.Decode(make([]byte, size), b)
	if err != nil || len(data) != size {
		return nil, errPage
	}
	return data, nil
}

// pageSum is the CRC of a page's head and list.
func pageSum(b []byte, file uint64, off int64) uint32 {
	var at [16]byte
	binary.LittleEndian.PutUint64(at[:], file)
	binary.LittleEndian.PutUint64(at[8:], uint64(off))
	s := crc32.Checksum(at[:], castagnoli)
	s = crc32.Update(s, castagnoli, b[:pageHead-4])
	return crc32.Update(s, castagnoli, b[pageHead:])
}

// genuine reports whether the page in b was written by the log with a key, at this place.
func genuine(b []byte, k *key, file uint64, off int64) bool {
	list := int(binary.LittleEndian.Uint32(b[12:]))
	return k.sum(file, off, b[:pageHead-12], b[pageHead:pageHead+list]) == binary.LittleEndian.Uint64(b[pageHead-12:])
}

// pageSize reads the size of a page from its head, which need not be right.
func pageSize(b []byte) (int, error) {
	if len(b) < pageHead || binary.LittleEndian.Uint32(b) != pageMagic {
		return 0, errNoPage
	}
	if b[4] != pageVersion || b[5]&^flagPacked != 0 {
		return 0, fmt.Errorf("page of version %d, flags %#x: %w", b[4], b[5], errUnknown)
	}
	n := uint64(pageHead) + uint64(binary.LittleEndian.Uint32(b[12:])) + uint64(binary.LittleEndian.Uint32(b[16:]))
	if n > math.MaxInt32 {
		return 0, errPage
	}
	return int(n), nil
}

// readPage reads the page that is all of b and stands at off in a file. The page keeps b.
func readPage(b []byte, file uint64, off int64) (*page, error) {
	size, err := pageSize(b)
	if err != nil {
		return nil, err
	}
	list, data := int(binary.LittleEndian.Uint32(b[12:])), int(binary.LittleEndian.Uint32(b[16:]))
	if size != len(b) || pageSum(b[:pageHead+list], file, off) != binary.LittleEndian.Uint32(b[pageHead-4:]) {
		return nil, errPage
	}
	packed := b[5]&flagPacked != 0
	if packed {
		data = maxPacked
	}
	n := int(binary.LittleEndian.Uint32(b[8:]))
	d := decoder{b: b[pageHead : pageHead+list]}
	if n > list/leastEntry {
		return nil, errPage
	}
	p := &page{commit: binary.LittleEndian.Uint64(b[36:]), durable: binary.LittleEndian.Uint64(b[44:]), entries: make([]entry, 0, n), data: b[pageHead+list:]}
	seq, at, where := binary.LittleEndian.Uint64(b[20:]), int64(binary.LittleEndian.Uint64(b[28:])), 0
	for i := range n {
		crc := d.fixed32()
		step := d.uint()
		at += d.signed()
		subject, header, payload := d.int(), d.int(), d.int()
		if d.bad || step == 0 != (i == 0) || subject > math.MaxUint16 {
			return nil, errPage
		}
		seq += step
		p.entries = append(p.entries, entry{seq: seq, time: at, crc: crc, off: uint32(where), subject: uint16(subject), header: uint32(header), payload: uint32(payload)})
		if where += subject + header + payload; where > data {
			return nil, errPage
		}
	}
	if len(d.b) != 0 || where != data && !packed {
		return nil, errPage
	}
	p.bytes = len(b) + 40*cap(p.entries) + 100
	if packed {
		if p.data, err = unpack(p.data, where); err != nil {
			return nil, err
		}
		p.bytes += where
	}
	return p, nil
}

// record returns the data of a record if it is right.
func (p *page) record(i int) ([]byte, error) {
	e := &p.entries[i]
	b := p.data[e.off : int(e.off)+e.size()]
	if crc32.Checksum(b, castagnoli) != e.crc {
		return nil, errRecord
	}
	return b, nil
}

// load reads a record into r.
func (p *page) load(i int, r *stream.Record) error {
	b, err := p.record(i)
	if err != nil {
		return err
	}
	e := &p.entries[i]
	fill(r, e.seq, e.time, b, int(e.subject), int(e.header))
	return nil
}

// fill copies a record out of its data into the slices that r has.
func fill(r *stream.Record, seq uint64, time int64, b []byte, subject, header int) {
	r.Seq, r.Time = seq, time
	r.Subject = append(r.Subject[:0], b[:subject]...)
	if header > 0 {
		r.Header = append(r.Header[:0], b[subject:subject+header]...)
	} else {
		r.Header = nil
	}
	r.Payload = append(r.Payload[:0], b[subject+header:]...)
}
