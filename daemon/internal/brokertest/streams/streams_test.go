package streams

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go"

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
var talks atomic.Int64

// hold holds one talk with both and compares.
func hold(t *testing.T, theirs, ours *peer, tk talk, storage string) {
	theirs.t, ours.t = t, t
	n := int(talks.Add(1))
	said := inBoth(theirs, ours, func(p *peer) string { return p.play(tk, storage, n) })
	if said[0] != said[1] {
		t.Errorf("%s", diff(said[0], said[1]))
	}
	said = inBoth(theirs, ours, (*peer).tidy)
	if said[0] != said[1] {
		t.Errorf("in the end:\n%s", diff(said[0], said[1]))
	}
}

// desks is how many talks are held at one time, each in an account of its own.
const desks = 8

// desk is an account with a connection to each broker.
type desk struct{ theirs, ours *peer }

func openDesks(t *testing.T, desks int) chan desk {
	var accounts strings.Builder
	for i := range desks {
		fmt.Fprintf(&accounts, "  A%d { jetstream: enabled, users [{user: u%d, password: p}] }\n", i, i)
	}
	more := "accounts {\n" + accounts.String() + "}\n"
	theirs := brokertest.Start(t, brokertest.Options{Binary: brokertest.NATSServer(t), Config: config(t, "") + more})
	ours := brokertest.Start(t, brokertest.Options{Config: config(t, "") + more})
	free := make(chan desk, desks)
	for i := range desks {
		user := nats.UserInfo(fmt.Sprintf("u%d", i), "p")
		free <- desk{newPeer(t, theirs, user), newPeer(t, ours, user)}
	}
	return free
}

// TestTalks holds the written talks and those made from rows, each with streams in memory and in files.
func TestTalks(t *testing.T) {
	free := openDesks(t, desks)
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
	t.Run("all", func(t *testing.T) {
		for i, tk := range list {
			for j, storage := range storages {
				if tk.once && (i+j)%2 == 1 {
					continue
				}
				t.Run(tk.name+"/"+storage, func(t *testing.T) {
					t.Parallel()
					d := <-free
					defer func() { free <- d }()
					hold(t, d.theirs, d.ours, tk, storage)
				})
			}
		}
	})
	seen := map[int]bool{}
	for range desks {
		for code := range (<-free).theirs.seen {
			seen[code] = true
		}
	}
	t.Logf("%d conversations, of %d scripts; nats-server has sent %d error codes", talks.Load(), len(list), len(seen))
	checkSeen(t, seen)
}
