package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/control"
)

// configVerbs are the verbs below `nats-broker config`.
var configVerbs = []verb{
	{name: "check", summary: "say whether a configuration is valid, and what is wrong with it", run: configCheck},
	{name: "show", summary: "show what is in effect and where it comes from", run: configShow},
	{name: "diff", summary: "show what differs between two configurations and what the change needs", run: configDiff},
	{name: "explain", summary: "explain an option", run: configExplain},
	{name: "fmt", summary: "lay out a configuration file", run: configFormat},
}

func configHelp() string {
	return "Usage: nats-broker config COMMAND [ARGUMENTS]\n\nLook at configuration. Nothing here touches a running broker.\n\nCommands:\n" +
		summaries(configVerbs) + "\nEach command has its own --help.\n"
}

func runConfig(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return runGroup("config", configVerbs, configHelp(), args, stdin, stdout, stderr)
}

// load reads a configuration with all its layers: the file, its drop-ins, and the environment of this command.
func load(file string) (*config.Config, config.Warnings, error) {
	return config.Load(config.LoadRequest{File: file, Environ: os.Environ()})
}

// subject is what a config verb is about: a file that is named, or that of a service.
type subject struct{ instance string }

// subjectFlags describes the flags of a subject.
const subjectFlags = `  --instance NAME  the configuration of nats-broker@NAME.service
`

func (s *subject) flags(fs *flag.FlagSet) { fs.StringVar(&s.instance, "instance", "", "") }

// file is the file meant: the one that was given, or else the one that the service serves with; where it does not run,
// the one that it would start with. args hold at most one.
func (s *subject) file(args []string) (string, error) {
	switch {
	case len(args) > 0 && s.instance != "":
		return "", errors.New("--instance and a file: one of them is meant")
	case len(args) > 0:
		return args[0], nil
	}
	t := talk{inst: s.instance}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	resp, err := control.Client{Path: t.path()}.Do(ctx, control.Request{Verb: control.VerbStatus})
	if err == nil && resp.Status != nil && filepath.IsAbs(resp.Status.Config.File) {
		return resp.Status.Config.File, nil
	}
	if s.instance != "" {
		return filepath.Join(filepath.Dir(config.PackagedFile), s.instance+".conf"), nil
	}
	return config.PackagedFile, nil
}

// loadOrReport loads a configuration for a verb that needs a valid one. Mistakes and warnings are reported.
func loadOrReport(file string, stderr io.Writer) (*config.Config, bool) {
	cfg, warns, err := load(file)
	config.Report(stderr, warns, err, isTerminal(stderr))
	return cfg, err == nil
}

// writeJSON writes a document for programs.
func writeJSON(w io.Writer, v any) int {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return exitFail
	}
	return exitOK
}

// failed reports a failure of a verb.
func failed(stderr io.Writer, name string, err error) int {
	fmt.Fprintf(stderr, "nats-broker %s: %v\n", name, err)
	return exitFail
}
