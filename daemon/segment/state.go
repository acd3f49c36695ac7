package segment

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/nats-broker/nats-broker/daemon/stream"
)

// The state is the one file that says what counts: which files, how much of them, which runs,
// what is deleted, up to which commit all that is true. It is replaced as a whole, and holds everything twice.
//
//	magic (4), version (1), 0 (3), bytes of the body (4), CRC32C of all but magic and itself (4); body; then zeros up to half
//	the file; then the same once more
const (
	stateMagic   = 0x7473424e // "NBst"
	stateVersion = 1
	stateHead    = 16
	stateUnit    = 4096
	stateName    = "state"
	maxState     = 1 << 30
)

var errState = errors.New("state damaged")

// state is what the file says.
type state struct {
	key         key
	commit      uint64 // everything through it is in here
	changed     uint64 // the highest commit of which something is; more than commit after a rebuild
	nextFile    uint64
	first, last uint64
	told        bool // where to begin, or anything: an empty log has a first sequence
	lastTime    int64
	msgs, bytes uint64
	subjects    int
	files       []fileState
	runs        []runState
	lost        []stream.Range
}

type fileState struct {
	id   uint64
	size int64
	keep bool
}

type runState struct {
	file             int // in files
	off              int64
	body, head       int
	n                int
	first, last      uint64
	minTime, maxTime int64
	live             int
	bytes            uint64
	dead             deadPlace
}

func (s *state) encode() []byte {
	b := make([]byte, stateHead, stateHead+200+64*len(s.runs))
	b = append(b, s.key[:]...)
	told := uint64(0)
	if s.told {
		told = 1
	}
	for _, v := range []uint64{s.commit, s.changed, s.nextFile, s.first, s.last, told, s.msgs, s.bytes, uint64(s.subjects)} {
		b = binary.AppendUvarint(b, v)
	}
	b = binary.AppendVarint(b, s.lastTime)
	b = binary.AppendUvarint(b, uint64(len(s.files)))
	for _, f := range s.files {
		b = binary.AppendUvarint(b, f.id)
		b = binary.AppendUvarint(b, uint64(f.size))
		keep := byte(0)
		if f.keep {
			keep = 1
		}
		b = append(b, keep)
	}
	b = binary.AppendUvarint(b, uint64(len(s.runs)))
	seq, t := uint64(0), int64(0)
	for i := range s.runs {
		r := &s.runs[i]
		for _, v := range []uint64{uint64(r.file), uint64(r.off), uint64(r.body), uint64(r.head), uint64(r.n), r.first - seq, r.last - r.first,
			uint64(r.live), r.bytes, r.dead.file} {
			b = binary.AppendUvarint(b, v)
		}
		b = binary.AppendVarint(b, r.minTime-t)
		b = binary.AppendUvarint(b, uint64(r.maxTime-r.minTime))
		if r.dead.file != 0 {
			b = binary.AppendUvarint(b, uint64(r.dead.off))
			b = binary.AppendUvarint(b, uint64(r.dead.size))
		}
		seq, t = r.last, r.maxTime
	}
	b = binary.AppendUvarint(b, uint64(len(s.lost)))
	for _, r := range s.lost {
		b = binary.AppendUvarint(b, r.From)
		b = binary.AppendUvarint(b, r.To-r.From)
	}
	binary.LittleEndian.PutUint32(b, stateMagic)
	b[4] = stateVersion
	binary.LittleEndian.PutUint32(b[8:], uint32(len(b)-stateHead))
	binary.LittleEndian.PutUint32(b[12:], stateSum(b))
	half := (len(b) + stateUnit - 1) / stateUnit * stateUnit
	one := make([]byte, 2*half)
	copy(one, b)
	copy(one[half:], b)
	return one
}

func stateSum(b []byte) uint32 {
	return crc32.Update(crc32.Checksum(b[4:12], castagnoli), castagnoli, b[stateHead:])
}

// readState reads the state of a file's bytes, from the first half that is right. whole is
// false if one of them was not.
func readState(b []byte) (s *state, whole bool, err error) {
	half := len(b) / 2
	s, err = parseState(b[:half])
	if err != nil {
		if errors.Is(err, errUnknown) {
			return nil, false, err
		}
		s, second := parseState(b[half:])
		if second != nil {
			return nil, false, err
		}
		return s, false, nil
	}
	_, err = parseState(b[half:])
	return s, err == nil, nil
}

func parseState(b []byte) (*state, error) {
	if len(b) < stateHead || binary.LittleEndian.Uint32(b) != stateMagic {
		return nil, errState
	}
	n := int(binary.LittleEndian.Uint32(b[8:]))
	if n > len(b)-stateHead || stateSum(b[:stateHead+n]) != binary.LittleEndian.Uint32(b[12:]) {
		return nil, errState
	}
	if b[4] != stateVersion {
		return nil, fmt.Errorf("state of version %d: %w", b[4], errUnknown)
	}
	d := decoder{b: b[stateHead : stateHead+n]}
	s := &state{}
	copy(s.key[:], d.bytes(len(s.key)))
	s.commit, s.changed, s.nextFile, s.first, s.last = d.uint(), d.uint(), d.uint(), d.uint(), d.uint()
	s.told, s.msgs, s.bytes, s.subjects = d.uint() != 0, d.uint(), d.uint(), d.int()
	s.lastTime = d.signed()
	for range d.length(3) {
		f := fileState{id: d.uint(), size: d.place()}
		if k := d.bytes(1); k != nil {
			f.keep = k[0] != 0
		}
		s.files = append(s.files, f)
	}
	seq, t := uint64(0), int64(0)
	for range d.length(12) {
		r := runState{file: d.int(), off: d.place(), body: d.int(), head: d.int(), n: d.int()}
		step := d.uint()
		r.first = seq + step
		r.last = r.first + d.uint()
		r.live, r.bytes, r.dead.file = d.int(), d.uint(), d.uint()
		r.minTime = t + d.signed()
		r.maxTime = r.minTime + int64(d.uint())
		if r.dead.file != 0 {
			r.dead.off, r.dead.size = d.place(), d.int()
		}
		if d.bad || r.file >= len(s.files) || step == 0 || r.n == 0 || r.n > maxRecords || r.live > r.n ||
			r.last-r.first < uint64(r.n-1) || r.last < r.first || r.last > s.last ||
			r.off+int64(r.body)+int64(r.head) > s.files[r.file].size {
			return nil, errState
		}
		seq, t = r.last, r.maxTime
		s.runs = append(s.runs, r)
	}
	for range d.length(2) {
		r := stream.Range{From: d.uint()}
		r.To = r.From + d.uint()
		s.lost = append(s.lost, r)
	}
	if d.bad || len(d.b) != 0 {
		return nil, errState
	}
	return s, nil
}
