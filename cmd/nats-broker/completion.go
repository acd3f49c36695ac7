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
	verbs = append(verbs, verb{name: "completion", summary: "print the completions of a shell", run: runCompletion})
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
		if c.Sub = commands(v.sub); c.Sub == nil {
			var l flagLister
			v.run(nil, strings.NewReader(""), &l, io.Discard)
			c.Flags, c.Args = l.flags, argumentWords(v.name)
		}
		all = append(all, c)
	}
	return all
}

// flagLister is an output to which a verb tells its flags instead of doing anything.
type flagLister struct{ flags []config.CommandFlag }

// Write implements io.Writer; nothing is written.
func (l *flagLister) Write(b []byte) (int, error) { return len(b), nil }

// asked reports whether stdout is one that only wants to know the flags; it then does.
func asked(stdout io.Writer, fs *flag.FlagSet, help string) bool {
	l, ok := stdout.(*flagLister)
	if !ok {
		return false
	}
	fs.VisitAll(func(f *flag.Flag) {
		if f.Name == usageFlag {
			return
		}
		b, isBool := f.Value.(interface{ IsBoolFlag() bool })
		c := config.CommandFlag{Name: f.Name, Doc: explained(help, f.Name), Value: !isBool || !b.IsBoolFlag()}
		if c.Value {
			c.Words = valueWords(help, f.Name)
		}
		l.flags = append(l.flags, c)
	})
	return true
}

// explained is the line of a verb's help about a flag.
func explained(help, name string) string {
	for line := range strings.SplitSeq(help, "\n") {
		head, doc, ok := strings.Cut(strings.TrimSpace(line), "  ")
		if !ok { // one that is as wide as its column
			if head, doc, ok = strings.Cut(strings.TrimSpace(line), " how "); ok {
				doc = "how " + doc
			}
		}
		for word := range strings.FieldsFuncSeq(head, func(r rune) bool { return r == ' ' || r == ',' }) {
			if strings.TrimLeft(word, "-") == name && word != name {
				return strings.TrimSpace(doc)
			}
		}
	}
	return ""
}

// valueWords is what a flag's value is completed with. What the help calls FILE or PATH
// is one.
func valueWords(help, name string) string {
	switch {
	case name == "check" && strings.Contains(help, "--check NAMES"):
		return strings.Join(checkNames(), " ")
	case name == "state":
		return strings.Join(connStates, " ")
	case name == "sort" && strings.Contains(help, "connections list"):
		return "cid start subs pending msgs_to msgs_from bytes_to bytes_from last idle uptime rtt stop reason"
	case name == "sort":
		var list []string
		for _, k := range topOrders {
			list = append(list, k.order)
		}
		return strings.Join(list, " ")
	}
	for _, kind := range []string{"FILE", "PATH"} {
		if strings.Contains(help, "-"+name+" "+kind) {
			return "files"
		}
	}
	return ""
}

// argumentWords is what the arguments of a verb are completed with.
func argumentWords(verb string) string {
	switch verb {
	case "check", "show", "diff", "fmt", "dump", "repair":
		return "files"
	case "explain":
		return strings.Join(config.Explainable(), " ")
	case "completion":
		return strings.Join(config.Shells, " ")
	case "report":
		return "files"
	case "may":
		return "publish subscribe"
	}
	return ""
}
