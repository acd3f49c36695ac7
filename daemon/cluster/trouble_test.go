package cluster

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/peer"
)

// TestTroubles: a peer that takes nothing in is given up at the limit of what may wait,
// and one that says nothing after its PINGs; both are counted, and named as nats-server
// names them.
func TestTroubles(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Options)
		send   bool
		slow   int64
		stale  int64
	}{
		"slow":  {func(o *Options) { o.MaxPending, o.WriteDeadline = 1<<20, time.Hour }, true, 1, 0},
		"late":  {func(o *Options) { o.WriteDeadline = 100 * time.Millisecond }, true, 1, 0},
		"stale": {func(o *Options) { o.PingInterval, o.PingMax = 10*time.Millisecond, 2 }, false, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			n := ours(t, "a", c.change)
			var text strings.Builder
			p := dialled(t, n, &text)
			p.hear(1)
			p.say(connectLine(""), infoLine(`,"route_pool_size":3,"route_pool_idx":2,"compression":"off"`), "RS+ $G big")
			if c.send { // who says nothing may be closed before it is answered
				p.sync()
			}
			nc := n.client(t)
			piece, sent := make([]byte, 256<<10), 0
			eventually(t, "the end of the route", func() bool {
				if servers, _ := n.hub.Peers(); servers == 0 && n.hub.SlowRoutes()+n.hub.StaleRoutes() > 0 {
					return true
				}
				if c.send && sent < 256 { // 64 MiB are more than any socket holds
					sent++
					if err := nc.Publish("big", piece); err != nil {
						t.Fatal(err)
					}
					if err := nc.Flush(); err != nil {
						t.Fatal(err)
					}
				}
				return false
			})
			eventually(t, "its count", func() bool { return n.hub.SlowRoutes() == c.slow && n.hub.StaleRoutes() == c.stale })
		})
	}
	for err, want := range map[error]string{&refusal{reason: peer.ReasonStale}: peer.ReasonStale, bytes.ErrTooLarge: peer.ReasonRead, nil: peer.ReasonClosed} {
		if got := reasonOf(err); got != want {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
}
