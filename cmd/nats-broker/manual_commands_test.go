package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// commandLines are those of nats-broker that a text tells its reader to type: behind a prompt, in quotes of a manual page,
// or in a block of README.
func commandLines(t *testing.T, file string) (list []string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("\\e\n", " ", `\e`, `\`, `\&`, "", `\-`, "-", `\(dq`, `"`).Replace(string(data))
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		typed := strings.HasSuffix(file, ".md") // prose there quotes what it names
		for _, begin := range []string{"$ ", "# ", ".Dl ", ".Ql "} {
			if rest, ok := strings.CutPrefix(line, begin); ok {
				line, typed = rest, true
			}
		}
		if !typed {
			continue
		}
		line, _, _ = strings.Cut(line, "   ") // what stands beside it
		for _, part := range regexp.MustCompile(`\s*(?:\||&&|;)\s*`).Split(line, -1) {
			if strings.HasPrefix(part, "nats-broker ") {
				list = append(list, part)
			}
		}
	}
	return list
}

// words takes a command line apart as a shell does, as far as these need it.
func words(line string) (list []string) {
	for _, m := range regexp.MustCompile(`'([^']*)'|"([^"]*)"|([^\s'">]+)|(>).*`).FindAllStringSubmatch(line, -1) {
		if m[4] != "" {
			break
		}
		list = append(list, m[1]+m[2]+m[3])
	}
	return list
}

// Every command line of the manual pages and of README is one that the program takes: its verb is there, with all its flags. What
// they do is tested by the scripts of the verbs and, where they speak to systemd or to a package, by scripts/package-test.
func TestCommandLinesOfManuals(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join("..", "..", "man", "*.[1-8]"))
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, page := range append(pages, filepath.Join("..", "..", "README.md"), filepath.Join("..", "..", "packaging", "README.md")) {
		for _, line := range commandLines(t, page) {
			args := words(line)
			if at := slices.IndexFunc(args, func(w string) bool { return strings.Contains(w, "...") }); at > 0 {
				args[at] = "X" // stands for something
			}
			seen++
			var out, errs bytes.Buffer
			if code := run(append(args, "--help"), strings.NewReader(""), &out, &errs); code != exitOK || !strings.Contains(out.String(), "sage:") {
				t.Errorf("%s: %s: exit %d\n%s", filepath.Base(page), line, code, errs.String())
			}
		}
	}
	if seen < 32 {
		t.Errorf("only %d command lines are found", seen)
	}
}
