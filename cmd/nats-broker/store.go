package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/nats-broker/nats-broker/daemon/inspect"
)

// storeVerbs are the verbs below `nats-broker store`.
var storeVerbs = []verb{
	{name: "check", summary: "say what is in a store, what is damaged, and what is lost and where", run: storeCheck},
	{name: "dump", summary: "write what is in a store, or a stream's messages, as lines of JSON", run: storeDump},
	{name: "repair", summary: "repair what is named of a store, and keep the original", run: storeRepair},
	{name: "scrub", summary: "have the running broker read and verify what it has stored", run: storeScrub},
	{name: "upgrade", summary: "bring a store to the format of this version, and say who can read it", run: storeUpgrade},
}

func storeHelp() string {
	return "Usage: nats-broker store COMMAND [ARGUMENTS]\n\nLook at the store of a broker and mend it; all but scrub while it does not run.\n\nCommands:\n" +
		summaries(storeVerbs) + "\nEach command has its own --help.\n"
}

func runStore(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return runGroup("store", storeVerbs, storeHelp(), args, stdin, stdout, stderr)
}

// Exit statuses of the verbs below store.
const (
	exitInUse   = 3 // a broker runs on the store
	exitDamaged = 4 // something is damaged, and no message is lost by it
	exitLost    = 5 // messages are lost
	exitRefused = 6 // a broker does not start on it
)

// storeFailed reports that a store could not be looked at.
func storeFailed(stderr io.Writer, name string, err error) int {
	failed(stderr, name, err)
	if errors.Is(err, inspect.ErrInUse) {
		return exitInUse
	}
	return exitFail
}

// storeArgument is the directory that a verb is about; false: none was named.
func storeArgument(rest []string, name string, stderr io.Writer) (string, int, bool) {
	if len(rest) == 0 {
		return "", misused(stderr, name, "name the store_dir of the broker"), false
	}
	return rest[0], exitOK, true
}

// bar is a progress bar on a terminal; elsewhere nil.
func bar(w io.Writer, what string) (p inspect.Progress, end func()) {
	if !isTerminal(w) {
		return nil, func() {}
	}
	const width = 40
	var last time.Time
	began := false
	return func(done, total int64) {
			if total <= 0 || time.Since(last) < 100*time.Millisecond && done < total {
				return
			}
			last, began = time.Now(), true
			full := int(min(done, total) * width / total)
			fmt.Fprintf(w, "\r%s [%-*.*s] %3d%%", what, width, full, "########################################", min(done, total)*100/total)
		}, func() {
			if began {
				fmt.Fprintf(w, "\r%*s\r", len(what)+width+8, "")
			}
		}
}
