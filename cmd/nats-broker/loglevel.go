package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-broker/nats-broker/daemon/control"
)

const logLevelUsage = `Usage: nats-broker log-level [options] [SUBSYSTEM=LEVEL]...

Changes log levels of the running broker at once, until it is restarted, and
prints those in effect. LEVEL is trace, debug, info, warn, error, fatal, or
default for what the configuration says; the SUBSYSTEM * is all of them.

    --json             print the levels as JSON
` + commonFlags + `
Exit status: 0 done, 1 refused, 2 wrong command line, 3 no broker is running.
`

// maxAssignments bounds the levels that are set at once; there are fewer subsystems.
const maxAssignments = 100

// runLogLevel shows or changes levels.
func runLogLevel(args []string, _ io.Reader, stdout, stderr io.Writer) int {
	t := newTalk("log-level", logLevelUsage, 10*time.Second, stderr)
	asJSON := t.fs.Bool("json", false, "")
	assignments, code, done := t.arguments(args, maxAssignments, stdout)
	if done {
		return code
	}
	levels := map[string]string{}
	for _, arg := range assignments {
		name, level, ok := strings.Cut(arg, "=")
		if !ok || name == "" || level == "" {
			fmt.Fprintf(stderr, "nats-broker log-level: %q is not SUBSYSTEM=LEVEL\n", arg)
			return exitUsage
		}
		levels[name] = level
	}
	resp, code, ok := t.ask(control.Request{Verb: control.VerbLogLevel, Levels: levels}, false)
	if !ok {
		return code
	}
	if !resp.OK {
		return t.refused(resp)
	}
	if *asJSON {
		printJSON(stdout, resp.Levels)
		return exitOK
	}
	for _, name := range slices.Sorted(maps.Keys(resp.Levels)) {
		fmt.Fprintf(stdout, "%-12s %s\n", name, resp.Levels[name])
	}
	return exitOK
}
