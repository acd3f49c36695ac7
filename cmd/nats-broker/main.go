// Nats-broker is a message broker that speaks the NATS protocol.
//
// Without a verb it is the daemon, with nats-server's command line; with one
// (status, reload, config, …) it is a tool. Started under the name nats-server
// it presents itself as that.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"github.com/nats-broker/nats-broker/confparse"
	"github.com/nats-broker/nats-broker/daemon"
	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/sysd"
)

// version and commit are set when the command is linked (-X main.version=…), or
// left to what the go command notes of a build.
var version, commit string

func main() {
	concealArguments()
	os.Exit(run(os.Args, os.Stdin, os.Stdout, os.Stderr))
}

// run is main with everything it depends on as an argument; it returns the
// exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	argv0, args := args[0], args[1:]
	if v, ok := findVerb(args); ok {
		return v.run(args[1:], stdin, stdout, stderr)
	}
	id := daemon.IdentityFor(argv0, daemon.ThisBuild(version, commit))
	inv, err := config.ParseArgs(args)
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", id.Name, err)
		if usage := (*config.UsageError)(nil); errors.As(err, &usage) {
			fmt.Fprintf(stderr, "Try '%s --help'.\n", id.Name)
			return exitUsage
		}
		if unknown := (*config.CommandError)(nil); errors.As(err, &unknown) && !id.Compatible() {
			fmt.Fprint(stderr, hint(id.Name, unknown.Command, verbs))
		}
		return exitFail
	}
	switch {
	case inv.Help:
		fmt.Fprint(stdout, helpText(id))
		return exitOK
	case inv.Version:
		fmt.Fprintln(stdout, id.VersionLine())
		return exitOK
	case inv.TLSHelp:
		fmt.Fprint(stdout, tlsHelpText())
		return exitOK
	case inv.Signal != "":
		return sendSignal(id, inv.Signal, stderr)
	case inv.CheckReload != "" && !inv.Check:
		fmt.Fprintf(stderr, "%s: --test_reload can only be used together with -t\n", id.Name)
		return exitFail
	case inv.Check:
		return check(id, inv, stderr)
	}
	return serve(id, inv, stderr)
}

// check is -t: the verdict on the configuration.
func check(id daemon.Identity, inv *config.Invocation, stderr io.Writer) int {
	if inv.ConfigFile == "" {
		fmt.Fprintf(stderr, "%s: must specify [-c, --config] option to check configuration file syntax\n", id.Name)
		return exitFail
	}
	cfg := strictly(id, inv, inv.ConfigFile, stderr)
	if cfg == nil {
		return exitFail
	}
	if inv.CheckReload != "" {
		next := strictly(id, inv, inv.CheckReload, stderr)
		if next == nil {
			return exitFail
		}
		if err := daemon.CheckReload(cfg, next); err != nil {
			complain(id, err, stderr)
			if errors.Is(err, daemon.ErrReloadNotSupported) {
				return exitRestart
			}
			return exitFail
		}
	}
	writeNotes(stderr, restartNotes(cfg, inv.ConfigFile))
	fmt.Fprintf(stderr, "%s: configuration file %s is valid (%s)\n", id.Name, inv.ConfigFile, cfg.Digest)
	if inv.CheckReload != "" {
		fmt.Fprintf(stderr, "%s: configuration file %s can be reloaded\n", id.Name, inv.CheckReload)
	}
	return exitOK
}

// strictly loads a configuration for -t; nil if it is not valid, which has been said then.
func strictly(id daemon.Identity, inv *config.Invocation, file string, stderr io.Writer) *config.Config {
	cfg, warnings, err := daemon.LoadAsService(config.LoadRequest{File: file, Invocation: inv, Environ: os.Environ()})
	if err := config.Verdict(warnings, err); err != nil {
		complain(id, err, stderr)
		return nil
	}
	return cfg
}

// serve is the daemon.
func serve(id daemon.Identity, inv *config.Invocation, stderr io.Writer) int {
	environ := os.Environ()
	system, err := sysd.TakeEnvironment()
	if err != nil {
		complain(id, err, stderr)
		return exitFail
	}
	d, err := daemon.New(daemon.Params{Identity: id, Invocation: inv, Environ: environ, System: system})
	if err != nil {
		code := daemon.ExitCode(err)
		daemon.ReportFailure(system, err, code)
		complain(id, err, stderr)
		return code
	}
	code, err := d.Run()
	if err != nil && !daemon.WasLogged(err) {
		complain(id, err, stderr)
	}
	return code
}

// complain prints what keeps us from starting: each mistake of a configuration
// with its line, in colour on a terminal; anything else in one line.
func complain(id daemon.Identity, err error, stderr io.Writer) {
	var mistakes confparse.Errors
	if errors.As(err, &mistakes) {
		why := ""
		if e := mistakes.Syntax(); e != nil { // the words by which tools that drive nats-server know it
			why = fmt.Sprintf(": Parse error on line %d", e.Span.Start().Line)
		}
		fmt.Fprintf(stderr, "%s: the configuration is not valid%s\n", id.Name, why)
		mistakes.Render(stderr, isTerminal(stderr))
		return
	}
	fmt.Fprintf(stderr, "%s: %v\n", id.Name, err)
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && os.Getenv("NO_COLOR") == "" && term.IsTerminal(int(f.Fd()))
}
