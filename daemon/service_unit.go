package daemon

import (
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// unitFiles are the files in which systemd finds the settings of a packaged unit.
type unitFiles struct {
	unit string // of the packaged ones
	root string // where the system's files are
}

// places are where systemd looks for units, weakest first (systemd.unit(5)).
var places = []string{"usr/lib", "usr/local/lib", "run", "etc"}

// template is the name that an instance's files may have instead of its own.
func (u unitFiles) template() string {
	if name, _, is := strings.Cut(u.unit, "@"); is {
		return name + "@.service"
	}
	return u.unit
}

func (u unitFiles) in(place string, name ...string) string {
	return filepath.Join(append([]string{u.root, place, "systemd/system"}, name...)...)
}

// main is the text of the unit itself; empty: it is not installed.
func (u unitFiles) main() string {
	for _, name := range []string{u.unit, u.template()} {
		for _, place := range slices.Backward(places) {
			if text, err := os.ReadFile(u.in(place, name)); err == nil {
				return string(text)
			}
		}
	}
	return ""
}

// texts are that of the unit and those of its drop-ins, weakest first.
func (u unitFiles) texts() []string {
	list := []string{u.main()}
	for _, of := range slices.Compact([]string{"service", u.template(), u.unit}) {
		for _, place := range places {
			files, _ := filepath.Glob(u.in(place, of+".d", "*.conf")) // the pattern is right
			for _, file := range files {
				if text, err := os.ReadFile(file); err == nil {
					list = append(list, string(text))
				}
			}
		}
	}
	return list
}

// settings are the values that are given to a key, weakest first.
func (u unitFiles) settings(key string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, text := range u.texts() {
			for line := range strings.Lines(text) {
				name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
				if strings.TrimSpace(name) == key && !yield(strings.TrimSpace(value)) {
					return
				}
			}
		}
	}
}

// setting is the value of a key in effect, of one that takes one; otherwise says what it is without any.
func (u unitFiles) setting(key, otherwise string) string {
	value := otherwise
	for v := range u.settings(key) {
		if value = v; v == "" {
			value = otherwise
		}
	}
	return value
}

// words are the values of a key that takes a list, which an empty value begins anew.
func (u unitFiles) words(keys ...string) (list []string) {
	for _, key := range keys {
		var of []string
		for v := range u.settings(key) {
			if of = append(of, strings.Fields(v)...); v == "" {
				of = nil
			}
		}
		list = append(list, of...)
	}
	return list
}

// binds reports whether settings of these names put a path into the sandbox: source, :destination and :options.
func (u unitFiles) binds(path string, keys ...string) bool {
	for _, word := range u.words(keys...) {
		parts := strings.Split(strings.TrimPrefix(word, "-"), ":")
		if within(path, parts[min(1, len(parts)-1)]) {
			return true
		}
	}
	return false
}

// listens reports whether a socket unit of the package is switched on, which may hand over any port.
func (u unitFiles) listens() bool {
	on, _ := filepath.Glob(u.in("etc", "*.wants", "nats-broker*.socket")) // the pattern is right
	return len(on) > 0
}
