package journal_test

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/internal/crashtest"
	"github.com/nats-broker/nats-broker/daemon/internal/crashtest/mini"
	"github.com/nats-broker/nats-broker/daemon/journal"
	"github.com/nats-broker/nats-broker/daemon/vfs"
)

// trace is told what happens, if somebody wants to know.
var trace = func(string, ...any) {}

// opener opens the store that is driven. What it does not get from the disk it gets from the seed.
func opener(seed uint64, mode journal.Mode) crashtest.Opener {
	rng := &journal.Chance{N: seed}
	return func(v vfs.FS) (crashtest.Store, error) {
		o := mini.Options{Sound: true, Trace: func(format string, args ...any) { trace(format, args...) }}
		o.Journal = journal.Options{Mode: mode, Rand: rng, Now: func() time.Time { return time.Unix(0, 0) }}
		m, err := mini.Open(v, "/store", o)
		if err != nil {
			return nil, err
		}
		return m, nil
	}
}

// config is what a seed does.
func config(seed uint64) crashtest.Config {
	c := crashtest.Config{
		Open: opener(seed, journal.Durable), Lives: 6, Steps: 60, Streams: 4, MaxBody: 64 << 10, Faults: seed%3 != 0, Trace: trace,
	}
	if seed%2 == 1 {
		c.Open = opener(seed, journal.Interval)
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

func simulate(seed uint64) error {
	return crashtest.Run(seed, config(seed))
}

// TestSimulation plays seeds: all that ever failed, a few that are always the same, and for
// JOURNAL_SIMULATE=60s fresh ones for that long. JOURNAL_SEED=n plays one and tells what happens.
func TestSimulation(t *testing.T) {
	play := func(seed uint64) {
		if err := simulate(seed); err != nil {
			t.Errorf("%v\nJOURNAL_SEED=%d shows it; put it into testdata/seeds when it is mended", err, seed)
		}
	}
	if s := os.Getenv("JOURNAL_SEED"); s != "" {
		seed, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		trace = t.Logf
		defer func() { trace = func(string, ...any) {} }()
		play(seed)
		return
	}
	for _, seed := range keptSeeds(t) {
		play(seed)
	}
	long, err := time.ParseDuration(os.Getenv("JOURNAL_SIMULATE"))
	if err != nil {
		n := uint64(24)
		if journal.RaceEnabled { // which takes twenty times as long
			n = 8
		}
		for seed := range n {
			play(seed)
		}
		return
	}
	n := 0
	for seed, end := uint64(time.Now().UnixNano()), time.Now().Add(long); time.Now().Before(end) && !t.Failed(); seed++ {
		play(seed)
		n++
	}
	t.Logf("measured: %d fresh seeds in %v", n, long)
}

// keptSeeds returns those that failed once.
func keptSeeds(t *testing.T) []uint64 {
	f, err := os.Open("testdata/seeds")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []uint64
	for s := bufio.NewScanner(f); s.Scan(); {
		field, _, _ := strings.Cut(s.Text(), " ")
		if field == "" || field == "#" {
			continue
		}
		n, err := strconv.ParseUint(field, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, n)
	}
	return out
}
