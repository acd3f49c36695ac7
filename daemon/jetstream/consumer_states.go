package jetstream

import (
	"encoding/binary"
	"hash/crc32"
	"path/filepath"

	"github.com/nats-broker/nats-broker/daemon/vfs"
)

// The file with the states of a stream's consumers holds for each: its id, the number of the last change that the state has taken
// in, the length of the state, a sum, and the state. All of it is there twice, so that a damaged bit costs nothing.
// With the highest id stands where the stream is with its sources (sourced.go).
// With the one below it stand schedules that repeat, and when they are next (schedules.go).
// With the id 0 stand messages that go with acks which the states have, and which the journal may not have yet (see [Stream.leaving]).
const (
	consumersFile    = "consumers"
	consumersMagic   = 0x736e_6301
	statesHead       = 16
	stateHead        = 24
	maxConsumersFile = 1 << 32
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// saveConsumers writes the file, if something has changed.
func (s *Stream) saveConsumers(f *files) error {
	if !s.consumersChanged.Swap(false) {
		return nil
	}
	err := f.writeStates(s.id, s.consumerStates(f))
	if err != nil {
		s.consumersChanged.Store(true)
	}
	return err
}

// writeStates writes the file of a stream.
func (f *files) writeStates(stream uint64, states map[uint64]consumerState) error {
	var b []byte
	for id, x := range states {
		b = appendState(b, id, x.number, x.state)
	}
	head := binary.LittleEndian.AppendUint32(nil, consumersMagic)
	head = binary.LittleEndian.AppendUint64(head, uint64(len(b)))
	head = binary.LittleEndian.AppendUint32(head, crc32.Checksum(head, castagnoli))
	return vfs.Replace(f.dir.FS(), filepath.Join(f.folder(stream), consumersFile), vfs.Catalogue, head, b, head, b)
}

// consumerStates returns what is kept of each consumer. Of one whose state cannot be told, that is what the file has.
func (s *Stream) consumerStates(f *files) map[uint64]consumerState {
	list, lacking := map[uint64]consumerState{}, false
	for _, c := range s.consumers.all() {
		if !c.durable() {
			continue
		}
		c.mu.Lock()
		x := consumerState{state: c.state()}
		x.number = c.numbered // with the changes that were written just now
		c.mu.Unlock()
		if x.state == nil {
			lacking = true
			continue
		}
		list[c.id] = x
	}
	if lacking {
		s.oldStates(f, list)
	}
	if b := s.schedules(); b != nil {
		list[schedulesID] = consumerState{state: b}
	}
	if b := s.leaving(); b != nil {
		list[leavingID] = consumerState{state: b}
	}
	if last, b := s.sourcedState(); b != nil {
		list[sourcesID] = consumerState{last, b}
	}
	return list
}

// oldStates adds what the file has of consumers that are not in the list.
func (s *Stream) oldStates(f *files, list map[uint64]consumerState) {
	old, err := f.readStates(s.kept)
	if err != nil {
		f.log.Error("JetStream: " + err.Error())
		return
	}
	for _, c := range s.consumers.all() {
		if x, ok := old[c.id]; ok && c.durable() && list[c.id].state == nil {
			list[c.id] = x
		}
	}
}

func appendState(b []byte, id, number uint64, state []byte) []byte {
	at := len(b)
	b = binary.LittleEndian.AppendUint64(b, id)
	b = binary.LittleEndian.AppendUint64(b, number)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(state)))
	sum := crc32.Update(crc32.Checksum(b[at:], castagnoli), castagnoli, state)
	return append(binary.LittleEndian.AppendUint32(b, sum), state...)
}

// consumerState is the state of a consumer as it was kept.
type consumerState struct {
	number uint64 // of the last change that it has taken in
	state  []byte
}

// parseStates reads the file. What is damaged in one copy is taken from the other; whole is false if something may be in
// neither.
func parseStates(b []byte) (states map[uint64]consumerState, whole bool) {
	states = map[uint64]consumerState{}
	for _, at := range []int{0, len(b) / 2} {
		if parseCopy(b[at:], states) {
			whole = true
		}
	}
	return states, whole
}

// parseCopy adds what a copy holds, and reports whether it is whole.
func parseCopy(b []byte, states map[uint64]consumerState) (whole bool) {
	if len(b) < statesHead || binary.LittleEndian.Uint32(b) != consumersMagic ||
		binary.LittleEndian.Uint32(b[12:]) != crc32.Checksum(b[:12], castagnoli) {
		return false
	}
	n := binary.LittleEndian.Uint64(b[4:])
	b = b[statesHead:]
	if n > uint64(len(b)) {
		return false
	}
	b, whole = b[:n], true
	for len(b) >= stateHead {
		size := binary.LittleEndian.Uint32(b[16:])
		if uint64(size) > uint64(len(b)-stateHead) {
			return false
		}
		id, number, state := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:]), b[stateHead:stateHead+int(size)]
		if crc32.Update(crc32.Checksum(b[:20], castagnoli), castagnoli, state) != binary.LittleEndian.Uint32(b[20:]) {
			whole = false
		} else if old, ok := states[id]; !ok || number > old.number {
			states[id] = consumerState{number, append([]byte(nil), state...)}
		}
		b = b[stateHead+int(size):]
	}
	return whole && len(b) == 0
}
