package journal

import (
	"fmt"
	"slices"
	"syscall"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/vfs/sim"
)

// directed are crashes that seeds come upon too rarely. Each is also what a mutant is hunted with.
var directed = []func(seed uint64) error{forge, oneFailedSync, numbersTwice, releasedParts}

func TestDirected(t *testing.T) {
	for i, play := range directed {
		for seed := range uint64(5) {
			if err := play(seed); err != nil {
				t.Errorf("%d, seed %d: %v", i, seed, err)
			}
		}
	}
}

// oneFailedSync asks that a sync which failed once costs nothing that is acknowledged.
func oneFailedSync(seed uint64) error {
	d := sim.New(seed, sim.Options{})
	_, j, err := recovered(d, Options{})
	if err != nil {
		return err
	}
	j.Flush()
	failed := false
	d.Hook(func(o sim.Op) sim.Fault {
		if o.Call == sim.Sync && !failed {
			failed = true
			return sim.Fault{Err: syscall.EIO}
		}
		return sim.Fault{}
	})
	acks := 0
	for i := range uint64(3) {
		w := make(waiter, 1)
		j.Append(frame(1, i+1, 100, w))
		j.Flush()
		if r := <-w; r.err == nil {
			acks++
		}
	}
	d.Off()
	g, _, err := recovered(d.Cut(seed, sim.Lost), Options{})
	if err != nil || len(g.frames) != acks || acks != 3 {
		return fmt.Errorf("%d of 3 acknowledged after one failed sync, %v there (%v)", acks, g.frames, err)
	}
	return nil
}

// numbersTwice asks that a commit which the power took away leaves its number to no other: a file may
// have been synced that says it is true up to that one.
func numbersTwice(seed uint64) error {
	d := sim.New(seed, sim.Options{Quiet: true})
	seen := uint64(0)
	for life := range uint64(4) {
		_, j, err := recovered(d, Options{Mode: Interval})
		if err != nil {
			return err
		}
		w := make(waiter, 1)
		for i := range 1 + seed%3 {
			j.Append(frame(1, life*10+i+1, 100, w))
			j.Flush()
			r := <-w
			if r.err != nil {
				return r.err
			}
			if r.commit <= seen {
				return fmt.Errorf("commit %d comes again, in life %d", r.commit, life)
			}
			if i == seed%3 {
				seen = r.commit
			}
		}
		d.Off()
		d = d.Cut(seed, sim.Lost)
	}
	return nil
}

// releasedParts releases whatever may be while a frame that is larger than the journal is written.
func releasedParts(seed uint64) error {
	d := sim.New(seed, sim.Options{Capacity: 64 << 20}) // 2 MiB for the journal
	var j *Journal
	o := Options{Committed: func(commit uint64) { j.Release(commit) }}
	var err error
	if _, j, err = recovered(d, o); err != nil {
		return err
	}
	w := make(waiter, 9)
	j.Append(frame(1, 1, 700<<10, w))
	j.Flush()
	j.Append(frame(2, 1, 8<<20, w))
	j.Append(frame(1, 2, 10, w))
	j.Flush()
	for range 3 {
		if r := <-w; r.err != nil {
			return r.err
		}
	}
	d.Off()
	g, _, err := recovered(d.Cut(seed, sim.Lost), Options{})
	if err != nil {
		return err
	}
	// Its end was released too, and no file was used again since.
	if slices.Contains(g.frames, "2/1") {
		return nil
	}
	return fmt.Errorf("a frame in parts is not there: %v, lost %v", g.frames, g.Lost)
}
