package main

import (
	"fmt"
	"io"
	"time"

	"github.com/nats-broker/nats-broker/daemon/control"
)

const pauseUsage = `Usage: nats-broker pause [options]

Puts the running broker into a lame duck mode that can be taken back, for
maintenance: it lets no new client in, asks those that are connected to go to
other servers, and closes them one after another. Streams, routes and leaf nodes
go on. status, health and /healthz say that the broker is paused; "nats-broker
resume" ends it, and so does a restart.

    --keep             close nobody: who is connected stays
    --grace DURATION   let clients go by themselves for this long (default:
                       lame_duck_grace_period)
    --spread DURATION  close those that are left over this time (default: what
                       lame_duck_duration leaves)
    --wait             wait until they are gone
    --json             print the outcome as JSON
` + commonFlags + `
Exit status: 0 paused, 1 refused or not in time, 2 wrong command line, 3 no
broker is running.
`

// runPause pauses the daemon.
func runPause(args []string, _ io.Reader, stdout, stderr io.Writer) int {
	t := newTalk("pause", pauseUsage, 0, stderr)
	var q control.Pause
	t.fs.BoolVar(&q.Keep, "keep", false, "")
	t.fs.DurationVar(&q.Grace, "grace", 0, "")
	t.fs.DurationVar(&q.Spread, "spread", 0, "")
	t.fs.BoolVar(&q.Wait, "wait", false, "")
	asJSON := t.fs.Bool("json", false, "")
	if _, code, done := t.arguments(args, 0, stdout); done {
		return code
	}
	if q.Keep && q.Wait {
		return misused(stderr, "pause", "--keep closes nobody: there is nothing to wait for")
	}
	var a control.Paused
	if code, ok := t.question(control.VerbPause, q, &a); !ok {
		return code
	}
	printPaused(stdout, &a, *asJSON)
	if a.State != control.StatePaused {
		fmt.Fprintf(stderr, "nats-broker pause: somebody has ended it: the broker is %s\n", a.State)
		return exitFail
	}
	return exitOK
}

func printPaused(w io.Writer, a *control.Paused, asJSON bool) {
	if asJSON {
		printJSON(w, a)
		return
	}
	fmt.Fprintf(w, "%s, %d clients connected\n", a.State, a.Clients)
}

const resumeUsage = `Usage: nats-broker resume [options]

Ends a pause: the running broker lets clients in again, and tells those that are
still connected that it stays.

    --json             print the outcome as JSON
` + commonFlags + `
Exit status: 0 clients are let in, 1 the broker is not paused, 2 wrong command
line, 3 no broker is running.
`

// runResume ends a pause.
func runResume(args []string, _ io.Reader, stdout, stderr io.Writer) int {
	t := newTalk("resume", resumeUsage, 30*time.Second, stderr)
	asJSON := t.fs.Bool("json", false, "")
	if _, code, done := t.arguments(args, 0, stdout); done {
		return code
	}
	var a control.Paused
	if code, ok := t.question(control.VerbResume, struct{}{}, &a); !ok {
		return code
	}
	printPaused(stdout, &a, *asJSON)
	return exitOK
}
