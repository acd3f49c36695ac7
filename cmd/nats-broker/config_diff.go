package main

import (
	"fmt"
	"io"
	"time"

	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/control"
)

const configDiffHelp = `Usage: nats-broker config diff [--json] [A] B
       nats-broker config diff [--json] [options]

Show which options differ in effect between the configuration files A and B, each
with its drop-ins and the environment, and what a change from A to B needs: whether
it applies live, to new connections, or needs a restart. A, unless given, is the
service's, ` + config.PackagedFile + ` where it runs with no other. Without any file, show what differs from the
running broker's. Secrets are masked.

    --json             write the changes as a JSON document
` + commonFlags + `
Exit status: 0 nothing differs, 1 something differs, 2 a configuration is not
valid or cannot be read, or wrong usage, 3 no broker is running.
`

// A change is an element of what `config diff --json` writes.
type change struct {
	Path  string `json:"path"`
	Old   string `json:"old,omitempty"`
	New   string `json:"new,omitempty"`
	Needs string `json:"needs"`
}

func configDiff(args []string, _ io.Reader, stdout, stderr io.Writer) int {
	t := newTalk("config diff", configDiffHelp, 10*time.Second, stderr)
	asJSON := t.fs.Bool("json", false, "")
	rest, status, ok := arguments(t.fs, args, 2, configDiffHelp, stdout, stderr)
	if !ok {
		return status
	}
	switch len(rest) {
	case 0:
		return diffRunning(t, *asJSON, stdout)
	case 1:
		about := subject{instance: t.inst}
		now, err := about.file(nil)
		if err != nil {
			return failed(stderr, t.fs.Name(), err)
		}
		rest = []string{now, rest[0]}
	}
	a, okA := loadOrReport(rest[0], stderr)
	b, okB := loadOrReport(rest[1], stderr)
	if !okA || !okB {
		return exitUsage
	}
	var list []change
	for _, c := range config.Diff(a, b) {
		list = append(list, change{c.Path, c.Old, c.New, c.Class.String()})
	}
	return writeChanges(stdout, list, *asJSON)
}

// diffRunning asks the running broker what a reload would change.
func diffRunning(t *talk, asJSON bool, stdout io.Writer) int {
	resp, status, ok := t.ask(control.Request{Verb: control.VerbReload, Check: true}, false)
	switch {
	case !ok && status == exitNotRunning:
		return status
	case !ok:
		return exitUsage
	case !resp.OK && resp.Reload == nil: // with it, the broker only says that a reload is not enough, as the changes do
		t.refused(resp)
		return exitUsage
	}
	var list []change
	for _, c := range resp.Reload.Changes {
		list = append(list, change{c.Option, c.Old, c.New, c.Class})
	}
	return writeChanges(stdout, list, asJSON)
}

// writeChanges writes what differs and returns the exit status.
func writeChanges(w io.Writer, list []change, asJSON bool) int {
	if asJSON {
		if list == nil {
			list = []change{}
		}
		if writeJSON(w, list) != exitOK {
			return exitUsage
		}
	} else {
		for _, c := range list {
			if c.Old == c.New { // masked, or of no interest
				fmt.Fprintf(w, "%s: changed (%s)\n", c.Path, c.Needs)
				continue
			}
			fmt.Fprintf(w, "%s: %s -> %s (%s)\n", c.Path, orNone(c.Old), orNone(c.New), c.Needs)
		}
	}
	if len(list) > 0 {
		return exitFail
	}
	return exitOK
}
