package config

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// loadShown loads a layered configuration of every kind of value.
func loadShown(t *testing.T) (*Config, string) {
	t.Helper()
	dir := t.TempDir()
	main := filepath.Join(dir, "nats.conf")
	write(t, dir, map[string]string{
		"nats.conf": `
PASS: hunter2
listen: 127.0.0.1:4300
max_payload: 2MB
monitor_port: 8300
write_deadline: "5s"
system_account: SYS
accounts {
  SYS { users: [ {user: sys, pass: $PASS} ] }
  "my{app" { users: [ {user: $NAME, password: x, permissions { publish: [a, "b.>"], subscribe { deny: c } } } ] }
}
cluster { name: c1, port: 6300, routes: [ nats-route://u:secret@10.0.0.1:6222 ], authorization { user: u, password: p } }
`,
		"nats.conf.d/10-site.conf": "http_port: 8301\ncluster { name: c2 }\n",
	})
	inv, err := ParseArgs([]string{"-D"})
	if err != nil {
		t.Fatal(err)
	}
	cfg, _, err := Load(LoadRequest{File: main, Invocation: inv, Environ: []string{"NAME=bob", "NATS_BROKER_MAX_CONNECTIONS=70"}})
	if err != nil {
		t.Fatal(err)
	}
	return cfg, dir
}

func TestShowGolden(t *testing.T) {
	cfg, dir := loadShown(t)
	for _, c := range []struct {
		name        string
		origin, all bool
	}{{"plain", false, false}, {"origin", true, false}, {"all", true, true}} {
		t.Run(c.name, func(t *testing.T) {
			var got bytes.Buffer
			if err := cfg.Show(&got, c.origin, c.all); err != nil {
				t.Fatal(err)
			}
			text := strings.ReplaceAll(got.String(), dir+"/", "")
			file := filepath.Join("testdata", "show", c.name+".golden")
			if *update {
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if text != string(want) {
				t.Errorf("got\n%s\nwant\n%s", text, want)
			}
		})
	}
}

// No way of showing a configuration shows a secret.
func TestShowMasksSecrets(t *testing.T) {
	cfg, _ := loadShown(t)
	var b bytes.Buffer
	if err := cfg.Show(&b, true, true); err != nil {
		t.Fatal(err)
	}
	for _, s := range cfg.Settings(true) {
		if v, ok := s.Value.(string); ok {
			b.WriteString(v)
		}
	}
	for _, secret := range []string{"hunter2", "secret@", `"p"`, `"x"`} {
		if strings.Contains(b.String(), secret) {
			t.Errorf("%s is shown in\n%s", secret, &b)
		}
	}
}

// What is shown, read as a file, is the same configuration.
func TestShowIsTheConfiguration(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"a.conf":          "listen: 1.2.3.4:5\nmax_payload: 4k\nmonitor_port: 1\nping_interval: \"10s\"\nserver_tags: [a, b]\n",
		"a.conf.d/b.conf": "port: 6\nmonitor_port: 2\n",
	})
	cfg, _, err := Load(LoadRequest{File: filepath.Join(dir, "a.conf")})
	if err != nil {
		t.Fatal(err)
	}
	for _, all := range []bool{false, true} {
		var b bytes.Buffer
		if err := cfg.Show(&b, true, all); err != nil {
			t.Fatal(err)
		}
		write(t, dir, map[string]string{"shown.conf": b.String()})
		again, _, err := Load(LoadRequest{File: filepath.Join(dir, "shown.conf")})
		if err != nil {
			t.Fatalf("%v\n%s", err, &b)
		}
		if d := Diff(cfg, again); len(d) > 0 {
			t.Errorf("all=%v: %v\n%s", all, d, &b)
		}
	}
}
