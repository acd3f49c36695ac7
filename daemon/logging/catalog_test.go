package logging

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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
	known := map[string]bool{"@" + fieldSink + "@": true, "@" + fieldLogFile + "@": true}
	for _, f := range []string{FieldClientID, FieldAccount, FieldUser, FieldSubject, FieldRemote, FieldListener, FieldRoute,
		FieldConfigFile, FieldOption, FieldReason, FieldCount, FieldLost, FieldError, FieldCertificate, FieldExpires} {
		known["@"+f+"@"] = true
	}
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
		for _, f := range field.FindAllString(e.explain+e.remedy, -1) {
			if !known[f] {
				t.Errorf("%s names %s, which no line carries", e.name, f)
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
