package follow_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/nats-broker/nats-broker/daemon/follow"
)

// world is an origin, what is on the way from it, and who takes it.
type world struct {
	t        *rapid.T
	f        *follow.Follower
	mirror   bool
	now      int64
	identity string
	stored   []uint64 // sequences that the origin holds, ascending
	last     uint64   // of the origin
	taken    map[uint64]int
	at       uint64   // highest sequence that was taken, as a disk has it
	order    []uint64 // in which they were taken

	consumers int
	name      string
	next      uint64 // that the consumer delivers
	number    uint64
	way       []follow.Delivery
}

const second = int64(time.Second)

// publish has the origin store a message, or skip sequences.
func (w *world) publish(skip int) {
	w.last += uint64(1 + skip)
	w.stored = append(w.stored, w.last)
}

// deliver has the consumer send its next message.
func (w *world) deliver() bool {
	for i, seq := range w.stored {
		if seq < w.next {
			continue
		}
		w.number++
		w.next = seq + 1
		w.way = append(w.way, follow.Delivery{Consumer: []byte(w.name), Times: 1, Seq: seq, Number: w.number, Pending: uint64(len(w.stored) - i - 1)})
		return true
	}
	return false
}

// arrive shows the follower what is first on the way.
func (w *world) arrive(stores bool) {
	if len(w.way) == 0 {
		return
	}
	d := w.way[0]
	w.way = w.way[1:]
	switch w.f.Look(&d, w.now) {
	case follow.Missed:
		w.f.Again(true, w.now, time.Millisecond)
	case follow.Take:
		if !stores { // a full stream refuses
			w.f.Again(false, w.now, time.Millisecond)
			return
		}
		w.taken[d.Seq]++
		w.order = append(w.order, d.Seq)
		w.at = d.Seq
		w.f.Took(&d)
	}
}

// act does what the follower asks for. answers says whether the origin hears it.
func (w *world) act(answers bool) {
	switch w.f.Tick(w.now) {
	case follow.Ask:
		at, _ := w.f.At()
		w.f.Asked(at, w.now)
		if !answers {
			return
		}
		w.consumers++
		w.name, w.next, w.number = fmt.Sprint("c", w.consumers), at+1, 0
		w.f.Accepted(w.name, at, w.identity, w.now)
	case follow.Late:
		w.f.Failed(w.now, time.Millisecond)
	case follow.Silent:
		w.f.Again(true, w.now, time.Millisecond)
	}
}

// restart has another follower go on where the disk is.
func (w *world) restart() {
	w.f = follow.New(w.mirror, false, w.at, w.identity, w.now, time.Millisecond)
}

// TestNothingIsMissing has messages come late, twice, never, from consumers of before; has requests fail, the stream refuse, the process end:
// in the end every message was taken once, in order.
func TestNothingIsMissing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := &world{t: rt, mirror: rapid.Bool().Draw(rt, "mirror"), identity: "origin", taken: map[uint64]int{}, now: second}
		w.restart()
		for range rapid.IntRange(10, 120).Draw(rt, "steps") {
			switch rapid.IntRange(0, 11).Draw(rt, "step") {
			case 0, 1, 2:
				w.publish(rapid.IntRange(0, 2).Draw(rt, "skip"))
			case 3, 4:
				w.deliver()
			case 5, 6:
				w.arrive(rapid.IntRange(0, 9).Draw(rt, "stores") > 0)
			case 7:
				if len(w.way) > 0 { // lost, or twice, or in another order
					i := rapid.IntRange(0, len(w.way)-1).Draw(rt, "which")
					switch d := w.way[i]; rapid.IntRange(0, 2).Draw(rt, "how") {
					case 0:
						w.way = append(w.way[:i], w.way[i+1:]...)
					case 1:
						w.way = append(w.way, d)
					default:
						w.way[0], w.way[i] = w.way[i], w.way[0]
					}
				}
			case 8:
				w.restart()
			case 9:
				if w.f.Idle(w.number, w.now) && len(w.way) == 0 {
					w.f.Again(true, w.now, time.Millisecond)
				}
			default:
				w.now += rapid.Int64Range(0, 15*second).Draw(rt, "wait")
				w.act(rapid.IntRange(0, 3).Draw(rt, "answers") > 0)
			}
		}
		for quiet := 0; quiet < 3; { // now everything works
			if w.f.State() != follow.Following { // which is not silent
				w.now = max(w.now, w.f.Due())
				w.act(true)
			}
			if !w.deliver() && len(w.way) == 0 {
				quiet++
				if w.f.State() == follow.Following && w.f.Idle(w.number, w.now) {
					w.f.Again(true, w.now, time.Millisecond)
				}
				continue
			}
			w.arrive(true)
		}
		for _, seq := range w.stored {
			if w.taken[seq] != 1 {
				rt.Fatalf("message %d was taken %d times: %v of %v", seq, w.taken[seq], w.order, w.stored)
			}
		}
		for i, seq := range w.order[min(1, len(w.order)):] {
			if seq <= w.order[i] {
				rt.Fatalf("taken out of order: %v", w.order)
			}
		}
		if w.f.Lag() != 0 {
			rt.Fatalf("%d are said to be missing", w.f.Lag())
		}
	})
}

// TestBackOff: requests that fail leave later and later, and soon again after one that succeeds.
func TestBackOff(t *testing.T) {
	f := follow.New(false, false, 0, "", 0, 100*time.Millisecond)
	var waits []time.Duration
	now := f.Due()
	for range 14 {
		if f.Tick(now) != follow.Ask {
			t.Fatal("it does not ask when it is due")
		}
		f.Asked(0, now)
		f.Failed(now, 0)
		waits = append(waits, time.Duration(f.Due()-now))
		now = f.Due()
	}
	if waits[0] != follow.Throttle+10*time.Second || waits[1] != follow.Throttle+20*time.Second || waits[13] != follow.Throttle+2*time.Minute {
		t.Error(waits)
	}
	f.Asked(0, now)
	f.Accepted("c", 0, "", now)
	f.Again(true, now, 0)
	if wait := time.Duration(f.Due() - now); wait != follow.Throttle {
		t.Error(wait)
	}
}

// TestSilence: an origin that says nothing is asked again after ten seconds, one that gives signs of life is not.
func TestSilence(t *testing.T) {
	f := follow.New(true, false, 0, "", 0, 0)
	f.Asked(0, 0)
	f.Accepted("c", 0, "", 0)
	for now := second; now < 60*second; now += second {
		if f.Idle(0, now) || f.Tick(now) != follow.Nothing {
			t.Fatalf("it is asked again after %d s", now/second)
		}
	}
	if f.Tick(68*second) != follow.Nothing || f.Tick(70*second) != follow.Silent {
		t.Error("silence is not noticed after ten seconds")
	}
}

// TestStall: an origin that names the same question three times is told of once.
func TestStall(t *testing.T) {
	f := follow.New(true, false, 0, "", 0, 0)
	var told []bool
	for _, q := range []string{"a", "a", "b", "b", "b", "b"} {
		told = append(told, f.Stalled(q))
	}
	if fmt.Sprint(told) != "[false false false false true false]" {
		t.Error(told)
	}
}
