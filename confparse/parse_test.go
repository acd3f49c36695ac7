package confparse

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

// files is a file system in memory.
type files map[string]string

func (f files) read(path string) ([]byte, error) {
	if text, ok := f[path]; ok {
		return []byte(text), nil
	}
	return nil, &os.PathError{Op: "open", Path: path, Err: os.ErrNotExist}
}

func mustParse(t *testing.T, text string) *Tree {
	t.Helper()
	tree, err := Parse("test.conf", []byte(text), offline())
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func TestEveryValueKnowsItsPlace(t *testing.T) {
	const text = "\ufeffa: 1k\n  \"b c\" = {\n\tü: [ 'x', $PORT ]\n}\nv: $a\n"
	tree := mustParse(t, text)
	var got []string
	var walk func(v *Value)
	walk = func(v *Value) {
		for _, e := range v.Fields().All() {
			got = append(got, fmt.Sprintf("%s|%s|%s", e.KeySpan, e.KeySpan.Text(), e.Value.Span()))
			walk(e.Value)
		}
		for _, item := range v.Items() {
			got = append(got, fmt.Sprintf("%s|%s", item.Span(), item.Text()))
		}
	}
	walk(tree.Root)
	want := []string{
		"test.conf:1:1|a|test.conf:1:4",
		`test.conf:2:3|"b c"|test.conf:2:11`,
		"test.conf:3:2|ü|test.conf:3:5",
		"test.conf:3:7|'x'",
		"test.conf:3:12|$PORT",
		"test.conf:5:1|v|test.conf:5:4",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	v := tree.Root.Fields().Get("v").Value
	if n, _ := v.Int(); n != 1000 || v.Reference().Definition.Text() != "a" || v.UsedAsVariable() {
		t.Errorf("$a is %d, defined at %q", n, v.Reference().Definition)
	}
	if !tree.Root.Fields().Get("a").Value.UsedAsVariable() {
		t.Error("a is not known to be a definition")
	}
	port := tree.Root.Fields().Get("b c").Value.Fields().Get("ü").Value.Items()[1]
	if n, _ := port.Int(); n != 4333 || !port.Reference().Environment || port.Layer() != "main" {
		t.Errorf("$PORT is %d", n)
	}
}

func TestIncludes(t *testing.T) {
	fs := files{
		"/etc/main.conf":      "port: 1\na { include 'sub/a.conf' }\nport: 2\n",
		"/etc/sub/a.conf":     "x: 1\ninclude b.conf\n",
		"/etc/sub/b.conf":     "x: 2\ny: $port\n",
		"/etc/loop.conf":      "include sub/loop.conf",
		"/etc/sub/loop.conf":  "include ../loop.conf",
		"/etc/abs.conf":       "include /etc/main.conf",
		"/etc/sub/sub/x.conf": "",
	}
	env := func(name string) (string, bool) { return "env-" + name, true }
	tree, err := ParseFile("/etc/main.conf", Options{ReadFile: fs.read, LookupEnv: env})
	if err != nil {
		t.Fatal(err)
	}
	a := tree.Root.Fields().Get("a").Value.Fields()
	x, y := a.Get("x"), a.Get("y")
	if n, _ := x.Value.Int(); n != 2 || x.KeySpan.String() != "/etc/sub/b.conf:1:1" || len(x.Shadows) != 1 {
		t.Errorf("x is %d at %s, shadows %v", n, x.KeySpan, x.Shadows)
	}
	if s, _ := y.Value.Str(); s != "env-port" {
		t.Errorf("an included file sees $port of the including one: %q", s)
	}
	if n, _ := tree.Root.Fields().Get("port").Value.Int(); n != 2 {
		t.Errorf("the later entry loses: port is %d", n)
	}
	var paths []string
	for _, f := range tree.Files {
		paths = append(paths, f.Path)
		if f.Digest != sha256.Sum256([]byte(fs[f.Path])) {
			t.Errorf("%s: wrong digest", f.Path)
		}
	}
	if got := strings.Join(paths, " "); got != "/etc/main.conf /etc/sub/a.conf /etc/sub/b.conf" {
		t.Errorf("read %s", got)
	}

	_, err = ParseFile("/etc/loop.conf", Options{ReadFile: fs.read})
	if err == nil || err.Error() != "/etc/sub/loop.conf:1:9: this file includes itself: /etc/loop.conf" {
		t.Errorf("a cycle gives %v", err)
	}
	_, err = ParseFile("/etc/abs.conf", Options{ReadFile: fs.read})
	if err == nil || !strings.Contains(err.Error(), "/etc/etc/main.conf") {
		t.Errorf("an absolute name gives %v", err)
	}
}

// A cycle in which no path comes back, as behind bind mounts, ends too.
func TestIncludesDoNotNestForever(t *testing.T) {
	reads := 0
	_, err := ParseFile("a.conf", Options{ReadFile: func(string) ([]byte, error) {
		if reads++; reads > 10*maxIncludes {
			t.Fatal("does not end")
		}
		return []byte("include d/a.conf"), nil
	}})
	if err == nil || !strings.Contains(err.Error(), "includes itself") {
		t.Errorf("got %v", err)
	}
}

func TestErrorsAreSortedAndAll(t *testing.T) {
	fs := files{"m.conf": "a: -x\ninclude i.conf\nb: \"\\q\"\nc {\n d: e f\n g: $NO\n}\nh: 'x\ni: .5\n", "i.conf": "\nz: 1.\n"}
	_, err := ParseFile("m.conf", Options{ReadFile: fs.read, LookupEnv: func(string) (string, bool) { return "", false }})
	var errs Errors
	if !errors.As(err, &errs) {
		t.Fatal(err)
	}
	var got []string
	for _, e := range errs {
		got = append(got, e.Span.String())
	}
	want := "m.conf:1:5 m.conf:3:5 m.conf:5:7 m.conf:6:5 m.conf:8:4 m.conf:9:4 i.conf:2:6"
	if strings.Join(got, " ") != want {
		t.Errorf("errors at %s\nwant %s", strings.Join(got, " "), want)
	}
}

func TestRubbishDoesNotFloodTheTerminal(t *testing.T) {
	_, err := Parse("rubbish", bytes.Repeat([]byte("a: -x\n"), 10_000), offline())
	if n := len(err.(Errors)); n != maxErrors+1 {
		t.Errorf("%d errors", n)
	}
	deep := strings.Repeat("a: [", 1_000_000)
	if _, err := Parse("deep", []byte(deep), offline()); err == nil {
		t.Error("a million nested arrays are accepted")
	}
}

// The text of an environment variable may be a secret: it is never shown.
func TestEnvironmentIsNotShown(t *testing.T) {
	opts := offline()
	opts.LookupEnv = func(string) (string, bool) { return "s3cr3t word", true }
	_, err := Parse("test.conf", []byte("password: $PASS\n"), opts)
	var b bytes.Buffer
	if err.(Errors).Render(&b, false) != nil || strings.Contains(b.String(), "s3cr3t") {
		t.Errorf("shown:\n%s", &b)
	}
}

// An error beside a password does not show it, and the caret stays in place.
func TestSecretsOnTheLineAreNotShown(t *testing.T) {
	for _, text := range []string{
		`a { user: me, password: "s3cr3t", x: -y }`,
		`a { "pass": "s3cr3t", x: -y }`,
		`a { token = s3cr3t, x: -y }`,
		`a { password s3cr3t, x: -y }`,
		`a { PASSWORD: 's3cr3t, x', x: -y }`,
		`a { routes: [ nats://me:s3cr3t@host:1 ], x: -y }`,
		`a { hash: $2a$11$s3cr3t, x: -y }`,
	} {
		_, err := Parse("test.conf", []byte(text), offline())
		var b bytes.Buffer
		_ = err.(Errors).Render(&b, false)
		lines := strings.Split(b.String(), "\n")
		if !strings.Contains(b.String(), "s3cr3t") && strings.Contains(b.String(), "found …") {
			continue // behind a secret without quotes nothing is shown
		}
		if strings.Contains(b.String(), "s3cr3t") || len(lines[1]) <= len(text) || strings.Index(lines[1], "-y")+1 != strings.Index(lines[2], "^") {
			t.Errorf("%s: shown as\n%s", text, &b)
		}
	}
	const harmless = "a { tokens: 5, passive: yes, max_subject_tokens: 7, secrets_dir: /x, password: $PASS }"
	if got := hideSecrets(harmless, false); got != harmless {
		t.Errorf("hidden: %s", got)
	}
}

func TestRenderColours(t *testing.T) {
	_, err := Parse("test.conf", []byte("a: -x\n"), offline())
	var b bytes.Buffer
	_ = err.(Errors).Render(&b, true)
	if !strings.Contains(b.String(), colourCaret+"^"+colourOff) || !strings.Contains(b.String(), colourError) {
		t.Errorf("%q", b.String())
	}
}

func BenchmarkParse50kLines(b *testing.B) {
	var text bytes.Buffer
	for i := 0; text.Len() == 0 || i < 50_000/5; i++ {
		fmt.Fprintf(&text, "account_%d {\n  users: [ {user: u%d, password: \"secret\"} ]\n  limit: %dk # comment\n  x: $2a$11$abc\n}\n", i, i, i)
	}
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse("bench.conf", text.Bytes(), offline()); err != nil {
			b.Fatal(err)
		}
	}
}
