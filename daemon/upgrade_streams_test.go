package daemon_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// Streams go on through upgrades: what clients that publish one message after the other have got acks for has no gap, no
// message is stored twice, no ack is missing, and nobody is disconnected. An upgrade that fails ends the same way.
func TestUpgradeKeepsStreams(t *testing.T) {
	s, socket := controlled(t, fmt.Sprintf("jetstream { store_dir: %q }\n", t.TempDir()))
	t.Cleanup(func() { verb(t, socket, "stop") })
	admin := connect(t, s.URL())
	const publishers = 5
	for i := range publishers {
		request(t, admin, fmt.Sprintf("$JS.API.STREAM.CREATE.S%d", i), fmt.Sprintf(`{"name":"S%d"}`, i))
	}
	stop := make(chan struct{})
	var work sync.WaitGroup
	for i := range publishers {
		nc := connect(t, s.URL(), nats.NoReconnect())
		work.Go(func() {
			for n := uint64(1); ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				r, err := nc.Request(fmt.Sprintf("S%d", i), fmt.Append(nil, n), brokertest.Patience)
				if err != nil {
					t.Errorf("S%d %d: %v", i, n, err)
					return
				}
				var a struct{ Seq uint64 }
				if err := json.Unmarshal(r.Data, &a); err != nil || a.Seq != n {
					t.Errorf("S%d: %s; want %d", i, r.Data, n)
					return
				}
			}
		})
	}
	for range 2 {
		if code, out := verb(t, socket, "upgrade"); code != 0 {
			t.Fatalf("upgrade exits %d: %s", code, out)
		}
	}
	if code, out := verb(t, socket, "upgrade", "--binary", "/bin/false"); code != 1 {
		t.Errorf("an upgrade to what is no broker exits %d: %s", code, out)
	}
	close(stop)
	work.Wait()
	for i := range publishers {
		out := request(t, admin, fmt.Sprintf("$JS.API.STREAM.INFO.S%d", i), "")
		if !strings.Contains(out, `"first_seq":1,`) || strings.Contains(out, "num_deleted") || strings.Contains(out, `"messages":0,`) {
			t.Errorf("%s", out)
		}
	}
}

// request asks and returns the answer, which is no error.
func request(t *testing.T, nc *nats.Conn, subject, body string) string {
	t.Helper()
	r, err := nc.Request(subject, []byte(body), brokertest.Patience)
	if err == nil && strings.Contains(string(r.Data), `"error"`) {
		err = errors.New(string(r.Data))
	}
	if err != nil {
		t.Fatalf("%s: %v", subject, err)
	}
	return string(r.Data)
}
