package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// TestTopStreams has top show the streams of a server, the largest first, with what came into them since the last look.
func TestTopStreams(t *testing.T) {
	var looks atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.String() {
		case "/varz":
			w.Write([]byte(`{"server_name":"n1","now":"2026-01-01T00:00:00Z","jetstream":{"config":{"max_memory":1}}}`))
		case "/jsz?streams=true&config=true&limit=-1":
			if looks.Add(1) == 1 {
				w.Write([]byte(`{"now":"2026-01-01T00:00:00Z","account_details":[{"name":"A","stream_detail":[{"name":"SMALL","state":{"last_seq":10}}]}]}`))
				return
			}
			w.Write([]byte(`{"memory":2048,"storage":1048576,"streams":3,"consumers":4,"messages":1500,"now":"2026-01-01T00:00:02Z","account_details":[
				{"name":"A","stream_detail":[{"name":"SMALL","config":{"storage":"file"},"state":{"messages":20,"bytes":10,"last_seq":30,"consumer_count":3}},
					{"name":"BIG\u001b[2J","config":{"storage":"memory"},"state":{"messages":1500,"bytes":2048,"last_seq":1500,"lost":{"msgs":[1,2]}}}]},
				{"name":"B","stream_detail":[{"name":"OTHER"}]}]}`))
		default:
			http.Error(w, r.URL.String(), http.StatusTeapot)
		}
	}))
	defer srv.Close()
	var out, errs bytes.Buffer
	if code := runTop([]string{"--once", "-d", "1ms", "--streams", "--account", "A", srv.URL}, strings.NewReader(""), &out, &errs); code != 0 {
		t.Fatalf("exit %d: %s", code, &errs)
	}
	text := out.String()
	for _, want := range []string{
		"  streams 3  messages 1.50k  files 1.00MiB  memory 2.00KiB  consumers 4\n",
		"Streams 1-2 of 2, by bytes\n",
		"BIG?[2J                A            memory     1.50k   2.00KiB       -    0    2\n",
		"SMALL                  A              file        20       10B      10    3    0",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Index(text, "BIG") > strings.Index(text, "SMALL") || strings.Contains(text, "OTHER") {
		t.Errorf("in another order, or of another account:\n%s", text)
	}
	for line := range strings.Lines(text) {
		if len([]rune(line)) > 81 {
			t.Errorf("does not fit a terminal: %q", line)
		}
	}
}

// A server without JetStream is not asked for streams; asked to show them, top says so.
func TestTopWithoutStreams(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/varz":
			w.Write([]byte(`{"server_name":"n1","now":"2026-01-01T00:00:00Z","jetstream":{}}`))
		case "/connz":
			w.Write([]byte(`{}`))
		default:
			http.Error(w, r.URL.String(), http.StatusTeapot)
		}
	}))
	defer srv.Close()
	var out, errs bytes.Buffer
	if code := runTop([]string{"--once", "-d", "1ms", srv.URL}, strings.NewReader(""), &out, &errs); code != 0 || strings.Contains(out.String(), "streams") {
		t.Errorf("exit %d: %s%s", code, &out, &errs)
	}
	out.Reset()
	if code := runTop([]string{"--once", "-d", "1ms", "--streams", srv.URL}, strings.NewReader(""), &out, &errs); code != 0 || !strings.Contains(out.String(), "There is no JetStream") {
		t.Errorf("exit %d: %s%s", code, &out, &errs)
	}
}

// The key j goes from connections to streams and back, and to the first page.
func TestTopKeyOfStreams(t *testing.T) {
	top := &top{offset: 40}
	if !top.press('j') || !top.query().streams || top.offset != 0 {
		t.Errorf("%+v", top.query())
	}
	if !top.press('j') || top.query().streams {
		t.Errorf("%+v", top.query())
	}
}
