package main

import (
	"flag"
	"fmt"
	"io"

	"github.com/nats-broker/nats-broker/daemon/config"
)

const configCheckHelp = `Usage: nats-broker config check [--json] [FILE]

Say whether the configuration in FILE, with its drop-ins and the environment, is
valid. FILE is ` + config.PackagedFile + ` unless given. All mistakes are reported,
with their places; besides what 'nats-broker -t' finds, also what would only
show at the start.

  --json     write the verdict as a JSON document

Exit status:
  0  valid
  1  not valid, or it cannot be read
  2  wrong usage
`

// A verdict is what `config check --json` writes.
type verdict struct {
	File     string           `json:"file"`
	Valid    bool             `json:"valid"`
	Digest   string           `json:"digest,omitempty"`
	Errors   []config.Problem `json:"errors"`
	Warnings []config.Problem `json:"warnings"`
}

func configCheck(args []string, _ io.Reader, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet("config check", flag.ContinueOnError)
	asJSON := fs.Bool("json", false, "")
	rest, status, ok := arguments(fs, args, 1, configCheckHelp, stdout, stderr)
	if !ok {
		return status
	}
	file := fileArgument(rest)
	cfg, warns, err := load(file)
	status = exitOK
	if err != nil || config.Verdict(warns, err) != nil {
		status = exitFail
	}
	switch {
	case *asJSON:
		v := verdict{File: file, Valid: status == exitOK}
		v.Errors, v.Warnings = config.Problems(warns, err)
		if v.Valid {
			v.Digest = cfg.Digest
		}
		if writeJSON(stdout, v) != exitOK {
			return exitFail
		}
	case status == exitOK:
		config.Report(stderr, warns, nil, isTerminal(stderr))
		fmt.Fprintf(stdout, "nats-broker: configuration file %s is valid (%s)\n", file, cfg.Digest)
	default:
		config.Report(stderr, warns, err, isTerminal(stderr))
	}
	return status
}
