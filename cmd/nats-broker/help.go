package main

import (
	"fmt"
	"strings"

	"github.com/nats-broker/nats-broker/daemon"
	"github.com/nats-broker/nats-broker/daemon/config"
)

// helpText is --help: the flags as the table of flags has them, then the verbs.
func helpText(id daemon.Identity) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\nUsage: %s [options]\n       %s COMMAND [options]\n", id.Name, id.Name)
	group := ""
	for _, f := range config.Flags {
		if f.Group != group {
			group = f.Group
			fmt.Fprintf(&b, "\n%s:\n", group)
		}
		b.WriteString(flagLines(f))
	}
	b.WriteString("\n" + verbHelp())
	return b.String()
}

// column is where the description of a flag begins.
const column = 37

// flagLines is one flag: its names and argument to the left, what it does to
// the right.
func flagLines(f config.Flag) string {
	names := make([]string, len(f.Names))
	for i, n := range f.Names {
		names[i] = dashes(n) + n
	}
	left := "    " + strings.Join(names, ", ")
	if len(f.Names[0]) > 2 {
		left = "        " + strings.Join(names, ", ")
	}
	if f.Arg != "" {
		left += " <" + f.Arg
		if !strings.HasSuffix(f.Arg, "]") {
			left += ">"
		}
	}
	var b strings.Builder
	b.WriteString(left)
	pad := column - len(left)
	if pad < 1 {
		b.WriteByte('\n')
		pad = column
	}
	for i, line := range strings.Split(f.Doc, "\n") {
		if i > 0 {
			pad = column
		}
		b.WriteString(strings.Repeat(" ", pad) + line + "\n")
	}
	return b.String()
}

// dashes is how a name is usually written: one for the short ones and those
// of two or three capitals.
func dashes(name string) string {
	if len(name) <= 2 || strings.ToUpper(name) == name {
		return "-"
	}
	return "--"
}

// tlsHelpText is --help_tls.
func tlsHelpText() string {
	return `
TLS for clients is configured by a block in the configuration file

    tls {
      cert_file: "/etc/nats/server.pem"
      key_file:  "/etc/nats/server.key"
      ca_file:   "/etc/nats/ca.pem"
      verify:    true
    }

or by the flags --tls, --tlscert, --tlskey, --tlsverify and --tlscacert. With
verify clients must present a certificate signed by an authority in ca_file;
with verify: optional (--tlsverify=optional) only those that present one at all.
See nats.conf(5).
`
}
