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
	sub []verb // the verbs below it
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
	{name: "status", summary: "show how the running broker is", run: runStatus},
	{name: "reload", summary: "make the running broker read its configuration again", run: runReload},
	{name: "stop", summary: "stop the running broker", run: runStop},
	{name: "drain", summary: "let the running broker's clients move away, then stop it", run: runDrain},
	{name: "pause", summary: "move the running broker's clients away, and let nobody in until it resumes", run: runPause},
	{name: "resume", summary: "end a pause", run: runResume},
	{name: "upgrade", summary: "let a new program take over from the running broker, with its connections", run: runUpgrade},
	{name: "health", summary: "check that the running broker passes messages on", run: runHealth},
	{name: "connections", summary: "list and close the running broker's clients", run: runConnections, sub: connectionsVerbs},
	{name: "subscribers", summary: "show who would receive a message now", run: runSubscribers},
	{name: "may", summary: "say whether a user may publish or subscribe, and why", run: runMay},
	{name: "watch", summary: "look at messages as they go through the running broker", run: runWatch},
	{name: "latency", summary: "measure round trips through the running broker", run: runLatency},
	{name: "report", summary: "write a support bundle", run: runReport},
	{name: "log-level", summary: "show or change what the running broker logs", run: runLogLevel},
	{name: "config", summary: "check, show, compare, explain and lay out configuration", run: runConfig, sub: configVerbs},
	{name: "store", summary: "check, dump, repair and scrub the store of a broker", run: runStore, sub: storeVerbs},
	{name: "top", summary: "watch connections and rates in the terminal", run: runTop},
	{name: "passwd", summary: "make the hash of a password for the configuration", run: runPasswd},
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
