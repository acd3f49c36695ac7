package main

import (
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/nats-broker/nats-broker/daemon"
	"github.com/nats-broker/nats-broker/daemon/config"
)

const configCheckHelp = `Usage: nats-broker config check [--instance NAME | FILE] [--json] [--writable]

Say whether the configuration in FILE, with its drop-ins and the environment, is
valid. Without FILE it is that of the service: the one it runs with, or else
` + config.PackagedFile + `. All mistakes are reported, with their places, as
'nats-broker -t' does, also what would only show at the start. The file of an
installed service is looked at as the service does: from its directory, by the
rights of its user if root asks, and with what its sandbox keeps from it. If a
broker serves with the file, changes that only a restart brings are noted.

` + subjectFlags + `  --json           write the verdict as a JSON document
  --writable       by the rights of who asks instead, also say which of the files
                   and directories that the broker would write to it may not, and
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
	Notes    []string         `json:"notes,omitempty"` // what is not wrong
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
	var cfg *config.Config
	var warns config.Warnings
	if *writable {
		if cfg, warns, err = load(file); err == nil {
			err = daemon.CheckWritable(cfg)
		}
	} else {
		cfg, warns, err = daemon.LoadAsService(config.LoadRequest{File: file, Environ: os.Environ()})
	}
	if cfg != nil {
		warns = append(warns, daemon.StorageWarnings(cfg)...)
	}
	status = exitOK
	var notes []string
	if err == nil {
		notes = restartNotes(cfg, file)
	} else {
		status = exitFail
	}
	switch {
	case *asJSON:
		v := verdict{File: file, Valid: status == exitOK, Notes: notes}
		v.Errors, v.Warnings = config.Problems(warns, err)
		if v.Valid {
			v.Digest = cfg.Digest
		}
		if writeJSON(stdout, v) != exitOK {
			return exitFail
		}
	case status == exitOK:
		config.Report(stderr, warns, nil, isTerminal(stderr))
		writeNotes(stderr, notes)
		fmt.Fprintf(stdout, "nats-broker: configuration file %s is valid (%s)\n", file, cfg.Digest)
	default:
		config.Report(stderr, warns, err, isTerminal(stderr))
	}
	return status
}
