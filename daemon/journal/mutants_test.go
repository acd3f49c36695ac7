//go:build mutants

package journal_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/journal"
	"github.com/nats-broker/nats-broker/daemon/vfs"
)

// TestMutants makes one mistake after the other and asks that the tests find it within a minute.
func TestMutants(t *testing.T) {
	for _, m := range []struct {
		name  string
		which *string
	}{
		{"sync left out", &journal.Mutant},
		{"acknowledged before the sync", &journal.Mutant},
		{"failed sync repeated", &journal.Mutant},
		{"folder sync left out", &journal.Mutant},
		{"header sync left out", &journal.Mutant},
		{"recovery sync left out", &journal.Mutant},
		{"sum ignored", &journal.Mutant},
		{"generation not raised", &journal.Mutant},
		{"fixed salt", &journal.Mutant},
		{"parts released", &journal.Mutant},
		{"removed too early", &journal.Mutant},
		{"read on behind the torn", &journal.Mutant},
		{"folder sync left out", &vfs.Mutant},
		{"renamed before the sync", &vfs.Mutant},
		{"replaced in place", &vfs.Mutant},
	} {
		t.Run(m.name, func(t *testing.T) {
			*m.which = m.name
			defer func() { *m.which = "" }()
			begun := time.Now()
			for seed := uint64(1000); time.Since(begun) < time.Minute; seed++ {
				if err := hunt(seed); err != nil {
					t.Logf("measured: found after %v and %d seeds: %.200s", time.Since(begun).Round(time.Millisecond), seed-999, err.Error())
					return
				}
			}
			t.Error("nothing was found in a minute")
		})
	}
}

// hunt is what looks for a mistake; a panic is one too.
func hunt(seed uint64) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	if seed%8 == 0 {
		for _, play := range journal.Directed {
			if err := play(seed); err != nil {
				return err
			}
		}
	}
	return simulate(seed, func(string, ...any) {})
}
