package tracing_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/klauspost/compress/s2"
	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// TestEncodings: reports are packed as the message asks.
func TestEncodings(t *testing.T) {
	var said [2][]string
	for i := range said {
		w := newWorld(t)
		w.add(i == 0, "server_name: one")
		w.listen("0 - reports")
		for _, tt := range []struct{ asked, got string }{
			{"", ""}, {"Accept-Encoding: gzip", "gzip"}, {"Accept-Encoding: snappy", "snappy"}, {"Accept-Encoding: GZIP, s2", "snappy"}, {"Accept-Encoding: br", "identity"},
		} {
			fields := []string{dest}
			if tt.asked != "" {
				fields = append(fields, tt.asked)
			}
			w.publish("0 - p", "foo", "", "x", fields...)
			m, err := w.reports.NextMsg(patience)
			if err != nil {
				t.Fatal(err)
			}
			if got := m.Header.Get("Content-Encoding"); got != tt.got {
				t.Errorf("%q is answered by %q", tt.asked, got)
			}
			said[i] = append(said[i], readable(t, unpack(t, tt.got, m.Data)))
		}
	}
	if a, b := strings.Join(said[0], "\n"), strings.Join(said[1], "\n"); a != b {
		t.Errorf("nats-server:\n%s\nnats-broker:\n%s", a, b)
	}
}

func unpack(t *testing.T, encoding string, data []byte) []byte {
	t.Helper()
	var r io.Reader = bytes.NewReader(data)
	var err error
	switch encoding {
	case "gzip":
		r, err = gzip.NewReader(r)
	case "snappy":
		r = s2.NewReader(r)
	}
	if err == nil {
		data, err = io.ReadAll(r)
	}
	if err != nil {
		t.Fatalf("%s: %v", encoding, err)
	}
	return data
}

// TestSampling: of 10,000 messages of traces exactly so many are reported, and the others say to other servers that they are not to
// be traced.
func TestSampling(t *testing.T) {
	w := newWorld(t)
	w.add(false, "accounts { A { users: [{user: u, password: p}], msg_trace: {dest: trace, sampling: 3%} } }")
	w.listen("0 u reports")
	sub := w.sub("0 u a", "foo", "")
	for _, s := range []*nats.Subscription{sub, w.reports} {
		if err := s.SetPendingLimits(-1, -1); err != nil {
			t.Fatal(err)
		}
	}
	nc := w.client("0 u p")
	m := nats.NewMsg("foo")
	m.Header["traceparent"] = []string{"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
	const n = 10_000
	for range n {
		if err := nc.PublishMsg(m); err != nil {
			t.Fatal(err)
		}
	}
	w.flush()
	disabled := 0
	for range n {
		m, err := sub.NextMsg(patience)
		if err != nil {
			t.Fatal(err)
		}
		if m.Header.Get("Nats-Trace-Dest") == "trace disabled" {
			disabled++
		}
	}
	for i := range n * 3 / 100 {
		if _, err := w.reports.NextMsg(patience); err != nil {
			t.Fatalf("report %d: %v", i, err)
		}
	}
	w.flush()
	more, _, err := w.reports.Pending()
	if err != nil {
		t.Fatal(err)
	}
	reports := n*3/100 + more
	if reports != n*3/100 || disabled != n-reports {
		t.Errorf("%d reports, %d messages not to be traced any more", reports, disabled)
	}
}

// TestNATSTrace has the operators' tool show the way of a message, by both servers.
func TestNATSTrace(t *testing.T) {
	cli := brokertest.NATSCLI(t)
	masks := []*regexp.Regexp{regexp.MustCompile(`[0-9.]+(ns|µs|ms|s)\b`), regexp.MustCompile(`cid:\d+`), regexp.MustCompile(`rid:\d+`), regexp.MustCompile(`[A-Z0-9]{56}`)}
	between(t, "nats trace", cluster(""), func(w *world) {
		w.sub("0 - a", "foo", "")
		w.sub("1 - b", "foo", "q")
		w.meet("0 - a", "1 - b")
		w.meet("1 - b", "0 - a")
		for _, args := range [][]string{{"trace", "foo", "hello"}, {"trace", "foo", "hello", "--deliver"}} {
			cmd := exec.Command(cli, append([]string{"--server", w.servers[0].URL(), "--timeout", "1m"}, args...)...)
			cmd.Env = append(cmd.Environ(), "HOME="+t.TempDir(), "XDG_CONFIG_HOME="+t.TempDir())
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			text := string(out)
			for _, m := range masks {
				text = m.ReplaceAllString(text, "(masked)")
			}
			w.said = append(w.said, strings.Split(text, "\n")...)
			w.arrived()
			w.flush()
			for _, s := range w.subs {
				n, _, _ := s.Pending()
				want := 0
				if args[len(args)-1] == "--deliver" {
					want = 1
				}
				if n != want {
					t.Errorf("%v: %s has got %d messages", args, s.label, n)
				}
			}
		}
	})
}
