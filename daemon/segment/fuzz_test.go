package segment

import (
	"encoding/binary"
	"hash/crc32"
	"reflect"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/subjects"
)

var fuzzKey = key{1, 2, 3}

// FuzzPage reads what may be anything as a page, with the sum made right, so that what is behind it is
// reached.
func FuzzPage(f *testing.F) {
	var w pageWriter
	for i := range uint64(3) {
		b := []byte("subjectNATS/1.0\r\n\r\npayload")
		w.add(10+i*i, int64(i), 5, 7, 12, 7, crc32.Checksum(b, castagnoli), b)
	}
	f.Add(w.appendTo(nil, &fuzzKey, 1, 64, 4, false))
	for i := range uint64(40) {
		b := []byte("subjectNATS/1.0\r\n\r\npayload")
		w.add(100+i, int64(i), 5, 7, 12, 7, crc32.Checksum(b, castagnoli), b)
	}
	f.Add(w.appendTo(nil, &fuzzKey, 1, 64, 4, true))
	f.Fuzz(func(t *testing.T, b []byte) {
		if n, err := pageSize(b); err != nil || n != len(b) {
			return
		}
		list := int(binary.LittleEndian.Uint32(b[12:]))
		binary.LittleEndian.PutUint32(b[pageHead-4:], pageSum(b[:pageHead+list], 1, 64))
		genuine(b, &fuzzKey, 1, 64)
		p, err := readPage(b, 1, 64)
		if err != nil {
			return
		}
		for i := range p.entries {
			var r stream.Record
			_ = p.load(i, &r)
		}
	})
}

// FuzzIndex does the same for the head of an index, and asks it for every record.
func FuzzIndex(f *testing.F) {
	var w indexWriter
	w.pages = []pagePlace{{off: 64, size: 200, n: 2, first: 3, last: 4}, {off: 264, size: 100, number: 2, n: 3, first: 7, last: 20, deltas: []uint32{0, 5, 13}, maxTime: 9}}
	for _, s := range []string{"a", "b", "a", "c", "b"} {
		w.add([]byte(s))
	}
	body, names := w.finish()
	f.Add(appendHead(nil, w.pages, len(body), names, &fuzzKey, 1, 400)[indexHead:], body)
	f.Fuzz(func(t *testing.T, head, body []byte) {
		x, err := parseHead(head, subjects.Bytes(body), len(head))
		if err != nil || x.n == 0 {
			return
		}
		for i := range uint32(min(x.n, 1000)) {
			seq := x.seq(i)
			if n, ok := x.exact(seq); !ok || n != i {
				t.Fatalf("record %d has sequence %d, which is record %d, %v", i, seq, n, ok)
			}
			x.at(seq + 1)
		}
		for it := x.names.Iter(nil); it.Next(); {
			if h := it.Hit(); h.Msgs < 1<<16 {
				_, _ = x.names.Numbers(h, x.n, nil)
			}
		}
	})
}

// FuzzState reads the body of a state, and writes again what it says.
func FuzzState(f *testing.F) {
	s := state{commit: 7, nextFile: 3, first: 1, last: 90, told: true, msgs: 5, bytes: 600, subjects: 2, lastTime: -4,
		files: []fileState{{1, 9000, false}, {2, 100, true}},
		runs: []runState{{file: 0, off: 64, body: 10, head: 20, n: 40, first: 1, last: 40, live: 3, bytes: 100, dead: deadPlace{2, 0, 30}},
			{file: 0, off: 264, body: 10, head: 20, n: 2, first: 50, last: 90, live: 2, bytes: 500, minTime: 4, maxTime: 8}},
		lost: []stream.Range{{From: 4, To: 9}}}
	b := s.encode()
	f.Add(b[stateHead : len(b)/2])
	f.Fuzz(func(t *testing.T, body []byte) {
		b := make([]byte, stateHead, stateHead+len(body))
		binary.LittleEndian.PutUint32(b, stateMagic)
		b[4] = stateVersion
		b = append(b, body...)
		// The body may be followed by zeros; its length is tried from the end.
		for n := len(body); n >= 0 && n > len(body)-64; n-- {
			binary.LittleEndian.PutUint32(b[8:], uint32(n))
			binary.LittleEndian.PutUint32(b[12:], stateSum(b[:stateHead+n]))
			s, err := parseState(b)
			if err != nil {
				continue
			}
			again, whole, err := readState(s.encode())
			if err != nil || !whole || !reflect.DeepEqual(s, again) {
				t.Fatalf("%+v becomes %+v, %v, %v", s, again, whole, err)
			}
		}
	})
}

// FuzzDeletions reads what may be anything as deletions.
func FuzzDeletions(f *testing.F) {
	for _, dead := range []int{3, 50, 97} {
		set := newBitset(100)
		for i := range uint32(dead) {
			set.set(i)
		}
		f.Add(appendDead(nil, 1, 5, 300, 100, set)[8:])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		most := func(uint64) int { return 1 << 20 }
		b := make([]byte, 8, 8+len(body))
		binary.LittleEndian.PutUint32(b, uint32(len(body)))
		binary.LittleEndian.PutUint32(b[4:], crc32.Checksum(body, castagnoli))
		r, n, err := readDead(append(b, body...), most)
		if err != nil {
			return
		}
		if n != 8+len(body) {
			t.Fatalf("read %d of %d bytes", n, 8+len(body))
		}
		again, _, err := readDead(appendDead(nil, r.file, r.first, r.last, r.n, r.dead), most)
		if err != nil || !reflect.DeepEqual(r, again) {
			t.Fatalf("%+v becomes %+v, %v", r, again, err)
		}
	})
}
