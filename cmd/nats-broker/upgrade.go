package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/nats-broker/nats-broker/daemon/control"
)

const upgradeUsage = `Usage: nats-broker upgrade [options]

Starts the program anew and lets the new process take over from the running
broker: its listeners, and its clients' connections, which stay open. Clients
notice a short pause and nothing else; those over TLS 1.2 reconnect. If the new
process cannot start, the running one goes on.

For a broker that no service manager runs. Under systemd,
"systemctl restart nats-broker" keeps connections too.

    --binary PATH      the new program (default: what is now where the running
                       one was started from)
` + commonFlags + `
Exit status: 0 the new process serves, 1 it does not, 2 wrong command line,
3 no broker is running.
`

// runUpgrade exchanges the running daemon's program.
func runUpgrade(args []string, _ io.Reader, stdout, stderr io.Writer) int {
	t := newTalk("upgrade", upgradeUsage, 2*time.Minute, stderr)
	binary := t.fs.String("binary", "", "")
	if _, code, done := t.arguments(args, 0, stdout); done {
		return code
	}
	if *binary != "" {
		path, err := filepath.Abs(*binary)
		if err != nil {
			fmt.Fprintf(stderr, "nats-broker upgrade: %v\n", err)
			return exitFail
		}
		*binary = path
	}
	resp, code, ok := t.ask(control.Request{Verb: control.VerbUpgrade, Binary: *binary}, true)
	if !ok {
		return code
	}
	if !resp.OK || resp.Upgrade == nil {
		fmt.Fprintf(stderr, "nats-broker upgrade: %v\n", errors.New(resp.Error))
		return exitFail
	}
	u := resp.Upgrade
	fmt.Fprintf(stdout, "process %d serves, version %s; connections kept: %d\n", u.PID, u.Version, u.Connections)
	for _, why := range slices.Sorted(maps.Keys(u.Lost)) {
		fmt.Fprintf(stdout, "closed: %d %s\n", u.Lost[why], why)
	}
	return exitOK
}
