package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/nats-broker/nats-broker/daemon/control"
)

const reloadUsage = `Usage: nats-broker reload [options]

Makes the running broker read its configuration again, waits for the outcome
and prints what changed. A configuration with a mistake changes nothing.

    --check            only say what would change
    --json             print the report as JSON
` + commonFlags + `
Exit status: 0 applied (or nothing to do), 1 refused, 2 wrong command line,
3 no broker is running.
`

// runReload asks for a reload and prints its report.
func runReload(args []string, _ io.Reader, stdout, stderr io.Writer) int {
	t := newTalk("reload", reloadUsage, time.Minute, stderr)
	check := t.fs.Bool("check", false, "")
	asJSON := t.fs.Bool("json", false, "")
	if _, code, done := t.arguments(args, 0, stdout); done {
		return code
	}
	resp, code, ok := t.ask(control.Request{Verb: control.VerbReload, Check: *check}, false)
	if !ok {
		return code
	}
	if *asJSON {
		printJSON(stdout, resp)
		if !resp.OK {
			return exitFail
		}
		return exitOK
	}
	if !resp.OK {
		return t.refused(resp)
	}
	printReload(stdout, resp.Reload)
	return exitOK
}

func printReload(w io.Writer, r *control.Reload) {
	for _, warning := range r.Warnings {
		fmt.Fprintln(w, "warning:", warning)
	}
	for _, c := range r.Changes {
		fmt.Fprintf(w, "%s: %s -> %s (%s)\n", c.Option, orNone(c.Old), orNone(c.New), c.Class)
	}
	switch n := len(r.Changes); {
	case r.Checked && n == 0:
		fmt.Fprintln(w, "A reload would change nothing.")
	case r.Checked:
		fmt.Fprintf(w, "A reload would change %s.\n", options(n))
	case n == 0:
		fmt.Fprintln(w, "Reloaded: nothing has changed.")
	default:
		fmt.Fprintf(w, "Reloaded: %s changed.\n", options(n))
	}
}

func options(n int) string {
	if n == 1 {
		return "1 option"
	}
	return fmt.Sprintf("%d options", n)
}

func orNone(s string) string {
	if s == "" {
		return "(none)"
	}
	return s
}

func printJSON(w io.Writer, v any) {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.Encode(v)
}
