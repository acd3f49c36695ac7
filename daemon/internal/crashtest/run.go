package crashtest

import (
	"fmt"
	"math/rand/v2"
	"path"
	"syscall"

	"github.com/nats-broker/nats-broker/daemon/vfs/sim"
)

// Config says what a run does.
type Config struct {
	Open     Opener
	Lives    int   // how often the store is opened
	Steps    int   // at most, in each life
	Streams  int   // how many
	MaxBody  int   // bytes
	Capacity int64 // of the disk; 0: no end
	// Packs has bodies that can be compressed.
	Packs bool
	// Faults allows the disk to fail.
	Faults bool
	// Back reports whether a store has said that a removed message is there again, in any life;
	// nil: none does.
	Back func(stream, seq uint64) bool
	// Trace is told what happens; nil: nobody.
	Trace func(format string, args ...any)
}

func (c *Config) trace(format string, args ...any) {
	if c.Trace != nil {
		c.Trace(format, args...)
	}
}

// Run drives a store through several lives on one simulated disk, all from one seed, and returns
// what it did wrong.
func Run(seed uint64, c Config) error {
	r := &run{
		c: c, rng: rand.New(rand.NewPCG(seed, 0x72756e)), seed: seed, h: NewHistory(),
	}
	r.disk = sim.New(seed, sim.Options{Capacity: c.Capacity, JournaledNames: r.rng.IntN(2) == 0})
	for life := range c.Lives {
		if err := r.life(); err != nil {
			return fmt.Errorf("seed %d, life %d, %d calls: %w", seed, life+1, r.disk.Ops(), err)
		}
	}
	return nil
}

type run struct {
	c    Config
	rng  *rand.Rand
	seed uint64
	h    *History
	disk *sim.Disk

	power bool // the last life ended by the end of the power
	wrong error
}

// fate is what becomes of a life.
type fate struct {
	cutAt  int // call at which the power goes
	killAt int // call at which the process ends
	failAt int // call, or the first one after it that fits, which fails
	call   sim.Call
	err    error
	more   int // how many times it fails
}

// draw decides how a life ends. A call is chosen such that each has its turn, whether the store
// makes few of them or many.
func (r *run) draw() fate {
	at := func() int { return 1 + r.rng.IntN(1<<(2+r.rng.IntN(9))) }
	var f fate
	switch r.rng.IntN(6) {
	case 0:
		f.killAt = at()
	case 1: // closed
	default:
		f.cutAt = at()
	}
	if r.c.Faults && r.rng.IntN(3) == 0 {
		f.failAt, f.more = at(), r.rng.IntN(3)
		f.err = []error{syscall.EIO, syscall.EIO, syscall.ENOSPC}[r.rng.IntN(3)]
		f.call = []sim.Call{sim.Sync, sim.Sync, sim.WriteTo, sim.SyncDir, sim.Read, sim.Create, sim.Rename}[r.rng.IntN(7)]
		if f.err == syscall.ENOSPC && (f.call == sim.Sync || f.call == sim.Read) {
			f.call = sim.WriteTo
		}
	}
	return f
}

// arm has the disk do what fate says.
func (r *run) arm(f fate) {
	start := r.disk.Ops()
	r.c.trace("fate %+v", f)
	r.disk.Hook(func(o sim.Op) sim.Fault {
		n := o.N - start
		switch {
		case f.cutAt > 0 && n >= f.cutAt:
			return sim.Fault{Cut: true}
		case f.killAt > 0 && n == f.killAt:
			r.disk.Kill()
		case f.failAt > 0 && n >= f.failAt && o.Call == f.call:
			if f.more--; f.more < 0 {
				f.failAt = 0
			}
			return sim.Fault{Err: f.err}
		}
		return sim.Fault{}
	})
}

// life opens the store, looks at what it holds, uses it, and ends it.
func (r *run) life() error {
	r.arm(r.draw())
	s, err := r.c.Open(r.disk)
	if err == nil {
		if seen, err := r.look(s, true); err != nil {
			return err
		} else if seen {
			r.use(s)
		}
		if r.wrong != nil {
			return r.wrong
		}
		if err := s.Close(); err == nil && r.rng.IntN(2) == 0 {
			// It ended as it should: the power stays.
			r.disk.Restart()
			r.disk.Hook(nil)
			return nil
		}
	}
	r.end()
	// Once it opens without anything going wrong: what was promised must be there.
	if s, err = r.c.Open(r.disk); err != nil {
		return fmt.Errorf("it does not open: %w", err)
	}
	if _, err := r.look(s, false); err != nil {
		return err
	}
	if r.rng.IntN(2) == 0 {
		if err := s.Close(); err != nil {
			return fmt.Errorf("it does not close: %w", err)
		}
	}
	r.disk.Restart()
	return nil
}

// end ends the process, and often the power.
func (r *run) end() {
	r.disk.Hook(nil)
	r.disk.Restart()
	if _, err := r.disk.Stat("/"); err == nil && r.rng.IntN(3) == 0 {
		return // the end of the process only
	}
	r.power = true
	r.c.trace("the power is gone")
	r.disk = r.disk.Cut(r.rng.Uint64(), sim.Any)
}

// look compares what the store holds with what it promised, if it can be seen: a disk that fails
// may hide it for now.
func (r *run) look(s Store, fails bool) (seen bool, err error) {
	c, err := s.Contents()
	if err != nil && fails {
		r.c.trace("contents: %v", err)
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("contents: %w", err)
	}
	err = r.h.Check(c, r.power, s.Lost, r.c.Back)
	r.power = false
	return true, err
}

// use hands messages to the store until it has had enough, or has ended.
func (r *run) use(s Store) {
	for range 1 + r.rng.IntN(r.c.Steps) {
		switch n := r.rng.IntN(20); {
		case n == 0:
			if s.Checkpoint() != nil && r.rng.IntN(2) == 0 {
				return
			}
			if r.rng.IntN(4) == 0 {
				r.off()
			}
		case n == 1:
			if s.Sync() == nil {
				r.h.Synced()
			}
		case n < 6:
			if s.Flush(); r.rng.IntN(12) == 0 {
				r.off()
			}
		case n < 9:
			r.remove(s)
		default:
			r.put(s)
		}
		if r.wrong != nil {
			return
		}
	}
	s.Flush()
}

// off takes the power away between two calls.
func (r *run) off() {
	r.c.trace("off")
	r.disk.Off()
}

func (r *run) put(s Store) {
	stream := uint64(1 + r.rng.IntN(r.c.Streams))
	bodies := make([][]byte, 1+r.rng.IntN(4))
	for i := range bodies {
		bodies[i] = r.h.Send(stream, r.filler())
	}
	s.Put(stream, bodies, func(first uint64, weak bool, err error) {
		if err != nil {
			return
		}
		for i, b := range bodies {
			id, _ := ID(b)
			if err := r.h.Acked(stream, first+uint64(i), id, weak); err != nil && r.wrong == nil {
				r.wrong = err
			}
		}
	})
}

func (r *run) remove(s Store) {
	stream := uint64(1 + r.rng.IntN(r.c.Streams))
	seq, ok := r.h.Remove(stream, r.rng.Uint64())
	if !ok {
		return
	}
	s.Remove(stream, seq, func(err error) {
		if err == nil {
			r.h.Removed(stream, seq)
		}
	})
}

// filler makes the rest of a body: often small, now and then large, and sometimes what lies on
// the disk, so that the store meets its own structures as messages.
func (r *run) filler() []byte {
	n := r.rng.IntN(200)
	if r.rng.IntN(8) == 0 {
		n = r.rng.IntN(r.c.MaxBody)
	}
	if r.rng.IntN(4) == 0 {
		if b := r.stolen(n); b != nil {
			return b
		}
	}
	b := make([]byte, n)
	seed := r.rng.Uint64()
	for i := range b {
		seed = seed*6364136223846793005 + 1442695040888963407
		if b[i] = byte(seed >> 56); r.c.Packs {
			b[i] = 'a' + b[i]>>6
		}
	}
	return b
}

// stolen returns bytes of some file.
func (r *run) stolen(n int) []byte {
	name := "/"
	for range 6 {
		list, err := (*sim.Peeker)(r.disk).ReadDir(name)
		if err != nil || len(list) == 0 {
			return nil
		}
		e := list[r.rng.IntN(len(list))]
		name = path.Join(name, e.Name)
		if e.Dir {
			continue
		}
		b := make([]byte, max(n, 4096))
		got := (*sim.Peeker)(r.disk).Peek(name, b, int64(r.rng.IntN(64))*512)
		return b[:got]
	}
	return nil
}
