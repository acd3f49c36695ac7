package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// contenders is how many servers take part at most: nats-broker, what it is
// compared with, and the floor.
const contenders = 3

// contender is one of the servers compared.
type contender struct {
	name   string // as the table shows it
	binary string
}

// repository returns the top directory of the repository this file is in.
func repository() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}

// command runs a command in dir and returns what it wrote.
func command(dir, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	if !slices.Contains(args, "-race") {
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // as both are released
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s %s in %s: %w\n%s", name, strings.Join(args, " "), dir, err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

// buildOurs builds nats-broker from the tree at root into dir.
func buildOurs(root, dir, name string, flags ...string) (string, error) {
	binary := filepath.Join(dir, name)
	args := append(append([]string{"build", "-trimpath", "-o", binary}, flags...), "./cmd/nats-broker")
	_, err := command(root, "go", args...)
	return binary, err
}

// buildTheirs builds the nats-server pinned in scripts/peers into dir.
func buildTheirs(dir string) (string, error) {
	binary := filepath.Join(dir, "nats-server")
	_, err := command(filepath.Join(repository(), "scripts", "peers"), "go", "build", "-trimpath", "-o", binary,
		"github.com/nats-io/nats-server/v2")
	return binary, err
}

// buildRelay builds the floor into dir.
func buildRelay(dir string) (string, error) {
	binary := filepath.Join(dir, "relay")
	_, err := command(filepath.Join(repository(), "scripts", "bench"), "go", "build", "-trimpath", "-o", binary, "./relay")
	return binary, err
}

// buildBaseline returns the nats-broker that baseline names: a binary, or a
// revision of this repository, which is built in a directory of its own.
func buildBaseline(baseline, dir string) (string, error) {
	if info, err := os.Stat(baseline); err == nil && info.Mode().IsRegular() {
		return filepath.Abs(baseline)
	}
	root := filepath.Join(dir, "baseline-source")
	if err := os.Mkdir(root, 0o755); err != nil {
		return "", err
	}
	archive := exec.Command("git", "archive", "--format=tar", baseline)
	archive.Dir = repository()
	tar, err := archive.Output()
	if err != nil {
		return "", fmt.Errorf("%s is neither a binary nor a revision: git archive: %w", baseline, err)
	}
	unpack := exec.Command("tar", "-x", "-C", root)
	unpack.Stdin = bytes.NewReader(tar)
	if out, err := unpack.CombinedOutput(); err != nil {
		return "", fmt.Errorf("unpack %s: %w\n%s", baseline, err, out)
	}
	return buildOurs(root, dir, "nats-broker-baseline")
}
