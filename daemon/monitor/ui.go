package monitor

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"
)

//go:embed web
var webFiles embed.FS

// contentSecurityPolicy lets the dashboard load its own files and nothing else,
// and run no script or style that is written into a page.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// asset is one file of the dashboard.
type asset struct {
	body []byte
	kind string // content type
	etag string
}

var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
	"":      "text/plain; charset=utf-8", // LICENSE, SHA256SUMS
}

// assets are the files of web/ by path below /ui/, read when the first is asked for.
var assets = sync.OnceValue(loadAssets)

func loadAssets() map[string]asset {
	m := make(map[string]asset)
	err := fs.WalkDir(webFiles, "web", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := webFiles.ReadFile(name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(body)
		m[strings.TrimPrefix(name, "web/")] = asset{
			body: body,
			kind: contentTypes[path.Ext(name)],
			etag: `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`,
		}
		return nil
	})
	if err != nil {
		panic("monitor: embedded files: " + err.Error()) // cannot happen: they are in the binary
	}
	return m
}

// mountUI serves the dashboard below base/ui/.
func (m *Monitor) mountUI(mux *http.ServeMux, base string) {
	prefix := base + "/ui/"
	mux.HandleFunc("GET "+base+"/ui", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, prefix, http.StatusMovedPermanently)
	})
	mux.HandleFunc("GET "+prefix, func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, prefix)
		if name == "" {
			name = "index.html"
		}
		a, ok := assets()[name]
		if !ok {
			http.NotFound(w, r)
			return
		}
		h := w.Header()
		setUIHeaders(h)
		h.Set("Content-Type", a.kind)
		h.Set("ETag", a.etag)
		h.Set("Cache-Control", "no-cache") // ask again, but accept "not modified"
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.body))
	})
	m.mountAPI(mux, prefix+"api/")
}

func setUIHeaders(h http.Header) {
	h.Set("Content-Security-Policy", contentSecurityPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

// writeUIJSON sends an answer to the dashboard's own pages only.
func writeUIJSON(w http.ResponseWriter, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Write(b)
}
