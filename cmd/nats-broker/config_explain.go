package main

import (
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/nats-broker/nats-broker/daemon/config"
)

const configExplainHelp = `Usage: nats-broker config explain [--json] [OPTION]

Explain an option by its path in the configuration, such as max_payload or
cluster.authorization.user; without OPTION, list the options of the top level.

  --json     write what is known as a JSON document

Exit status:
  0  explained
  1  there is no such option
  2  wrong usage
`

// An explanation is what `config explain --json` writes.
type explanation struct {
	Path        string   `json:"path"`
	Aliases     []string `json:"aliases,omitempty"`
	Doc         string   `json:"doc"`
	Type        string   `json:"type"`
	Values      []string `json:"values,omitempty"`
	Default     string   `json:"default,omitempty"`
	Change      string   `json:"change"`
	Secret      bool     `json:"secret,omitempty"`
	Flags       []string `json:"flags,omitempty"`
	Environment string   `json:"environment,omitempty"`
	Since       string   `json:"since"`
	Supported   bool     `json:"supported"`
	Options     []string `json:"options,omitempty"`
}

func configExplain(args []string, _ io.Reader, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet("config explain", flag.ContinueOnError)
	asJSON := fs.Bool("json", false, "")
	rest, status, ok := arguments(fs, args, 1, configExplainHelp, stdout, stderr)
	if !ok {
		return status
	}
	if len(rest) == 0 {
		return explainAll(*asJSON, stdout)
	}
	o := config.Lookup(rest[0])
	if o == nil {
		return explainNothing(rest[0], stderr)
	}
	if *asJSON {
		return writeJSON(stdout, explain(o))
	}
	writeExplanation(stdout, explain(o), o.Fields())
	return exitOK
}

func explain(o *config.Option) explanation {
	e := explanation{
		Path: o.Path, Aliases: o.Aliases, Doc: o.Doc, Type: o.Kind.String(), Values: o.Words(), Default: o.Default,
		Change: o.Needs(), Secret: o.Secret, Environment: o.Env(), Since: o.Since, Supported: o.Built(),
	}
	for _, f := range o.Flags() {
		e.Flags = append(e.Flags, "-"+f)
	}
	for _, f := range o.Fields() {
		e.Options = append(e.Options, f.Name)
	}
	return e
}

func explainAll(asJSON bool, stdout io.Writer) int {
	if asJSON {
		list := []explanation{}
		config.Walk(func(o *config.Option) { list = append(list, explain(o)) })
		return writeJSON(stdout, list)
	}
	listOptions(stdout, config.Registry())
	return exitOK
}

// listOptions writes options, a line each.
func listOptions(w io.Writer, rows []*config.Option) {
	width := 0
	for _, o := range rows {
		width = max(width, len(o.Name))
	}
	for _, o := range rows {
		doc := o.Doc
		if !o.Built() {
			doc += " (not supported yet)"
		}
		fmt.Fprintf(w, "  %-*s  %s\n", width, o.Name, doc)
	}
}

func writeExplanation(w io.Writer, e explanation, fields []*config.Option) {
	fmt.Fprintf(w, "%s\n  %s\n\n", e.Path, e.Doc)
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(w, "  %-13s%s\n", name+":", text)
		}
	}
	line("also called", strings.Join(e.Aliases, ", "))
	line("type", e.Type)
	line("values", strings.Join(e.Values, ", "))
	line("default", e.Default)
	line("a change", e.Change)
	if e.Secret {
		line("secret", "never shown")
	}
	line("flags", strings.Join(e.Flags, ", "))
	line("environment", e.Environment)
	line("known to", e.Since)
	if !e.Supported {
		line("supported", "not yet")
	}
	if len(fields) > 0 {
		fmt.Fprintln(w, "\noptions:")
		listOptions(w, fields)
	}
}

// explainNothing says that there is no such option, and which ones may be meant: those of the same name elsewhere.
func explainNothing(path string, stderr io.Writer) int {
	fmt.Fprintf(stderr, "nats-broker config explain: there is no option %q\n", path)
	name := strings.ToLower(path[strings.LastIndexByte(path, '.')+1:])
	var near []string
	config.Walk(func(o *config.Option) {
		if strings.EqualFold(o.Name, name) || strings.Contains(o.Name, name) && len(name) > 2 {
			near = append(near, o.Path)
		}
	})
	if len(near) > 0 && len(near) <= 30 {
		fmt.Fprintf(stderr, "There is %s.\n", strings.Join(near, ", "))
	}
	return exitFail
}
