package cluster

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"
)

// What a peer announces costs nothing before it comes: see the test of the same name in broker.
func TestMemoryGrowsWithWhatArrives(t *testing.T) {
	const single, announced = 300, 500 << 20
	for name, begin := range map[string]string{
		"message":              fmt.Sprintf("RMSG $G there %d\r\n", announced),
		"message with header":  fmt.Sprintf("HMSG $G there %d %d\r\nNATS/1.0\r\n", announced/2, announced),
		"line":                 "RS+ $G ",
		"before the handshake": "",
	} {
		t.Run(name, func(t *testing.T) {
			var text strings.Builder
			p := dialled(t, ours(t, "a", nil), &text)
			p.hear(1)
			if begin == "" {
				begin = "CONNECT {\"name\":\""
			} else {
				p.say(connectLine(""), infoLine(`,"route_pool_size":3,"route_pool_idx":2,"compression":"off"`))
				p.sync()
			}
			if _, err := io.WriteString(p.nc, begin); err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range single {
				if _, err := p.nc.Write([]byte("x")); err != nil {
					t.Fatal(err)
				}
				time.Sleep(100 * time.Microsecond) // so that most bytes are read one by one; what is expected does not depend on it
			}
			if _, err := p.nc.Write(bytes.Repeat([]byte("x"), 30<<10)); err != nil {
				t.Fatal(err)
			}
			runtime.ReadMemStats(&after)
			if got := after.TotalAlloc - before.TotalAlloc; got > 2<<20 && (!raceEnabled || got > 100<<20) { // with -race pools lose what they are given
				t.Errorf("%d single bytes and 30 KiB had %d bytes allocated", single, got)
			}
		})
	}
}
