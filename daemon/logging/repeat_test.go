package logging

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// collected is a sink that keeps records.
type collected struct {
	mu   sync.Mutex
	recs []*record
}

func (c *collected) add(r *record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.recs = append(c.recs, r)
}

// take returns the messages so far and forgets them.
func (c *collected) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []string
	for _, r := range c.recs {
		out = append(out, r.message)
	}
	c.recs = nil
	return out
}

// limited sends a line through the limiter to the sink.
func limited(l *repeatLimiter, c *collected, lv Level, id MessageID, msg string) {
	r := &record{time: time.Now(), level: lv, id: id, subsystem: "broker", message: msg}
	if l.pass(r) {
		c.add(r)
	}
}

func TestRepeatsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c collected
		l := repeatLimiter{emit: c.add}
		for range 100 {
			limited(&l, &c, Warn, NoID, "flood")
		}
		limited(&l, &c, Warn, NoID, "other")
		limited(&l, &c, Error, NoID, "flood") // another level is another line
		if got := c.take(); len(got) != repeatBurst+2 {
			t.Fatalf("%d lines passed: %v", len(got), got)
		}
		time.Sleep(repeatWindow + time.Second)
		synctest.Wait()
		if got := c.take(); len(got) != 1 || got[0] != "flood (repeated 80 more times within 10s)" {
			t.Fatalf("summary %q", got)
		}
		// The next flood begins anew, and a rare line is never held back.
		limited(&l, &c, Warn, NoID, "flood")
		for range 3 * repeatBurst {
			limited(&l, &c, Info, NoID, "rare")
			time.Sleep(time.Second)
		}
		if got := c.take(); len(got) != 3*repeatBurst+1 {
			t.Errorf("%d of %d rare lines passed", len(got)-1, 3*repeatBurst)
		}
		if l.timer != nil {
			t.Error("a timer runs with nothing held back")
		}
	})
}

// TestRepeatsOverlappingWindows: two floods that begin at different times each get their summary at the end of their
// own window.
func TestRepeatsOverlappingWindows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c collected
		l := repeatLimiter{emit: c.add}
		flood := func(msg string) {
			for range repeatBurst + 5 {
				limited(&l, &c, Info, NoID, msg)
			}
		}
		flood("a")
		time.Sleep(6 * time.Second)
		flood("b")
		c.take()
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if got := c.take(); len(got) != 1 || !strings.HasPrefix(got[0], "a (repeated 5 more") {
			t.Errorf("after the first window: %q", got)
		}
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if got := c.take(); len(got) != 1 || !strings.HasPrefix(got[0], "b (repeated 5 more") {
			t.Errorf("after the second window: %q", got)
		}
	})
}

// TestEventsAreLimitedByKind: lines that differ in the client are one flood when the catalogue says so, and important
// ones are never held back.
func TestEventsAreLimitedByKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c collected
		l := repeatLimiter{emit: c.add}
		burst := catalogue[SlowConsumer].burst
		for i := range burst + 1000 {
			limited(&l, &c, Info, SlowConsumer, fmt.Sprintf("cid:%d - Slow Consumer", i))
			limited(&l, &c, Error, ReloadRefused, "refused")
		}
		if got := c.take(); len(got) != burst+burst+1000 {
			t.Errorf("%d lines passed", len(got))
		}
		time.Sleep(repeatWindow)
		synctest.Wait()
		want := fmt.Sprintf("cid:%d - Slow Consumer (and 999 more like this within 10s)", burst+999)
		if got := c.take(); len(got) != 1 || got[0] != want {
			t.Errorf("summary %q, want %q", got, want)
		}
	})
}

func TestDebugAndTraceAreNeverHeldBack(t *testing.T) {
	var c collected
	l := repeatLimiter{emit: c.add}
	for range 3 * repeatBurst {
		limited(&l, &c, Debug, NoID, "x")
		limited(&l, &c, Trace, NoID, "x")
	}
	if got := c.take(); len(got) != 6*repeatBurst {
		t.Errorf("%d lines passed", len(got))
	}
}

// TestRepeatMemoryIsBounded floods with different lines.
func TestRepeatMemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c collected
		l := repeatLimiter{emit: c.add}
		for i := range 3 * repeatLines {
			limited(&l, &c, Info, NoID, fmt.Sprint(i))
		}
		if len(l.lines) > repeatLines || len(c.take()) != 3*repeatLines {
			t.Errorf("%d lines remembered", len(l.lines))
		}
		time.Sleep(repeatWindow)
		limited(&l, &c, Info, NoID, "new")
		if len(l.lines) != 1 {
			t.Errorf("%d lines remembered after their window", len(l.lines))
		}
	})
}

// TestCloseReportsWhatIsHeldBack: the count of a flood reaches the file even if the process ends within the window.
func TestCloseReportsWhatIsHeldBack(t *testing.T) {
	o, _ := stderrPipe(t)
	o.File = filepath.Join(t.TempDir(), "log")
	m := newManager(t, o)
	log := m.Logger("broker")
	for range repeatBurst + 7 {
		log.Error("flood")
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if got := readFile(t, o.File); !strings.HasSuffix(got, "[ERR] flood (repeated 7 more times within 10s)\n") {
		t.Errorf("file:\n%s", got)
	}
}
