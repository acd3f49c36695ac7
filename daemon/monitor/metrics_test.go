package monitor

import (
	"bytes"
	"errors"
	"flag"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/logging"
)

// updating is whether golden files are written anew; package fieldstest has the flag.
func updating() bool { return flag.Lookup("update").Value.String() == "true" }

func scrapeText(t *testing.T, f *fakeBroker, o Options, accept string) string {
	t.Helper()
	m, err := New(o, f.source(), logging.Discard())
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", "/metrics", nil)
	r.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	m.ServeHTTP(w, r)
	if w.Code != 200 {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// Every row of the table must show up, with its help, type and labels: a row
// whose collect function emits nothing would otherwise go unnoticed.
func TestEveryMetricIsScraped(t *testing.T) {
	text := scrapeText(t, newFakeBroker(50), Options{}, "text/plain")
	for _, m := range metrics() {
		name := m.title()
		kind := map[metricKind]string{gauge: "gauge", counter: "counter"}[m.kind]
		for _, want := range []string{"# HELP " + name + " " + m.help, "# TYPE " + name + " " + kind} {
			if m.name == "monitor_requests_total" {
				continue // nothing was asked for yet
			}
			if !strings.Contains(text, want+"\n") {
				t.Errorf("missing: %s", want)
			}
		}
		if strings.HasSuffix(m.name, "_total") != (m.kind == counter) {
			t.Errorf("%s: counters, and only they, end in _total", name)
		}
	}
	for _, name := range []string{"go_goroutines", "process_open_fds", "process_resident_memory_bytes"} {
		if !strings.Contains(text, "\n"+name+" ") {
			t.Errorf("missing: %s", name)
		}
	}
}

func TestOpenMetrics(t *testing.T) {
	text := scrapeText(t, newFakeBroker(5), Options{}, "application/openmetrics-text; version=1.0.0")
	if !strings.HasSuffix(text, "# EOF\n") || !strings.Contains(text, "# TYPE nats_broker_received_messages counter\n") {
		t.Errorf("not OpenMetrics: …%.200s", text[max(0, len(text)-200):])
	}
}

// However many accounts there are, the number of series stays bounded and the
// sum over them right.
func TestAccountSeriesAreBounded(t *testing.T) {
	f := newFakeBroker(50)
	f.accounts = 5000
	now := f.now()
	f.now = func() time.Time { return now }
	text := scrapeText(t, f, Options{MetricsAccounts: 10}, "text/plain")
	series := regexp.MustCompile(`(?m)^nats_broker_account_slow_consumers_total\{account="([^"]*)"\} (\S+)$`).FindAllStringSubmatch(text, -1)
	if len(series) != 11 {
		t.Fatalf("%d series, want 10 and one for the others", len(series))
	}
	var sum, want float64
	for _, s := range series {
		v, err := strconv.ParseFloat(s[2], 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += v
	}
	f.EachAccount(func(a *AccountRow) bool { want += float64(a.SlowConsumers); return true })
	if sum != want {
		t.Errorf("sum over the series is %v, of the accounts %v", sum, want)
	}
	if text := scrapeText(t, f, Options{}, "text/plain"); strings.Contains(text, `account_connections{account="T`) || !strings.Contains(text, `account_connections{account=""}`) {
		t.Error("accounts are shown though none were to be, or not as one")
	}
}

// promtool knows the conventions better than we do.
func TestMetricsPassPromtool(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed (Debian: prometheus)")
	}
	text := scrapeText(t, newFakeBroker(50), Options{}, "text/plain")
	ours := regexp.MustCompile(`(?m)^.*nats_broker_.*\n`).FindAllString(text, -1)
	cmd := exec.Command(promtool, "check", "metrics")
	cmd.Stdin = strings.NewReader(strings.Join(ours, ""))
	if out, err := cmd.CombinedOutput(); err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Errorf("promtool: %s", out)
		} else {
			t.Fatal(err)
		}
	}
}

// The manual's list is made from the table and kept in testdata, where mandoc
// and people can read it.
func TestMetricsMdoc(t *testing.T) {
	var b bytes.Buffer
	if err := MetricsMdoc(&b); err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/metrics.mdoc"
	if updating() {
		if err := os.WriteFile(golden, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), want) {
		t.Errorf("%s differs from the table of metrics; run go test -run TestMetricsMdoc -update", golden)
	}
	if mandoc, err := exec.LookPath("mandoc"); err == nil {
		page := ".Dd $Mdocdate$\n.Dt T 7\n.Os\n.Sh NAME\n.Nm t\n.Nd metrics\n.Sh METRICS\n" + b.String()
		cmd := exec.Command(mandoc, "-Tlint", "-Wwarning")
		cmd.Stdin = strings.NewReader(page)
		if out, _ := cmd.CombinedOutput(); len(out) > 0 {
			t.Errorf("mandoc: %s", out)
		}
	}
}
