package logging

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// catalogFile is what the packages install below /usr/lib/systemd/catalog.
const catalogFile = "../../systemd/nats-broker.catalog"

// TestCatalogFile keeps the installed catalogue equal to the table; -update writes it.
func TestCatalogFile(t *testing.T) {
	var b bytes.Buffer
	if err := WriteCatalog(&b); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(catalogFile, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got := readFile(t, catalogFile); got != b.String() {
		t.Errorf("%s is not what the table says; run: go test ./daemon/logging -run TestCatalogFile -update", catalogFile)
	}
}

// TestCatalogTable checks what journald and readers need of each row.
func TestCatalogTable(t *testing.T) {
	hex := regexp.MustCompile(`^[0-9a-f]{32}$`)
	slug := regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	field := regexp.MustCompile(`@[^@ ]*@`)
	seen := map[string]bool{}
	for id := NoID + 1; id < numMessageIDs; id++ {
		e := catalogue[id]
		if !hex.MatchString(e.uuid) || !slug.MatchString(e.name) || len(e.name) > 32 || e.subject == "" || e.explain == "" || e.remedy == "" {
			t.Errorf("row %d (%s) is incomplete", id, e.name)
		}
		if seen[e.uuid] || seen[e.name] {
			t.Errorf("row %d (%s) repeats another", id, e.name)
		}
		seen[e.uuid], seen[e.name] = true, true
		for _, f := range e.fields {
			if !validJournalName(f) {
				t.Errorf("%s: journald takes no field %q", e.name, f)
			}
		}
		for _, f := range field.FindAllString(e.explain+e.remedy, -1) {
			if !slices.Contains(e.fields, strings.Trim(f, "@")) {
				t.Errorf("%s names %s, which is none of its fields", e.name, f)
			}
		}
	}
}

// TestJournalctlTakesCatalog compiles the catalogue with the real tool and reads an entry back.
func TestJournalctlTakesCatalog(t *testing.T) {
	journalctl, err := exec.LookPath("journalctl")
	if err != nil {
		t.Skip("no journalctl here")
	}
	root := t.TempDir()
	dir := filepath.Join(root, "usr/lib/systemd/catalog")
	for _, d := range []string{dir, filepath.Join(root, "var/lib/systemd/catalog")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "nats-broker.catalog"), []byte(readFile(t, catalogFile)), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(journalctl, "--root="+root, "--update-catalog").CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("--update-catalog: %v\n%s", err, out)
	}
	out, err := exec.Command(journalctl, "--root="+root, "--list-catalog").CombinedOutput()
	if err != nil {
		t.Fatalf("--list-catalog: %v\n%s", err, out)
	}
	for id := NoID + 1; id < numMessageIDs; id++ {
		if want := id.UUID() + " nats-broker: " + catalogue[id].subject; !strings.Contains(string(out), want) {
			t.Errorf("journalctl does not list %q in:\n%s", want, out)
		}
	}
}

// What a peer does wrong is an error in the line, as with nats-server, and a warning for the machine; what slows clients
// or servers down is one as well, though the line says INF.
func TestWeightOfLines(t *testing.T) {
	for _, c := range []struct {
		r    record
		want Level
	}{
		{record{level: Error}, Error},
		{record{level: Error, mistake: true}, Warn},
		{record{level: Error, id: PermissionsViolation}, Warn},
		{record{level: Error, id: AuthenticationFailed}, Warn},
		{record{level: Info, id: SlowConsumer}, Warn},
		{record{level: Info, id: RouteLost}, Warn},
		{record{level: Info, id: ReloadApplied}, Info},
		{record{level: Error, id: ReloadRefused}, Error},
		{record{level: Fatal, id: ListenerFailed}, Fatal},
	} {
		if got := c.r.weight(); got != c.want {
			t.Errorf("%s, %s: weighs %s, want %s", c.r.id.Name(), c.r.level, got, c.want)
		}
	}
	r := record{level: Error, mistake: true, subsystem: "broker", message: "m"}
	entry := string((&journalSink{}).appendEntry(nil, &r))
	if !strings.Contains(entry, "PRIORITY=4\n") || !strings.Contains(entry, "NATS_LEVEL=error\n") || strings.Contains(entry, "MESSAGE_ID") {
		t.Errorf("journal: %q", entry)
	}
	if b := (streamFormat{}).appendLine(nil, &r); !bytes.HasPrefix(b, []byte("<4>")) || !bytes.Contains(b, []byte("[ERR] m")) {
		t.Errorf("stream: %q", b)
	}
	if b := appendPriority(nil, &r); string(b) != "<28>" {
		t.Errorf("syslog: %q", b)
	}
}
