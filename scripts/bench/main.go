// Command bench runs nats-broker and nats-server side by side under one
// generator and compares what they cost.
//
//	go run -C scripts/bench .                          everything, about a quarter of an hour on two cores
//	go run -C scripts/bench . -quick                   a look at everything, about three minutes
//	go run -C scripts/bench . -run '^pair' -pairs 7    some scenarios, more exactly
//	go run -C scripts/bench . -o RESULTS.md            and keep the tables
//	go run -C scripts/bench . -readme                  and put the main ones into README.md
//	go run -C scripts/bench . -baseline HEAD~5         against an older nats-broker
//	go run -C scripts/bench . -soak 30m                does anything grow under churn?
//
// Both servers run with their defaults on 127.0.0.1, one at a time, a fresh
// process for every run, in alternation. The generator speaks to sockets
// directly and is the same for both; it checks that each message arrives once
// and with the right bytes, and a run in which one does not has failed. What is
// compared first is the processor time of the server process per unit, from
// the kernel's clock of that process: it says the same on a busy machine as
// on an idle one, which throughput does not.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

type settings struct {
	only     string
	pairs    int
	load     time.Duration
	pace     time.Duration
	quick    bool
	output   string
	baseline string
	ours     string
	theirs   string
	list     bool
	soak     time.Duration
	race     bool
	readme   bool
}

func main() {
	var s settings
	flag.StringVar(&s.only, "run", "", "run only scenarios whose `name` matches this expression")
	flag.IntVar(&s.pairs, "pairs", 3, "how `often` both servers are measured in a scenario")
	flag.DurationVar(&s.load, "duration", 800*time.Millisecond, "how long a server is loaded in a run")
	flag.DurationVar(&s.pace, "pace", 500*time.Millisecond, "how long messages are sent at a fixed rate for the latencies")
	flag.BoolVar(&s.quick, "quick", false, "one pair, a third of the duration, a tenth of the connections and subscriptions")
	flag.StringVar(&s.output, "o", "", "write the tables to this `file` too")
	flag.StringVar(&s.baseline, "baseline", "", "compare with this nats-broker, a binary or a git `revision`, instead of nats-server")
	flag.StringVar(&s.ours, "ours", "", "measure this `binary` instead of building nats-broker")
	flag.StringVar(&s.theirs, "theirs", "", "compare with this `binary` instead of building nats-server")
	flag.BoolVar(&s.list, "list", false, "list the scenarios and end")
	flag.DurationVar(&s.soak, "soak", 0, "instead of measuring, run nats-broker under traffic and churn for so long and see whether anything grows")
	flag.BoolVar(&s.race, "race", false, "with -soak: build nats-broker with the race detector, whose own memory is not judged")
	flag.BoolVar(&s.readme, "readme", false, "instead of measuring, bring README's table up to date with RESULTS.md")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "bench: unexpected argument %q\n", flag.Arg(0))
		os.Exit(2)
	}
	ok, err := true, error(nil)
	switch {
	case s.readme:
		err = summarise(filepath.Join(repository(), "scripts/bench/RESULTS.md"), filepath.Join(repository(), "README.md"))
	case s.soak > 0:
		ok, err = soakOurs(s)
	default:
		ok, err = bench(s)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	if !ok {
		os.Exit(1)
	}
}

// soakOurs builds nats-broker, unless a binary is given, and soaks it.
func soakOurs(s settings) (ok bool, err error) {
	dir, err := os.MkdirTemp("", "nats-broker-bench-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	if s.ours == "" {
		var flags []string
		if s.race {
			flags = append(flags, "-race")
		}
		if s.ours, err = buildOurs(repository(), dir, "nats-broker", flags...); err != nil {
			return false, err
		}
	}
	return runSoak(s.ours, s.soak, s.race)
}

// bench measures and prints; ok is false when a run failed.
func bench(s settings) (ok bool, err error) {
	chosen, err := choose(s.only)
	if err != nil {
		return false, err
	}
	if s.list {
		for _, sc := range chosen {
			fmt.Printf("%-14s %s\n", sc.name, sc.about)
		}
		return true, nil
	}
	scale := 1
	if s.quick {
		s.pairs, s.load, s.pace, scale = 1, s.load/3, s.pace/3, 10
	}
	dir, err := os.MkdirTemp("", "nats-broker-bench-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(interrupted)
	sides, err := prepare(s, chosen, dir)
	if err != nil {
		return false, err
	}
	rep := newReport(s, sides)
	total := 0
	for _, sc := range chosen {
		total += len(order(sc, sides, 0)) * s.pairs
	}
	done := 0
	for _, sc := range chosen {
		for pair := range s.pairs {
			for _, side := range order(sc, sides, pair) {
				select {
				case <-interrupted:
					return false, fmt.Errorf("interrupted")
				default:
				}
				done++
				fmt.Fprintf(os.Stderr, "[%3d/%d] %-14s pair %d/%d %-12s ", done, total, sc.name, pair+1, s.pairs, sides[side].name)
				res, err := once(sc, &run{binary: sides[side].binary, load: s.load, pace: s.pace, scale: scale})
				rep.add(sc, side, pair, res, err)
				if err != nil {
					fmt.Fprintln(os.Stderr, "FAILED:", err)
				} else {
					fmt.Fprintln(os.Stderr, oneLine(res))
				}
			}
		}
	}
	text := rep.text()
	fmt.Print(text)
	if s.output != "" {
		if err := os.WriteFile(s.output, []byte(text), 0o644); err != nil {
			return false, err
		}
	}
	return !rep.failed(), nil
}

func choose(expression string) ([]scenario, error) {
	re, err := regexp.Compile(expression)
	if err != nil {
		return nil, fmt.Errorf("-run: %w", err)
	}
	var chosen []scenario
	for _, sc := range scenarios {
		if re.MatchString(sc.name) {
			chosen = append(chosen, sc)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("-run %s matches none of the scenarios (-list shows them)", expression)
	}
	return chosen, nil
}

// order says which servers run a scenario in a pair, in which order: the first two
// in turn, the floor behind them.
func order(sc scenario, sides []contender, pair int) []int {
	list := []int{pair % 2, 1 - pair%2}
	if len(sides) > 2 && slices.Contains(floored, sc.name) {
		list = append(list, 2)
	}
	return list
}

// prepare builds, or takes as given, the servers: ours first, the floor last.
func prepare(s settings, chosen []scenario, dir string) ([]contender, error) {
	sides := []contender{{"nats-broker", s.ours}, {"nats-server", s.theirs}}
	var err error
	if s.ours == "" {
		fmt.Fprintln(os.Stderr, "building nats-broker")
		if sides[0].binary, err = buildOurs(repository(), dir, "nats-broker"); err != nil {
			return sides, err
		}
	}
	switch {
	case s.baseline != "":
		fmt.Fprintln(os.Stderr, "building the baseline", s.baseline)
		sides[1].name = "baseline"
		sides[1].binary, err = buildBaseline(s.baseline, dir)
	case s.theirs == "":
		fmt.Fprintln(os.Stderr, "building nats-server")
		sides[1].binary, err = buildTheirs(dir)
	}
	if err != nil || s.baseline != "" || !slices.ContainsFunc(chosen, func(sc scenario) bool { return slices.Contains(floored, sc.name) }) {
		return sides, err
	}
	fmt.Fprintln(os.Stderr, "building the relay")
	relay, err := buildRelay(dir)
	return append(sides, contender{"relay", relay}), err
}

// once runs a scenario on a fresh server process.
func once(sc scenario, r *run) (res result, err error) {
	if r.srv, _, err = startServer(r.binary); err != nil {
		return nil, err
	}
	defer r.srv.stop()
	if res, err = sc.run(r); err != nil {
		select {
		case <-r.srv.done:
			err = fmt.Errorf("%w; the server ended:\n%s", err, tail(r.srv.log.String()))
		default:
		}
	}
	return res, err
}

func tail(log string) string {
	const most = 2000
	return strings.TrimSpace(log[max(0, len(log)-most):])
}
