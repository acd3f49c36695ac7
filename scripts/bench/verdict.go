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

// floorRatio is the spread of the processor time of ours / the floor, pair by pair.
func (w *row) floorRatio() (spread, bool) { return w.between(cpu, 0, 2) }

// between is the spread of a metric of one side / of another, pair by pair.
func (w *row) between(m metric, of, to int) (spread, bool) {
	var list []float64
	for _, pair := range w.results {
		if a, b := pair[of][m], pair[to][m]; a > 0 && b > 0 {
			list = append(list, a/b)
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
	fmt.Fprintf(b, "\n## Against the floor\n\nProcessor time per unit, and median latency at a fixed rate, beside those of a relay which only copies, with headers that it has prepared (`scripts/bench/relay`). The last column is what no server could be below: the relay's latency / %s's, as a quotient of the latencies of the same pairs.\n\n",
		r.sides[1].name)
	fmt.Fprintf(b, "| scenario | %s | relay | ratio | p50 %s | relay | ratio | relay / %s |\n|---|---:|---:|---|---:|---:|---|---|\n",
		r.sides[0].name, r.sides[0].name, r.sides[1].name)
	for _, w := range r.rows {
		if _, ok := w.floorRatio(); ok {
			fmt.Fprintf(b, "| %s | %s | %s | %s |\n", w.scenario.about, w.floorCells(cpu), w.floorCells(p50), w.quotient(p50, 2, 1))
		}
	}
}

// floorCells are a metric of ours, of the relay, and their ratio.
func (w *row) floorCells(m metric) string {
	ours, ok := w.side(m, 0)
	relay, also := w.side(m, 2)
	if !ok || !also {
		return "| |"
	}
	return fmt.Sprintf("%s | %s | %s", duration(ours.median), duration(relay.median), w.quotient(m, 0, 2))
}

func (w *row) quotient(m metric, of, to int) string {
	ratio, ok := w.between(m, of, to)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%.2f (%.2f–%.2f)", ratio.median, ratio.least, ratio.largest)
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
