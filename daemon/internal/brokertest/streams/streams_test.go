package streams

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

const base = "server_name: talks\n"

func config(t testing.TB, more string) string {
	return base + fmt.Sprintf("jetstream { store_dir: %q\n%s\n}\n", t.TempDir(), more)
}

// pair starts nats-server and nats-broker.
func pair(t testing.TB, more string) (theirs, ours *peer) {
	return newPeer(t, brokertest.Start(t, brokertest.Options{Binary: brokertest.NATSServer(t), Config: config(t, more)})),
		newPeer(t, brokertest.Start(t, brokertest.Options{Config: config(t, more)}))
}

var storages = []string{"memory", "file"}

// talks counts the conversations of this run.
var talks int

// hold holds one talk with both and compares.
func hold(t *testing.T, theirs, ours *peer, tk talk, storage string) {
	theirs.t, ours.t = t, t
	talks++
	want, got := theirs.play(tk, storage, talks), ours.play(tk, storage, talks)
	if want != got {
		t.Errorf("%s", diff(want, got))
	}
	want, got = theirs.tidy(), ours.tidy()
	if want != got {
		t.Errorf("in the end:\n%s", diff(want, got))
	}
}

// TestTalks holds the written talks and those made from rows, each with streams in memory and in files.
func TestTalks(t *testing.T) {
	theirs, ours := pair(t, "")
	list := rowTalks()
	files, err := filepath.Glob("testdata/*.talk")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, tk := range parseTalks(string(b)) {
			tk.name = strings.TrimSuffix(filepath.Base(f), ".talk") + ": " + tk.name
			list = append(list, tk)
		}
	}
	for i, tk := range list {
		for j, storage := range storages {
			if tk.once && (i+j)%2 == 1 {
				continue
			}
			t.Run(tk.name+"/"+storage, func(t *testing.T) { hold(t, theirs, ours, tk, storage) })
		}
	}
	t.Logf("%d conversations, of %d scripts; nats-server has sent %d error codes", talks, len(list), len(theirs.seen))
}
