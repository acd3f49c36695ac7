package main

import (
	"flag"
	"io"

	"github.com/nats-broker/nats-broker/daemon/config"
)

const configShowHelp = `Usage: nats-broker config show [--origin] [--all] [--json] [--instance NAME | FILE]

Show the configuration that is in effect with FILE (without it, that of the
service: the one it runs with, or else ` + config.PackagedFile + `), its drop-ins and
the environment: every option under its canonical name, layers merged, variables
resolved, secrets masked.

` + subjectFlags + `  --origin         add to every line where it comes from: the layer, file and line
  --all            add the options that nobody set, with their defaults
  --json           write a list of settings, with their origins, as a JSON document

Exit status:
  0  shown
  1  the configuration is not valid, or it cannot be read
  2  wrong usage
`

func configShow(args []string, _ io.Reader, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet("config show", flag.ContinueOnError)
	origin := fs.Bool("origin", false, "")
	all := fs.Bool("all", false, "")
	asJSON := fs.Bool("json", false, "")
	var about subject
	about.flags(fs)
	rest, status, ok := arguments(fs, args, 1, configShowHelp, stdout, stderr)
	if !ok {
		return status
	}
	file, err := about.file(rest)
	if err != nil {
		return misused(stderr, fs.Name(), err.Error())
	}
	cfg, ok := loadOrReport(file, stderr)
	if !ok {
		return exitFail
	}
	if *asJSON {
		return writeJSON(stdout, cfg.Settings(*all))
	}
	if err := cfg.Show(stdout, *origin, *all); err != nil {
		return failed(stderr, fs.Name(), err)
	}
	return exitOK
}
