package main

import (
	"fmt"
	"slices"
	"strings"
)

// overFloor is the processor time divided by the relay's in the same pair of runs.
const overFloor metric = "over-floor"

// asked are the metrics that targets are given for, in the order of the table.
var asked = []struct {
	m    metric
	what string
	show func(float64) string
}{
	{cpu, "processor time", duration}, {overFloor, "processor time, of the floor's", times}, {rate, "throughput", count},
	{p50, "latency p50", duration}, {p99, "latency p99", duration}, {rss, "largest resident set", bytesText},
	{perUnit, "memory each", bytesText}, {wall, "time for all", duration},
}

// floorRatio is the spread of ours / the floor, pair by pair.
func (w *row) floorRatio() (spread, bool) {
	var list []float64
	for _, pair := range w.results {
		if ours, floor := pair[0][cpu], pair[2][cpu]; ours > 0 && floor > 0 {
			list = append(list, ours/floor)
		}
	}
	return spreadOf(list)
}

// against returns what a target of m is compared with.
func (w *row) against(m metric) (spread, bool) {
	if m == overFloor {
		return w.floorRatio()
	}
	return w.ratio(m)
}

// verdict compares a ratio with its target; of the throughput more is better.
func verdict(m metric, ratio, target float64) (bound, text string, met bool) {
	if m == rate {
		if ratio >= target*0.995 {
			return fmt.Sprintf("≥ %.2f", target), "met", true
		}
		return fmt.Sprintf("≥ %.2f", target), fmt.Sprintf("**missed: %.2f of the target**", ratio/target), false
	}
	if ratio <= target*1.005 {
		return fmt.Sprintf("≤ %.2f", target), "met", true
	}
	return fmt.Sprintf("≤ %.2f", target), fmt.Sprintf("**missed: %.2f times the target**", ratio/target), false
}

// verdicts writes every target and whether it is met.
func (r *report) verdicts(b *strings.Builder) {
	if r.settings.baseline != "" { // the targets are ratios to nats-server
		return
	}
	var lines []string
	met := 0
	for _, w := range r.rows {
		for _, a := range asked {
			target, wanted := w.scenario.targets[a.m]
			ratio, ok := w.against(a.m)
			if !wanted || !ok {
				continue
			}
			bound, text, good := verdict(a.m, ratio.median, target)
			if good {
				met++
			}
			lines = append(lines, fmt.Sprintf("| %s | %s | %.3f (%.3f–%.3f) | %s | %s |\n", w.scenario.about, a.what,
				ratio.median, ratio.least, ratio.largest, bound, text))
		}
		more, also := w.boundsOf()
		lines, met = append(lines, more...), met+also
	}
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(b, "\n## Targets\n\n%d of %d met. A ratio is %s / %s in a pair of runs that followed each other: the median of the pairs, the least and the largest. Where there is no ratio to ask for, it is the figure of %s.\n\n",
		met, len(lines), r.sides[0].name, r.sides[1].name, r.sides[0].name)
	fmt.Fprintf(b, "| scenario | what | ratio | target | |\n|---|---|---|---|---|\n%s", strings.Join(lines, ""))
}

// floor writes the comparison with the relay.
func (r *report) floor(b *strings.Builder) {
	if !slices.ContainsFunc(r.rows, func(w *row) bool { _, ok := w.floorRatio(); return ok }) {
		return
	}
	fmt.Fprintf(b, "\n## Against the floor\n\nProcessor time per unit beside that of a relay which only copies, with headers that it has prepared (`scripts/bench/relay`).\n\n")
	fmt.Fprintf(b, "| scenario | %s | relay | ratio |\n|---|---:|---:|---|\n", r.sides[0].name)
	for _, w := range r.rows {
		if ratio, ok := w.floorRatio(); ok {
			ours, _ := w.side(cpu, 0)
			relay, _ := w.side(cpu, 2)
			fmt.Fprintf(b, "| %s | %s | %s | %.2f (%.2f–%.2f) |\n", w.scenario.about, duration(ours.median), duration(relay.median),
				ratio.median, ratio.least, ratio.largest)
		}
	}
}

// besidePlain writes what a feature costs beside the same without it.
func (r *report) besidePlain(b *strings.Builder) {
	find := func(name string) *row {
		if i := slices.IndexFunc(r.rows, func(w *row) bool { return w.scenario.name == name }); i >= 0 {
			return r.rows[i]
		}
		return nil
	}
	var lines []string
	for _, p := range plain {
		with, without := find(p.name), find(p.without)
		if with == nil || without == nil {
			continue
		}
		line := fmt.Sprintf("| %s | %s |", with.scenario.about, without.scenario.about)
		for side := range 2 {
			x, ok := with.side(cpu, side)
			y, also := without.side(cpu, side)
			if !ok || !also {
				line += " |"
				continue
			}
			line += fmt.Sprintf(" %.2f |", x.median/y.median)
		}
		lines = append(lines, line+"\n")
	}
	if len(lines) > 0 {
		fmt.Fprintf(b, "\n## What a feature costs\n\nProcessor time per unit, divided by that of the same server without the feature.\n\n| scenario | beside | %s | %s |\n|---|---|---:|---:|\n%s",
			r.sides[0].name, r.sides[1].name, strings.Join(lines, ""))
	}
}
