package main

import (
	"encoding/binary"
	"testing"
	"time"
)

// What a client sees of a restart is counted: messages that come twice, late or never,
// how long it waited, and how long they were on their way.
func TestMemberCounts(t *testing.T) {
	type message struct {
		n        uint64
		due, now time.Duration
	}
	for _, c := range []struct {
		name string
		came []message
		want result // of four messages sent
	}{
		{"all", []message{{1, 1, 2}, {2, 2, 3}, {3, 3, 4}, {4, 4, 5}}, result{gap: 1, delay: 1}},
		{"a pause", []message{{1, 1, 2}, {2, 2, 50}, {3, 3, 51}, {4, 4, 52}}, result{gap: 48, delay: 48}},
		{"one lost", []message{{1, 1, 2}, {2, 2, 3}, {4, 4, 5}}, result{lost: 1, gap: 2, delay: 1}},
		{"the last lost", []message{{1, 1, 2}, {2, 2, 3}, {3, 3, 4}}, result{lost: 1, gap: 1, delay: 1}},
		{"one twice", []message{{1, 1, 2}, {2, 2, 3}, {2, 2, 4}, {3, 3, 5}, {4, 4, 6}}, result{doubled: 1, gap: 1, delay: 2}},
		{"one twice, one lost", []message{{1, 1, 2}, {2, 2, 3}, {2, 2, 3}, {3, 3, 4}}, result{doubled: 1, lost: 1, gap: 1, delay: 1}},
		{"out of order", []message{{1, 1, 2}, {3, 3, 4}, {2, 2, 5}, {4, 4, 6}}, result{disordered: 1, gap: 2, delay: 3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			crowd := &crowd{}
			crowd.phase.Store(inRestart)
			m := &member{crowd: crowd, missing: map[uint64]bool{}, sent: 4}
			crowd.members = []*member{m}
			for _, in := range c.came {
				frame := append([]byte("MSG bench.crowd.0 1 16\r\n"), binary.LittleEndian.AppendUint64(nil, in.n)...)
				frame = append(binary.LittleEndian.AppendUint64(frame, uint64(in.due)), "\r\n"...)
				if used, err := m.take(nil, frame, in.now); err != nil || used != len(frame) {
					t.Fatalf("%d of %d bytes: %v", used, len(frame), err)
				}
			}
			got := crowd.result()
			for _, name := range []metric{dropped, lost, doubled, disordered, gap, delay, calmGap, calmDelay} {
				if got[name] != c.want[name] {
					t.Errorf("%s %v, want %v", name, got[name], c.want[name])
				}
			}
		})
	}
}

// What must not happen is judged by the worst run, a time by the median.
func TestWithin(t *testing.T) {
	for _, c := range []struct {
		bound float64
		seen  spread
		met   bool
	}{
		{0, spread{0, 0, 0}, true}, {0, spread{0, 0, 1}, false},
		{200, spread{199, 10, 900}, true}, {200, spread{201, 10, 900}, false},
	} {
		if _, met := within(c.bound, c.seen); met != c.met {
			t.Errorf("%v within %v: %t", c.seen, c.bound, met)
		}
	}
}
