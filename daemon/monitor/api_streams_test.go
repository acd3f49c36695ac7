package monitor

import (
	"encoding/json"
	"net/http/httptest"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/logging"
)

// The dashboard gets streams in pages, the largest first, and those whose names hold what is searched for.
func TestStreamPages(t *testing.T) {
	f := newFakeBroker(1)
	f.js = newFakeStreams(300, 2)
	f.js.failed = map[string]error{"S299": errDisk}
	f.js.storage.Full = true
	m, err := New(Options{}, f.source(), logging.Discard())
	if err != nil {
		t.Fatal(err)
	}
	get := func(query string) (p StreamPage) {
		w := httptest.NewRecorder()
		m.ServeHTTP(w, httptest.NewRequest("GET", "/ui/api/streams"+query, nil))
		if w.Code != 200 {
			t.Fatalf("%s: %d %s", query, w.Code, w.Body)
		}
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := get("?limit=2")
	if !p.Available || p.Total != 300 || p.Matched != 300 || len(p.Streams) != 2 || p.Streams[0].Name != "S299" || p.Streams[0].Failure != errDisk.Error() ||
		p.Streams[0].Bytes != 299<<10 || p.Streams[0].Storage != "file" || p.Streams[1].Failure != "" || p.Trouble == "" || p.Refused != 7 {
		t.Errorf("%+v", p)
	}
	if p := get("?limit=2&offset=299"); len(p.Streams) != 1 || p.Streams[0].Name != "S0" {
		t.Errorf("%+v", p.Streams)
	}
	if p := get("?q=s29"); p.Matched != 11 || p.Total != 300 || len(p.Streams) != 11 {
		t.Errorf("%d of %d, %d rows", p.Matched, p.Total, len(p.Streams))
	}
	f.js.off = true
	if p := get(""); p.Available || len(p.Streams) != 0 {
		t.Errorf("%+v", p)
	}
}
