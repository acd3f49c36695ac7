package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"github.com/nats-broker/nats-broker/daemon/inspect"
)

const storeRepairHelp = `Usage: nats-broker store repair [--json] DIR WHAT...

Repair what is named of the store in DIR, the store_dir of a broker that does not
run, and nothing else. The original is copied into the folder "saved" of the store
first. Root works as the user that owns the store. WHAT is what 'nats-broker store check' says:

  node             the node's identity: both copies are written anew
  catalogue        the same; of what is damaged in both, what can be read counts
  journal          what the disk does not give at its end is lost, for good
  STREAM           "ACCOUNT > NAME", or NAME: all of it is read, and what is not
                   messages is written anew; messages that are lost stay lost

  --json           write what was done as a JSON document

Exit status:
  0  done
  1  it could not be done
  2  wrong usage
  3  a broker runs on it
`

func storeRepair(args []string, _ io.Reader, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet("store repair", flag.ContinueOnError)
	asJSON := fs.Bool("json", false, "")
	rest, status, ok := arguments(fs, args, 1000, storeRepairHelp, stdout, stderr)
	if !ok {
		return status
	}
	dir, status, ok := storeArgument(rest, fs.Name(), stderr)
	if !ok {
		return status
	}
	if len(rest) < 2 {
		return misused(stderr, fs.Name(), "name what is to be repaired")
	}
	if err := workAsOwner(dir); err != nil {
		return failed(stderr, fs.Name(), err)
	}
	p, end := bar(stderr, "saving")
	r, err := inspect.Repair(dir, rest[1:], time.Now(), p)
	end()
	if r != nil && *asJSON {
		if writeJSON(stdout, r) != exitOK {
			err = errors.Join(err, errors.New("the outcome could not be written"))
		}
	} else if r != nil {
		for _, done := range r.Done {
			fmt.Fprintln(stdout, done)
		}
		fmt.Fprintf(stdout, "the original is in %s\n", r.Saved)
		if r.Unread > 0 {
			fmt.Fprintf(stdout, "the disk did not give %d bytes of it, which are zeros there\n", r.Unread)
		}
	}
	if err != nil {
		return storeFailed(stderr, fs.Name(), err)
	}
	return exitOK
}
