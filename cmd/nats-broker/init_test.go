package main

import (
	"bytes"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// What packages make before main runs is paid for by every start and every verb, so tables are made when they are
// asked for. The runtime itself says what each package takes (GODEBUG=inittrace=1, see the package runtime).
func TestPackagesMakeLittleBeforeMain(t *testing.T) {
	// Bytes, of one package: the table of CRC32C takes 9 KiB, of the first that asks for it, and a library does anyway.
	const most = 10 << 10
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	ours := 0
	for line := range strings.Lines(stderr.String()) {
		// init PACKAGE @0.6 ms, 0.64 ms clock, 367104 bytes, 3918 allocs
		f := strings.Fields(line)
		if len(f) < 9 || f[0] != "init" || !strings.HasPrefix(f[1], "github.com/nats-broker/nats-broker/") {
			continue
		}
		ours++
		if n, err := strconv.Atoi(f[7]); err != nil || n > most {
			t.Errorf("%s makes %s bytes in %s pieces before main runs, more than %d (%v)", f[1], f[7], f[9], most, err)
		}
	}
	if ours == 0 {
		t.Fatalf("no package of ours in the trace:\n%s", stderr.String())
	}
}
