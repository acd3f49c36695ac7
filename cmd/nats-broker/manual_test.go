package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Expressions are made when they are needed: what is made before main is measured in this package.
var (
	flagInHelp = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?:^|[ \[,|])(--?[a-z][a-z-]*)\b`) })
	quotedWord = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`'[^'\n]*'`) }) // the command line of something else
	digit      = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?:^|[^0-9A-Za-z.])([0-9])(?:[^0-9A-Za-z.]|$)`)
	})
)

// usage is what a verb says in --help.
type usage struct {
	flags    []string // with their dashes
	statuses []string
}

func usageOf(t *testing.T, words []string) usage {
	t.Helper()
	var out, err bytes.Buffer
	if code := run(append(append([]string{"nats-broker"}, words...), "--help"), strings.NewReader(""), &out, &err); code != exitOK {
		t.Fatalf("%v --help: %d %s", words, code, err.String())
	}
	text := out.String()
	at := strings.Index(text, "Exit status:")
	if at < 0 {
		t.Fatalf("%v --help has no exit statuses", words)
	}
	u := usage{statuses: digits(text[at:])}
	for _, m := range flagInHelp().FindAllStringSubmatch(quotedWord().ReplaceAllString(text[:at], ""), -1) {
		u.flags = append(u.flags, m[1])
	}
	return u
}

func digits(text string) (list []string) {
	for _, m := range digit().FindAllStringSubmatch(text, -1) {
		list = append(list, m[1])
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// Every verb takes the flags of its --help, and its manual page has them, and the exit
// statuses, and no others.
func TestManualPagesOfVerbs(t *testing.T) {
	for _, v := range verbs {
		if v.name == "completion" { // nats-broker(8) has it
			continue
		}
		t.Run(v.name, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join("..", "..", "man", "nats-broker-"+v.name+".1"))
			if err != nil {
				t.Fatal(err)
			}
			page := string(data)
			_, rest, ok := strings.Cut(page, ".Sh EXIT STATUS\n")
			if !ok {
				t.Fatal("the page has no EXIT STATUS")
			}
			section, _, _ := strings.Cut(rest, "\n.Sh ")

			commands := [][]string{{v.name}}
			if v.sub != nil {
				commands = nil
			}
			for _, sub := range v.sub {
				commands = append(commands, []string{v.name, sub.name})
			}
			flags := map[string]bool{}
			var statuses []string
			for _, words := range commands {
				u := usageOf(t, words)
				statuses = append(statuses, u.statuses...)
				for _, name := range u.flags {
					flags[name] = true
					if !takes(words, name) {
						t.Errorf("%v does not take %s", words, name)
					}
				}
			}
			slices.Sort(statuses)
			if want, got := slices.Compact(statuses), digits(section); !slices.Equal(want, got) {
				t.Errorf("exit statuses in the page: %v, in --help: %v", got, want)
			}
			for name := range flags {
				if !regexp.MustCompile(`\bFl\b[^\n]*` + regexp.QuoteMeta(" "+name[1:]) + `(?:[ \n]|$)`).MatchString(page) {
					t.Errorf("%s is not in the page", name)
				}
			}
			for _, line := range strings.Split(page, "\n") {
				for _, m := range regexp.MustCompile(`\bFl (-[a-z][a-z-]*)`).FindAllStringSubmatch(line, -1) {
					if !flags["-"+m[1]] {
						t.Errorf("the page has -%s, and --help has not", m[1])
					}
				}
			}
		})
	}
}

// takes reports whether a verb knows a flag: --help behind it is then reached.
func takes(words []string, name string) bool {
	for _, given := range [][]string{{name}, {name, "10"}, {name, "10s"}} {
		args := slices.Concat([]string{"nats-broker"}, words, given, []string{"--help"})
		var out, err bytes.Buffer
		if run(args, strings.NewReader(""), &out, &err) == exitOK {
			return true
		}
	}
	return false
}

// nats-broker(8) lists every verb.
func TestVerbsAreInManual(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "man", "nats-broker.8"))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range verbs {
		if !regexp.MustCompile(`(?m)^\.It Cm ` + v.name + `\b`).Match(data) {
			t.Errorf("%s is not in nats-broker(8)", v.name)
		}
	}
}
