package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// README shows what RESULTS.md says, not figures of another day.
func TestReadmeShowsTheResults(t *testing.T) {
	results, err := os.ReadFile(filepath.Join(repository(), "scripts/bench/RESULTS.md"))
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile(filepath.Join(repository(), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := summary(string(results))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), want) {
		t.Errorf("README.md does not have this (go run -C scripts/bench . -readme):\n%s", want)
	}
}
