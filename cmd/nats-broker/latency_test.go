package main

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// A class holds what its bound says, and the bound is at most an eighth above it.
func TestLatencyClasses(t *testing.T) {
	for range 100000 {
		d := time.Duration(rand.Int64N(1 << rand.IntN(55)))
		c := classOf(d)
		if b := boundOf(c); b < d || d >= 8 && float64(b) > float64(d)*1.125 {
			t.Fatalf("%d is in class %d, up to %d", d, c, b)
		}
		if c > 24 && boundOf(c-1) >= d { // those below 8 have classes of their own
			t.Fatalf("%d is in class %d, and fits into the one before, up to %d", d, c, boundOf(c-1))
		}
	}
}

// What is read off the classes is what the durations themselves say, to an eighth.
func TestLatencyFigures(t *testing.T) {
	l := &latencies{}
	var all []time.Duration
	for range 10000 {
		d := time.Duration(rand.ExpFloat64() * float64(time.Millisecond))
		all = append(all, d)
		l.add(d)
	}
	slices.Sort(all)
	f := l.figures()
	for _, c := range []struct {
		got  time.Duration
		want time.Duration
	}{{f.P50, all[4999]}, {f.P90, all[8999]}, {f.P99, all[9899]}, {f.P999, all[9989]}} {
		if c.got < c.want || float64(c.got) > float64(c.want)*1.125+1 {
			t.Errorf("%v, want %v", c.got, c.want)
		}
	}
	if f.Min != all[0] || f.Max != all[9999] || f.Count != 10000 {
		t.Errorf("%+v", f)
	}
	n := uint64(0)
	for _, c := range l.summary().Histogram {
		n += c.Count
	}
	if n != 10000 {
		t.Errorf("%d in the histogram", n)
	}
	var b bytes.Buffer
	l.print(&b)
	if !strings.Contains(b.String(), strings.Repeat("█", histogramWidth)) || !strings.Contains(b.String(), "10000 round trips: min ") {
		t.Errorf("%s", b.String())
	}
}
