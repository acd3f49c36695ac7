package daemon_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"reflect"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// TestMonitorBySocketActivation: a listener that the process is started with, under the name of the monitor, is served;
// one that is not where the configuration says is refused.
func TestMonitorBySocketActivation(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	start := func(config string) *exec.Cmd {
		file := t.TempDir() + "/nats.conf"
		if err := os.WriteFile(file, []byte("config_watch: off\nlisten: \"127.0.0.1:-1\"\n"+config), 0o600); err != nil {
			t.Fatal(err)
		}
		// What the variables are for is told by the id of the process, which exec keeps.
		cmd := exec.Command("/bin/sh", "-c", `LISTEN_PID=$$ exec "$0" "$@"`, brokertest.Ours(t), "-c", file)
		cmd.Env = append(os.Environ(), "LISTEN_FDS=1", "LISTEN_FDNAMES=monitor")
		cmd.ExtraFiles = []*os.File{f}
		return cmd
	}

	cmd := start("server_name: activated\n")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	q, err := http.NewRequest(http.MethodGet, fmt.Sprintf("http://%s/varz", l.Addr()), nil)
	if err != nil {
		t.Fatal(err)
	}
	q.Close = true
	answer, err := (&http.Client{Timeout: brokertest.Patience}).Do(q) // the connection waits for the broker
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	if err != nil || !strings.Contains(string(body), `"server_name": "activated"`) {
		t.Errorf("%v: %s", err, body)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}

	out, err := start(fmt.Sprintf("http: \"127.0.0.1:%d\"\n", brokertest.FreePort(t))).CombinedOutput()
	if err == nil || !strings.Contains(string(out), l.Addr().String()) {
		t.Errorf("another port is configured: %v: %s", err, out)
	}
}

// metric reads a value of /metrics; false if there is none.
func (m *clusterMember) metric(t *testing.T, name string) (float64, bool) {
	t.Helper()
	answer, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/metrics", m.http))
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer answer.Body.Close()
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			f, err := strconv.ParseFloat(value, 64)
			if err != nil {
				t.Fatal(err)
			}
			return f, true
		}
	}
	return 0, false
}

// TestRouteMetrics: the round trip time and the bytes that wait of a real route, to a server that does not read for a
// while.
func TestRouteMetrics(t *testing.T) {
	a := join(t, "", "a", "pool_size: 1, write_deadline: \"60s\"")
	b := join(t, "", "b", "pool_size: 1", a)
	reached(t, "one", a, b)
	const rtt, pending = `nats_broker_route_rtt_seconds{remote="b"}`, `nats_broker_route_pending_bytes{remote="b"}`
	until(t, "a round trip time", func() bool {
		v, _ := a.metric(t, rtt)
		return v > 0
	})
	until(t, "nothing that waits", func() bool {
		v, there := a.metric(t, pending)
		return there && v == 0
	})
	in := connectAs(t, b, "one")
	if _, err := in.SubscribeSync("bulk"); err != nil {
		t.Fatal(err)
	}
	if err := in.Flush(); err != nil {
		t.Fatal(err)
	}
	out := connectAs(t, a, "one")
	until(t, "interest in bulk", func() bool {
		z := struct {
			Routes []struct {
				List []string `json:"subscriptions_list"`
			}
		}{}
		a.get(t, "/routez?subs=1", &z)
		for _, r := range z.Routes {
			for _, s := range r.List {
				if s == "bulk" {
					return true
				}
			}
		}
		return false
	})
	b.Signal(syscall.SIGSTOP)
	defer b.Signal(syscall.SIGCONT)
	until(t, "bytes that wait", func() bool {
		for range 16 {
			if err := out.Publish("bulk", make([]byte, 256<<10)); err != nil {
				t.Fatal(err)
			}
		}
		v, _ := a.metric(t, pending)
		return v >= 256<<10
	})
	b.Signal(syscall.SIGCONT)
	until(t, "nothing that waits any more", func() bool {
		v, there := a.metric(t, pending)
		return there && v == 0
	})
}

// What /varz shows of a cluster block without a port, and of feature flags, is what nats-server shows; which nats-broker
// it is stands in a key of our own.
func TestVarzOfWhatIsNotInUse(t *testing.T) {
	type varz struct {
		Version string          `json:"version"`
		Cluster any             `json:"cluster"`
		Flags   map[string]bool `json:"feature_flags"`
		Own     *struct {
			Version string `json:"version"`
		} `json:"nats_broker"`
	}
	for _, config := range []string{"", "cluster { name: x, pool_size: 5 }\n", "cluster { name: x }\nfeature_flags { js_ack_fc_v2: true, another: true }\n"} {
		get := func(binary string) (v varz) {
			port := brokertest.FreePort(t)
			brokertest.Start(t, brokertest.Options{Binary: binary, Config: fmt.Sprintf("http: \"127.0.0.1:%d\"\n%s", port, config)})
			answer, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/varz", port))
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			if err := json.NewDecoder(answer.Body).Decode(&v); err != nil {
				t.Fatal(err)
			}
			return v
		}
		ours, theirs := get(""), get(brokertest.NATSServer(t))
		if ours.Own == nil || ours.Own.Version == "" {
			t.Errorf("%q: it does not say which nats-broker it is", config)
		}
		ours.Own = nil
		if !reflect.DeepEqual(ours, theirs) {
			t.Errorf("%q: %+v, want %+v", config, ours, theirs)
		}
	}
}
