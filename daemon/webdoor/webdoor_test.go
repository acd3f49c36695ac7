package webdoor

import (
	"net/http"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/logging"
)

// TestEndOfHead: the end of a request is found wherever its bytes are cut, and not before.
func TestEndOfHead(t *testing.T) {
	for _, c := range []struct {
		in  string
		end int
	}{
		{"GET / HTTP/1.1\r\nHost: x\r\n\r\nmore", 27}, {"GET / HTTP/1.1\nHost: x\n\nmore", 24}, {"GET / HTTP/1.1\r\nHost: x\r\n\nmore", 26},
		{"GET / HTTP/1.1\r\nHost: x\r\n", 0}, {"GET / HTTP/1.1\r\nHost: x\r\n\rmore", 0}, {"", 0},
	} {
		for first := range len(c.in) + 1 {
			looked := 0
			if endOfHead([]byte(c.in[:first]), 0) == 0 {
				looked = first
			}
			if got := endOfHead([]byte(c.in), looked); got != c.end {
				t.Errorf("%q, of which %d were looked at: %d, want %d", c.in, looked, got, c.end)
			}
		}
	}
}

// TestComplete: what CONNECT says counts, and what it does not say is taken from cookies.
func TestComplete(t *testing.T) {
	u := New(Options{Cookies: CookieNames{JWT: "j", User: "u", Password: "p", Token: "t"}}, logging.Discard())
	r := &http.Request{Header: http.Header{"Cookie": []string{"u=ann; p=pw; other=x", "t=tok; j=jwt"}}}
	note := u.cookies(r)
	if note == nil {
		t.Fatal("no cookies")
	}
	o := broker.ConnectOptions{}
	o.User = "bob"
	Complete(note, &o)
	if o.User != "bob" || o.Pass != "pw" || o.Token != "tok" || o.JWT != "jwt" {
		t.Errorf("%+v", o)
	}
	before := o
	Complete(nil, &o)
	Complete("something else", &o)
	if o != before {
		t.Errorf("%+v", o)
	}
	if none := u.cookies(&http.Request{Header: http.Header{"Cookie": []string{"other=x"}}}); none != nil {
		t.Errorf("%+v", none)
	}
	if none := New(Options{}, logging.Discard()).cookies(r); none != nil {
		t.Errorf("%+v", none)
	}
}

func TestRenderHeaders(t *testing.T) {
	if got := renderHeaders(map[string]string{"X-B": "2", "X-A": "1"}); got != "X-A: 1\r\nX-B: 2\r\n" {
		t.Errorf("%q", got)
	}
}
