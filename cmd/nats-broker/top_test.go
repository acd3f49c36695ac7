package main

import (
	"bytes"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func topLook(t0 time.Time, k int64) *topSample {
	return &topSample{
		topServer: topServer{Name: "a\x1b[2Jb", Version: "2.15.3", Uptime: "1m0s", Now: t0.Add(time.Duration(k) * 2 * time.Second), CPU: 12.5, Mem: 30 << 20, Connections: 2, Subscriptions: 12345, Slow: 1,
			InMsgs: 1000 + 50_000*k, OutMsgs: 2000 + 100_000*k, InBytes: 4096 * k, OutBytes: 3 << 20 * k},
		at: t0.Add(time.Duration(k) * 2 * time.Second), total: 2, query: topQuery{sort: "pending", limit: 20},
		conns: []topConn{
			{CID: 7, Name: "a client whose name goes on", IP: "::1", Port: 50123, Subs: 3, Pending: 2048 * k, RTT: "1.234567ms", Uptime: "5m", Idle: "0s", InMsgs: 10 * k, OutMsgs: 3000 * k, InBytes: 100 * k, OutBytes: 1 << 20 * k},
			{CID: 9, IP: "10.0.0.9", Port: 4, RTT: "0s", Uptime: "5m", Idle: "2s", InMsgs: 5 - 2*k},
		},
	}
}

func TestRenderTop(t *testing.T) {
	t0 := time.Unix(1000, 0)
	got := renderTop(topLook(t0, 0), topLook(t0, 1), 0)
	for _, want := range []string{
		"a?[2Jb  version 2.15.3  up 1m0s", // a name cannot drive the terminal
		"cpu 12.5%  memory 30.0MiB  subscriptions 12.3k  slow consumers 1  routes 0",
		"  in        51.0k msgs     4.00KiB      25.0k msgs/s     2.00KiB/s",
		"  out        102k msgs     3.00MiB      50.0k msgs/s     1.50MiB/s",
		"Connections 1-2 of 2, by pending",
		"          [::1]:50123       7 a client whose na…     3   2.00KiB    1.50k        5  512.00KiB        50B    1.23ms      0s        5m",
		"           10.0.0.9:4       9                        0        0B        0        0         0B         0B         -      2s        5m",
	} {
		if !strings.Contains(got, strings.ReplaceAll(want, "512.00KiB", "   512KiB")) {
			t.Errorf("missing %q in\n%s", want, got)
		}
	}
	for line := range strings.SplitSeq(renderTop(topLook(t0, 0), topLook(t0, 1), 40), "\n") {
		if n := len([]rune(line)); n > 40 {
			t.Errorf("%d characters in a terminal of 40: %q", n, line)
		}
	}
}

// The verb against a server: it looks twice for the first rates, sends what
// was asked for, and ends by itself.
func TestTopOnce(t *testing.T) {
	var asked atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Authorization") != "Bearer sesame":
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path == "/varz":
			asked.Add(1)
			w.Write([]byte(`{"server_name":"n1","now":"2026-01-01T00:00:00Z"}`))
		case r.URL.RawQuery == "acc=A&limit=5&offset=0&sort=idle":
			w.Write([]byte(`{"total":1,"connections":[{"cid":42,"ip":"10.0.0.1","port":1}]}`))
		default:
			http.Error(w, r.URL.String(), http.StatusTeapot)
		}
	}))
	defer srv.Close()
	args := []string{"--once", "-d", "1ms", "--rows", "5", "--sort", "idle", "--account", "A", srv.URL}
	t.Setenv("NATS_BROKER_MONITOR_TOKEN", "sesame")
	var out, errs bytes.Buffer
	if code := runTop(args, strings.NewReader(""), &out, &errs); code != 0 || !strings.Contains(out.String(), "10.0.0.1:1      42") || asked.Load() != 2 {
		t.Errorf("exit %d after %d looks\n%s%s", code, asked.Load(), &out, &errs)
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Error("escape sequences though the output is no terminal")
	}
	t.Setenv("NATS_BROKER_MONITOR_TOKEN", "wrong")
	if code := runTop(args, strings.NewReader(""), &out, &errs); code != 1 || !strings.Contains(errs.String(), "answers 401 Unauthorized") {
		t.Errorf("wrong token: exit %d, %s", code, &errs)
	}
}

func TestTopWrongUse(t *testing.T) {
	for _, args := range [][]string{{"--sort", "size"}, {"-n", "-1"}, {"-d", "0s"}, {"a", "b"}, {"ftp://x"}, {"--cacert", "/nonexistent"}, {"--nope"}} {
		var out, errs bytes.Buffer
		if code := runTop(args, strings.NewReader(""), &out, &errs); code != 2 || errs.Len() == 0 {
			t.Errorf("%q: exit %d, %q", args, code, &errs)
		}
	}
	var errs bytes.Buffer
	if code := runTop([]string{"--once", "http://user:hidden@127.0.0.1:1"}, strings.NewReader(""), &errs, &errs); code != 1 || strings.Contains(errs.String(), "hidden") {
		t.Errorf("nobody there: exit %d, %q", code, &errs)
	}
}

// A terminal of 80 columns shows what matters whole, and the column that is sorted by.
func TestTopFits80Columns(t *testing.T) {
	t0 := time.Unix(1000, 0)
	for _, o := range topOrders {
		before, now := topLook(t0, 0), topLook(t0, 1)
		now.query.sort = o.order
		text := renderTop(before, now, 80)
		for line := range strings.SplitSeq(text, "\n") {
			if len([]rune(line)) > 80 || strings.HasSuffix(line, "…") {
				t.Errorf("by %s: cut: %q", o.order, line)
			}
		}
		for _, want := range []string{"NAME", "PENDING", "TO/S", "FROM/S", topHeads[topSorted[o.order]], "10.0.0.9:4 "} {
			if !strings.Contains(text, want) {
				t.Errorf("by %s: no %q in\n%s", o.order, want, text)
			}
		}
	}
	if n := len(topKeys); n > 79 {
		t.Errorf("the line of keys has %d characters", n)
	}
}

// A screen whose broker is away says so where its name stood, and no more when it is back.
func TestTopSaysThatTheBrokerIsAway(t *testing.T) {
	var away atomic.Bool
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if away.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.Write([]byte(`{"server_name":"n1","now":"2026-01-01T00:00:00Z"}`))
	}))
	defer srv.Close()
	client, err := newTopClient(topOptions{url: srv.URL}, "")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	view := &top{client: client, out: &out, screen: true, size: func() (int, int) { return 80, 24 }, last: topLook(time.Unix(1000, 0), 0)}
	for _, gone := range []bool{false, true, false} {
		away.Store(gone)
		out.Reset()
		if err := view.look(t.Context()); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out.String(), "\x1b[HNO ANSWER since ") != gone || strings.Contains(out.String(), "No answer: ") != gone {
			t.Errorf("away %v: %q", gone, &out)
		}
	}
}

// Over a socket the base path stands behind a colon; and a port of clients is named as such.
func TestTopAddresses(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "m.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	srv := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/nats/") {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Write([]byte(`{"server_name":"n1","now":"2026-01-01T00:00:00Z"}`))
	})}}
	srv.Start()
	defer srv.Close()
	for url, want := range map[string]int{"unix://" + socket + ":/nats": 0, "unix://" + socket + ":/nats/": 0, "unix://" + socket: 1} {
		var out, errs bytes.Buffer
		if code := runTop([]string{"--once", "-d", "1ms", url}, strings.NewReader(""), &out, &errs); code != want {
			t.Errorf("%s: exit %d, %s%s", url, code, &out, &errs)
		}
	}
	clients, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer clients.Close()
	go func() { // until the listener closes
		for {
			c, err := clients.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("INFO {\"server_id\":\"secret\"}\r\n"))
			_, _ = c.Read(make([]byte, 1000))
			c.Close()
		}
	}()
	var out bytes.Buffer
	if code := runTop([]string{"--once", clients.Addr().String()}, strings.NewReader(""), &out, &out); code != 1 || strings.Contains(out.String(), "secret") || !strings.Contains(out.String(), "clients connect there") {
		t.Errorf("exit %d: %s", code, &out)
	}
}
