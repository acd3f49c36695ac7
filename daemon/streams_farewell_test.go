package daemon_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// Who waits for messages learns that the server stops, before its connection is closed.
func TestWhoWaitsIsToldOfTheEnd(t *testing.T) {
	for name, bin := range map[string]string{"nats-server": brokertest.NATSServer(t), "nats-broker": brokertest.Ours(t)} {
		t.Run(name, func(t *testing.T) {
			s := brokertest.Start(t, brokertest.Options{Binary: bin, Config: fmt.Sprintf("jetstream { store_dir: %q }\n", t.TempDir())})
			nc, err := nats.Connect(s.URL(), nats.NoReconnect())
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			ask := func(subject, body string) string {
				m, err := nc.Request(subject, []byte(body), brokertest.Patience)
				if err != nil {
					t.Fatal(err)
				}
				return string(m.Data)
			}
			ask("$JS.API.STREAM.CREATE.S", `{"name":"S","storage":"memory"}`)
			ask("$JS.API.CONSUMER.CREATE.S.c", `{"stream_name":"S","config":{"name":"c","ack_policy":"explicit"}}`)
			told := make(chan *nats.Msg, 1) // NextMsg gives nothing when the connection is closed, though there is something
			if _, err := nc.ChanSubscribe("told", told); err != nil {
				t.Fatal(err)
			}
			if err := nc.PublishRequest("$JS.API.CONSUMER.MSG.NEXT.S.c", "told", []byte(`{"batch":3,"max_bytes":1000}`)); err != nil {
				t.Fatal(err)
			}
			for end := time.Now().Add(brokertest.Patience); !strings.Contains(ask("$JS.API.CONSUMER.INFO.S.c", ""), `"num_waiting":1`); {
				if time.Now().After(end) {
					t.Fatal("the request does not come to wait")
				}
			}
			s.Signal(syscall.SIGTERM)
			var m *nats.Msg
			select {
			case m = <-told:
			case <-time.After(brokertest.Patience):
				t.Fatal("nobody is told")
			}
			if got := fmt.Sprint(m.Header); got != "map[Description:[Server Shutdown] Nats-Pending-Bytes:[1000] Nats-Pending-Messages:[3] Status:[409]]" {
				t.Error(got)
			}
		})
	}
}
