package brokertest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// Environment variables that replace what would be built.
const (
	// OursEnv names a built nats-broker to test instead of building one.
	OursEnv = "BROKERTEST_BINARY"
	// NATSServerEnv names a nats-server to compare with instead of building one.
	NATSServerEnv = "BROKERTEST_NATS_SERVER"
	// NATSCLIEnv names a built `nats` to drive instead of building one.
	NATSCLIEnv = "BROKERTEST_NATS_CLI"
)

var (
	buildOurs     = sync.OnceValues(func() (string, error) { return buildBroker(raceEnabled) })
	buildPlain    = sync.OnceValues(func() (string, error) { return buildBroker(false) })
	buildCrashing = sync.OnceValues(func() (string, error) { return buildBroker(raceEnabled, "-tags", "crashhook") })
	buildServer   = sync.OnceValues(func() (string, error) {
		return buildPeer("scripts/peers", "nats-server", "github.com/nats-io/nats-server/v2")
	})
	buildCLI = sync.OnceValues(func() (string, error) {
		return buildPeer("scripts/peers/natscli", "nats", "github.com/nats-io/natscli/nats")
	})
)

// Ours returns the path of nats-broker built from this tree, building it on
// the first call in a test binary. When the test binary was built with -race,
// so is the broker.
func Ours(t testing.TB) string {
	t.Helper()
	return built(t, OursEnv, buildOurs)
}

// OursPlain is [Ours] without the race detector, for tests that count
// connections by the thousand or measure memory.
func OursPlain(t testing.TB) string {
	t.Helper()
	return built(t, OursEnv, buildPlain)
}

// OursCrashing is [Ours] built with the tag crashhook: when it takes over from another
// process it ends itself at the step that is named in the file NATS_CRASH_FILE.
func OursCrashing(t testing.TB) string {
	t.Helper()
	p, err := buildCrashing()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// NATSServer returns the path of the nats-server pinned in scripts/peers,
// building it when no earlier test did.
func NATSServer(t testing.TB) string {
	t.Helper()
	return built(t, NATSServerEnv, buildServer)
}

// NATSCLI returns the path of the operators' tool `nats` pinned in
// scripts/peers/natscli, building it when no earlier test did.
func NATSCLI(t testing.TB) string {
	t.Helper()
	return built(t, NATSCLIEnv, buildCLI)
}

// Build builds a main package of this repository, for example
// ./scripts/examples/queue, and returns the path of the program.
func Build(t testing.TB, pkg string) string {
	t.Helper()
	p, err := goBuild(Root(), filepath.Base(pkg), []string{"build", "-trimpath", pkg})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func built(t testing.TB, env string, build func() (string, error)) string {
	t.Helper()
	if p := os.Getenv(env); p != "" {
		return p
	}
	p, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Root returns the top directory of the repository.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..", "..")
}

func buildBroker(race bool, flags ...string) (string, error) {
	args := append([]string{"build", "-trimpath"}, flags...)
	name := "nats-broker"
	if race {
		args = append(args, "-race")
		name += "-race"
	}
	return goBuild(Root(), name, append(args, "./cmd/nats-broker"))
}

// buildPeer builds a program that a module of ours pins.
func buildPeer(module, name, pkg string) (string, error) {
	dir := filepath.Join(Root(), filepath.FromSlash(module))
	mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return "", err
	}
	// The pinned versions and the compiler name the binary, so that it is
	// linked once on a machine and not once in each package's tests.
	sum := sha256.Sum256(append(mod, runtime.Version()...))
	out, err := buildDir()
	if err != nil {
		return "", err
	}
	path := filepath.Join(out, name+"-"+hex.EncodeToString(sum[:6]))
	if _, err := os.Stat(path); err == nil {
		now := time.Now()
		return path, os.Chtimes(path, now, now)
	}
	made, err := goBuild(dir, name, []string{"build", pkg})
	if err != nil {
		return "", err
	}
	return path, os.Rename(made, path)
}

// goBuild runs go with args in dir and returns the binary under a name made
// of its content, so that packages tested at the same time share it and never
// write over one that runs.
func goBuild(dir, name string, args []string) (string, error) {
	out, err := buildDir()
	if err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp(out, "build-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	bin := filepath.Join(tmp, name)
	args = append(args[:1:1], append([]string{"-o", bin}, args[1:]...)...)
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	if msg, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go %s in %s: %w\n%s", strings.Join(args, " "), dir, err, msg)
	}
	sum, err := fileSum(bin)
	if err != nil {
		return "", err
	}
	path := filepath.Join(out, name+"-"+sum)
	return path, os.Rename(bin, path)
}

func fileSum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)[:6]), nil
}

// buildDir returns the directory that keeps built binaries between runs, rid
// of those that were not made or used within a day.
func buildDir() (string, error) {
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("nats-broker-test-%d", os.Getuid()))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > 24*time.Hour {
			os.RemoveAll(filepath.Join(dir, e.Name()))
		}
	}
	return dir, nil
}
