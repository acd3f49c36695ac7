package mesh

import (
	"encoding/binary"
	"testing"

	"github.com/nats-io/nats.go"
)

// TestSlowLink publishes more than the way to the other node takes. Nobody has failed,
// so nothing may be lost: who publishes is slowed down, and the route stays.
func TestSlowLink(t *testing.T) {
	needsRoot(t)
	if !whole() {
		t.Skip("part of the whole matrix only")
	}
	t.Parallel()
	for _, m := range []string{"oo", "on", "nn"} {
		t.Run(m, func(t *testing.T) {
			c := newCluster(t, setup{makeUp: m, top: "max_pending: 8MB"})
			c.ledger = newLedger(2, none)
			x := c.connect(0, nats.IgnoreDiscoveredServers(), c.nodes[0].url())
			y := c.connect(1, nats.IgnoreDiscoveredServers(), c.nodes[1].url())
			c.clients = append(c.clients, x, y)
			const pieces, size = 1 << 10, 48 << 10
			all, next := make(chan struct{}), 0
			y.subscribe("mesh.much", "", func(_, number int) {
				if number != next {
					t.Errorf("piece %d came when %d was next", number, next)
				}
				if next = number + 1; next == pieces {
					close(all)
				}
			})
			c.waitExact(healing)
			c.net.slow(0, "200mbit")
			before := c.nodes[0].Memory("VmHWM")
			p := make([]byte, size)
			for n := range pieces {
				binary.LittleEndian.PutUint32(p[4:], uint32(n))
				if err := x.out.Publish("mesh.much", p); err != nil {
					t.Fatal(err)
				}
			}
			wait(t, all)
			t.Logf("measured: %d MiB over a slow link: the resident set grew from %d to %d KiB", pieces*size>>20,
				before>>10, c.nodes[0].Memory("VmHWM")>>10)
		})
	}
}
