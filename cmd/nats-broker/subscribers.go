package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/nats-broker/nats-broker/daemon/control"
)

const subscribersUsage = `Usage: nats-broker subscribers [options] SUBJECT

Shows who would receive a message that a client published on SUBJECT now: each
subscription, with its queue group, the mappings and imports by which the
message gets there, streams that store it, and other servers that it is sent to.
What those do with it they know themselves.

    --account ACCOUNT  published in this account (default: $G)
    --request          the message asks for an answer: then an import of a
                       service leads to those who serve, and to nobody else
    --limit N          list at most this many (default: 10000)
    --json             print JSON
` + commonFlags + `
Exit status: 0 somebody would receive it, 1 nobody would, or the broker refuses,
2 wrong command line, 3 no broker is running.
`

// runSubscribers prints who would receive a message.
func runSubscribers(args []string, _ io.Reader, stdout, stderr io.Writer) int {
	t := newTalk("subscribers", subscribersUsage, 30*time.Second, stderr)
	var q control.SubscribersQuery
	t.fs.StringVar(&q.Account, "account", "", "")
	t.fs.BoolVar(&q.Request, "request", false, "")
	t.fs.IntVar(&q.Limit, "limit", 0, "")
	asJSON := t.fs.Bool("json", false, "")
	rest, code, done := t.arguments(args, 1, stdout)
	switch {
	case done:
		return code
	case len(rest) != 1:
		return misused(stderr, "subscribers", "name a subject")
	}
	q.Subject = rest[0]
	var a control.Subscribers
	if code, ok := t.question(control.VerbSubscribers, q, &a); !ok {
		return code
	}
	if *asJSON {
		printJSON(stdout, a)
	} else {
		printSubscribers(stdout, &a)
	}
	if a.Total == 0 {
		return exitFail
	}
	return exitOK
}

func printSubscribers(w io.Writer, a *control.Subscribers) {
	if a.Total == 0 {
		fmt.Fprintf(w, "nobody would receive a message on %s in account %s\n", printable(a.Subject), printable(a.Account))
		return
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "RECEIVER\tACCOUNT\tSEES\tSUBSCRIPTION\tGETS\tBY")
	for i := range a.Receivers {
		r := &a.Receivers[i]
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\n", receiverName(r), printable(r.Account), printable(r.Subject), orDash(printable(r.Pattern)), receiverShare(r),
			orDash(printable(strings.Join(r.Via, "; "))))
	}
	tw.Flush()
	if more := a.Total - len(a.Receivers); more > 0 {
		fmt.Fprintf(w, "%d more\n", more)
	}
}

// receiverName is what a receiver is, and which.
func receiverName(r *control.Receiver) string {
	switch r.Kind {
	case "client":
		name := fmt.Sprintf("client %d", r.CID)
		for _, s := range []string{r.Name, r.User} {
			if s != "" {
				name += " " + printable(s)
			}
		}
		return name
	case "server":
		return strings.TrimSpace("this server " + r.Name)
	case "asker":
		return "who asked"
	}
	return strings.TrimSpace(r.Kind + " " + printable(r.Name))
}

// receiverShare is how many of the messages a receiver gets.
func receiverShare(r *control.Receiver) string {
	text := "every message"
	if r.Queue != "" {
		text = fmt.Sprintf("queue %s, one of %d", printable(r.Queue), r.Share)
	}
	if r.Last {
		text += ", if nobody nearer"
	}
	if r.Withheld {
		text = "nothing: not permitted"
	}
	return text
}
