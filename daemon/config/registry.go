package config

import (
	"strings"
	"sync"
)

// registry is the table of all options: the rows of the top level. It is made when it is first asked for and never
// changed; a block's own rows are made when somebody looks into it, so that a start pays only for the blocks it reads.
var registry = sync.OnceValue(func() []*Option {
	rows := concat(coreRows(), limitRows(), logRows(), processRows(), monitorRows(),
		authRows(), accountRows(), transportRows(), []*Option{clusterRow()},
		jetStreamRows(), []*Option{leafnodesRow(), gatewayRow(), webSocketRow(), mqttRow()}, operatorRows())
	return settle(rows, nil, "")
})

// settle adds what follows from the place of a row: its path, its feature if it is in a block of one, and the sibling
// that names a file for a secret. path is the parent's with a dot behind it.
func settle(rows []*Option, parent *Option, path string) []*Option {
	all := make([]*Option, 0, len(rows)+2)
	for _, r := range rows {
		all = append(all, r)
		if r.SecretFile != "" {
			all = append(all, secretFileRow(r))
		}
	}
	for _, r := range all {
		r.Path = path + r.Name
		if r.Since == "" {
			r.Since = sinceNATS
		}
		if parent != nil && r.Feature == Core && !parent.Built() {
			r.Feature = parent.Feature
		}
	}
	return all
}

// secretFileRow is the sibling of a secret that names the file it is read from.
func secretFileRow(secret *Option) *Option {
	return &Option{
		Name: secret.SecretFile, Kind: SecretFile, Feature: secret.Feature, Class: secret.Class, Since: sinceOurs,
		Doc:  "File that holds the " + secret.Name + "; a line end at its end does not count.",
		bind: secret.bind,
	}
}

// Registry returns the rows of the top level, in the order of the manual. They must not be changed.
func Registry() []*Option { return registry() }

// Walk calls f for every row, parents before their fields.
func Walk(f func(*Option)) { walk(registry(), f) }

func walk(rows []*Option, f func(*Option)) {
	for _, r := range rows {
		f(r)
		walk(r.Fields(), f)
	}
}

// Lookup finds the row of a path as a user writes it: with aliases, real account names and indexes, in any case
// ("accounts.SYS.users[0].pass"), or the registry's own ("accounts.*.users[].password"). It returns nil if there is none.
func Lookup(path string) *Option { return lookup(registry(), path) }

func lookup(rows []*Option, path string) *Option {
	var row *Option
	parts := splitPath(path)
	for i := 0; i < len(parts); i++ {
		name, _, _ := strings.Cut(parts[i], "[")
		if row = find(rows, name); row == nil {
			return nil
		}
		rows = row.Fields()
		if row.Kind.elements == ".*" && i+1 < len(parts) {
			i++ // the key of the element
			if i+1 == len(parts) {
				return row
			}
		}
	}
	return row
}

// splitPath cuts a path at its dots; quoted keys stay whole.
func splitPath(path string) []string {
	var parts []string
	var b strings.Builder
	quoted := false
	for _, r := range path {
		switch {
		case r == '"':
			quoted = !quoted
		case r == '.' && !quoted:
			parts = append(parts, b.String())
			b.Reset()
			continue
		}
		b.WriteRune(r)
	}
	return append(parts, b.String())
}

// envPrefix begins every environment variable that sets an option.
const envPrefix = "NATS_BROKER_"

func envName(path string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}
