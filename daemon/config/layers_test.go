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

// read reads the layers of a request whose files are below dir.
func read(t *testing.T, req LoadRequest) (*stack, confparse.Errors) {
	t.Helper()
	if req.ReadFile == nil {
		req.ReadFile = os.ReadFile
	}
	if req.Invocation == nil {
		req.Invocation = &Invocation{}
	}
	s, found := readLayers(&req)
	return s, found.errs
}

func rootsBelow(dir string) *Roots {
	return &Roots{Vendor: filepath.Join(dir, "usr"), Volatile: filepath.Join(dir, "run"), Admin: filepath.Join(dir, "etc.d")}
}

// The strongest directory that has a name wins, whole names are hidden, and what remains is applied by name.
func TestDropInsOfThePackagedFile(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"nats.conf":            "port: 1\nlimits { a: 0, b: 0 }\n",
		"usr/10-a.conf":        "who: usr-10\norder: [usr10]\nlimits { a: 1 }\n",
		"usr/20-b.conf":        "hidden: true\n",
		"usr/30-c.conf":        "hidden: true\n",
		"usr/50-d.conf":        "last: usr-50\n",
		"run/10-a.conf":        "who: run-10\norder: [run10]\n",
		"run/40-e.conf":        "who: run-40\nlast: run-40\nlimits { b: 2 }\n",
		"etc.d/20-b.conf":      "",
		"etc.d/30-c.conf":      "->/dev/null",
		"etc.d/15-x.conf":      "who: etc-15\norder: [etc15]\n",
		"etc.d/99-no.conf.bak": "hidden: true\n",
		"etc.d/.99-no.conf":    "hidden: true\n",
	})
	s, errs := read(t, LoadRequest{File: filepath.Join(dir, "nats.conf"), Roots: rootsBelow(dir)})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	want := map[string]any{
		"port": int64(1), "who": "run-40", "order": []any{"etc15"}, "last": "usr-50",
		"limits": map[string]any{"a": int64(0), "b": int64(2)},
	}
	if got := s.merged.Interface(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if s.plain {
		t.Error("a configuration with drop-ins passes as a plain file")
	}
	for key, want := range map[string]string{"port": "file nats.conf:1:7", "who": "drop-in 40-e.conf:1:6", "last": "drop-in 50-d.conf:1:7"} {
		v := s.merged.Fields().Get(key).Value
		pos := v.Span().Start()
		if got := fmt.Sprintf("%s %s:%d:%d", v.Layer(), filepath.Base(pos.File), pos.Line, pos.Column); got != want {
			t.Errorf("%s comes from %s, want %s", key, got, want)
		}
	}
	var files []string
	for _, f := range s.files {
		rel, _ := filepath.Rel(dir, f.Path)
		files = append(files, rel)
	}
	if want := []string{"nats.conf", "run/10-a.conf", "etc.d/15-x.conf", "run/40-e.conf", "usr/50-d.conf"}; !slices.Equal(files, want) {
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
	s, errs := read(t, LoadRequest{File: main})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if n, _ := s.merged.Fields().Get("port").Value.Int(); n != 2 {
		t.Errorf("port is %d", n)
	}
	if s.merged.Fields().Get("users") != nil {
		t.Error("an included file is a drop-in as well")
	}
	if !slices.Equal(s.dirs, []string{main + ".d"}) {
		t.Errorf("watches %v", s.dirs)
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
	_, errs := read(t, LoadRequest{File: main})
	text := errs.Error()
	for _, want := range []string{"my.conf:1:8:", "a.conf:1:5:", "l.conf: no such file", "d.conf is a directory"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if _, errs := read(t, LoadRequest{File: filepath.Join(dir, "none.conf")}); len(errs) != 1 {
		t.Errorf("a main file that does not exist gives %v", errs)
	}
}

func TestNoDropInsIsPlain(t *testing.T) {
	dir := t.TempDir()
	main := filepath.Join(dir, "my.conf")
	write(t, dir, map[string]string{"my.conf": "port: 1\n", "my.conf.d/empty.conf": ""})
	s, errs := read(t, LoadRequest{File: main})
	if len(errs) > 0 || !s.plain || s.merged != s.main {
		t.Errorf("errors %v, plain %v", errs, s.plain)
	}
}

// A later layer replaces scalars and merges maps; the environment is stronger than drop-ins.
func TestEnvironmentOverDropIns(t *testing.T) {
	dir := t.TempDir()
	main := filepath.Join(dir, "my.conf")
	write(t, dir, map[string]string{"my.conf": "port: 1\n", "my.conf.d/a.conf": "port: 2\ndebug: true\n"})
	s, errs := read(t, LoadRequest{File: main, Environ: []string{"NATS_BROKER_PORT=3"}})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	port := s.merged.Fields().Get("port")
	if n, _ := port.Value.Int(); n != 3 || port.Value.Layer() != LayerEnvironment || len(port.Shadows) != 2 {
		t.Errorf("port is %d from %s, over %v", n, port.Value.Layer(), port.Shadows)
	}
	if got := s.merged.Fields().Get("debug").Value.Layer(); got != LayerDropIn {
		t.Errorf("debug is from %s", got)
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
	s, errs := read(t, LoadRequest{File: filepath.Join(dir, "good.conf"), Environ: []string{"CREDENTIALS_DIRECTORY=" + cred}})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	want := map[string]any{"a": "s3cr3t [word", "b": filepath.Join(cred, "pass")}
	if got := s.merged.Interface(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
	if last := s.files[len(s.files)-1]; last.Path != filepath.Join(cred, "pass") || last.Digest != sha256.Sum256([]byte("s3cr3t [word\n")) {
		t.Errorf("the credential is not among the files: %v", last.Path)
	}
	if _, errs = read(t, LoadRequest{File: filepath.Join(dir, "bad.conf"), Credentials: cred}); len(errs) != 4 {
		t.Errorf("got %v", errs)
	}
	_, errs = read(t, LoadRequest{File: filepath.Join(dir, "good.conf")})
	if len(errs) != 2 || !strings.Contains(errs[0].Message, "CREDENTIALS_DIRECTORY is not set") {
		t.Errorf("without credentials: %v", errs)
	}
}
