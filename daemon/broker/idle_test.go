package broker

import (
	"runtime"
	"testing"
	"unsafe"
)

// What a connection costs while it is quiet: ten thousand of them are no reason to worry.
func TestQuietConnectionsAreSmall(t *testing.T) {
	const most = 1280 // the size that malloc rounds up to
	if n := unsafe.Sizeof(Client{}); n > most {
		t.Errorf("a Client takes %d bytes, more than %d", n, most)
	}
	if raceEnabled {
		t.Skip("frames are larger with the race detector")
	}
	_, addr := start(t, Options{})
	measure := func() (stack uint64) {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // what lay in pools
		runtime.ReadMemStats(&m)
		return m.StackInuse
	}
	const conns = 1000
	wave := func() []*peer {
		peers := make([]*peer, conns)
		for i := range peers {
			peers[i] = connect(t, addr)
		}
		return peers
	}
	// The runtime lets a goroutine begin with as much stack as the average one used when it last looked: quiet
	// connections shall be the average.
	first := wave()
	before := measure()
	second := wave()
	after := measure()
	if each := (after - before) / conns; each > 2500 {
		t.Errorf("a quiet connection has %d bytes of stack", each)
	}
	runtime.KeepAlive(first)
	runtime.KeepAlive(second)
}
