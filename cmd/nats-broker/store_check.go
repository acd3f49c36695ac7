package main

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/nats-broker/nats-broker/daemon/inspect"
)

const storeCheckHelp = `Usage: nats-broker store check [--json] DIR

Read everything in the store in DIR, the store_dir of a broker that does not run:
say what there is, what is damaged, what is lost and where. Nothing is changed. A
finding that 'nats-broker store repair' can do something about says what to name.

  --json           write the report as a JSON document

Exit status:
  0  all is well
  1  it could not be checked
  2  wrong usage
  3  a broker runs on it
  4  something is damaged, and no message is lost by it
  5  messages, or states of consumers, are lost
  6  a broker would not start on it
`

// checkStatus is the exit status for the worst finding.
var checkStatus = map[inspect.Severity]int{inspect.Note: exitOK, inspect.Damaged: exitDamaged, inspect.Lost: exitLost, inspect.Refused: exitRefused}

func storeCheck(args []string, _ io.Reader, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet("store check", flag.ContinueOnError)
	asJSON := fs.Bool("json", false, "")
	rest, status, ok := arguments(fs, args, 1, storeCheckHelp, stdout, stderr)
	if !ok {
		return status
	}
	dir, status, ok := storeArgument(rest, fs.Name(), stderr)
	if !ok {
		return status
	}
	p, end := bar(stderr, "checking")
	r, err := inspect.Check(dir, p)
	end()
	if err != nil {
		return storeFailed(stderr, fs.Name(), err)
	}
	if *asJSON {
		if writeJSON(stdout, r) != exitOK {
			return exitFail
		}
	} else {
		showReport(stdout, r, dir)
	}
	return checkStatus[r.Verdict]
}

// showReport writes a report for people.
func showReport(w io.Writer, r *inspect.Report, dir string) {
	fmt.Fprintf(w, "store %s: format %d, node %s\n", r.Store, r.Format, cmp.Or(r.Node, "not known"))
	ended := "not closed"
	if r.Journal.Clean {
		ended = "closed"
	}
	fmt.Fprintf(w, "journal: %d files, %d bytes, %d frames, %s\n", r.Journal.Files, r.Journal.Bytes, r.Journal.Frames, ended)
	if len(r.Streams) > 0 {
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "STREAM\tFOLDER\tMESSAGES\tBYTES\tSEQUENCES\tIN JOURNAL\tCONSUMERS\tLOST")
		for _, s := range r.Streams {
			fmt.Fprintf(t, "%s > %s\t%d\t%d\t%d\t%d to %d\t%d\t%d\t%d\n", s.Account, s.Name, s.ID, s.Messages, s.Bytes, s.First, s.Last, s.InJournal, s.Consumers, s.LostCount)
		}
		t.Flush() //nolint:errcheck // standard output
	}
	for _, f := range r.Findings {
		fmt.Fprintf(w, "%s: %s: %s", f.Severity, f.Where, f.Text)
		if f.From != 0 || f.To != 0 {
			fmt.Fprintf(w, ": messages %d to %d", f.From, f.To)
		}
		if f.File != "" {
			fmt.Fprintf(w, ": %s", f.File)
		}
		fmt.Fprintln(w)
		if f.Repair != "" {
			fmt.Fprintf(w, "  to repair it: nats-broker store repair %s %q\n", dir, f.Repair)
		}
	}
	if r.Verdict == inspect.Note {
		fmt.Fprintln(w, "all is well")
	}
}
