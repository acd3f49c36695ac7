package main

import (
	"fmt"
	"io"
	"math"
	"math/bits"
	"strings"
	"time"
)

// latencies counts durations: eight classes to a doubling, so that a figure read off them is at most an eighth too large,
// and none is kept.
type latencies struct {
	classes [64 * 8]uint64
	count   uint64
	sum     time.Duration
	min     time.Duration
	max     time.Duration
	lines   int
	seconds []latencyFigures
}

// latencyFigures sum durations up, in nanoseconds.
type latencyFigures struct {
	Count uint64        `json:"count"`
	Min   time.Duration `json:"min_ns"`
	Mean  time.Duration `json:"mean_ns"`
	P50   time.Duration `json:"p50_ns"`
	P90   time.Duration `json:"p90_ns"`
	P99   time.Duration `json:"p99_ns"`
	P999  time.Duration `json:"p999_ns"`
	Max   time.Duration `json:"max_ns"`
}

// latencyClass is how many durations were not above a bound.
type latencyClass struct {
	UpTo  time.Duration `json:"up_to_ns"`
	Count uint64        `json:"count"`
}

// latencySummary is all that was measured.
type latencySummary struct {
	latencyFigures
	Seconds   []latencyFigures `json:"seconds"`
	Histogram []latencyClass   `json:"histogram"`
}

// classOf is the class of a duration, and boundOf the largest duration of a class.
func classOf(d time.Duration) int {
	n := uint64(max(d, 1))
	e := bits.Len64(n) - 1
	if e < 3 {
		return int(n)
	}
	return e*8 + int(n>>(e-3)&7)
}

func boundOf(class int) time.Duration {
	e := class / 8
	if e < 3 {
		return time.Duration(class)
	}
	if e >= 62 {
		return math.MaxInt64
	}
	return time.Duration((uint64(8+class%8)+1)<<(e-3) - 1)
}

func (l *latencies) add(d time.Duration) {
	l.classes[classOf(d)]++
	if l.count == 0 || d < l.min {
		l.min = d
	}
	l.count++
	l.sum += d
	l.max = max(l.max, d)
}

// quantile is the bound of the class that a share of the durations is in, or below.
func (l *latencies) quantile(share float64) time.Duration {
	want, seen := uint64(math.Ceil(share*float64(l.count))), uint64(0)
	for c, n := range l.classes {
		if seen += n; n > 0 && seen >= want {
			return min(boundOf(c), l.max)
		}
	}
	return l.max
}

func (l *latencies) figures() latencyFigures {
	if l.count == 0 {
		return latencyFigures{}
	}
	return latencyFigures{Count: l.count, Min: l.min, Mean: l.sum / time.Duration(l.count), P50: l.quantile(0.5), P90: l.quantile(0.9),
		P99: l.quantile(0.99), P999: l.quantile(0.999), Max: l.max}
}

func (l *latencies) summary() latencySummary {
	s := latencySummary{latencyFigures: l.figures(), Seconds: l.seconds, Histogram: []latencyClass{}}
	if s.Seconds == nil {
		s.Seconds = []latencyFigures{}
	}
	for c, n := range l.classes {
		if n > 0 {
			s.Histogram = append(s.Histogram, latencyClass{boundOf(c), n})
		}
	}
	return s
}

// line is a second of it.
func (l *latencies) line() string {
	f := l.figures()
	return fmt.Sprintf("%6d round trips  p50 %-9s p99 %-9s max %s", f.Count, brief(f.P50), brief(f.P99), brief(f.Max))
}

// brief writes a duration with three or four figures.
func brief(d time.Duration) string {
	switch {
	case d < 10*time.Microsecond:
		return d.String()
	case d < 10*time.Millisecond:
		return d.Round(time.Microsecond).String()
	case d < 10*time.Second:
		return d.Round(time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

const histogramWidth = 50

// print draws the histogram: a row for each doubling in quarters.
func (l *latencies) print(w io.Writer) {
	rows := [64 * 4]uint64{}
	first, last, most := len(rows), 0, uint64(1)
	for c, n := range l.classes {
		if n == 0 {
			continue
		}
		r := c / 2
		rows[r] += n
		first, last, most = min(first, r), max(last, r), max(most, rows[r])
	}
	fmt.Fprintln(w)
	for r := first; r <= last; r++ {
		n := rows[r]
		bar := strings.Repeat("█", int(n*histogramWidth/most))
		if n > 0 && bar == "" {
			bar = "▏"
		}
		fmt.Fprintf(w, "%10s  %8d  %s\n", "≤ "+brief(boundOf(2*r+1)), n, bar)
	}
	f := l.figures()
	fmt.Fprintf(w, "\n%d round trips: min %s, mean %s, p50 %s, p90 %s, p99 %s, p99.9 %s, max %s\n", f.Count, brief(f.Min), brief(f.Mean), brief(f.P50),
		brief(f.P90), brief(f.P99), brief(f.P999), brief(f.Max))
}
