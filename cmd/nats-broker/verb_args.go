package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

// arguments understands the arguments of a verb: flags of fs, one dash or two, before, between and behind the others,
// of which there may be at most most. It returns the others, or false with the exit status when there is nothing left to do.
func arguments(fs *flag.FlagSet, args []string, most int, help string, stdout, stderr io.Writer) (rest []string, status int, ok bool) {
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	if asked(stdout, fs, help) {
		return nil, exitOK, false
	}
	for {
		if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(stdout, help)
			return nil, exitOK, false
		} else if err != nil {
			return nil, misused(stderr, fs.Name(), err.Error()), false
		}
		if fs.NArg() == 0 {
			break
		}
		if n := len(args) - fs.NArg(); n > 0 && args[n-1] == "--" {
			rest = append(rest, fs.Args()...)
			break
		}
		rest = append(rest, fs.Arg(0))
		args = fs.Args()[1:]
	}
	if len(rest) > most {
		return nil, misused(stderr, fs.Name(), fmt.Sprintf("unexpected argument %q", rest[most])), false
	}
	return rest, exitOK, true
}

// misused reports a command line that makes no sense.
func misused(stderr io.Writer, name, problem string) int {
	fmt.Fprintf(stderr, "nats-broker %s: %s\nTry 'nats-broker %s --help'.\n", name, problem, name)
	return exitUsage
}

// runGroup runs one of the verbs below a verb.
func runGroup(name string, list []verb, help string, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	switch {
	case len(args) == 0:
		fmt.Fprint(stderr, help)
		return exitUsage
	case args[0] == "--help" || args[0] == "-help" || args[0] == "-h" || args[0] == "help":
		fmt.Fprint(stdout, help)
		return exitOK
	}
	for _, v := range list {
		if v.name == args[0] {
			return v.run(args[1:], stdin, stdout, stderr)
		}
	}
	fmt.Fprintf(stderr, "nats-broker %s: unknown command %q\n%s", name, args[0], hint("nats-broker "+name, args[0], list))
	return exitUsage
}

// summaries lists verbs, a line each.
func summaries(list []verb) string {
	var b strings.Builder
	for _, v := range list {
		fmt.Fprintf(&b, "  %-11s %s\n", v.name, v.summary)
	}
	return b.String()
}
