package journal_test

import (
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/internal/crashtest"
	"github.com/nats-broker/nats-broker/daemon/internal/crashtest/mini"
	"github.com/nats-broker/nats-broker/daemon/journal"
	"github.com/nats-broker/nats-broker/daemon/vfs"
)

// opener opens the store that is driven. What it does not get from the disk it gets from the seed.
func opener(seed uint64, mode journal.Mode, trace func(string, ...any)) crashtest.Opener {
	rng := &journal.Chance{N: seed}
	return func(v vfs.FS) (crashtest.Store, error) {
		o := mini.Options{Sound: true, Trace: trace}
		o.Journal = journal.Options{Mode: mode, Rand: rng, Now: func() time.Time { return time.Unix(0, 0) }}
		m, err := mini.Open(v, "/store", o)
		if err != nil {
			return nil, err
		}
		return m, nil
	}
}

// config is what a seed does.
func config(seed uint64, trace func(string, ...any)) crashtest.Config {
	c := crashtest.Config{
		Open: opener(seed, journal.Durable, trace), Lives: 6, Steps: 60, Streams: 4, MaxBody: 64 << 10, Faults: seed%3 != 0, Trace: trace,
	}
	if seed%2 == 1 {
		c.Open = opener(seed, journal.Interval, trace)
	}
	switch seed / 2 % 4 {
	case 1: // few streams, large messages: parts, and files that fill
		c.Streams, c.MaxBody, c.Steps = 2, 1<<20, 40
		if seed/8%2 == 0 {
			c.Capacity = 64 << 20
		}
	case 2: // a small disk
		c.Capacity = 40 << 20
	}
	return c
}

func simulate(seed uint64, trace func(string, ...any)) error {
	return crashtest.Run(seed, config(seed, trace))
}

// TestSimulation plays seeds, see crashtest.Seeds.
func TestSimulation(t *testing.T) {
	few := uint64(24)
	if journal.RaceEnabled { // which takes twenty times as long
		few = 8
	}
	crashtest.Seeds(t, "testdata/seeds", few, simulate)
}
