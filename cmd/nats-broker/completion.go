package main

import (
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/nats-broker/nats-broker/daemon/config"
)

const completionHelp = `Usage: nats-broker completion SHELL

Print the completions of nats-broker for SHELL: bash, fish or zsh. The packages
install them; elsewhere, for bash:

  nats-broker completion bash >~/.local/share/bash-completion/completions/nats-broker

Exit status:
  0  done
  2  wrong usage, or a shell that is not known
`

// The verb is added here because it lists all the others, itself included.
func init() {
	verbs = append(verbs, verb{"completion", "print the completions of a shell", runCompletion})
}

func runCompletion(args []string, _ io.Reader, stdout, stderr io.Writer) int {
	rest, status, ok := arguments(flag.NewFlagSet("completion", flag.ContinueOnError), args, 1, completionHelp, stdout, stderr)
	switch {
	case !ok:
		return status
	case len(rest) == 0 || !slices.Contains(config.Shells, rest[0]):
		return misused(stderr, "completion", "name a shell: "+strings.Join(config.Shells, ", "))
	}
	if err := config.Completion(stdout, rest[0], "nats-broker", commands(verbs)); err != nil {
		fmt.Fprintf(stderr, "nats-broker completion: %v\n", err)
		return exitFail
	}
	return exitOK
}

// commands are the verbs as the completion knows them.
func commands(list []verb) []config.Command {
	var all []config.Command
	for _, v := range list {
		c := config.Command{Name: v.name, Summary: v.summary}
		if v.name == "config" {
			c.Sub = commands(configVerbs)
		}
		all = append(all, c)
	}
	return all
}
