package monitor

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"net/http/httptest"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/logging"
)

// The vendored files must be the published ones.
func TestVendoredChecksums(t *testing.T) {
	dir := "web/vendor/uplot"
	sums, err := os.Open(dir + "/SHA256SUMS")
	if err != nil {
		t.Fatal(err)
	}
	defer sums.Close()
	n := 0
	for lines := bufio.NewScanner(sums); lines.Scan(); n++ {
		want, name, _ := strings.Cut(lines.Text(), "  ")
		body, err := os.ReadFile(path.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := sha256.Sum256(body); hex.EncodeToString(got[:]) != want {
			t.Errorf("%s is not the file that was published", name)
		}
	}
	if n != 3 {
		t.Errorf("%d checksums, want 3", n)
	}
}

// Under the policy, a script or style written into a page would not work, and
// nothing may be loaded from elsewhere.
func TestPagesLoadNothingFromElsewhere(t *testing.T) {
	inline := regexp.MustCompile(`(?i)<script(?:[^>]*)>[^<]|<style|\sstyle=|\son[a-z]+=|javascript:`)
	remote := regexp.MustCompile(`(?i)(?:src|href|import|fetch|url)\s*[=(]?\s*['"(]\s*(?:https?:)?//`)
	err := fs.WalkDir(webFiles, "web", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(name, "web/vendor/") {
			return err
		}
		body, err := webFiles.ReadFile(name)
		if err != nil {
			return err
		}
		if strings.HasSuffix(name, ".html") && inline.Match(body) {
			t.Errorf("%s: %q would be blocked by the policy", name, inline.Find(body))
		}
		if remote.Match(body) {
			t.Errorf("%s loads from elsewhere: %q", name, remote.Find(body))
		}
		if contentTypes[path.Ext(name)] == "" {
			t.Errorf("%s has no content type", name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestUIHeadersAndCaching(t *testing.T) {
	m, err := New(Options{BasePath: "/x"}, newFakeBroker(3).source(), logging.Discard())
	if err != nil {
		t.Fatal(err)
	}
	get := func(url, match string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", url, nil)
		r.Header.Set("If-None-Match", match)
		w := httptest.NewRecorder()
		m.ServeHTTP(w, r)
		return w
	}
	for url, kind := range map[string]string{
		"/x/ui/": "text/html; charset=utf-8", "/x/ui/js/main.js": "text/javascript; charset=utf-8", "/x/ui/vendor/uplot/LICENSE": "text/plain; charset=utf-8",
		"/x/ui/style.css": "text/css; charset=utf-8", "/x": "text/html; charset=utf-8", "/x/ui/api/overview": "application/json",
	} {
		w := get(url, "")
		if w.Code != 200 || w.Header().Get("Content-Type") != kind || w.Header().Get("Content-Security-Policy") != contentSecurityPolicy {
			t.Errorf("%s: %d %v", url, w.Code, w.Header())
		}
	}
	if w := get("/x/ui/api/overview", ""); w.Header().Get("Access-Control-Allow-Origin") != "" || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("the dashboard's own interface: %v", w.Header())
	}
	tag := get("/x/ui/style.css", "").Header().Get("ETag")
	if w := get("/x/ui/style.css", tag); w.Code != 304 {
		t.Errorf("unchanged file: status %d", w.Code)
	}
	if w := get("/x/ui", ""); w.Code != 301 || w.Header().Get("Location") != "/x/ui/" {
		t.Errorf("/ui: %d %v", w.Code, w.Header())
	}
	for _, url := range []string{"/x/ui/nope", "/x/ui/../monitor.go", "/ui/", "/x/ui/js/"} {
		if w := get(url, ""); w.Code == 200 {
			t.Errorf("%s: status %d", url, w.Code)
		}
	}
}
