package monitor

import (
	"testing"
	"testing/synctest"
	"time"
)

// Long work must leave two thirds of its time to others; short work must not be
// held up.
func TestPacerRests(t *testing.T) {
	for name, c := range map[string]struct {
		steps    int
		each     time.Duration
		min, max time.Duration
	}{
		"long":        {1600, 10 * time.Microsecond, 40 * time.Millisecond, 48 * time.Millisecond},
		"short":       {48, 10 * time.Microsecond, 480 * time.Microsecond, 480 * time.Microsecond},
		"interrupted": {33, 10 * time.Millisecond, 330*time.Millisecond + 2*longest, 330*time.Millisecond + 2*longest},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var p pacer
				began := time.Now()
				for range c.steps {
					time.Sleep(c.each) // the work
					p.step()
				}
				if took := time.Since(began); took < c.min || took > c.max {
					t.Errorf("%d steps of %s took %s, want %s to %s", c.steps, c.each, took, c.min, c.max)
				}
			})
		})
	}
}

// A connection that goes while a list is made is still in it: the list was
// announced with its length.
func TestConnzShowsWhoLeavesMeanwhile(t *testing.T) {
	f := newFakeBroker(3)
	r := NewReporter(f.source())
	z, sel, err := r.connz(ConnzOptions{Username: true})
	if err != nil || z.NumConns != 3 {
		t.Fatal(z, err)
	}
	f.conns = 2
	var names []string
	for info := range sel.infos() {
		names = append(names, info.Name+" "+info.Kind)
	}
	if len(names) != 3 || names[2] != "service-3 Client" {
		t.Errorf("listed %q", names)
	}
}
