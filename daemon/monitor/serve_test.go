package monitor

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/logging"
	"go.uber.org/goleak"
)

// TestMain checks that no test leaves a goroutine behind. With
// MONITOR_SERVE_FAKE set to a number of connections it serves a made-up broker
// instead, says where, and ends when its standard input does: the browser tests
// (scripts/ui-test) look at that.
func TestMain(m *testing.M) {
	if n := os.Getenv("MONITOR_SERVE_FAKE"); n != "" {
		os.Exit(serveFake(n))
	}
	goleak.VerifyTestMain(m)
}

func serveFake(connections string) int {
	n, err := strconv.Atoi(connections)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	m, err := New(Options{BasePath: os.Getenv("MONITOR_BASE"), Listeners: []Listener{{Network: "tcp", Address: "127.0.0.1:0"}}}, newFakeBroker(n).source(), logging.Discard())
	if err == nil {
		err = m.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Printf("http://%s%s/ui/\n", m.Addrs()[0], os.Getenv("MONITOR_BASE"))
	io.Copy(io.Discard, os.Stdin)
	m.Stop(context.Background())
	return 0
}
