package stream_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/nats-broker/nats-broker/daemon/stream"
)

// TestFlow lets publishers lose and repeat messages while some of what came is pending, and holds what they are told against what
// is stored: no ack says more, and a batch without gaps ends with as many as are stored.
func TestFlow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		gaps := rapid.Bool().Draw(t, "gaps")
		c := stream.Control{Flow: uint16(rapid.IntRange(1, 20).Draw(t, "flow")), GapsOK: gaps, Seq: 1}
		open := rapid.IntRange(1, 3).Draw(t, "open")
		f := stream.NewFlow(&c, open)
		var pending []uint64
		stored := map[uint64]bool{}
		var seq, acked uint64
		ended := false
		say := func(x stream.Say) {
			switch x.Kind {
			case stream.SayAck:
				if x.A < acked {
					t.Fatalf("an ack of %d after one of %d", x.A, acked)
				}
				acked = x.A
				for i := uint64(1); i <= x.A && !gaps; i++ {
					if !stored[i] {
						t.Fatalf("an ack of %d, and %d is not stored", x.A, i)
					}
				}
				if x.B == 0 || x.B > uint64(c.Flow) {
					t.Fatalf("the next ack after %d; asked for %d", x.B, c.Flow)
				}
			case stream.SayEnd:
				if ended || len(pending) > 0 || x.A != seq || !gaps && x.B != uint64(len(stored)) {
					t.Fatalf("the end is %+v; %d pending, sequence %d, %d stored", x, len(pending), seq, len(stored))
				}
				ended = true
			}
		}
		store := func() {
			of := pending[0]
			pending = pending[1:]
			seq++
			stored[of] = true
			f.Stored(of, seq, open, say)
		}
		for next := uint64(1); !f.Ending(); next++ {
			for len(pending) > 0 && rapid.Bool().Draw(t, "store") {
				store()
			}
			c.Seq, c.Op = next, stream.Add
			switch rapid.IntRange(0, 20).Draw(t, "what") {
			case 0:
				c.Seq++
				next++
			case 1:
				c.Seq = max(1, c.Seq-1)
			case 2:
				c.Op = stream.Commit
			case 3:
				if next > 1 {
					c.Op = stream.CommitEnd
				}
			case 4:
				if _, ask := f.Ping(next-1, open, say); ask && len(pending) == 0 {
					say(f.Told())
				}
				next--
				continue
			}
			take, _ := f.Arrive(&c, true, say)
			switch {
			case !take:
			case rapid.IntRange(0, 9).Draw(t, "refused") == 0:
				f.Refuse(&c, say)
			default:
				f.Accept()
				pending = append(pending, c.Seq)
			}
		}
		for len(pending) > 0 {
			store()
		}
		if f.Closing() {
			say(f.Close())
		}
		if !ended {
			t.Fatal(fmt.Sprintf("no end: %+v", f))
		}
	})
}

// TestFlowAcksTheSameBeforeAndAfter: what a publisher is told does not depend on whether a message was stored before those that
// were refused behind it came.
func TestFlowAcksTheSameBeforeAndAfter(t *testing.T) {
	for _, late := range []bool{false, true} {
		var said []stream.Say
		say := func(x stream.Say) { said = append(said, x) }
		c := stream.Control{Flow: 10, GapsOK: true, Seq: 1, Op: stream.Start}
		f := stream.NewFlow(&c, 1)
		f.Arrive(&c, true, say)
		f.Accept()
		if !late {
			f.Stored(1, 1, 1, say)
		}
		for c.Seq, c.Op = 2, stream.Add; c.Seq < 15; c.Seq++ {
			f.Arrive(&c, true, say)
			f.Refuse(&c, say)
		}
		if late {
			f.Stored(1, 1, 1, say)
		}
		if len(said) != 1 {
			t.Errorf("late %v: said %+v where there is no occasion", late, said)
		}
		f.Arrive(&c, true, say)
		f.Accept()
		f.Stored(15, 2, 1, say)
		if len(said) != 2 || said[1] != (stream.Say{Kind: stream.SayAck, A: 10, B: 10}) {
			t.Errorf("late %v: said %+v", late, said)
		}
	}
}
