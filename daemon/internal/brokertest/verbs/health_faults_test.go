package verbs

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// healthOf waits until a check exits with a status, and says what it is to say, to people and as a Nagios plugin.
func healthOf(t *testing.T, socket, check string, code int, plain, nagios string, more ...string) {
	t.Helper()
	for flag, want := range map[string]string{"--checks": plain, "--nagios": nagios} {
		got, out := 0, ""
		for end := time.Now().Add(brokertest.Patience); ; time.Sleep(50 * time.Millisecond) { // between looks: a command tells nobody of changes
			got, out = verb(t, append([]string{"health", "--socket", socket, "--check", check, flag}, more...)...)
			if got == code && strings.Contains(out, want) {
				break
			}
			if time.Now().After(end) {
				t.Errorf("health --check %s %s %v: exit %d, want %d and %q\n%s", check, flag, more, got, code, want, out)
				break
			}
		}
	}
}

// A server of the cluster that is not there is told: critical where there is none, a warning where some are missing.
func TestHealthOfCluster(t *testing.T) {
	route := brokertest.FreePort(t)
	socket := filepath.Join(t.TempDir(), "control.sock")
	brokertest.Start(t, brokertest.Options{Config: fmt.Sprintf("server_name: one\ncontrol_socket: %q\ncluster { name: C, listen: \"127.0.0.1:-1\", routes: [\"nats://127.0.0.1:%d\"] }\n", socket, route)})
	healthOf(t, socket, "cluster", 2, "cluster  CRITICAL  0 peers, 1 expected", "NATS-BROKER CRITICAL - cluster: 0 peers, 1 expected | peers=0\nCRITICAL cluster: ")
	two := brokertest.Start(t, brokertest.Options{Config: fmt.Sprintf("server_name: two\ncluster { name: C, listen: \"127.0.0.1:%d\" }\n", route)})
	healthOf(t, socket, "cluster", 0, "cluster  OK  1 peer, 1 expected", "NATS-BROKER OK - 1 checks | peers=1\nOK cluster: ")
	healthOf(t, socket, "cluster", 1, "cluster  WARNING  1 peer, 2 expected", "NATS-BROKER WARNING - cluster: 1 peer, 2 expected | peers=1\nWARNING cluster: ", "--peers", "2")
	two.Stop()
	healthOf(t, socket, "cluster", 2, "cluster  CRITICAL  0 peers, 1 expected", "NATS-BROKER CRITICAL - cluster: ")
}

// A remote of a leaf node that is down is critical, whatever the others are.
func TestHealthOfLeafNodes(t *testing.T) {
	first, second := brokertest.FreePort(t), brokertest.FreePort(t)
	hub := func(port int) *brokertest.Server {
		return brokertest.Start(t, brokertest.Options{Config: fmt.Sprintf("leafnodes { listen: \"127.0.0.1:%d\" }\n", port)})
	}
	hub(first)
	socket := filepath.Join(t.TempDir(), "control.sock")
	brokertest.Start(t, brokertest.Options{Config: fmt.Sprintf("control_socket: %q\nleafnodes { reconnect: 1, remotes [{url: \"nats://127.0.0.1:%d\", account: ONE}, {url: \"nats://127.0.0.1:%d\", account: TWO}] }\n"+
		"accounts { ONE {}, TWO {} }\n", socket, first, second)})
	down := fmt.Sprintf("leaf node remote [nats://127.0.0.1:%d]: not connected: ", second)
	healthOf(t, socket, "leafnodes", 2, "leafnodes  CRITICAL  ", "NATS-BROKER CRITICAL - leafnodes: leaf node remote ")
	healthOf(t, socket, "leafnodes", 2, down, down)
	back := hub(second)
	healthOf(t, socket, "leafnodes", 0, "leafnodes  OK  2 remotes", "NATS-BROKER OK - 1 checks | leafnodes=2\nOK leafnodes: 2 remotes")
	back.Stop()
	healthOf(t, socket, "leafnodes", 2, "leafnodes  CRITICAL  ", "NATS-BROKER CRITICAL - leafnodes: leaf node remote ")
}

// Storage that comes near its limit is told by the part of it that is in use.
func TestHealthOfStorage(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "control.sock")
	s := brokertest.Start(t, brokertest.Options{Config: fmt.Sprintf("control_socket: %q\njetstream { store_dir: %q, max_file: 1MB, max_mem: 1MB }\n", socket, t.TempDir())})
	nc, err := nats.Connect(s.URL(), nats.Timeout(brokertest.Patience))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := nc.JetStream(nats.MaxWait(brokertest.Patience))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.AddStream(&nats.StreamConfig{Name: "S", Subjects: []string{"s"}, Storage: nats.MemoryStorage}); err != nil {
		t.Fatal(err)
	}
	healthOf(t, socket, "disk", 0, "disk  OK  1 stream, ", "NATS-BROKER OK - 1 checks | disk_free=")
	for range 9 {
		if _, err := js.Publish("s", make([]byte, 100_000)); err != nil {
			t.Fatal(err)
		}
	}
	healthOf(t, socket, "disk", 1, "of max_memory_store is used", "NATS-BROKER WARNING - disk: ")
	healthOf(t, socket, "disk", 2, "disk  CRITICAL  8", "NATS-BROKER CRITICAL - disk: 8", "--limit-critical", "85")
	healthOf(t, socket, "disk", 0, "disk  OK  ", "NATS-BROKER OK - ", "--limit-warn", "95")
	if err := js.DeleteStream("S"); err != nil {
		t.Fatal(err)
	}
	healthOf(t, socket, "disk", 0, "disk  OK  0 streams", "NATS-BROKER OK - ")
}
