package confdiff

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the lists in testdata")

// environment is what both servers run in.
var environment = []string{
	"PATH=/usr/bin:/bin", "HOME=/nonexistent",
	"CONFDIFF_PORT=4333", "CONFDIFF_AUTH={user: a, password: b}", "CONFDIFF_BAD=a b", "CONFDIFF_SELF=$CONFDIFF_SELF",
}

// A checker holds the two commands.
type checker struct {
	broker, server string
	module         string // directory of nats-server's module
}

func newChecker(t *testing.T) *checker {
	t.Helper()
	dir := t.TempDir()
	c := &checker{broker: filepath.Join(dir, "nats-broker"), server: filepath.Join(dir, "nats-server")}
	run := func(dir string, args ...string) string {
		t.Helper()
		cmd := exec.Command("go", args...)
		cmd.Dir = dir
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go %v: %v\n%s", args, err, &stderr)
		}
		return strings.TrimSpace(string(out))
	}
	run("../..", "build", "-o", c.broker, "./cmd/nats-broker")
	run("../peers", "build", "-o", c.server, "github.com/nats-io/nats-server/v2")
	c.module = run("../peers", "list", "-m", "-f", "{{.Dir}}", "github.com/nats-io/nats-server/v2")
	return c
}

// check runs -t of a command over a file.
func (c *checker) check(t *testing.T, command, dir, file string) (valid bool, output string) {
	t.Helper()
	cmd := exec.Command(command, "-t", "-c", file)
	cmd.Dir, cmd.Env = dir, environment
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1 && (command != c.server || exit.ExitCode() != 2)) { // 2: it crashed
		t.Errorf("%s -t -c %s: %v\n%s", filepath.Base(command), file, err, out)
	}
	return err == nil, string(out)
}

var (
	// mistake is the head of a mistake in the output of nats-broker.
	mistake = regexp.MustCompile(`(?m)^\S.*?:\d+:\d+: (?:warning: )?(.*)$`)
	// startOnly marks what nats-server finds at its start and not by -t.
	startOnly = regexp.MustCompile(`a start refuses this, nats-server's -t does not`)
	// unsupported is the one that says nothing about the file.
	unsupported = regexp.MustCompile(`not supported yet by nats-broker`)
	digest      = regexp.MustCompile(`sha256:[0-9a-f]{64}`)
)

// startsNot reports whether nats-broker refuses a file for nothing but what nats-server's -t does not look at.
func startsNot(output string) bool {
	n := 0
	for _, m := range mistake.FindAllStringSubmatch(output, -1) {
		if !strings.HasPrefix(m[1], "note: ") {
			n++
		}
	}
	return n > 0 && n == len(startOnly.FindAllString(output, -1))
}

// notSupported reports whether nats-broker refuses a file for nothing but features that are not built.
func notSupported(output string) bool {
	found := mistake.FindAllStringSubmatch(output, -1)
	return len(found) > 0 && !slices.ContainsFunc(found, func(m []string) bool {
		return !unsupported.MatchString(m[1]) && !strings.HasPrefix(m[1], "note: ")
	})
}

// A result is how the verdicts on one file compare.
type result struct {
	same        bool
	valid       bool
	startOnly   bool // valid by nats-server's -t alone, which is not asked for what a start refuses
	unsupported bool
	report      string
}

func (c *checker) compare(t *testing.T, dir, file string) result {
	t.Helper()
	ours, ourOut := c.check(t, c.broker, dir, file)
	theirs, theirOut := c.check(t, c.server, dir, file)
	r := result{same: ours == theirs, valid: ours}
	if theirs && startsNot(ourOut) {
		return result{startOnly: true}
	}
	if ours && theirs && digest.FindString(ourOut) != digest.FindString(theirOut) {
		r.same = false
	}
	if !r.same {
		r.unsupported = theirs && notSupported(ourOut)
		r.report = fmt.Sprintf("nats-server: %s\nnats-broker: %s", strings.TrimSpace(theirOut), strings.TrimSpace(ourOut))
	}
	return r
}

// A list is a file in testdata that names the inputs of one outcome, a line each; behind a tab stands the reason.
func list(t *testing.T, name string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil && !(errors.Is(err, fs.ErrNotExist) && *update) {
		t.Fatal(err)
	}
	m := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			input, reason, _ := strings.Cut(line, "\t")
			m[strings.TrimSpace(input)] = strings.TrimSpace(reason)
		}
	}
	return m
}

// A tally collects results and holds them against the lists.
type tally struct {
	same, valid int
	startOnly   int
	unsupported []string
	known       map[string]string // deliberate differences
	met         map[string]bool
}

func newTally(t *testing.T) *tally {
	return &tally{known: list(t, "differences.txt"), met: map[string]bool{}}
}

func (y *tally) add(t *testing.T, name string, r result) {
	t.Helper()
	_, deliberate := y.known[name]
	switch {
	case r.same:
		y.same++
		if r.valid {
			y.valid++
		}
	case r.startOnly:
		y.startOnly++
	case r.unsupported:
		y.unsupported = append(y.unsupported, name)
	case deliberate:
		y.met[name] = true
	default:
		t.Errorf("%s\n%s", name, r.report)
	}
}

// finish compares what is refused for features that are not built with the list of it: it must shrink when a feature is
// built and may not grow unnoticed.
func (y *tally) finish(t *testing.T, file string) {
	t.Helper()
	t.Logf("measured: %d files with the same verdict (%d valid, with the same digest), %d that only a start refuses, %d not supported yet, %d deliberate differences",
		y.same, y.valid, y.startOnly, len(y.unsupported), len(y.met))
	slices.Sort(y.unsupported)
	if *update {
		text := "# Files that nats-server accepts and nats-broker refuses, for features that are not built yet. Made with -update.\n" +
			strings.Join(y.unsupported, "\n") + "\n"
		if err := os.WriteFile(filepath.Join("testdata", file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want := list(t, file)
	for _, name := range y.unsupported {
		if _, ok := want[name]; !ok {
			t.Errorf("%s is refused as not supported; it is not in testdata/%s", name, file)
		}
		delete(want, name)
	}
	for name := range want {
		t.Errorf("%s is in testdata/%s and is not refused as not supported any more", name, file)
	}
}

// Every configuration file that nats-server's module holds gets the same verdict.
func TestFilesOfNatsServer(t *testing.T) {
	c, y := newChecker(t), newTally(t)
	err := filepath.WalkDir(c.module, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".conf" {
			return err
		}
		name, err := filepath.Rel(c.module, path)
		if err != nil {
			return err
		}
		// Their tests run in the directory of the package, and so do the paths of certificates.
		dir := filepath.Join(c.module, "server")
		if strings.HasPrefix(name, "test/") {
			dir = filepath.Join(c.module, "test")
		}
		y.add(t, name, c.compare(t, dir, path))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if y.same < 50 {
		t.Errorf("only %d files compared", y.same)
	}
	y.finish(t, "unsupported_module.txt")
}

// Files of our own, good and broken, get the same verdict.
func TestCases(t *testing.T) {
	c, y := newChecker(t), newTally(t)
	files, err := filepath.Glob("testdata/cases/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		group := strings.TrimSuffix(filepath.Base(file), ".txt")
		certs := filepath.Join(c.module, "test", "configs", "certs")
		for name, content := range cases(t, strings.ReplaceAll(string(text), "@CERTS@", certs)) {
			dir := t.TempDir()
			for path, text := range content {
				path = filepath.Join(dir, path)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			y.add(t, group+": "+name, c.compare(t, dir, "main.conf"))
			n++
		}
	}
	for name, reason := range y.known {
		if !y.met[name] && !strings.HasPrefix(reason, "at random: ") {
			t.Errorf("%s is a deliberate difference and does not differ", name)
		}
	}
	if n < 150 {
		t.Errorf("only %d cases", n)
	}
	y.finish(t, "unsupported_cases.txt")
}

// cases splits a file of cases: "== name" begins one, "-- path --" a file beside its main.conf.
func cases(t *testing.T, text string) map[string]map[string]string {
	t.Helper()
	all := map[string]map[string]string{}
	var files map[string]string
	path := ""
	for line := range strings.Lines(text) {
		if name, ok := strings.CutPrefix(line, "== "); ok {
			name = strings.TrimSpace(name)
			if all[name] != nil {
				t.Fatalf("two cases are called %q", name)
			}
			path = "main.conf"
			files = map[string]string{path: ""}
			all[name] = files
			continue
		}
		if name, ok := strings.CutPrefix(line, "-- "); ok && strings.HasSuffix(line, " --\n") {
			path = strings.TrimSuffix(name, " --\n")
			files[path] = ""
			continue
		}
		files[path] += line
	}
	return all
}
