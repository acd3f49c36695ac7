package journal

import (
	"errors"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/vfs/sim"
)

// TestGiveUp: a journal that waits for a file can be ended. What waited ends with an error and is not there later, what was committed is,
// nothing comes behind a gap, and the next start knows that something may be missing.
func TestGiveUp(t *testing.T) {
	d := sim.New(1, sim.Options{Capacity: 64 << 20}) // 2 MiB for the journal
	j := begin(t, d, Options{})
	if j.GiveUp() {
		t.Fatal("a journal that does not wait was given up")
	}
	w := make(waiter, 100)
	sent, committed := uint64(0), 0
	for ; !j.Stats().Blocked; j.Flush() {
		if sent++; sent > 90 {
			t.Fatal("it does not become full")
		}
		j.Append(frame(1, sent, 100<<10, w))
	}
	for ; len(w) > 0; committed++ {
		must(t, (<-w).err)
	}
	sent++
	j.Append(frame(2, 1, 100<<10, w))
	j.Flush()
	if len(w) != 0 || j.Stats().Waiting != int(sent)-committed || !j.GiveUp() || j.GiveUp() {
		t.Fatalf("%d told, %+v", len(w), j.Stats())
	}
	j.Release(j.Position()) // there is room now, and it is too late
	j.Flush()
	sent++
	j.Append(frame(1, sent, 10, w))
	for range int(sent) - committed {
		if r := <-w; !errors.Is(r.err, ErrReadOnly) || !errors.Is(r.err, errFull) {
			t.Error(r.err)
		}
	}
	if err := j.Close(); !errors.Is(err, errFull) {
		t.Errorf("it does not say that something is missing: %v", err)
	}
	d.Restart()
	g, _, err := recovered(d, Options{})
	if err != nil || len(g.frames) > committed || len(g.Lost) > 0 || g.Clean {
		t.Errorf("%d frames of %d, %+v, %v", len(g.frames), committed, g.Recovery, err)
	}
}

// TestCloseWhileFull: a journal that is closed while frames wait for a file says so to the next start.
func TestCloseWhileFull(t *testing.T) {
	d := sim.New(1, sim.Options{Capacity: 64 << 20})
	j := begin(t, d, Options{})
	w := make(waiter, 100)
	for sent := uint64(1); !j.Stats().Blocked && sent < 90; sent++ {
		j.Append(frame(1, sent, 100<<10, w))
		j.Flush()
	}
	if err := j.Close(); err == nil {
		t.Error("it does not say that something is missing")
	}
	d.Restart()
	if g, _, err := recovered(d, Options{}); err != nil || g.Clean || len(g.Lost) > 0 {
		t.Errorf("%+v, %v", g.Recovery, err)
	}
}
