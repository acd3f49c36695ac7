package main

import (
	"bufio"
	"errors"
	"flag"
	"io"

	"github.com/nats-broker/nats-broker/daemon/inspect"
)

const storeDumpHelp = `Usage: nats-broker store dump [--stream NAME] [--from SEQ] [--no-payload] DIR

Write what is in the store in DIR, the store_dir of a broker that does not run, as
lines of JSON: the streams, and what the journal holds; or the messages of one
stream, those in its files, and behind them what the journal has. What cannot be
read is a line of type "damage". Nothing is changed.

  --stream NAME    the messages of a stream: "ACCOUNT > NAME", or NAME
  --from SEQ       begin with this sequence
  --no-payload     without headers and payloads

Exit status:
  0  done
  1  it could not be read
  2  wrong usage
  3  a broker runs on it
  5  done, and something could not be read
`

func storeDump(args []string, _ io.Reader, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet("store dump", flag.ContinueOnError)
	var o inspect.DumpOptions
	fs.StringVar(&o.Stream, "stream", "", "")
	fs.Uint64Var(&o.From, "from", 0, "")
	bare := fs.Bool("no-payload", false, "")
	rest, status, ok := arguments(fs, args, 1, storeDumpHelp, stdout, stderr)
	if !ok {
		return status
	}
	dir, status, ok := storeArgument(rest, fs.Name(), stderr)
	if !ok {
		return status
	}
	o.Payload = !*bare
	w := bufio.NewWriterSize(stdout, 64<<10)
	damaged, err := inspect.Dump(dir, o, w)
	if err = errors.Join(err, w.Flush()); err != nil {
		return storeFailed(stderr, fs.Name(), err)
	}
	if damaged {
		return exitLost
	}
	return exitOK
}
