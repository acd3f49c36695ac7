package segment

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/vfs/sim"
)

// TestReadersInOrder: readers that go through a log in order, from several places, see what is there while messages are removed,
// runs are made of others, the log is cut off at its beginning, and what was read is forgotten.
func TestReadersInOrder(t *testing.T) {
	remembered := 0
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 5))
		var reports []Report
		o := rotOptions(&reports)
		o.Tail, o.Segment = 20_000, 200_000
		l, err := Open(sim.New(seed, sim.Options{}), "/log", o)
		if err != nil {
			t.Fatal(err)
		}
		there := map[uint64]string{}
		first, last := uint64(1), uint64(0)
		add := func(n int) {
			for range n {
				last++
				r := stream.Record{Seq: last, Time: int64(last), Subject: []byte("s.1"), Payload: fmt.Appendf(nil, "message %d", last)}
				if err := l.Append(&r); err != nil {
					t.Fatal(err)
				}
				there[last] = string(r.Payload)
			}
		}
		look := func(from uint64) {
			var r stream.Record
			for seq := from; seq <= last && seq < from+400; seq++ {
				want, ok := there[seq]
				if err := l.Load(seq, &r); ok != (err == nil) || ok && string(r.Payload) != want || !ok && !errors.Is(err, stream.ErrNoMessage) {
					t.Fatalf("seed %d: message %d: %v, %s; there: %v", seed, seq, err, r.Payload, ok)
				}
				if next, found := l.Next(seq, nil); ok != (found && next == seq) {
					t.Fatalf("seed %d: Next(%d) = %d, %v; there: %v", seed, seq, next, found, ok)
				}
				l.mu.RLock()
				if l.recent(seq) != nil {
					remembered++
				}
				l.mu.RUnlock()
			}
		}
		for commit := range uint64(60) {
			l.Begin(commit + 1)
			switch rng.IntN(6) {
			case 0:
				for range rng.IntN(50) {
					seq := first + rng.Uint64N(last-first+2)
					if rng.IntN(3) == 0 {
						seq = first + rng.Uint64N(min(last-first, 400)+1) // what was just read
					}
					if _, err := l.Remove(seq); err != nil {
						t.Fatal(err)
					}
					delete(there, seq)
					if err := l.Load(seq, new(stream.Record)); !errors.Is(err, stream.ErrNoMessage) {
						t.Fatalf("seed %d: message %d, which was removed: %v", seed, seq, err)
					}
				}
			case 1:
				if rng.IntN(3) == 0 && last > first {
					first += rng.Uint64N((last-first)/4 + 1)
					if err := l.Truncate(first); err != nil {
						t.Fatal(err)
					}
					for seq := range there {
						if seq < first {
							delete(there, seq)
						}
					}
				}
			case 2:
				l.node.Shrink(0)
				l.mu.RLock()
				for seq := range last + 1 {
					if l.recent(seq) != nil {
						t.Fatalf("seed %d: the page of message %d was to be forgotten", seed, seq)
					}
				}
				l.mu.RUnlock()
				runtime.GC()
			case 3:
				if err := l.Sync(); err != nil {
					t.Fatal(err)
				}
			default:
				add(1 + rng.IntN(700))
			}
			look(first)
			if last > 0 {
				look(1 + rng.Uint64N(last))
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if remembered == 0 {
		t.Fatal("no page was remembered")
	}
}
