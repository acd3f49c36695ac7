package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// report collects results and makes the tables of them.
type report struct {
	settings settings
	sides    []contender
	began    time.Time
	rows     []*row
}

// row is what is known about one scenario.
type row struct {
	scenario scenario
	results  [][contenders]result // per pair
	problem  string               // first failure
}

func newReport(s settings, sides []contender) *report {
	return &report{settings: s, sides: sides, began: time.Now()}
}

func (r *report) add(sc scenario, side, pair int, res result, err error) {
	if len(r.rows) == 0 || r.rows[len(r.rows)-1].scenario.name != sc.name {
		r.rows = append(r.rows, &row{scenario: sc})
	}
	last := r.rows[len(r.rows)-1]
	if len(last.results) <= pair {
		last.results = append(last.results, [contenders]result{})
	}
	if err != nil {
		if last.problem == "" {
			last.problem = r.sides[side].name + ": " + err.Error()
		}
		return
	}
	last.results[pair][side] = res
}

func (r *report) failed() bool {
	return slices.ContainsFunc(r.rows, func(row *row) bool { return row.problem != "" })
}

// spread is the median, least and largest of some numbers.
type spread struct{ median, least, largest float64 }

func spreadOf(numbers []float64) (spread, bool) {
	if len(numbers) == 0 {
		return spread{}, false
	}
	slices.Sort(numbers)
	n := len(numbers)
	return spread{(numbers[(n-1)/2] + numbers[n/2]) / 2, numbers[0], numbers[n-1]}, true
}

// side returns the spread of a metric of one server.
func (w *row) side(m metric, side int) (spread, bool) {
	var list []float64
	for _, pair := range w.results {
		if v, ok := pair[side][m]; ok {
			list = append(list, v)
		}
	}
	return spreadOf(list)
}

// ratio returns the spread of ours / theirs, pair by pair.
func (w *row) ratio(m metric) (spread, bool) {
	var list []float64
	for _, pair := range w.results {
		ours, ok := pair[0][m]
		theirs, also := pair[1][m]
		if ok && also && theirs > 0 {
			list = append(list, ours/theirs)
		}
	}
	return spreadOf(list)
}

// text returns the report in Markdown.
func (r *report) text() string {
	var b strings.Builder
	ours, theirs := r.sides[0].name, r.sides[1].name
	fmt.Fprintf(&b, "# %s and %s side by side\n\n", ours, theirs)
	r.circumstances(&b)
	r.verdicts(&b)
	fmt.Fprintf(&b, "\n## Cost\n\nProcessor time of the server per unit; the ratio is the median of the pairs with the least and the largest.\n\n")
	fmt.Fprintf(&b, "| scenario | unit | %s | %s | ratio | target | |\n|---|---|---:|---:|---|---|---|\n", ours, theirs)
	for _, w := range r.rows {
		r.costRow(&b, w, cpu, duration)
	}
	fmt.Fprintf(&b, "\n## Throughput and memory\n\nUnits a second while loaded (generator and server share the processors), and the largest resident set.\n\n")
	fmt.Fprintf(&b, "| scenario | %s | %s | ratio | %s, memory | %s, memory | ratio |\n|---|---:|---:|---|---:|---:|---|\n", ours, theirs, ours, theirs)
	for _, w := range r.rows {
		if _, ok := w.ratio(rate); ok {
			fmt.Fprintf(&b, "| %s | %s | %s |\n", w.scenario.about, w.cells(rate, count), w.cells(rss, bytesText))
		}
	}
	fmt.Fprintf(&b, "\n## Latency\n\nFrom the moment a message was due to its arrival, at a fixed rate; for requests the round trip.\n\n")
	fmt.Fprintf(&b, "| scenario | p50 %s | %s | ratio | p99 %s | %s | ratio | p99.9 %s | %s | ratio |\n|---|---:|---:|---|---:|---:|---|---:|---:|---|\n", ours, theirs, ours, theirs, ours, theirs)
	for _, w := range r.rows {
		if _, ok := w.ratio(p50); ok {
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", w.scenario.about, w.cells(p50, duration), w.cells(p99, duration), w.cells(p999, duration))
		}
	}
	r.scales(&b)
	r.restarts(&b)
	r.floor(&b)
	r.besidePlain(&b)
	r.scraped(&b)
	r.problems(&b)
	return b.String()
}

func (r *report) circumstances(b *strings.Builder) {
	fmt.Fprintf(b, "Made by `go run -C scripts/bench . %s` on %s, in %s: %s, %d processors, %s, %s.\n",
		strings.Join(os.Args[1:], " "), r.began.Format("2 January 2006"), time.Since(r.began).Round(time.Second),
		processor(), runtime.NumCPU(), kernel(), runtime.Version())
	for _, side := range r.sides {
		version, err := command(".", side.binary, "--version")
		if err != nil {
			version = "of unknown version"
		}
		fmt.Fprintf(b, "%s is `%s`. ", side.name, version)
	}
	fmt.Fprintf(b, "%d pairs of runs a scenario, %s of load in each.\n", r.settings.pairs, r.settings.load)
}

func (r *report) scales(b *strings.Builder) {
	fmt.Fprintf(b, "\n## Size and start\n\n| scenario | what | %s | %s | ratio | target | |\n|---|---|---:|---:|---|---|---|\n", r.sides[0].name, r.sides[1].name)
	for _, w := range r.rows {
		if _, ok := w.ratio(perUnit); ok {
			r.lineOf(b, w, "memory per "+w.scenario.unit, perUnit, bytesText)
		}
		if _, ok := w.ratio(wall); ok {
			r.lineOf(b, w, "time for all", wall, duration)
		}
		if _, ok := w.ratio(rate); !ok {
			if _, ok := w.ratio(rss); ok {
				r.lineOf(b, w, "resident memory", rss, bytesText)
			}
		}
	}
}

func (r *report) costRow(b *strings.Builder, w *row, m metric, show func(float64) string) {
	if _, ok := w.ratio(m); ok {
		r.lineOf(b, w, w.scenario.unit, m, show)
	}
}

// lineOf writes one line with a target: met, or missed by how much.
func (r *report) lineOf(b *strings.Builder, w *row, what string, m metric, show func(float64) string) {
	target, asked := w.scenario.targets[m]
	if !asked {
		target = 1
	}
	if r.settings.baseline != "" { // the targets are ratios to nats-server
		fmt.Fprintf(b, "| %s | %s | %s | | |\n", w.scenario.about, what, w.cells(m, show))
		return
	}
	ratio, _ := w.ratio(m)
	bound, text, _ := verdict(m, ratio.median, target)
	fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", w.scenario.about, what, w.cells(m, show), bound, text)
}

// cells writes ours, theirs and the ratio.
func (w *row) cells(m metric, show func(float64) string) string {
	ours, ok := w.side(m, 0)
	theirs, also := w.side(m, 1)
	ratio, both := w.ratio(m)
	if !ok || !also || !both {
		return "| |"
	}
	return fmt.Sprintf("%s | %s | %.3f (%.3f–%.3f)", show(ours.median), show(theirs.median), ratio.median, ratio.least, ratio.largest)
}

func (r *report) problems(b *strings.Builder) {
	for _, w := range r.rows {
		if w.problem != "" {
			fmt.Fprintf(b, "\n**%s failed**: %s\n", w.scenario.name, w.problem)
		}
	}
}

// oneLine shows a result while others are still to come.
func oneLine(res result) string {
	var parts []string
	for _, part := range []struct {
		m    metric
		name string
		show func(float64) string
	}{
		{cpu, "cpu", duration}, {rate, "rate", count}, {p50, "p50", duration}, {p99, "p99", duration}, {p999, "p99.9", duration},
		{disturbed99, "p99 scraped/not", times}, {perUnit, "each", bytesText}, {wall, "time", duration}, {rss, "mem", bytesText},
		{gap, "gap", duration}, {calmGap, "before", duration}, {delay, "delay", duration}, {calmDelay, "before", duration},
		{dropped, "dropped", number}, {lost, "lost", number}, {doubled, "doubled", number}, {disordered, "disordered", number},
	} {
		if v, ok := res[part.m]; ok {
			parts = append(parts, part.name+" "+part.show(v))
		}
	}
	return strings.Join(parts, ", ")
}

func duration(ns float64) string {
	switch {
	case ns < 10e3:
		return fmt.Sprintf("%.0f ns", ns)
	case ns < 10e6:
		return fmt.Sprintf("%.1f µs", ns/1e3)
	default:
		return fmt.Sprintf("%.1f ms", ns/1e6)
	}
}

func count(v float64) string {
	switch {
	case v < 10e3:
		return fmt.Sprintf("%.0f/s", v)
	case v < 10e6:
		return fmt.Sprintf("%.0f k/s", v/1e3)
	default:
		return fmt.Sprintf("%.1f M/s", v/1e6)
	}
}

func bytesText(v float64) string {
	switch {
	case v < 1e4:
		return fmt.Sprintf("%.0f B", v)
	case v < 1<<20:
		return fmt.Sprintf("%.1f KiB", v/1024)
	default:
		return fmt.Sprintf("%.1f MiB", v/(1<<20))
	}
}

// processor names the processor, as far as the kernel knows it.
func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// kernel is the release without what one machine's build adds to it: "Linux 6.18".
func kernel() string {
	text, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "Linux"
	}
	numbers := strings.SplitN(strings.TrimSpace(string(text)), ".", 3)
	return "Linux " + strings.Join(numbers[:min(2, len(numbers))], ".")
}
