package main

import (
	"fmt"
	"io"
	"time"

	"github.com/nats-broker/nats-broker/daemon/control"
)

const storeScrubHelp = `Usage: nats-broker store scrub [options]

Has the running broker read everything that its streams have in files, and verify it,
so that what has rotted on the disk is found before a reader needs it. It ends with
the scrub. The packaged service does this once a month, by nats-broker-scrub.timer.

    --rate BYTES       read at most so many bytes a second (default: 33554432)
    --json             write the outcome as a JSON document
` + commonFlags + `
Exit status: 0 all is well, 1 it could not be done, 2 wrong command line, 3 no broker
is running, 5 messages were found to be lost.
`

func storeScrub(args []string, _ io.Reader, stdout, stderr io.Writer) int {
	t := newTalk("store scrub", storeScrubHelp, 0, stderr)
	var q control.Scrub
	t.fs.Int64Var(&q.Rate, "rate", 0, "")
	asJSON := t.fs.Bool("json", false, "")
	if _, code, done := t.arguments(args, 0, stdout); done {
		return code
	}
	if q.Rate < 0 {
		return misused(stderr, "store scrub", "--rate: it is a number of bytes")
	}
	var r control.Scrubbed
	if code, ok := t.question(control.VerbScrub, q, &r); !ok {
		return code
	}
	if *asJSON {
		if writeJSON(stdout, r) != exitOK {
			return exitFail
		}
	} else {
		fmt.Fprintf(stdout, "streams: %d; bytes read: %d in %v; messages found to be lost: %d\n", r.Streams, r.Bytes, r.Took.Round(time.Millisecond), r.Lost)
	}
	if r.Lost > 0 {
		return exitLost
	}
	return exitOK
}
