package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/nats-broker/nats-broker/daemon/config"
)

// configVerbs are the verbs below `nats-broker config`.
var configVerbs = []verb{
	{"check", "say whether a configuration is valid, and what is wrong with it", configCheck},
	{"show", "show what is in effect and where it comes from", configShow},
	{"diff", "show what differs between two configurations and what the change needs", configDiff},
	{"explain", "explain an option", configExplain},
	{"fmt", "lay out a configuration file", configFormat},
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

// fileArgument is the file that a verb is about: the one it was given, or the packaged one.
func fileArgument(args []string) string {
	if len(args) > 0 {
		return args[0]
	}
	return config.PackagedFile
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
