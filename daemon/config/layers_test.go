package config

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/confparse"
)

// write makes files below dir; a content of "->x" is a link to x.
func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if to, ok := strings.CutPrefix(text, "->"); ok {
			if err := os.Symlink(to, path); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// The strongest directory that has a name wins, whole names are hidden, and what remains is applied by name.
func TestDropInsOfThePackagedFile(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"etc/nats/nats.conf":                  "port: 1\nlimits { a: 0, b: 0 }\n",
		"usr/lib/nats/nats.conf.d/10-a.conf":  "who: usr-10\norder: [usr10]\nlimits { a: 1 }\n",
		"usr/lib/nats/nats.conf.d/20-b.conf":  "hidden: true\n",
		"usr/lib/nats/nats.conf.d/30-c.conf":  "hidden: true\n",
		"usr/lib/nats/nats.conf.d/50-d.conf":  "last: usr-50\n",
		"run/nats/nats.conf.d/10-a.conf":      "who: run-10\norder: [run10]\n",
		"run/nats/nats.conf.d/40-e.conf":      "who: run-40\nlast: run-40\nlimits { b: 2 }\n",
		"etc/nats/nats.conf.d/20-b.conf":      "",
		"etc/nats/nats.conf.d/30-c.conf":      "->/dev/null",
		"etc/nats/nats.conf.d/15-x.conf":      "who: etc-15\norder: [etc15]\n",
		"etc/nats/nats.conf.d/99-no.conf.bak": "hidden: true\n",
		"etc/nats/nats.conf.d/.99-no.conf":    "hidden: true\n",
	})
	s, errs := readLayers(Places{File: filepath.Join(dir, PackagedFile), Root: dir})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	want := map[string]any{
		"port": int64(1), "who": "run-40", "order": []any{"etc15"}, "last": "usr-50",
		"limits": map[string]any{"a": int64(0), "b": int64(2)},
	}
	if got := s.Tree.Interface(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	for key, want := range map[string]string{"port": "main file nats.conf:1:7", "who": "drop-in 40-e.conf:1:6", "last": "drop-in 50-d.conf:1:7"} {
		v := s.Tree.Fields().Get(key).Value
		pos := v.Span().Start()
		if got := fmt.Sprintf("%s %s:%d:%d", v.Layer(), filepath.Base(pos.File), pos.Line, pos.Column); got != want {
			t.Errorf("%s comes from %s, want %s", key, got, want)
		}
	}
	var files []string
	for _, f := range s.Files {
		rel, _ := filepath.Rel(dir, f.Path)
		files = append(files, rel)
	}
	if want := []string{"etc/nats/nats.conf", "run/nats/nats.conf.d/10-a.conf", "etc/nats/nats.conf.d/15-x.conf", "run/nats/nats.conf.d/40-e.conf", "usr/lib/nats/nats.conf.d/50-d.conf"}; !slices.Equal(files, want) {
		t.Errorf("read %v, want %v", files, want)
	}
}

func TestDropInsBesideAnyFile(t *testing.T) {
	dir := t.TempDir()
	main := filepath.Join(dir, "my.conf")
	write(t, dir, map[string]string{
		"my.conf":              "port: 1\nauthorization { include my.conf.d/users.conf }\n",
		"my.conf.d/users.conf": "users: [ {user: a, password: b} ]\n",
		"my.conf.d/a.conf":     "port: 2\n",
	})
	s, errs := readLayers(Places{File: main})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if n, _ := s.Tree.Fields().Get("port").Value.Int(); n != 2 {
		t.Errorf("port is %d", n)
	}
	if s.Tree.Fields().Get("users") != nil {
		t.Error("an included file is a drop-in as well")
	}
	if !slices.Equal(s.Dirs, []string{main + ".d"}) {
		t.Errorf("watches %v", s.Dirs)
	}
}

func TestDropInErrors(t *testing.T) {
	dir := t.TempDir()
	main := filepath.Join(dir, "my.conf")
	write(t, dir, map[string]string{
		"my.conf":            "port: -x\n",
		"my.conf.d/a.conf":   "b: -y\n",
		"my.conf.d/l.conf":   "->nowhere",
		"my.conf.d/d.conf/x": "",
	})
	_, errs := readLayers(Places{File: main})
	text := errs.Error()
	for _, want := range []string{"my.conf:1:8:", "a.conf:1:5:", "l.conf: no such file", "d.conf is a directory"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if _, errs := readLayers(Places{File: filepath.Join(dir, "none.conf")}); len(errs) != 1 {
		t.Errorf("a main file that does not exist gives %v", errs)
	}
}

// The environment is stronger than drop-ins, flags are stronger than it.
func TestLayersInOrder(t *testing.T) {
	dir := t.TempDir()
	main := filepath.Join(dir, "my.conf")
	write(t, dir, map[string]string{
		"my.conf":          "port: 1\nhttp_port: 1\nmax_payload: 1k\nwrite_deadline: 1s\n",
		"my.conf.d/a.conf": "port: 2\nmonitor_port: 2\nmax_payload: 2k\n",
	})
	inv, err := ParseArgs([]string{"-p", "4"})
	if err != nil {
		t.Fatal(err)
	}
	cfg, _, err := Load(LoadRequest{File: main, Invocation: inv, Environ: []string{"NATS_BROKER_PORT=3", "NATS_BROKER_MAX_PAYLOAD=3k"}})
	if err != nil {
		t.Fatal(err)
	}
	o := cfg.Options
	if o.Port != 4 || o.Limits.MaxPayload != 3000 || o.Monitor.Port != 2 || o.WriteDeadline != time.Second {
		t.Errorf("port %d, max_payload %d, monitor_port %d, write_deadline %v", o.Port, o.Limits.MaxPayload, o.Monitor.Port, o.WriteDeadline)
	}
	for path, want := range map[string]confparse.Layer{
		"port": LayerFlags, "max_payload": LayerEnvironment, "http_port": LayerDropIn, "write_deadline": LayerMain,
	} {
		if origin, ok := cfg.Origin(path); !ok || origin.Layer() != want {
			t.Errorf("%s is from %q, want %q", path, origin.Layer(), want)
		}
	}
}

func TestCredentials(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"cred/pass": "s3cr3t [word\n",
		"good.conf": "a: $CREDENTIAL:pass\nb: $CREDENTIALS_DIRECTORY/pass\n",
		"bad.conf":  "a: $CREDENTIAL:none\nb: $CREDENTIAL:../x\nc: $CREDENTIAL:\nd: $CREDENTIALS_DIRECTORY/a/b\n",
	})
	cred := filepath.Join(dir, "cred")
	s, errs := readLayers(Places{File: filepath.Join(dir, "good.conf"), LookupEnv: func(string) (string, bool) { return cred, true }})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	want := map[string]any{"a": "s3cr3t [word", "b": filepath.Join(cred, "pass")}
	if got := s.Tree.Interface(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
	if last := s.Files[len(s.Files)-1]; last.Path != filepath.Join(cred, "pass") || last.Digest != sha256.Sum256([]byte("s3cr3t [word\n")) {
		t.Errorf("the credential is not among the files: %v", last.Path)
	}
	if _, errs = readLayers(Places{File: filepath.Join(dir, "bad.conf"), Credentials: cred}); len(errs) != 4 {
		t.Errorf("got %v", errs)
	}
	_, errs = readLayers(Places{File: filepath.Join(dir, "good.conf"), LookupEnv: func(string) (string, bool) { return "", false }})
	if len(errs) != 2 || !strings.Contains(errs[0].Message, "CREDENTIALS_DIRECTORY is not set") {
		t.Errorf("without credentials: %v", errs)
	}
}

// What could not be read, or gave nothing, is known: when that changes, the configuration does.
func TestMissedFiles(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"m.conf": "include gone.conf", "m.conf.d/a.conf": "port: 1", "m.conf.d/b.conf": "", "m.conf.d/c.conf": "->nowhere"})
	cfg, _, err := Load(LoadRequest{File: filepath.Join(dir, "m.conf"), ReadFile: func(path string) ([]byte, error) {
		if filepath.Base(path) == "a.conf" {
			return nil, os.ErrPermission
		}
		return os.ReadFile(path)
	}})
	if err == nil {
		t.Error("the configuration is valid")
	}
	var names []string
	for _, path := range cfg.Missed {
		names = append(names, filepath.Base(path))
	}
	slices.Sort(names)
	if want := []string{"a.conf", "b.conf", "c.conf", "gone.conf"}; !slices.Equal(names, want) {
		t.Errorf("missed %q, want %q", names, want)
	}
}
