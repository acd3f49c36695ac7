package config

import (
	"slices"
	"strings"

	"github.com/nats-broker/nats-broker/confparse"
)

// Redact returns the tree with every secret masked: values of secret options, user and password in URLs, and the
// definitions of variables that secrets refer to. Places are kept; whoever shows the tree must not show the text at the
// place of a value.
func Redact(tree *confparse.Value) *confparse.Value {
	used := map[string]bool{}
	secretVariables(registry(), tree, used)
	return redact(registry(), tree, used)
}

// secretVariables collects the names of the variables that secrets are written as.
func secretVariables(rows []*Option, v *confparse.Value, used map[string]bool) {
	for _, e := range v.Fields().All() {
		row := find(rows, e.Key)
		if row == nil {
			continue
		}
		if ref := e.Value.Reference(); ref != nil && row.Secret {
			used[ref.Name] = true
		}
		for _, child := range children(row, e.Value) {
			secretVariables(row.Fields(), child, used)
		}
	}
}

// children are the maps that the fields of a row are found in: the value itself, or the elements of a list or map.
func children(row *Option, v *confparse.Value) []*confparse.Value {
	if !row.IsBlock() {
		return nil
	}
	if v.Kind() == confparse.Array {
		return v.Items()
	}
	if row.Kind.elements == ".*" {
		var list []*confparse.Value
		for _, e := range v.Fields().All() {
			list = append(list, e.Value)
			list = append(list, e.Value.Items()...)
		}
		return list
	}
	return []*confparse.Value{v}
}

func redact(rows []*Option, v *confparse.Value, used map[string]bool) *confparse.Value {
	if v.Kind() != confparse.Map {
		return v
	}
	entries := slices.Clone(v.Fields().All())
	for i, e := range entries {
		row := find(rows, e.Key)
		switch {
		case row == nil:
			if used[e.Key] || secretive(e.Key) {
				entries[i].Value = confparse.NewString(e.Value.Span(), Redacted)
			}
		case row.Secret, row.Kind == Resolving && e.Value.Kind() == confparse.String && strings.Contains(valueText(e.Value), "://"):
			entries[i].Value = maskValue(e.Value)
		case row.IsBlock():
			entries[i].Value = redactBlock(row, e.Value, used)
		}
	}
	return confparse.NewMap(v.Span(), entries...)
}

func redactBlock(row *Option, v *confparse.Value, used map[string]bool) *confparse.Value {
	switch {
	case v.Kind() == confparse.Array:
		items := slices.Clone(v.Items())
		for i := range items {
			items[i] = redact(row.Fields(), items[i], used)
		}
		return confparse.NewArray(v.Span(), items...)
	case row.Kind.elements == ".*":
		entries := slices.Clone(v.Fields().All())
		for i := range entries {
			entries[i].Value = redact(row.Fields(), entries[i].Value, used)
		}
		return confparse.NewMap(v.Span(), entries...)
	default:
		return redact(row.Fields(), v, used)
	}
}

func valueText(v *confparse.Value) string {
	s, _ := v.Str()
	return s
}

// maskValue hides a secret; of URLs only user and password.
func maskValue(v *confparse.Value) *confparse.Value {
	if v.Kind() == confparse.Array {
		items := slices.Clone(v.Items())
		for i := range items {
			items[i] = maskValue(items[i])
		}
		return confparse.NewArray(v.Span(), items...)
	}
	if s, ok := v.Str(); ok && strings.Contains(s, "://") {
		return confparse.NewString(v.Span(), RedactURL(s))
	}
	return confparse.NewString(v.Span(), Redacted)
}

// flagOf returns the name of the flag that an argument is, without dashes and without a value behind it; empty: none.
func flagOf(arg string) string {
	name, dashed := strings.CutPrefix(arg, "-")
	if !dashed {
		return ""
	}
	name, _, _ = strings.Cut(strings.TrimPrefix(name, "-"), "=")
	return name
}

// RedactArgs returns a command line with the secrets in it masked.
func RedactArgs(args []string) []string {
	args = slices.Clone(args)
	for i := 0; i < len(args); i++ {
		hide := func(string) string { return Redacted }
		switch flagOf(args[i]) {
		case "user", "pass", "auth":
		case "routes", "cluster", "cluster_listen":
			hide = func(s string) string {
				parts := strings.Split(s, ",")
				for j := range parts {
					parts[j] = RedactURL(parts[j])
				}
				return strings.Join(parts, ",")
			}
		default:
			continue
		}
		if name, value, ok := strings.Cut(args[i], "="); ok {
			args[i] = name + "=" + hide(value)
		} else if i+1 < len(args) {
			i++
			args[i] = hide(args[i])
		}
	}
	return args
}
