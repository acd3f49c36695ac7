//go:build !race

package leaf

import (
	"io"
	"runtime"
	"strings"
	"testing"
)

// TestNothingIsAllocated: messages cross a leaf node connection without an allocation each, in both directions.
func TestNothingIsAllocated(t *testing.T) {
	hub := ours(t, "hub", nil)
	leaf := ours(t, "leaf", dials(hub))
	for _, c := range []struct {
		name     string
		from, to *node
		pub      string
		each     int
	}{
		{"down", hub, leaf, "PUB a.b 5\r\nhello\r\n", len("MSG a.b 1 5\r\nhello\r\n")},
		{"up", leaf, hub, "PUB a.b 5\r\nhello\r\n", len("MSG a.b 1 5\r\nhello\r\n")},
		{"with a reply", hub, leaf, "PUB a.b in.box 5\r\nhello\r\n", len("MSG a.b 1 in.box 5\r\nhello\r\n")},
		{"with a header", leaf, hub, "HPUB a.b 12 17\r\nNATS/1.0\r\n\r\nhello\r\n", len("HMSG a.b 1 12 17\r\nNATS/1.0\r\n\r\nhello\r\n")},
	} {
		t.Run(c.name, func(t *testing.T) {
			to, from := raw(t, c.to.client), raw(t, c.from.client)
			say(t, to, "SUB a.b 1\r\nPING\r\n")
			until(t, "no interest", func() bool { return c.from.b.Account("$G").Interested("a.b") })
			const n = 2000
			batch := strings.Repeat(c.pub, n)
			round := func() {
				if _, err := io.WriteString(from.nc, batch); err != nil {
					t.Fatal(err)
				}
				if _, err := io.CopyN(io.Discard, to.in, int64(n*c.each)); err != nil {
					t.Fatal(err)
				}
			}
			round()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range 20 {
				round()
			}
			runtime.ReadMemStats(&after)
			if per := float64(after.Mallocs-before.Mallocs) / (20 * n); per > 0.02 {
				t.Errorf("%.3f allocations a message", per)
			}
			to.nc.Close()
			until(t, "interest stays", func() bool { return !c.from.b.Account("$G").Interested("a.b") })
		})
	}
}
