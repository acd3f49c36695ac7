package monitor

import (
	"iter"
	"time"
)

// pacer lets long work rest, so that on busy processors it takes a third of one
// and no more: neither Go nor the kernel knows that messages matter more than a
// list of connections. Work shorter than a stint is not held up.
type pacer struct {
	n     int
	began time.Time // of this stint
}

const (
	stint     = 500 * time.Microsecond
	longest   = 20 * time.Millisecond // rest after work that was itself held up
	paceEvery = 16                    // steps between two looks at the clock
)

// step is called after each small piece of work, such as one row.
func (p *pacer) step() {
	if p.n++; p.n%paceEvery != 1 {
		return
	}
	now := time.Now()
	if p.began.IsZero() {
		p.began = now
	}
	if worked := now.Sub(p.began); worked >= stint {
		time.Sleep(min(2*worked, longest))
		p.began = time.Now()
	}
}

// paced yields what seq does, and rests in between.
func paced[T any](seq iter.Seq[T]) iter.Seq[T] {
	return func(yield func(T) bool) {
		var pace pacer
		for v := range seq {
			pace.step()
			if !yield(v) {
				return
			}
		}
	}
}
