package consumer

import (
	"slices"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/subjects"
)

// barren is a stream of which nothing matches.
type barren struct{ endless }

func (*barren) Next(uint64, *subjects.Filter) (uint64, bool) { return 0, false }

func (*barren) Count(*subjects.Filter, uint64, uint64) uint64 { return 0 }

// What a consumer knew of messages that the stream has lost is forgotten: others get their sequences, and all of them are delivered,
// also after one more start that reads the same state again, with the changes that came after it.
func TestLostMessagesAreForgotten(t *testing.T) {
	for _, c := range []struct {
		name string
		cfg  Config
	}{
		{"explicit", Config{Ack: AckExplicit, AckWait: 1000 * ms, MaxDeliver: 1}},
		{"all", Config{Ack: AckAll, AckWait: 1000 * ms}},
		{"none", Config{}},
		{"new", Config{Start: StartNew, Ack: AckExplicit, AckWait: 1000 * ms}},
		{"sequence", Config{Start: StartSequence, StartSeq: 3, Ack: AckExplicit, AckWait: 1000 * ms}},
		{"filtered", Config{Ack: AckExplicit, AckWait: 1000 * ms, Filters: []string{"no.match"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var w World
			e := &endless{last: 900}
			if w = e; c.cfg.Filters != nil {
				b := &barren{*e}
				w, e = b, &b.endless
			}
			m := New(c.cfg, w, 1)
			e.last = 1000
			m.Request("x", Request{Batch: 5000}, 1)
			for want, ok := m.Next(1); ok; want, ok = m.Next(1) {
				m.Deliver(want, 1, 1, 1)
			}
			m.Ack(Told{Stream: 940, Consumer: m.num, Times: 1}, 1)
			m.Ack(Told{Stream: 1000, Consumer: m.num, Times: 1}, 1)
			m.Tick(2000 * ms) // the rest is spent, or in line
			state := m.State()

			e.last = 950 // the power took the others
			m = Reopen(c.cfg, w, 1)
			if err := m.Restore(state); err != nil {
				t.Fatal(err)
			}
			m.Resumed(false)
			i := m.Info(1)
			if i.Delivered.Stream > 950 || i.Floor.Stream > 950 || m.next > 951 {
				t.Errorf("%+v, next %d", i, m.next)
			}
			changes := slices.Clone(m.Changes())
			e.last = 980
			changes = append(changes, firstOf(t, m, c.cfg, 951, 970)...)

			e.last = 2000
			m = Reopen(c.cfg, w, 1) // nothing has been kept since but changes
			if err := m.Restore(state); err != nil {
				t.Fatal(err)
			}
			if err := m.Apply(changes); err != nil {
				t.Fatal(err)
			}
			m.Resumed(false)
			firstOf(t, m, c.cfg, 971, 1100)
		})
	}
}

// firstOf has everything from one sequence through another delivered for the first time, and returns the changes.
func firstOf(t *testing.T, m *Machine, cfg Config, from, to uint64) []byte {
	t.Helper()
	if cfg.Filters != nil {
		return nil
	}
	m.Request("x", Request{Batch: 5000}, 1)
	at := from
	for at <= to {
		want, ok := m.Next(1)
		if !ok {
			t.Fatalf("no message %d", at)
		}
		if want.Times == 1 {
			if want.Seq != at {
				t.Fatalf("message %d comes instead of %d", want.Seq, at)
			}
			at++
		}
		m.Deliver(want, 1, 1, 1)
	}
	return slices.Clone(m.Changes())
}
