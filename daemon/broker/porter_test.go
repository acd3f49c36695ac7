package broker

import (
	"runtime"
	"strings"
	"testing"
)

// porting counts the goroutines on which connections arrive, waiting ones included.
func porting() int {
	buf := make([]byte, 4<<20)
	return strings.Count(string(buf[:runtime.Stack(buf, true)]), "(*Broker).port(")
}

// However many connections arrive at once, a few goroutines wait for more, and none when the broker is stopped.
func TestPortersAreFew(t *testing.T) {
	b, addr := start(t, Options{})
	peers := make([]*peer, 30)
	for i := range peers {
		peers[i] = dial(t, addr) // says nothing, and keeps its porter
	}
	waitFor(t, "a porter for each connection", func() bool { return porting() == len(peers) })
	for _, p := range peers {
		p.send("CONNECT {\"verbose\":false}\r\nPING\r\n")
	}
	waitFor(t, "the others to end", func() bool { return porting() == idlePorters })
	for range 10 {
		connect(t, addr)
	}
	waitFor(t, "no more than before", func() bool { return porting() == idlePorters && b.porters.idle.Load() == idlePorters })
	b.Stop()
	if n := porting(); n != 0 {
		t.Errorf("%d porters are left", n)
	}
}
