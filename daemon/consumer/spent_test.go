package consumer

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestSpent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s spent
		want := map[uint64]int{}
		seq := rapid.Uint64Range(1, 300)
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				n, times := seq.Draw(t, "seq"), rapid.IntRange(1, 5).Draw(t, "times")
				s.add(n, times)
				want[n] = times
			},
			"remove": func(t *rapid.T) {
				n := seq.Draw(t, "seq")
				_, there := want[n]
				if s.remove(n) != there {
					t.Fatal(n)
				}
				delete(want, n)
			},
			"drop": func(t *rapid.T) {
				n := seq.Draw(t, "seq") / 8
				s.dropBelow(n)
				maps.DeleteFunc(want, func(k uint64, _ int) bool { return k < n })
			},
			"": func(t *rapid.T) {
				low, ok := s.lowest()
				if ok != (len(want) > 0) || ok && low != slices.Min(slices.Collect(maps.Keys(want))) || !maps.Equal(s.times, want) {
					t.Fatalf("%d of %v, want %v", low, s.times, want)
				}
				if len(s.heap) > 2*len(want)+65 {
					t.Fatalf("%d entries for %d", len(s.heap), len(want))
				}
			},
		})
	})
}

// late is an endless stream whose first message has gone.
type late struct{ endless }

func (w *late) Bounds() (uint64, uint64) { return 2, w.last }

// What was delivered as often as allowed and never acknowledged costs nothing when others are delivered: if each delivery walked
// over it, this would not end.
func TestManySpent(t *testing.T) {
	const n = 300_000
	w := &late{endless{last: 1 + 2*n}}
	m := New(Config{Ack: AckExplicit, AckWait: 1000 * ms, MaxDeliver: 1, AckPrefix: "$JS.ACK.S.C."}, w, 1)
	m.Request("x", Request{Batch: 3 * n}, 1)
	now := int64(1)
	for range 2 {
		for i := range n {
			want, ok := m.Next(now)
			if !ok {
				t.Fatal(i)
			}
			m.Deliver(want, 100, 1, now)
			m.Changes()
			if low := m.Lowest(); low != 2 {
				t.Fatal(low)
			}
		}
		now += 5000 * ms
		m.Tick(now)
		m.Changes()
		m.Notices()
	}
	if len(m.spent.times) != 2*n || m.pending.live != 0 {
		t.Fatalf("%d are spent, %d pending", len(m.spent.times), m.pending.live)
	}
}
