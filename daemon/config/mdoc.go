package config

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// groups are the headings of the manual and the rows below each.
var groups = []struct {
	title string
	rows  func() []*Option
}{
	{"Server", coreRows},
	{"Limits and time", limitRows},
	{"Logging", logRows},
	{"Process", processRows},
	{"Monitoring", monitorRows},
	{"Authorization", authRows},
	{"Accounts", accountRows},
	{"Operator mode", operatorRows},
	{"TLS and proxies", transportRows},
	{"JetStream", jetStreamRows},
	{"WebSocket", func() []*Option { return []*Option{webSocketRow()} }},
	{"Clustering", func() []*Option { return []*Option{clusterRow()} }},
	{"Leaf nodes", func() []*Option { return []*Option{leafnodesRow()} }},
}

// MdocTables writes the options as tables of mdoc(7) for nats.conf(5): those that are built below their headings, then
// the names of those that are refused.
func MdocTables(w io.Writer) error {
	b := bufio.NewWriter(w)
	done := map[string]bool{}
	for _, g := range groups {
		var rows []*Option
		for _, r := range g.rows() {
			done[r.Name] = true
			if row := find(registry(), r.Name); row.Built() {
				rows = append(rows, row)
				if r.SecretFile != "" {
					rows = append(rows, find(registry(), r.SecretFile))
				}
			}
		}
		if len(rows) == 0 {
			continue
		}
		fmt.Fprintf(b, ".Ss %s\n", g.title)
		mdocList(b, rows, g.title == "Clustering" || g.title == "Leaf nodes")
	}
	fmt.Fprintln(b, ".Ss Not supported yet")
	fmt.Fprintln(b, ".Bl -tag -width Ds")
	Walk(func(o *Option) {
		if parent := parentOf(o); !o.Built() && (parent == nil || parent.Built()) {
			mdocNamed(b, o, o.Path)
			mdocLine(b, o.Doc)
		}
	})
	fmt.Fprintln(b, ".El")
	return b.Flush()
}

// parentOf returns the block that an option is in; nil at the top level.
func parentOf(o *Option) *Option {
	i := strings.LastIndexByte(o.Path, '.')
	if i < 0 {
		return nil
	}
	return Lookup(strings.TrimSuffix(o.Path[:i], ".*"))
}

// mdocList writes options and, indented, those of their blocks. The tls block and the permissions are the same wherever
// they stand and are written where they stand first; again says that they were written before.
func mdocList(b *bufio.Writer, rows []*Option, again bool) {
	fmt.Fprintln(b, ".Bl -tag -width Ds")
	for _, r := range rows {
		if !r.Built() {
			continue
		}
		mdocItem(b, r)
		mdocLine(b, r.Doc)
		mdocFacts(b, r)
		switch {
		case !r.IsBlock():
		case shared(r) && (again || r.Path != firstPlace(r)):
			mdocLine(b, "The same as in "+firstPlace(r)+".")
		default:
			mdocList(b, r.Fields(), again)
		}
	}
	fmt.Fprintln(b, ".El")
}

// shared reports whether a block has the same keys wherever it stands.
func shared(r *Option) bool { return firstPlace(r) != "" && firstPlace(r) != r.Path }

// firstPlace is where the keys of a block that occurs in several places are described.
func firstPlace(r *Option) string {
	switch r.Name {
	case "tls", "resolver_tls":
		return "tls"
	case "users":
		if strings.HasPrefix(r.Path, "leafnodes.") {
			return ""
		}
		return "authorization.users"
	case "permissions":
		if !strings.HasPrefix(r.Path, "cluster.") || strings.Contains(r.Path, "users") {
			return "authorization.users[].permissions"
		}
	case "default_permissions":
		return "authorization.users[].permissions"
	case "mappings":
		return "accounts.*.mappings"
	case "publish", "subscribe":
		if strings.HasSuffix(r.Path, "subscribe") {
			return strings.TrimSuffix(r.Path, "subscribe") + "publish"
		}
	case "export":
		return strings.TrimSuffix(r.Path, "export") + "import"
	case "import":
		return r.Path
	}
	return ""
}

// mdocItem writes the names of an option, and whether nats-server has it.
func mdocItem(b *bufio.Writer, r *Option) { mdocNamed(b, r, r.Name) }

// mdocNamed is mdocItem with another first name.
func mdocNamed(b *bufio.Writer, r *Option, name string) {
	fmt.Fprintf(b, ".It Ic %s", mdocText(name))
	for _, a := range r.Aliases {
		fmt.Fprintf(b, " , Ic %s", mdocText(a))
	}
	fmt.Fprintf(b, " Pq %s", mdocText(r.Kind.Name))
	if r.Since == sinceOurs {
		fmt.Fprint(b, " , Sq nats-broker")
	}
	fmt.Fprintln(b)
}

// mdocFacts writes what else the registry knows: words, default, reload class.
func mdocFacts(b *bufio.Writer, r *Option) {
	if words := strings.Join(r.Words(), ", "); words != "" {
		switch r.Kind {
		case Word:
			mdocLine(b, "One of "+words+".")
		case Ciphers, Curves, ConnTypes:
			mdocLine(b, "Known are "+words+".")
		default:
			mdocLine(b, "Or "+words+".")
		}
	}
	if r.Default != "" && r.Default != "false" && r.Default != "0" {
		fmt.Fprintf(b, "Default:\n.Li %s .\n", mdocText(strings.Trim(r.Default, `"`)))
	}
	switch {
	case r.Class == Restart && r.Kind == Switch:
		mdocLine(b, "That it is switched on or off needs a restart.")
	case r.Class == Restart:
		mdocLine(b, "A change needs a restart.")
	case r.Class == NewConnections:
		mdocLine(b, "A change applies to new connections.")
	}
}

// mdocLine writes text, each sentence on a line of its own.
func mdocLine(b *bufio.Writer, text string) {
	for _, sentence := range strings.SplitAfter(text, ". ") {
		fmt.Fprintln(b, mdocText(strings.TrimSpace(sentence)))
	}
}

// mdocText keeps text from being read as a request or an escape.
func mdocText(s string) string {
	s = strings.ReplaceAll(s, `\`, `\e`)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return s
}
