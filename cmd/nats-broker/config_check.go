package main

import (
	"flag"
	"fmt"
	"io"

	"github.com/nats-broker/nats-broker/daemon"
	"github.com/nats-broker/nats-broker/daemon/config"
)

const configCheckHelp = `Usage: nats-broker config check [--instance NAME | FILE] [--json] [--writable]

Say whether the configuration in FILE, with its drop-ins and the environment, is
valid. Without FILE it is that of the service: the one it runs with, or else
` + config.PackagedFile + `. All mistakes are reported, with their places; besides
what 'nats-broker -t' finds, also what would only show at the start.

` + subjectFlags + `  --json           write the verdict as a JSON document
  --writable       also say which of the files and directories that the broker
                   would write to it may not, as the user that asks, and
                   whether a store of nats-server lies where its own would

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
	writable := fs.Bool("writable", false, "")
	var about subject
	about.flags(fs)
	rest, status, ok := arguments(fs, args, 1, configCheckHelp, stdout, stderr)
	if !ok {
		return status
	}
	file, err := about.file(rest)
	if err != nil {
		return misused(stderr, fs.Name(), err.Error())
	}
	cfg, warns, err := load(file)
	if err == nil && *writable {
		err = daemon.CheckWritable(cfg)
	}
	if cfg != nil {
		warns = append(warns, daemon.StorageWarnings(cfg)...)
	}
	status = exitOK
	if err != nil {
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
