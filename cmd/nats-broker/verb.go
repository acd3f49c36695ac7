package main

import (
	"fmt"
	"io"

	"github.com/nats-broker/nats-broker/daemon/config"
)

// A verb is a word of the command line that does something else than run the
// broker: `nats-broker VERB ...`.
type verb struct {
	name    string
	summary string // one line for --help
	// run does the work and returns the exit status; args are what stands
	// behind the verb.
	run func(args []string, stdin io.Reader, stdout, stderr io.Writer) int
}

// Exit statuses that all verbs share.
const (
	exitOK         = 0
	exitFail       = 1 // it could not be done, or the answer is no
	exitUsage      = 2 // the command line makes no sense
	exitNotRunning = 3 // there is no broker to ask
	exitRestart    = 3 // of -t: a reload is not enough, as nats-server has it
)

// verbs are all verbs, in the order of --help.
var verbs = []verb{
	{"status", "show how the running broker is", runStatus},
	{"reload", "make the running broker read its configuration again", runReload},
	{"stop", "stop the running broker", runStop},
	{"drain", "let the running broker's clients move away, then stop it", runDrain},
	{"upgrade", "let a new program take over from the running broker, with its connections", runUpgrade},
	{"health", "check that the running broker passes messages on", runHealth},
	{"log-level", "show or change what the running broker logs", runLogLevel},
	{"config", "check, show, compare, explain and lay out configuration", runConfig},
	{"top", "watch connections and rates in the terminal", runTop},
	{"passwd", "make the hash of a password for the configuration", runPasswd},
}

// findVerb returns the verb that a command line begins with.
func findVerb(args []string) (verb, bool) {
	if len(args) > 0 {
		for _, v := range verbs {
			if v.name == args[0] {
				return v, true
			}
		}
	}
	return verb{}, false
}

// hint helps who has named a command that is in no list: command is what the list is of.
func hint(command, word string, list []verb) string {
	names := make([]string, len(list))
	for i, v := range list {
		names[i] = v.name
	}
	try := fmt.Sprintf("Try '%s --help'.\n", command)
	if name := config.Closest(word, names); name != "" {
		return fmt.Sprintf("Did you mean '%s %s'? %s", command, name, try)
	}
	return try
}

// verbHelp is the list of verbs in --help.
func verbHelp() string {
	return "Commands:\n" + summaries(verbs) + "\nEach command has its own --help.\n"
}
