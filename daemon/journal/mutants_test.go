//go:build mutants

package journal

import (
	"fmt"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/vfs"
)

// TestMutants makes one mistake after the other and asks that the tests find it within a minute.
func TestMutants(t *testing.T) {
	for _, m := range []struct {
		name  string
		which *string
	}{
		{"sync left out", &Mutant},
		{"acknowledged before the sync", &Mutant},
		{"failed sync repeated", &Mutant},
		{"folder sync left out", &Mutant},
		{"header sync left out", &Mutant},
		{"recovery sync left out", &Mutant},
		{"sum ignored", &Mutant},
		{"generation not raised", &Mutant},
		{"fixed salt", &Mutant},
		{"parts released", &Mutant},
		{"removed too early", &Mutant},
		{"read on behind the torn", &Mutant},
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
		if err := forge(seed); err != nil {
			return err
		}
	}
	return simulate(seed)
}
