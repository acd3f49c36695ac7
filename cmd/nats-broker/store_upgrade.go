package main

import (
	"flag"
	"fmt"
	"io"

	"github.com/nats-broker/nats-broker/daemon/inspect"
)

const storeUpgradeHelp = `Usage: nats-broker store upgrade [--json] DIR

Bring the store in DIR, the store_dir of a broker that does not run, to the format of
this version, and say which format a broker must know that is to read it. A broker
does so by itself when something needs it, a compressed stream, say, and no earlier,
so that versions before can read the store. There is no way back.

  --json           write the outcome as a JSON document

Exit status:
  0  done, or there was nothing to do
  1  it could not be done
  2  wrong usage
  3  a broker runs on it
`

func storeUpgrade(args []string, _ io.Reader, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet("store upgrade", flag.ContinueOnError)
	asJSON := fs.Bool("json", false, "")
	rest, status, ok := arguments(fs, args, 1, storeUpgradeHelp, stdout, stderr)
	if !ok {
		return status
	}
	dir, status, ok := storeArgument(rest, fs.Name(), stderr)
	if !ok {
		return status
	}
	if err := workAsOwner(dir); err != nil {
		return failed(stderr, fs.Name(), err)
	}
	u, err := inspect.Upgrade(dir)
	if err != nil {
		return storeFailed(stderr, fs.Name(), err)
	}
	if *asJSON {
		return writeJSON(stdout, u)
	}
	if !u.Changed {
		fmt.Fprintf(stdout, "format %d is current, nothing was changed\n", u.Format)
	} else {
		fmt.Fprintf(stdout, "the store has format %d now\n", u.Current)
	}
	fmt.Fprintf(stdout, "a broker that knows format %d can read it\n", u.Oldest)
	return exitOK
}
