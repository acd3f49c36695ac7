package monitor

import (
	"bytes"
	"fmt"
	"net/http"
)

// Scraped returns what /metrics answers, as text.
func (m *Monitor) Scraped() ([]byte, error) {
	req, err := http.NewRequest(http.MethodGet, "/metrics", nil)
	if err != nil {
		return nil, err
	}
	w := &page{header: http.Header{}}
	m.registry().ServeHTTP(w, req)
	if w.status != 0 && w.status != http.StatusOK {
		return nil, fmt.Errorf("the metrics answer with status %d: %s", w.status, w.body.Bytes())
	}
	return w.body.Bytes(), nil
}

// page is an answer that is kept.
type page struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (p *page) Header() http.Header         { return p.header }
func (p *page) WriteHeader(status int)      { p.status = status }
func (p *page) Write(b []byte) (int, error) { return p.body.Write(b) }
