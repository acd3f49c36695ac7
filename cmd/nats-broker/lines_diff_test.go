package main

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestDiffOfLines(t *testing.T) {
	for _, c := range []struct{ a, b, want string }{
		{"a\nb\n", "a\nb\n", ""},
		{"a\n", "b\n", "--- f\n+++ f\n@@ -1,1 +1,1 @@\n-a\n+b\n"},
		{"", "a\n", "--- f\n+++ f\n@@ -0,0 +1,1 @@\n+a\n"},
		{"1\n2\n3\n4\n5\n6\n", "1\n2\n3\n4\nx\n6\n", "--- f\n+++ f\n@@ -2,5 +2,5 @@\n 2\n 3\n 4\n-5\n+x\n 6\n"},
		{"a", "a\n", "--- f\n+++ f\n@@ -1,1 +1,1 @@\n-a\n\\ No newline at end of file\n+a\n"},
	} {
		var b strings.Builder
		if err := writeDiff(&b, "f", []byte(c.a), []byte(c.b)); err != nil || b.String() != c.want {
			t.Errorf("%q, %q: %v\n%s", c.a, c.b, err, b.String())
		}
	}
}

// patch(1) makes the one text of the other by it.
func TestPatchTakesDiff(t *testing.T) {
	patch, err := exec.LookPath("patch")
	if err != nil {
		t.Log("patch is not installed; the table above holds the form")
		return
	}
	random := rand.New(rand.NewPCG(1, 2))
	text := func(from []string) (lines []string) {
		for _, l := range from {
			switch random.IntN(12) {
			case 0:
			case 1:
				lines = append(lines, "new\n", l)
			case 2:
				lines = append(lines, "other\n")
			default:
				lines = append(lines, l)
			}
		}
		return lines
	}
	for round := range 40 {
		var base []string
		for range random.IntN(60) {
			base = append(base, string(rune('a'+random.IntN(5)))+"\n")
		}
		a, b := strings.Join(base, ""), strings.Join(text(base), "")
		var diff bytes.Buffer
		if err := writeDiff(&diff, "f", []byte(a), []byte(b)); err != nil {
			t.Fatal(err)
		}
		if a == b {
			continue
		}
		file := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(file, []byte(a), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(patch, "--quiet", "--fuzz=0", file)
		cmd.Stdin = bytes.NewReader(diff.Bytes())
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("round %d: %v %s\n%s", round, err, out, diff.String())
		}
		if got, err := os.ReadFile(file); err != nil && b != "" || string(got) != b {
			t.Fatalf("round %d: %v\n%s\nmade %q of %q, want %q", round, err, diff.String(), got, a, b)
		}
	}
}
