package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-broker/nats-broker/confparse"
)

// A decoder walks a tree with the registry and fills in Options. It never stops at a mistake: it notes it and goes on
// with the next value.
type decoder struct {
	problems
	origins  *origins // nil: nobody will ask
	readFile func(string) ([]byte, error)
	secrets  func(path string) (string, error) // reads a file that holds a secret
}

// problems are what a run found, of both kinds.
type problems struct {
	errs  confparse.Errors
	warns Warnings
}

// An Origin is where an effective value was written.
type Origin struct {
	Key   confparse.Span // the key
	Value confparse.Span // the value
}

// Layer is the layer the value came from.
func (o Origin) Layer() confparse.Layer { return o.Value.Layer() }

// Pos is the place of the value.
func (o Origin) Pos() confparse.Pos { return o.Value.Start() }

// A place is the option being decoded: its row, the path with real keys and indexes, and its key in the text. The path
// is in two parts, which few ask for together.
type place struct {
	opt  *Option
	base string
	name string // behind base; empty: that is all
	key  confparse.Span
}

func (at place) path() string {
	if at.name == "" {
		return at.base
	}
	return join(at.base, at.name)
}

// fail notes an error at span. A value of a secret is never shown.
func (d *decoder) fail(at place, span confparse.Span, format string, args ...any) *confparse.Error {
	if span.IsZero() {
		span = at.key
	}
	e := confparse.Errorf(span, format, args...)
	e.Secret = at.opt != nil && at.opt.Secret
	d.errs = append(d.errs, e)
	return e
}

// warn notes a warning that nats-server gives too, which makes its -t fail.
func (d *decoder) warn(span confparse.Span, format string, args ...any) {
	d.warns = append(d.warns, Warning{Error: confparse.Errorf(span, format, args...), Fatal: true})
}

// mistyped notes that v is not what the option at this place wants.
func (d *decoder) mistyped(at place, v *confparse.Value) {
	d.fail(at, v.Span(), "%s must be %s, found %s", at.label(), at.opt.Kind.want(at.opt), found(at.opt, v))
}

// label names the option as the user wrote it.
func (at place) label() string {
	if l := at.key.Layer(); l == LayerFlags || l == LayerEnvironment {
		return at.opt.Name // what is written there is the value
	}
	if t := strings.Trim(at.key.Text(), `"'`); t != "" && !strings.ContainsAny(t, "\n{") {
		return t
	}
	return at.opt.Name
}

// found describes a value in the user's words.
func found(opt *Option, v *confparse.Value) string {
	if opt.Secret {
		return v.Kind().String()
	}
	switch v.Kind() {
	case confparse.String:
		s, _ := v.Str()
		return fmt.Sprintf("the string %q", clip(s))
	case confparse.Bool:
		return fmt.Sprint(v.Interface())
	case confparse.Int, confparse.Float:
		return fmt.Sprintf("the number %v", v.Interface())
	default:
		return v.Kind().String()
	}
}

func clip(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}

// fields decodes the entries of a map against the rows of a block. Entries of a stronger layer are decoded after those
// of weaker ones, so that of two spellings of one setting (`listen` and `port`) the stronger layer's counts; within a
// layer the later counts.
func (d *decoder) fields(rows []*Option, f *confparse.Fields, into any, path string) {
	entries, weaker := f.All(), func(a, b confparse.Entry) int {
		return cmp.Compare(layerRank(a.Value.Layer()), layerRank(b.Value.Layer()))
	}
	if !slices.IsSortedFunc(entries, weaker) {
		entries = slices.Clone(entries)
		slices.SortStableFunc(entries, weaker)
	}
	for _, e := range entries {
		row := find(rows, e.Key)
		if row == nil {
			if !e.Value.UsedAsVariable() {
				d.unknown(rows, e)
			}
			continue
		}
		at := place{opt: row, base: path, name: row.Name, key: e.KeySpan}
		d.option(at, e.Value, into)
	}
}

// option decodes one value with its row.
func (d *decoder) option(at place, v *confparse.Value, block any) {
	row := at.opt
	if !row.Built() && !declined(v) {
		d.fail(at, at.key, "%s is not supported yet by nats-broker (%s)", at.label(), row.Feature)
		return
	}
	var into any
	if row.bind != nil && block != nil {
		into = row.bind(block)
	}
	row.Kind.decode(d, at, v, into)
	if into != nil && !v.Span().IsZero() {
		d.origins.set(at, Origin{Key: at.key, Value: v.Span()})
	}
}

// declined reports whether v switches something off or leaves it empty: `jetstream: false`, `gateway {}`. A feature that
// is not built may be declined.
func declined(v *confparse.Value) bool {
	switch v.Kind() {
	case confparse.Bool:
		b, _ := v.Bool()
		return !b
	case confparse.String:
		s, _ := v.Str()
		s = strings.ToLower(s)
		return s == "" || s == "disabled" || s == "disable"
	case confparse.Map:
		if v.Fields().Len() == 0 {
			return true
		}
		for _, key := range []string{"enabled", "enable"} {
			if e := v.Fields().Get(key); e != nil {
				on, ok := e.Value.Bool()
				return ok && !on
			}
		}
		return false
	case confparse.Array:
		return len(v.Items()) == 0
	default:
		return false
	}
}

// unknown notes a key that no row has, with the closest name there is.
func (d *decoder) unknown(rows []*Option, e confparse.Entry) {
	if e.KeySpan.Continues() { // a part of a password, most likely
		err := confparse.Errorf(e.KeySpan, "unknown field behind a secret")
		err.Secret = true
		d.errs = append(d.errs, err.WithHint("put quotes around a password that holds ',', ';', '}' or blanks"))
		return
	}
	err := confparse.Errorf(e.KeySpan, "unknown field %q", e.Key)
	err.Secret = secretive(e.Key) // the value may be a password under a misspelt key
	if near := closest(e.Key, names(rows)); near != "" {
		err.WithHint("did you mean %q?", near)
		err.Secret = err.Secret || find(rows, near).Secret
	}
	d.errs = append(d.errs, err)
}

// secretive reports whether a key that is not known looks as if its value were a secret.
func secretive(key string) bool {
	key = strings.ToLower(key)
	for _, word := range []string{"pass", "secret", "token", "seed", "key", "jwt", "cred"} {
		if strings.Contains(key, word) {
			return true
		}
	}
	return closest(key, []string{"password", "passwd", "pwd", "token", "secret", "credentials"}) != ""
}

// join appends a key to a path. A key that is not a plain word (an account called "a.b") is quoted.
func join(path, key string) string {
	if strings.ContainsAny(key, ".[]\" ") || key == "" {
		key = fmt.Sprintf("%q", key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}
