package verbs

import (
	"archive/tar"
	"compress/gzip"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
	"github.com/nats-broker/nats-broker/daemon/internal/certtest"
)

// readReport returns the files of a report by name.
func readReport(t *testing.T, file string) map[string]string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zip, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for tr := tar.NewReader(zip); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		files[path.Base(h.Name)] = string(text)
	}
}

// tool puts a program of the machine into dir that prints a text.
func tool(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name+".said"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf("#!/bin/sh\nexec cat %q\n", filepath.Join(dir, name+".said"))
	if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
}

// The promise of a report: whatever secrets there are in the configuration, its files, the environment, the command
// line, the unit and the journal, none is in it.
func TestReportHoldsNoSecret(t *testing.T) {
	dir := t.TempDir()
	secrets := map[string]string{}
	plant := func(where string) string {
		secrets[where] = fmt.Sprintf("Pl4nted%02d%s", len(secrets), strings.ReplaceAll(where, " ", ""))
		return secrets[where]
	}
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	hash, err := bcrypt.GenerateFromPassword([]byte("known to nobody"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	secrets["hash"] = string(hash)
	seed, jwt := "SUAKYRHVIOREXV7EUZTBHUHL7NUMHPMAS7QMDU3GTIUWEI5LDNOXD43IZY", "eyJ0eXAiOiJKV1QiLCJhbGciOiJlZDI1NTE5LW5rZXkifQ.eyJqdGkiOiJQTEFOVEVEIn0.c2lnbmF0dXJl"
	server := certtest.New(t, dir, "ca").Issue("server", x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	key, err := os.ReadFile(server.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	secrets["TLS key"] = strings.Split(string(key), "\n")[1]
	included := write("included.conf", fmt.Sprintf("APP_PASSWORD: %s\nmonitor { user: watcher, password: %q }\n", plant("variable"), plant("monitor password")))
	quoted := `Pl4nted with "quotes" & spaces / and ünicode`
	secrets["odd password"] = quoted
	socket := filepath.Join(t.TempDir(), "control.sock")
	config := fmt.Sprintf(`control_socket: %q
config_watch: off
http: "127.0.0.1:-1"
include %q
tls { cert_file: %q, key_file: %q }
allow_non_tls: true
cluster { name: c, listen: "127.0.0.1:-1", authorization { user: r, password: %s }, routes: [ "nats-route://r:%s@127.0.0.1:1" ] }
leafnodes { remotes [ { url: "nats://leaf:%s@127.0.0.1:1" }, { url: "nats://%s@127.0.0.1:1" } ] }
authorization { users [
  {user: plain, password: %s}
  {user: hashed, password: %q}
  {user: variable, password: $APP_PASSWORD}
  {user: environment, password: $FROM_ENVIRONMENT}
  {user: file, password_file: %q}
  {user: odd, password: %q}
] }
`, socket, filepath.Base(included), server.CertFile, server.KeyFile, plant("cluster password"), plant("route password"), plant("leaf password"), plant("leaf token"),
		plant("plain password"), hash, write("password", plant("password file")+"\n"), quoted)
	s := brokertest.Start(t, brokertest.Options{
		Config: strings.Replace(config, fmt.Sprintf("include %q", filepath.Base(included)), "include "+relative(included), 1),
		Env:    []string{"FROM_ENVIRONMENT=" + plant("environment")},
		Args:   []string{"-D", "--routes", "nats-route://r:" + plant("flag") + "@127.0.0.1:1"},
	})
	c := s.Dial(t)
	c.Frame()
	c.Send(fmt.Sprintf("CONNECT {\"user\":\"plain\",\"pass\":%q,\"verbose\":false}\r\n", secrets["plain password"]))
	c.Sync() // it is let in: the report names it

	// What the machine says holds every one of them.
	var all strings.Builder
	for where, secret := range secrets {
		fmt.Fprintf(&all, "2026-11-29 host nats[1]: %s: it is %s, or %s\n", where, secret, base64.StdEncoding.EncodeToString([]byte(secret)))
	}
	all.WriteString("2026-11-29 host app[2]: " + string(key) + "\n2026-11-29 host app[2]: postgres://me:Pl4ntedElsewhere@db/x password=Pl4ntedElsewhere --pass Pl4ntedElsewhere\n")
	all.WriteString("2026-11-29 host app[2]: " + seed + " and " + jwt + "\n")
	secrets["another program's"] = "Pl4ntedElsewhere"
	secrets["the unit's environment"] = "Pl4ntedUnit"
	all.WriteString("2026-11-29 host nats[1]: the last line\n")
	bin := t.TempDir()
	tool(t, bin, "journalctl", all.String())
	unit := "[Service]\nEnvironment=\"OTHER=Pl4ntedUnit\" WORD=Pl4ntedUnit\nSetCredential=x:Pl4ntedUnit\nExecStart=/usr/sbin/nats-broker --pass Pl4ntedUnit\n" + all.String()
	tool(t, bin, "systemctl", unit)
	tool(t, bin, "systemd-analyze", "→ Overall exposure level\n"+all.String())

	file := filepath.Join(dir, "report.tar.gz")
	cmd := exec.Command(brokertest.Ours(t), "report", "--socket", socket, "--unit", "nats-broker.service", file)
	cmd.Env = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	files := readReport(t, file)
	secrets["a key's seed"], secrets["a JWT"] = seed, jwt
	for name, text := range files {
		for where, secret := range secrets {
			for _, form := range []string{secret, base64.StdEncoding.EncodeToString([]byte(secret))} {
				if at := strings.Index(text, form); at >= 0 {
					t.Errorf("%s shows the secret of %s: …%s…", name, where, text[max(0, at-80):min(len(text), at+len(form)+20)])
				}
			}
		}
	}
	for name, holds := range map[string]string{
		"MANIFEST.txt": "configuration.conf", "version.txt": "version", "configuration.conf": `password: "[REDACTED]"`, "status.json": `"state": "running"`,
		"health.json": "certificates", "metrics.txt": "# TYPE", "varz.json": `"server_id"`, "connz.json": `"authorized_user": "plain"`, "routez.json": "num_routes",
		"leafz.json": "leafs", "subsz.json": "num_subscriptions", "accstatz.json": "account_statz", "goroutines.txt": "goroutine profile",
		"log-tail.txt": "Server is ready", "kernel.txt": "Linux", "limits.txt": "Max open files", "unit.txt": "OTHER=[REDACTED] WORD=[REDACTED]",
		"unit-properties.txt": "[Service]", "sandbox.txt": "exposure", "journal.txt": "the last line", "connz-closed.json": "connections", "jsz.json": "streams",
	} {
		if !strings.Contains(files[name], holds) {
			t.Errorf("%s holds no %q:\n%.2000s", name, holds, files[name])
		}
	}
	s.WaitLog("Report requested by pid")
}

// relative is how a configuration includes a file that lies elsewhere.
func relative(file string) string {
	return "'" + strings.Repeat("../", 12) + strings.TrimPrefix(file, "/") + "'"
}
