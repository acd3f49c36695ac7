package monitor

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/logging"
)

// FuzzQuery asks every endpoint with any query: it must answer with a status
// that the endpoint has, promptly, and with JSON that can be read when it says
// so. What comes back never exceeds what was asked for.
func FuzzQuery(f *testing.F) {
	for _, q := range []string{
		"", "subs=detail", "sort=idle&limit=1", "offset=-1&limit=-1", "state=any&cid=3", "acc=TEAM1&filter_subject=orders.>", "cid=18446744073709551616",
		"limit=9223372036854775807&offset=9223372036854775807", "test=a..b", "sort=stop&state=closed&subs=1&auth=1", "stream=x", "subs=%zz", "q=Ⅷ&reverse=1&sort=rtt", "since=18446744073709551615", "after=-1",
	} {
		f.Add(q)
	}
	broker := newFakeBroker(20)
	m, err := New(Options{}, broker.source(), logging.Discard())
	if err != nil {
		f.Fatal(err)
	}
	var paths []string
	for _, e := range endpoints {
		if e.path != "/stacksz" && e.path != "/debug/vars" {
			paths = append(paths, e.path)
		}
	}
	for _, c := range apiCalls {
		paths = append(paths, "/ui/api/"+c.name)
	}
	allowed := map[int]bool{http.StatusOK: true, http.StatusBadRequest: true, http.StatusNotFound: true}
	f.Fuzz(func(t *testing.T, raw string) {
		for _, path := range paths {
			r := httptest.NewRequest("GET", path, nil)
			r.URL = &url.URL{Path: path, RawQuery: raw}
			w := httptest.NewRecorder()
			m.ServeHTTP(w, r)
			if !allowed[w.Code] {
				t.Fatalf("%s?%s: status %d: %.200s", path, raw, w.Code, w.Body)
			}
			if w.Header().Get("Content-Type") == "application/json" && !json.Valid(w.Body.Bytes()) {
				t.Fatalf("%s?%s: not JSON: %.200s", path, raw, w.Body)
			}
			if w.Code == http.StatusBadRequest && path != "/healthz" && !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
				t.Fatalf("%s?%s: a refusal as %s", path, raw, w.Header().Get("Content-Type"))
			}
		}
	})
}
