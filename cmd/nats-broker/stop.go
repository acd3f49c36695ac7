package main

import (
	"fmt"
	"io"
	"time"

	"github.com/nats-broker/nats-broker/daemon/control"
)

const stopUsage = `Usage: nats-broker stop [options]

Stops the running broker and waits until its process is gone.

` + commonFlags + `
Exit status: 0 stopped, 1 it did not stop in time, 2 wrong command line,
3 no broker is running.
`

// runStop ends the daemon.
func runStop(args []string, _ io.Reader, stdout, stderr io.Writer) int {
	return runEnd(newTalk("stop", stopUsage, time.Minute, stderr), control.VerbStop, args, stdout)
}

// runEnd is a verb after which the daemon is gone.
func runEnd(t *talk, verb string, args []string, stdout io.Writer) int {
	if _, code, done := t.arguments(args, 0, stdout); done {
		return code
	}
	resp, code, ok := t.ask(control.Request{Verb: verb}, true)
	if !ok {
		return code
	}
	if !resp.OK {
		fmt.Fprintf(t.stderr, "nats-broker %s: %s\n", t.fs.Name(), resp.Error)
		return exitFail
	}
	return exitOK
}
