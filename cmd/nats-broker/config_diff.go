package main

import (
	"flag"
	"fmt"
	"io"

	"github.com/nats-broker/nats-broker/daemon/config"
)

const configDiffHelp = `Usage: nats-broker config diff [--json] [A] B

Show which options differ in effect between the configuration files A and B, each
with its drop-ins and the environment, and what a change from A to B needs: whether
it applies live, to new connections, or needs a restart. A is ` + config.PackagedFile + `
unless given. Secrets are masked.

  --json     write the changes as a JSON document

Exit status:
  0  nothing differs
  1  something differs
  2  one of the files is not valid or cannot be read, or wrong usage
`

// A change is an element of what `config diff --json` writes.
type change struct {
	Path  string `json:"path"`
	Old   string `json:"old,omitempty"`
	New   string `json:"new,omitempty"`
	Needs string `json:"needs"`
}

func configDiff(args []string, _ io.Reader, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet("config diff", flag.ContinueOnError)
	asJSON := fs.Bool("json", false, "")
	rest, status, ok := arguments(fs, args, 2, configDiffHelp, stdout, stderr)
	if !ok {
		return status
	}
	switch len(rest) {
	case 0:
		return misused(stderr, fs.Name(), "which file?")
	case 1:
		rest = []string{config.PackagedFile, rest[0]}
	}
	a, okA := loadOrReport(rest[0], stderr)
	b, okB := loadOrReport(rest[1], stderr)
	if !okA || !okB {
		return exitUsage
	}
	changes := config.Diff(a, b)
	if *asJSON {
		list := make([]change, len(changes))
		for i, c := range changes {
			list[i] = change{c.Path, c.Old, c.New, c.Class.String()}
		}
		if writeJSON(stdout, list) != exitOK {
			return exitUsage
		}
	} else {
		for _, c := range changes {
			fmt.Fprintln(stdout, c)
		}
	}
	if len(changes) > 0 {
		return exitFail
	}
	return exitOK
}
