package confparse

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// testEnv is the environment of golden tests.
var testEnv = map[string]string{
	"PORT": "4333", "HOST": "example.org", "LIST": "[a, b]", "MAP": "{x: 1k}", "BAD": "a b", "SELF": "$SELF",
	"INDIRECT": "$PORT", "EMPTY": "", "TWO": "1\npk: 2",
}

func testOptions() Options {
	return Options{Layer: "main", LookupEnv: func(name string) (string, bool) {
		v, ok := testEnv[name]
		return v, ok
	}}
}

// golden compares got with the golden file beside path.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	file := strings.TrimSuffix(path, filepath.Ext(path)) + ".golden"
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got\n%s\nwant\n%s", path, got, want)
	}
}

func goldenInputs(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", dir, "*.conf"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no inputs in %s: %v", dir, err)
	}
	return files
}

// Each input gives a tree, shown in canonical form, or errors as a user sees
// them. A tree that could be read in part is not shown.
func TestParseGolden(t *testing.T) {
	for _, path := range goldenInputs(t, "parse") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			tree, err := ParseFile(path, testOptions())
			var got bytes.Buffer
			if err != nil {
				if err := err.(Errors).Render(&got, false); err != nil {
					t.Fatal(err)
				}
				golden(t, path, got.Bytes())
				return
			}
			text, err := Print(tree.Root)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, path, text)
		})
	}
}

func TestFormatGolden(t *testing.T) {
	for _, path := range goldenInputs(t, "format") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Format(path, text)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, path, got)
			again, err := Format(path, got)
			if err != nil || !bytes.Equal(again, got) {
				t.Errorf("a second time (%v) it becomes\n%s", err, again)
			}
		})
	}
}
