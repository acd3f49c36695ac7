package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/nats-broker/nats-broker/daemon/control"
)

// connectionsVerbs are the verbs below `nats-broker connections`.
var connectionsVerbs = []verb{
	{name: "list", summary: "list connections, as /connz does", run: runConnectionsList},
	{name: "close", summary: "close connections", run: runConnectionsClose},
}

func connectionsHelp() string {
	return "Usage: nats-broker connections COMMAND [ARGUMENTS]\n\nSee and close the clients of the running broker.\n\nCommands:\n" +
		summaries(connectionsVerbs) + "\nWithout a command they are listed. Each command has its own --help.\n"
}

// runConnections lists when no verb is named.
func runConnections(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) == 0 || strings.HasPrefix(args[0], "-") && !slices.Contains([]string{"--help", "-help", "-h"}, args[0]) {
		return runConnectionsList(args, stdin, stdout, stderr)
	}
	return runGroup("connections", connectionsVerbs, connectionsHelp(), args, stdin, stdout, stderr)
}

const connectionsListUsage = `Usage: nats-broker connections list [options]

Lists the clients of the running broker, as /connz does, through its control
socket: no monitoring port is needed.

    --sort ORDER       cid, start, subs, pending, msgs_to, msgs_from, bytes_to,
                       bytes_from, last, idle, uptime, rtt; of closed ones also
                       stop and reason (default: cid)
    --state STATE      open, closed or all (default: open)
    --user USER        those of this user
    --account ACCOUNT  those of this account
    --cid CID          the one with this number
    --subject SUBJECT  those of the account with a subscription that this one
                       matches or meets
    --limit N          at most this many (default: 1024)
    --offset N         leave out this many
    --subs             with their subscriptions
    --json             print what /connz?auth=1 says, as JSON
` + commonFlags + `
Exit status: 0 they are listed, also if there are none, 1 the broker refuses,
2 wrong command line, 3 no broker is running.
`

// connStates are the words of --state, in the order of their numbers.
var connStates = []string{"open", "closed", "all"}

// runConnectionsList prints a page of connections.
func runConnectionsList(args []string, _ io.Reader, stdout, stderr io.Writer) int {
	t := newTalk("connections list", connectionsListUsage, 30*time.Second, stderr)
	q := control.ConnectionsQuery{Auth: true}
	t.fs.StringVar(&q.Sort, "sort", "", "")
	state := t.fs.String("state", "open", "")
	t.fs.StringVar(&q.User, "user", "", "")
	t.fs.StringVar(&q.Account, "account", "", "")
	t.fs.Uint64Var(&q.CID, "cid", 0, "")
	t.fs.StringVar(&q.FilterSubject, "subject", "", "")
	t.fs.IntVar(&q.Limit, "limit", 0, "")
	t.fs.IntVar(&q.Offset, "offset", 0, "")
	t.fs.BoolVar(&q.Subscriptions, "subs", false, "")
	asJSON := t.fs.Bool("json", false, "")
	if _, code, done := t.arguments(args, 0, stdout); done {
		return code
	}
	if q.State = slices.Index(connStates, *state); q.State < 0 {
		return misused(stderr, "connections list", fmt.Sprintf("--state %s: it is open, closed or all", *state))
	}
	var raw json.RawMessage
	if code, ok := t.question(control.VerbConnections, q, &raw); !ok {
		return code
	}
	if *asJSON {
		printJSON(stdout, raw)
		return exitOK
	}
	var z connzShown
	if err := json.Unmarshal(raw, &z); err != nil {
		fmt.Fprintf(stderr, "nats-broker connections list: the answer makes no sense: %v\n", err)
		return exitFail
	}
	printConnections(stdout, &z, q.State != 0)
	return exitOK
}

// connzShown is the part of /connz that is shown.
type connzShown struct {
	Total  int         `json:"total"`
	Offset int         `json:"offset"`
	Conns  []connShown `json:"connections"`
}

type connShown struct {
	topConn
	User    string   `json:"authorized_user"`
	Account string   `json:"account"`
	Reason  string   `json:"reason"`
	List    []string `json:"subscriptions_list"`
}

// printConnections prints a line each; ended adds why connections have ended.
func printConnections(w io.Writer, z *connzShown, ended bool) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(tw, "CID\tADDRESS\tACCOUNT\tUSER\tNAME\tSUBS\tPENDING\tMSGS TO\tMSGS FROM\tRTT\tUPTIME\tIDLE")
	if ended {
		fmt.Fprint(tw, "\tENDED")
	}
	fmt.Fprintln(tw)
	for i := range z.Conns {
		c := &z.Conns[i]
		account := c.Account
		if account == "" {
			account = "$G"
		}
		fmt.Fprintf(tw, "%d\t%s:%d\t%s\t%s\t%s\t%d\t%s\t%d\t%d\t%s\t%s\t%s", c.CID, c.IP, c.Port, printable(account), orDash(printable(c.User)),
			orDash(printable(c.Name)), c.Subs, size(uint64(max(c.Pending, 0))), c.OutMsgs, c.InMsgs, orDash(c.RTT), c.Uptime, c.Idle)
		if ended {
			fmt.Fprint(tw, "\t"+orDash(c.Reason))
		}
		fmt.Fprintln(tw)
		for _, s := range c.List {
			fmt.Fprintf(tw, "\t  %s\n", printable(s))
		}
	}
	tw.Flush()
	if shown := z.Offset + len(z.Conns); shown < z.Total {
		fmt.Fprintf(w, "%d more: --offset %d shows them\n", z.Total-shown, shown)
	}
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

const connectionsCloseUsage = `Usage: nats-broker connections close CID...
       nats-broker connections close [--user USER] [--account ACCOUNT]

Closes clients of the running broker: those with the numbers, or all of a user,
of an account, or of a user in an account. They may come back: who is not to
takes the right from them, by a reload or a new JWT. The broker logs it with the
user who asked.

    --user USER        all connections of this user
    --account ACCOUNT  all connections of this account
    --reason TEXT      tell the clients this, as an error, before
    --json             print the numbers as JSON
` + commonFlags + `
Exit status: 0 all of them are closed, 1 some are not there, or none, or the
broker refuses, 2 wrong command line, 3 no broker is running.
`

// runConnectionsClose closes connections.
func runConnectionsClose(args []string, _ io.Reader, stdout, stderr io.Writer) int {
	t := newTalk("connections close", connectionsCloseUsage, 30*time.Second, stderr)
	var q control.Close
	t.fs.StringVar(&q.User, "user", "", "")
	t.fs.StringVar(&q.Account, "account", "", "")
	t.fs.StringVar(&q.Reason, "reason", "", "")
	asJSON := t.fs.Bool("json", false, "")
	numbers, code, done := t.arguments(args, 4096, stdout)
	if done {
		return code
	}
	for _, n := range numbers {
		cid, err := strconv.ParseUint(n, 10, 64)
		if err != nil {
			return misused(stderr, "connections close", fmt.Sprintf("%q is no connection's number", n))
		}
		q.CIDs = append(q.CIDs, cid)
	}
	switch given := q.User != "" || q.Account != ""; {
	case len(q.CIDs) == 0 && !given:
		return misused(stderr, "connections close", "say which: numbers, --user or --account")
	case len(q.CIDs) > 0 && given:
		return misused(stderr, "connections close", "numbers, or --user and --account: one of them is meant")
	}
	var a control.Closed
	if code, ok := t.question(control.VerbClose, q, &a); !ok {
		return code
	}
	if *asJSON {
		printJSON(stdout, a)
	} else {
		fmt.Fprintf(stdout, "closed: %d\n", len(a.CIDs))
		for _, cid := range a.Missing {
			fmt.Fprintf(stderr, "nats-broker connections close: there is no connection %d\n", cid)
		}
	}
	if len(a.Missing) > 0 || len(a.CIDs) == 0 {
		return exitFail
	}
	return exitOK
}
