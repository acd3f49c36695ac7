package main

import (
	"fmt"
	"os"
	"strings"
)

// README shows a few rows of RESULTS.md between these marks.
const (
	summaryBegin = "<!-- from scripts/bench/RESULTS.md, by go run -C scripts/bench . -readme -->\n"
	summaryEnd   = "<!-- to here -->\n"
)

// summed are the scenarios in README, by what RESULTS.md calls them.
var summed = []string{"1:1, 16 B", "1:1, 128 B", "1:1, 1 KiB", "1:1, 64 KiB", "fan-out 1:100, 128 B", "8:8, 128 B",
	"request-reply, 64 in flight", "100,000 literal subjects, 128 B", "user with permissions, 1:1, 128 B", "TLS, 1:1, 128 B",
	"2 nodes, across, 128 B", "stream, file, 32 connections, 1 in flight each, 128 B", "stream, file, 4,000 in flight, 128 B",
	"stream, fetch of 100, 128 B", "key-value get, 32 connections, 128 B"}

// untimed names the scenarios of summed that have no latency: messages come as fast as they can.
var untimed = map[string]bool{"stream, fetch of 100, 128 B": true}

// section returns the rows of the table below a heading of RESULTS.md: the cells by the
// first one.
func section(results, heading string) map[string][]string {
	rows := make(map[string][]string)
	_, rest, _ := strings.Cut(results, "\n## "+heading+"\n")
	rest, _, _ = strings.Cut(rest, "\n## ")
	for line := range strings.Lines(rest) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if len(cells) > 3 && cells[0] != "scenario" {
			rows[cells[0]] = cells
		}
	}
	return rows
}

// summary is README's part, made from RESULTS.md.
func summary(results string) (string, error) {
	cost, rate, late := section(results, "Cost"), section(results, "Throughput and memory"), section(results, "Latency")
	var b strings.Builder
	b.WriteString(summaryBegin)
	b.WriteString("| | processor time of the server, of nats-server's | throughput, of nats-server's | p50, of nats-server's |\n|---|---:|---:|---:|\n")
	for _, name := range summed {
		c, r, l := cost[name], rate[name], late[name]
		if len(c) < 5 || len(r) < 4 || len(l) < 4 && !untimed[name] {
			return "", fmt.Errorf("RESULTS.md lacks %q", name)
		}
		fmt.Fprintf(&b, "| %s | %s (%s) | %s (%s) |", name, ratioOf(c[4]), c[2], ratioOf(r[3]), r[1])
		if untimed[name] {
			b.WriteString(" |\n")
			continue
		}
		fmt.Fprintf(&b, " %s (%s) |\n", ratioOf(l[3]), l[1])
	}
	lines := strings.SplitN(results, "\n", 4)
	made := lines[2]
	fmt.Fprintf(&b, "\n%s In parentheses what nats-broker needs.\n", made)
	b.WriteString(summaryEnd)
	return b.String(), nil
}

// ratioOf leaves the median of a spread.
func ratioOf(cell string) string {
	median, _, _ := strings.Cut(cell, " ")
	return median
}

// summarise writes the summary of RESULTS.md into README.
func summarise(results, readme string) error {
	text, err := os.ReadFile(results)
	if err != nil {
		return err
	}
	part, err := summary(string(text))
	if err != nil {
		return err
	}
	old, err := os.ReadFile(readme)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(old), summaryBegin)
	_, after, also := strings.Cut(rest, summaryEnd)
	if !ok || !also {
		return fmt.Errorf("%s has no place for the summary", readme)
	}
	return os.WriteFile(readme, []byte(before+part+after), 0o644)
}
