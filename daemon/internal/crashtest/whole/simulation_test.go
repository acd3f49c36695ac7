package whole

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/internal/crashtest"
	"github.com/nats-broker/nats-broker/daemon/journal"
	"github.com/nats-broker/nats-broker/daemon/segment"
	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/vfs"
)

func config(seed uint64, trace func(string, ...any)) crashtest.Config {
	rng := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16), byte(seed >> 24), byte(seed >> 32), byte(seed >> 40)})
	back := map[uint64][]stream.Range{}
	// Of three seeds one compresses, and one in every other life.
	lives, packs := 0, seed/4%3
	open := func(v vfs.FS) (crashtest.Store, error) {
		lives++
		m, err := Open(v, "/store", Options{
			Journal: journal.Options{Rand: rng, Now: func() time.Time { return time.Unix(0, 0) }},
			Segment: segment.Options{
				Segment: 256 << 10, Tail: 16 << 10,
				Random:   func(b []byte) { rng.Read(b) }, //nolint:errcheck // never fails
				Compress: packs == 1 || packs == 2 && lives%2 == 0,
			},
			Sound: true, Trace: trace,
			Back: func(n uint64, at stream.Range) { back[n] = append(back[n], at) },
		})
		if err != nil {
			return nil, err
		}
		return m, nil
	}
	c := crashtest.Config{Open: open, Lives: 6, Steps: 60, Streams: 3, MaxBody: 16 << 10, Faults: seed%3 != 0, Packs: packs != 0, Trace: trace}
	c.Back = func(n, seq uint64) bool {
		return slices.ContainsFunc(back[n], func(r stream.Range) bool { return r.From <= seq && seq <= r.To })
	}
	switch seed / 2 % 4 {
	case 1:
		c.Streams, c.MaxBody = 2, 300<<10
	case 2:
		c.Capacity = 40 << 20
	}
	return c
}

// TestSimulation plays seeds: see package journal's.
func TestSimulation(t *testing.T) {
	crashtest.Seeds(t, "testdata/seeds", 16, func(seed uint64, trace func(string, ...any)) error {
		return crashtest.Run(seed, config(seed, trace))
	})
}
