package subjects

import (
	"encoding/binary"
	"hash/crc32"
)

// RunWriter makes a run. Subjects come sorted bytewise, each once. The zero value is ready.
type RunWriter struct {
	body     []byte
	head     []byte // of the leaves
	hashes   []uint64
	leaves   int
	entries  []byte
	postings []byte
	starts   []byte
	inLeaf   int
	first    []byte
	last     []byte
}

// Add adds a subject with the numbers of its records, which ascend; there is at least one.
func (w *RunWriter) Add(name []byte, numbers []uint32) {
	if w.inLeaf > 0 && (len(w.entries)+len(name) > leafBytes || len(w.postings) > leafPosts) {
		w.closeLeaf()
	}
	shared := 0
	if w.inLeaf%restartEach == 0 {
		w.starts = binary.LittleEndian.AppendUint32(w.starts, uint32(len(w.entries)))
		w.starts = binary.LittleEndian.AppendUint32(w.starts, uint32(len(w.postings)))
	} else {
		for shared < len(name) && shared < len(w.last) && name[shared] == w.last[shared] {
			shared++
		}
	}
	if w.inLeaf == 0 {
		w.first = append(w.first[:0], name...)
	}
	w.inLeaf++
	e := binary.AppendUvarint(w.entries, uint64(shared))
	e = binary.AppendUvarint(e, uint64(len(name)-shared))
	e = append(e, name[shared:]...)
	n := len(numbers)
	first, last := numbers[0], numbers[n-1]
	e = binary.AppendUvarint(e, uint64(n))
	e = binary.AppendUvarint(e, uint64(first))
	if n > 1 {
		before := len(w.postings)
		if n > 2 && n != int(last-first)+1 {
			at := first
			for _, x := range numbers[1 : n-1] {
				w.postings = binary.AppendUvarint(w.postings, uint64(x-at))
				at = x
			}
		}
		e = binary.AppendUvarint(e, uint64(last-first))
		e = binary.AppendUvarint(e, uint64(len(w.postings)-before))
	}
	w.entries = e
	w.last = append(w.last[:0], name...)
	w.hashes = append(w.hashes, Hash(name))
}

func (w *RunWriter) closeLeaf() {
	if w.inLeaf == 0 {
		return
	}
	before := len(w.body)
	w.body = append(append(w.body, w.entries...), w.starts...)
	w.body = binary.LittleEndian.AppendUint16(w.body, uint16(len(w.starts)/restartSize))
	w.body = appendSum(w.body, before)
	entries, postings := len(w.body)-before, 0
	if len(w.postings) > 0 {
		before = len(w.body)
		w.body = appendSum(append(w.body, w.postings...), before)
		postings = len(w.body) - before
	}
	h := binary.AppendUvarint(w.head, uint64(len(w.first)))
	h = append(h, w.first...)
	h = binary.AppendUvarint(h, uint64(entries))
	h = binary.AppendUvarint(h, uint64(postings))
	w.head = binary.AppendUvarint(h, uint64(w.inLeaf))
	w.leaves++
	w.entries, w.postings, w.starts, w.inLeaf = w.entries[:0], w.postings[:0], w.starts[:0], 0
}

func appendSum(b []byte, from int) []byte {
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[from:], castagnoli))
}

// Finish returns the run: its leaves, and the head for [OpenRun]. The writer is ready for
// another run, and may write over what it returned.
func (w *RunWriter) Finish() (body, head []byte) {
	w.closeLeaf()
	head = binary.AppendUvarint(nil, uint64(len(w.hashes)))
	head = binary.AppendUvarint(head, uint64(w.leaves))
	head = append(head, w.head...)
	bits := newBloom(len(w.hashes))
	for _, h := range w.hashes {
		bits.add(h)
	}
	head = binary.AppendUvarint(head, uint64(len(bits)))
	head = append(head, bits...)
	body = w.body
	w.body, w.head, w.hashes, w.leaves = w.body[:0], w.head[:0], w.hashes[:0], 0
	return body, head
}
