package cluster

import (
	"strings"
	"testing"
)

// TestPoolChangesInAHandshake: a peer spreads accounts over the pool that it was told of; if that has another size by
// then, the connection begins anew.
func TestPoolChangesInAHandshake(t *testing.T) {
	a := ours(t, "a", func(o *Options) { o.Compression.Mode = "off" })
	p := dialled(t, a, &strings.Builder{})
	p.hear(1)
	a.set(t, func(o *Options) { o.PoolSize = 5 })
	p.say(connectLine(""), infoLine(`,"route_pool_size":5,"route_pool_idx":3,"compression":"off"`))
	p.heard() // fails if it stays open
}
