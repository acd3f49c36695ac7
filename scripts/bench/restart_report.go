package main

import (
	"fmt"
	"slices"
	"strings"
)

// seenOf are the metrics of a restart, in the order of the table.
var seenOf = []struct {
	m    metric
	what string
	show func(float64) string
}{
	{dropped, "connections that ended", number}, {lost, "messages lost", number}, {doubled, "messages doubled", number},
	{disordered, "messages out of order", number}, {gap, "longest gap between two messages of a client", duration},
	{calmGap, "the same before the restart", duration}, {delay, "longest time of a message on its way", duration},
	{calmDelay, "the same before the restart", duration},
}

func number(v float64) string { return fmt.Sprintf("%.0f", v) }

// within compares a figure of ours with the bound of it: what counts is the worst run
// for what must not happen at all, and the median for times.
func within(bound float64, s spread) (value float64, met bool) {
	value = s.median
	if bound == 0 {
		value = s.largest
	}
	return value, value <= bound
}

// restarts writes what clients saw of restarts.
func (r *report) restarts(b *strings.Builder) {
	if !slices.ContainsFunc(r.rows, func(w *row) bool { _, ok := w.side(dropped, 0); return ok }) {
		return
	}
	fmt.Fprintf(b, "\n## Restarts\n\nWhat clients see that send numbered messages to each other while the server is restarted. nats-broker hands over to a new process (`nats-broker upgrade`); nats-server is stopped and started, and its clients connect again, each after 50 to 100 ms (nats.go waits two seconds). The time of a message counts from the moment when it was due. The median of the runs, the least and the largest.\n\n")
	fmt.Fprintf(b, "| scenario | what | %s | %s |\n|---|---|---|---|\n", r.sides[0].name, r.sides[1].name)
	for _, w := range r.rows {
		for _, a := range seenOf {
			if _, ok := w.side(a.m, 0); ok {
				fmt.Fprintf(b, "| %s | %s | %s | %s |\n", w.scenario.about, a.what, w.seen(a.m, 0, a.show), w.seen(a.m, 1, a.show))
			}
		}
	}
}

// seen is the spread of a metric of one side.
func (w *row) seen(m metric, side int, show func(float64) string) string {
	s, ok := w.side(m, side)
	if !ok {
		return ""
	}
	if s.least == s.largest {
		return show(s.median)
	}
	return fmt.Sprintf("%s (%s–%s)", show(s.median), show(s.least), show(s.largest))
}

// boundsOf returns the lines of the targets that are no ratios.
func (w *row) boundsOf() (lines []string, met int) {
	for _, a := range seenOf {
		bound, wanted := bounds[w.scenario.name][a.m]
		s, ok := w.side(a.m, 0)
		if !wanted || !ok {
			continue
		}
		value, good := within(bound, s)
		text := "met"
		if good {
			met++
		} else if text = "**missed**"; bound > 0 {
			text = fmt.Sprintf("**missed: %.2f times the target**", value/bound)
		}
		lines = append(lines, fmt.Sprintf("| %s | %s | %s | ≤ %s | %s |\n", w.scenario.about, a.what, w.seen(a.m, 0, a.show), a.show(bound), text))
	}
	return lines, met
}
