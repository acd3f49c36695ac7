package broker

import (
	"runtime"
	"sync/atomic"
	"testing"
)

// Connections that have ended are given back although a connection that lives on, and has
// not published since, was sent to by a plan that names them.
func TestEndedConnectionsAreGivenBack(t *testing.T) {
	b, addr := start(t, Options{MaxClosedClients: -1})
	keeper := connect(t, addr)
	keeper.send("SUB a 1\r\n")
	keeper.sync()
	var freed atomic.Int64
	const n = 100
	last := keeper
	for range n {
		p := connect(t, addr)
		p.send("SUB a 2\r\n")
		p.sync()
		b.EachClient(func(c *Client) bool {
			if c.CID() == b.lastCID.Load() {
				runtime.AddCleanup(c, func(*atomic.Int64) { freed.Add(1) }, &freed)
			}
			return true
		})
		p.send("PUB a 1\r\nx\r\n") // its plan names the one before
		p.expect("MSG a 2 1", "x")
		if last != keeper {
			last.nc.Close()
		}
		last = p
	}
	waitFor(t, "the connections to be given back", func() bool {
		runtime.GC()
		return b.NumClients() == 2 && freed.Load() >= n*9/10
	})
}
