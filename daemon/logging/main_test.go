package logging

import (
	"bufio"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "write golden and generated files")

func TestMain(m *testing.M) {
	flag.Parse()
	goleak.VerifyTestMain(m)
}

// at is the time that formatting tests stamp lines with.
var at = time.Date(2026, 11, 22, 14, 8, 1, 123456789, time.UTC)

// stderrPipe returns Options whose standard error is a pipe, and a reader of its lines.
func stderrPipe(t *testing.T) (Options, *bufio.Reader) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	o := DefaultOptions()
	o.Identifier = "nats-broker"
	o.seams = seams{stderr: w, pid: 42, hostname: "host.example", location: time.UTC}
	return o, bufio.NewReader(r)
}

// newManager starts a manager that ends with the test.
func newManager(t *testing.T, o Options) *Manager {
	t.Helper()
	m, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func readLine(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	line, err := r.ReadString('\n')
	if err != nil {
		t.Fatalf("no line: %v (read %q)", err, line)
	}
	return strings.TrimSuffix(line, "\n")
}

// change prepares and commits.
func change(t *testing.T, m *Manager, o Options) {
	t.Helper()
	commit, err := m.Prepare(o)
	if err != nil {
		t.Fatal(err)
	}
	commit()
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// golden compares got with a file below testdata, or writes it with -update.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want := readFile(t, path); want != string(got) {
		t.Errorf("%s differs (write it with -update)\n--- want\n%s\n--- got\n%s", path, want, got)
	}
}
