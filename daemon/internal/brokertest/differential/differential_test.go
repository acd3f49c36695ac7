// Package differential plays the same bytes to nats-server and to
// nats-broker and demands the same answer.
//
// Each file in testdata is a script (see brokertest.Script) together with
// the transcript of nats-server, the version pinned in scripts/peers. Both
// servers are held to it: nats-server, so that the transcript stays true, and
// nats-broker twice, whole lines and byte by byte. After adding or changing a
// script, record what nats-server says with
//
//	go test ./daemon/internal/brokertest/differential -update
//
// testdata/ours holds what nats-broker does that nats-server does not, in the
// same form; its transcripts are nats-broker's own.
package differential

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

var update = flag.Bool("update", false, "record the transcripts anew, from nats-server")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestScripts(t *testing.T) {
	files := scripts(t, "testdata/*.txt")
	if len(files) < 100 {
		t.Errorf("only %d scripts in testdata: some are missing", len(files))
	}
	for _, file := range files {
		t.Run(name(file), func(t *testing.T) {
			t.Parallel()
			playFile(t, file)
		})
	}
}

// TestOurs plays the scripts about what only nats-broker does.
func TestOurs(t *testing.T) {
	for _, file := range scripts(t, "testdata/ours/*.txt") {
		t.Run(name(file), func(t *testing.T) {
			t.Parallel()
			script, want := brokertest.ReadScript(t, file)
			got := brokertest.Play(t, script, brokertest.PlayOptions{})
			if *update {
				record(t, file, got)
			} else if diff := difference(want, got); diff != "" {
				t.Errorf("%s (- recorded, + now)\n%s", file, diff)
			}
		})
	}
}

func scripts(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func name(file string) string { return strings.TrimSuffix(filepath.Base(file), ".txt") }

func record(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func playFile(t *testing.T, file string) {
	script, want := brokertest.ReadScript(t, file)
	if *update {
		record(t, file, brokertest.Play(t, script, brokertest.PlayOptions{Binary: brokertest.NATSServer(t)}))
		return
	}
	for _, c := range []struct {
		name string
		opts brokertest.PlayOptions
	}{
		{"nats-server", brokertest.PlayOptions{Binary: brokertest.NATSServer(t)}},
		{"nats-broker", brokertest.PlayOptions{}},
		{"nats-broker-bytewise", brokertest.PlayOptions{Bytewise: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := brokertest.Play(t, script, c.opts)
			if diff := difference(want, got); diff != "" {
				t.Errorf("%s: not what nats-server answers (- nats-server, + %s)\n%s", file, c.name, diff)
			}
		})
	}
}

// difference shows two texts line by line, with the lines that only one has
// marked; it is empty when they are equal.
func difference(want, got string) string {
	if want == got {
		return ""
	}
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	// common[i][j]: length of the longest common subsequence of a[i:] and b[j:]
	common := make([][]int, len(a)+1)
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var out strings.Builder
	for i, j := 0, 0; i < len(a) || j < len(b); {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			out.WriteString("  " + a[i] + "\n")
			i, j = i+1, j+1
		case j == len(b) || (i < len(a) && common[i+1][j] >= common[i][j+1]):
			out.WriteString("- " + a[i] + "\n")
			i++
		default:
			out.WriteString("+ " + b[j] + "\n")
			j++
		}
	}
	return out.String()
}
