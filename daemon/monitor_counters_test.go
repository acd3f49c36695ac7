package daemon_test

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// scraped are the counters of a broker, by series, but for those of the process.
func scraped(t *testing.T, url string) map[string]float64 {
	t.Helper()
	res, err := http.Get(url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]float64)
	for _, m := range regexp.MustCompile(`(?m)^(nats_broker_\w+_total(?:\{[^}]*\})?) (\S+)$`).FindAllStringSubmatch(string(text), -1) {
		v, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			t.Fatal(err)
		}
		all[m[1]] = v
	}
	return all
}

// TestCountersGoOn: reloads that remove accounts, and processes that take over, leave each
// counter at least where it was; and what is counted is right in the end.
func TestCountersGoOn(t *testing.T) {
	port := brokertest.FreePort(t)
	head := fmt.Sprintf("http: \"127.0.0.1:%d\"\nmonitor { metrics_accounts: 2 }\n", port)
	const two = "accounts { A { users [{user: a, password: a}] }, B { users [{user: b, password: b}] } }\n"
	const one = "accounts { A { users [{user: a, password: a}] } }\n"
	s, socket := controlled(t, head+two)
	t.Cleanup(func() { verb(t, socket, "stop") })
	r, url := rewriting(t, s, socket), fmt.Sprintf("http://127.0.0.1:%d", port)
	if res, err := http.Get(url + "/varz"); err != nil {
		t.Fatal(err)
	} else {
		res.Body.Close()
	}
	before := scraped(t, url)
	check := func(what string) {
		t.Helper()
		now := scraped(t, url)
		for series, v := range before {
			if n, there := now[series]; !there || n < v {
				t.Errorf("after %s %s was %v, is %v (there: %v)", what, series, v, n, there)
			}
		}
		before = now
	}
	must := func(args ...string) {
		t.Helper()
		if code, out := verb(t, socket, args...); code != 0 {
			t.Fatalf("%v exits %d: %s", args, code, out)
		}
	}
	for range 2 {
		for _, user := range []string{"a", "b"} {
			nc := connect(t, fmt.Sprintf("nats://%s:%s@%s", user, user, s.URL()[len("nats://"):]))
			if _, err := nc.SubscribeSync("x"); err != nil {
				t.Fatal(err)
			}
			for range 100 {
				if err := nc.Publish("x", []byte("0123456789")); err != nil {
					t.Fatal(err)
				}
			}
			if err := nc.Flush(); err != nil {
				t.Fatal(err)
			}
			if user == "b" {
				nc.Close()
			}
		}
		check("messages")
		r.set(head + one)
		must("reload")
		check("an account was removed")
		must("upgrade")
		check("an upgrade")
		r.set(head + two)
		must("reload")
		check("an account came back")
	}
	for series, want := range map[string]float64{
		`nats_broker_config_reloads_total{result="applied"}`: 4,
		`nats_broker_received_messages_total{peer="client"}`: 400,
		"nats_broker_subscription_inserts_total":             4,
		`nats_broker_monitor_requests_total{path="/varz"}`:   1,
	} {
		if got := before[series]; got < want || want == 400 && got != want {
			t.Errorf("%s is %v, want %v", series, got, want)
		}
	}
}
