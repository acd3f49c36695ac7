// Package endure does to a built nats-broker what a broker has to bear:
// subscribers that do not read, connections by the thousand and in storms, no
// descriptors left, peers that fall silent, bytes that mean nothing.
//
// Everyday runs use modest numbers. With BROKERTEST_HEAVY=1 in the
// environment (as scripts/test sets it) there are 10,000 connections and
// 1,000,000 subscriptions.
package endure

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const quiet = `{"verbose":false}`
const asking = `{"verbose":false,"headers":true,"no_responders":true}`

// heavy returns much in heavy runs and little otherwise.
func heavy(much, little int) int {
	if os.Getenv("BROKERTEST_HEAVY") != "" {
		return much
	}
	return little
}

// plain starts nats-broker without the race detector: these tests count and
// weigh, and are played with the detector where that says something.
func plain(t *testing.T, o brokertest.Options) *brokertest.Server {
	t.Helper()
	if o.Binary == "" {
		o.Binary = brokertest.OursPlain(t)
	}
	return brokertest.Start(t, o)
}

// wantSync asks for a PONG and fails unless exactly the given frames came before it.
func wantSync(t *testing.T, c *brokertest.Conn, want ...string) {
	t.Helper()
	got := c.Sync()
	got = without(got, "INFO ")
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Fatalf("got %.300q, want %.300q", got, want)
	}
}

func without(frames []string, prefix string) []string {
	var kept []string
	for _, f := range frames {
		if !strings.HasPrefix(f, prefix) {
			kept = append(kept, f)
		}
	}
	return kept
}

// waitFor asks again and again until ok says yes; what names it in the failure.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(brokertest.Patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", brokertest.Patience, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// payload returns n bytes that differ from message to message.
func payload(seq, n int) string {
	head := fmt.Sprintf("%010d", seq)
	return head + strings.Repeat(string(rune('a'+seq%26)), n-len(head))
}
