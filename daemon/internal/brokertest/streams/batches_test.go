package streams

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// TestBatchesOutlive plays the talks of counters and batches, each in an account of its own, and looks whether streams hold the same
// after the process was killed, and after it has ended by itself.
func TestBatchesOutlive(t *testing.T) {
	var list []talk
	for _, file := range []string{"counters", "atomic", "fast"} {
		text, err := os.ReadFile("testdata/" + file + ".talk")
		if err != nil {
			t.Fatal(err)
		}
		for _, tk := range parseTalks(string(text)) {
			tk.name = file + ": " + tk.name
			list = append(list, tk)
		}
	}
	var accounts strings.Builder
	for i := range list {
		fmt.Fprintf(&accounts, "  A%d { jetstream: enabled, users [{user: u%d, password: p}] }\n", i, i)
	}
	s := brokertest.Start(t, brokertest.Options{Config: config(t, "") + "accounts {\n" + accounts.String() + "}\n"})
	peers := make([]*peer, len(list))
	want := make([]string, len(list))
	connect := func(i int) *peer { return newPeer(t, s, nats.UserInfo(fmt.Sprintf("u%d", i), "p")) }
	for i, tk := range list {
		peers[i] = connect(i)
		peers[i].quiet /= 10 // what is said is held against nats-server elsewhere
		peers[i].play(tk, "file", i)
		want[i] = peers[i].holdings()
	}
	for _, how := range []struct {
		name string
		end  func()
	}{{"killed", s.Kill}, {"stopped", func() { s.Stop() }}} {
		how.end()
		s.Restart()
		for i, tk := range list {
			if got := connect(i).holdings(); got != want[i] {
				t.Errorf("%s, %s:\n%s", tk.name, how.name, diff(want[i], got))
			}
		}
	}
}

// TestOpenBatchesOverARestart begins batches, ends both brokers, ours by force, and goes on with the batches.
func TestOpenBatchesOverARestart(t *testing.T) {
	theirs, ours := pair(t, "")
	before := talk{steps: strings.Split(`req $JS.API.STREAM.CREATE.S {"name":"S","subjects":["a.>"],"storage":"file","allow_atomic":true,"allow_batched":true}
req a.x before
head Nats-Batch-Id: b
head Nats-Batch-Sequence: 1
req a.x one
head Nats-Batch-Id: b
head Nats-Batch-Sequence: 2
req a.y two
head Nats-Batch-Id: c
head Nats-Batch-Sequence: 1
req a.y one
fast a.x none.f.10.ok.1.0.$FI fast
fast a.x none.f.10.ok.2.1.$FI fast
req a.x after`, "\n")}
	after := talk{steps: strings.Split(`join x F.>
head Nats-Batch-Id: b
head Nats-Batch-Sequence: 3
head Nats-Batch-Commit: 1
req a.x three
head Nats-Batch-Id: c
head Nats-Batch-Sequence: 2
head Nats-Batch-Commit: eob
req a.x no
fast a.x F.f.10.ok.3.1.$FI fast
fast a.x F.f.10.ok.2.4.$FI fast
fast a.x F.f.10.ok.3.3.$FI fast
head Nats-Batch-Id: b
head Nats-Batch-Sequence: 1
head Nats-Batch-Commit: 1
req a.x again
fast a.x F.f.10.ok.1.2.$FI again
req a.z end
all x`, "\n")}
	var said [2]string
	for i, p := range []*peer{theirs, ours} {
		said[i] = p.play(before, "file", 1)
		if p == ours {
			p.srv.Kill()
		} else {
			p.srv.Stop()
		}
		p.srv.Restart()
		p.connect()
		said[i] += p.play(after, "file", 1)
		said[i] += p.holdings()
	}
	if said[0] != said[1] {
		t.Error(diff(said[0], said[1]))
	}
}
