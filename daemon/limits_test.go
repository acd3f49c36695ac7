package daemon

import (
	"runtime/debug"
	"testing"
	"testing/synctest"
	"time"
)

// Garbage is not collected while connections are taken over, and is again afterwards:
// as the administrator wants it, or as a start without connections would have it.
func TestCollectorWakes(t *testing.T) {
	was := debug.SetGCPercent(300)
	defer debug.SetGCPercent(was)
	for env, want := range map[string]int{"": gcPercent, "300": 300} {
		t.Setenv("GOGC", env)
		debug.SetGCPercent(300)
		synctest.Test(t, func(t *testing.T) {
			before := restCollector()
			if now := debug.SetGCPercent(-1); now != -1 {
				t.Errorf("GOGC=%q: %d while connections are taken over", env, now)
			}
			wakeCollector(before)
			time.Sleep(startOver / 2)
			if now := debug.SetGCPercent(-1); now != -1 {
				t.Errorf("GOGC=%q: %d before clients have been answered", env, now)
			}
			time.Sleep(startOver)
			synctest.Wait()
			if now := debug.SetGCPercent(-1); now != want {
				t.Errorf("GOGC=%q: %d afterwards; want %d", env, now, want)
			}
		})
	}
}
