package mesh

import (
	"encoding/binary"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// TestStuckPeer floods a cluster of which one node does not read. What waits for it is
// bounded by max_pending, its route ends when that is reached, and the others get
// every message.
func TestStuckPeer(t *testing.T) {
	needsRoot(t)
	if !whole() {
		t.Skip("part of the whole matrix only")
	}
	t.Parallel()
	for _, m := range []struct{ name, makeUp string }{{"ours", "ooo"}, {"a nats-server is stuck", "oon"}} {
		t.Run(m.name, func(t *testing.T) { stuckPeer(t, m.makeUp) })
	}
}

const (
	maxPending = 8 << 20
	flood      = 160 << 20
	piece      = 32 << 10
	window     = 2 << 20 // on its way to the node that reads
	// growth is what the resident set may grow by: what waits, and as much again for
	// buffers and the collector of garbage.
	growth = 4 * maxPending
)

func stuckPeer(t *testing.T, makeUp string) {
	c := newCluster(t, setup{makeUp: makeUp, top: "max_pending: 8MB", extra: `write_deadline: "20s"`})
	c.populate()
	var got atomic.Int64
	next := make(chan struct{}, 1)
	c.clients[1].subscribe("mesh.flood.1", "", func(_, number int) {
		if int64(number) != got.Load() {
			t.Errorf("piece %d came when %d was next", number, got.Load())
		}
		got.Add(1)
		select {
		case next <- struct{}{}:
		default:
		}
	})
	c.clients[2].subscribe("mesh.flood.*", "", func(int, int) {})
	c.waitExact(healing)

	from, stuck := c.nodes[0], c.nodes[2]
	before := from.Memory("VmHWM")
	var most int64
	c.disturb(stuck.String()+" stuck in a flood", c.all(2), 0, func() {
		stuck.Signal(syscall.SIGSTOP)
		p := make([]byte, piece)
		for n := range flood / piece {
			for int64(n)-got.Load() > window/piece {
				select {
				case <-next:
				case <-time.After(brokertest.Patience):
					t.Fatalf("%d pieces sent, %d received, and no more", n, got.Load())
				}
			}
			binary.LittleEndian.PutUint32(p[4:], uint32(n))
			if err := c.clients[0].out.Publish("mesh.flood.1", p); err != nil {
				t.Fatal(err)
			}
			if n%64 == 0 {
				most = max(most, c.pending(from))
			}
		}
	}, func() { stuck.Signal(syscall.SIGCONT) })
	peak := from.Memory("VmHWM")
	if most > maxPending+laneMax {
		t.Errorf("%d bytes waited for the peer, more than max_pending and a batch", most)
	}
	if most < maxPending/8 {
		t.Errorf("only %d bytes ever waited for the peer: it was not stuck", most)
	}
	if peak-before > growth {
		t.Errorf("the resident set grew from %d to %d KiB", before>>10, peak>>10)
	}
	t.Logf("measured: %d MiB for a stuck peer: at most %d KiB waited, the resident set grew from %d to %d KiB",
		flood>>20, most>>10, before>>10, peak>>10)
	c.finish()
}

// laneMax is how much one batch may add before the limit is looked at.
const laneMax = 1 << 20

// pending is the most that waits for any peer of a node.
func (c *cluster) pending(n *node) (most int64) {
	z, err := c.routes(n)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, r := range z.Routes {
		most = max(most, r.Pending)
	}
	return most
}

// wait waits for something that must come.
func wait(t *testing.T, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(brokertest.Patience):
		t.Fatalf("not within %v", brokertest.Patience)
	}
}
