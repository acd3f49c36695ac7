package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/nats-broker/nats-broker/daemon/control"
)

const mayUsage = `Usage: nats-broker may [options] USER publish SUBJECT
       nats-broker may [options] USER subscribe SUBJECT

Says whether USER may publish to SUBJECT, or subscribe to it, and which
permission decides. USER is the name of a user of the configuration, or a public
nkey. Of users that come as JWTs or by a callout the broker knows what those may
that are connected.

    --queue NAME       subscribe in this queue group
    --json             print JSON
` + commonFlags + `
Exit status: 0 the user may, 1 it may not, or the broker refuses, 2 wrong
command line, 3 no broker is running, 4 there is no such user.
`

// exitUnknown is the status of a question about somebody whom the broker does not know.
const exitUnknown = 4

// runMay prints what a user may.
func runMay(args []string, _ io.Reader, stdout, stderr io.Writer) int {
	t := newTalk("may", mayUsage, 10*time.Second, stderr)
	var q control.MayQuery
	t.fs.StringVar(&q.Queue, "queue", "", "")
	asJSON := t.fs.Bool("json", false, "")
	rest, code, done := t.arguments(args, 3, stdout)
	switch {
	case done:
		return code
	case len(rest) != 3 || rest[1] != control.Publish && rest[1] != control.Subscribe:
		return misused(stderr, "may", "say USER publish SUBJECT, or USER subscribe SUBJECT")
	case q.Queue != "" && rest[1] == control.Publish:
		return misused(stderr, "may", "--queue belongs to subscribe")
	}
	q.User, q.Action, q.Subject = rest[0], rest[1], rest[2]
	var a control.May
	if code, ok := t.question(control.VerbMay, q, &a); !ok {
		return code
	}
	if *asJSON {
		printJSON(stdout, a)
	} else if !a.Known {
		fmt.Fprintf(stderr, "nats-broker may: the configuration has no user %q, and none of that name is connected\n", q.User)
	}
	code = exitOK
	for _, v := range a.Verdicts {
		if !v.May {
			code = exitFail
		}
		if !*asJSON {
			printVerdict(stdout, &v)
		}
	}
	if !a.Known {
		return exitUnknown
	}
	return code
}

func printVerdict(w io.Writer, v *control.Verdict) {
	word := "no"
	if v.May {
		word = "yes"
	}
	where := "account " + printable(v.Account)
	if v.CID != 0 {
		where += fmt.Sprintf(", connection %d", v.CID)
	}
	fmt.Fprintf(w, "%s: %s (%s)\n", word, printable(v.Why), where)
	if len(v.Only) > 0 {
		fmt.Fprintf(w, "  messages are delivered on %s only\n", printable(strings.Join(v.Only, ", ")))
	}
	if len(v.Held) > 0 {
		fmt.Fprintf(w, "  messages are held back on %s\n", printable(strings.Join(v.Held, ", ")))
	}
}
