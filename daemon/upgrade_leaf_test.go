package daemon_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// TestUpgradeLeafNodes: over an upgrade clients stay, the socket for leaf nodes stays open, and leaf node connections are made
// anew, those that are accepted and those that are dialled.
func TestUpgradeLeafNodes(t *testing.T) {
	top := brokertest.FreePort(t)
	port := brokertest.FreePort(t)
	hub := brokertest.Start(t, brokertest.Options{Binary: brokertest.NATSServer(t), Config: fmt.Sprintf("server_name: top\nleafnodes { listen: '127.0.0.1:%d' }\n", top)})
	s, socket := controlled(t, fmt.Sprintf("server_name: middle\nleafnodes { listen: '127.0.0.1:%d', remotes: [{url: 'nats-leaf://127.0.0.1:%d'}] }\n", port, top))
	t.Cleanup(func() { verb(t, socket, "stop") })
	low := brokertest.Start(t, brokertest.Options{Binary: brokertest.NATSServer(t), Config: fmt.Sprintf(
		"server_name: low\nleafnodes { reconnect: '100ms', remotes: [{url: 'nats-leaf://127.0.0.1:%d'}] }\n", port)})
	above, below, here := connect(t, hub.URL()), connect(t, low.URL()), connect(t, s.URL(), nats.NoReconnect())
	for _, nc := range []*nats.Conn{above, below, here} {
		if _, err := nc.Subscribe("ask."+fmt.Sprintf("%p", nc), func(m *nats.Msg) { _ = m.Respond(nil) }); err != nil {
			t.Fatal(err)
		}
		_ = nc.Flush()
	}
	reaches := func() {
		t.Helper()
		for _, way := range [][2]*nats.Conn{{above, below}, {below, above}, {here, above}, {here, below}, {above, here}, {below, here}} {
			for end := time.Now().Add(brokertest.Patience); ; {
				_, err := way[0].Request("ask."+fmt.Sprintf("%p", way[1]), nil, 200*time.Millisecond)
				if err == nil {
					break
				}
				if time.Now().After(end) {
					t.Fatal(err)
				}
				time.Sleep(5 * time.Millisecond) // between attempts, not before one
			}
		}
	}
	reaches()
	for range 3 {
		if code, out := verb(t, socket, "upgrade"); code != 0 {
			t.Fatalf("upgrade exits %d: %s", code, out)
		}
		reaches()
	}
	if !here.IsConnected() {
		t.Error("a client was disconnected")
	}
}
