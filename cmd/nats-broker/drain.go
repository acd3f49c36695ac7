package main

import (
	"io"

	"github.com/nats-broker/nats-broker/daemon/control"
)

const drainUsage = `Usage: nats-broker drain [options]

Puts the running broker into lame duck mode: it takes no new clients, asks those
that are connected to go to other servers, closes them one after another over
lame_duck_duration, and stops. Waits until its process is gone.

` + commonFlags + `
Exit status: 0 drained and stopped, 1 refused or not in time, 2 wrong command
line, 3 no broker is running.
`

// runDrain ends the daemon without haste.
func runDrain(args []string, _ io.Reader, stdout, stderr io.Writer) int {
	return runEnd(newTalk("drain", drainUsage, 0, stderr), control.VerbDrain, args, stdout)
}
