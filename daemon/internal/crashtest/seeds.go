package crashtest

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Seeds plays seeds: all that ever failed, which the file has one a line with what was wrong, the
// first few, and for JOURNAL_SIMULATE=60s fresh ones for that long. JOURNAL_SEED=n plays one and
// tells what happens.
func Seeds(t *testing.T, file string, few uint64, play func(seed uint64, trace func(string, ...any)) error) {
	t.Helper()
	quiet := func(string, ...any) {}
	one := func(seed uint64) {
		if err := play(seed, quiet); err != nil {
			t.Errorf("%v\nJOURNAL_SEED=%d shows it; put it into %s when it is mended", err, seed, file)
		}
	}
	if s := os.Getenv("JOURNAL_SEED"); s != "" {
		seed, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if err := play(seed, t.Logf); err != nil {
			t.Error(err)
		}
		return
	}
	for _, seed := range kept(t, file) {
		one(seed)
	}
	long, err := time.ParseDuration(os.Getenv("JOURNAL_SIMULATE"))
	if err != nil {
		for seed := range few {
			one(seed)
		}
		return
	}
	n := 0
	for seed, end := uint64(time.Now().UnixNano()), time.Now().Add(long); time.Now().Before(end) && !t.Failed(); seed++ {
		one(seed)
		n++
	}
	t.Logf("measured: %d fresh seeds in %v", n, long)
}

// kept returns the seeds in a file.
func kept(t *testing.T, file string) []uint64 {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // opened for reading only
	var out []uint64
	for s := bufio.NewScanner(f); s.Scan(); {
		field, _, _ := strings.Cut(s.Text(), " ")
		if field == "" || field == "#" {
			continue
		}
		n, err := strconv.ParseUint(field, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, n)
	}
	return out
}
