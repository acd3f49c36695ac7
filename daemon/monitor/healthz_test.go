package monitor

import (
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/logging"
)

// health is a broker that is well or not, and may have a remark.
type health struct {
	err    error
	remark string
}

func (h *health) Ready() error    { return h.err }
func (h *health) Remark() string  { return h.remark }
func (h *health) Checks() []Check { return nil }

// A broker that serves with another configuration than the one on disk is ok, with a
// remark; nothing is logged for a probe. One that cannot serve says why, once.
func TestHealthWithRemark(t *testing.T) {
	logs, err := logging.New(logging.Options{File: filepath.Join(t.TempDir(), "log")})
	if err != nil {
		t.Fatal(err)
	}
	defer logs.Close()
	h := &health{}
	src := newFakeBroker(1).source()
	src.Health = h
	m, err := New(Options{Listeners: []Listener{tcp("127.0.0.1:0")}}, src, logs.Logger("monitor"))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	defer m.Stop(t.Context())
	url := "http://" + m.Addrs()[0].String()
	failures := func() (n int) {
		for _, l := range logs.Tail(100) {
			if l.Level >= logging.Warn {
				n++
			}
		}
		return n
	}
	for _, c := range []struct {
		health
		code, said int
		body       string
		metric     string
	}{
		{health{}, 200, 0, `{"status":"ok"}`, "1"},
		{health{remark: "the last good one is in effect"}, 200, 0, `{"status":"ok","remark":"the last good one is in effect"}`, "1"},
		{health{err: errors.New("server is starting")}, 500, 1, `{"status":"error","error":"server is starting"}`, "0"},
		{health{err: errors.New("server is shutting down")}, 500, 2, `{"status":"error","error":"server is shutting down"}`, "0"},
		{health{}, 200, 2, `{"status":"ok"}`, "1"},
		{health{err: errors.New("server is shutting down")}, 500, 3, `{"status":"error","error":"server is shutting down"}`, "0"},
	} {
		*h = c.health
		for range 3 {
			if code, body := fetch(t, http.DefaultClient, url+"/healthz", nil); code != c.code || body != c.body {
				t.Errorf("%+v: %d %s, want %d %s", c.health, code, body, c.code, c.body)
			}
		}
		if n := failures(); n != c.said {
			t.Errorf("%+v: %d lines, want %d", c.health, n, c.said)
		}
		if _, body := fetch(t, http.DefaultClient, url+"/metrics", nil); !strings.Contains(body, "\nnats_broker_healthy "+c.metric+"\n") {
			t.Errorf("%+v: nats_broker_healthy is not %s", c.health, c.metric)
		}
	}
}
