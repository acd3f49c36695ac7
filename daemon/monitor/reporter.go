package monitor

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// Reporter computes what the endpoints show, from a [Source]. Its methods may
// be called concurrently; what they return belongs to the caller.
type Reporter struct {
	src      Source
	now      func() time.Time
	usage    usage
	requests requestCounts
	subjects subjectCache
	rtts     rttCache
}

// NewReporter returns a Reporter over src, whose Server member is required.
func NewReporter(src Source) *Reporter {
	return &Reporter{src: src, now: time.Now}
}

// identity is what heads every answer.
func (r *Reporter) identity() (id, name string) { return r.src.Server.Identity() }

// requestCounts counts HTTP requests by path for /varz.
type requestCounts struct {
	mu     sync.Mutex
	byPath map[string]*atomic.Uint64
}

func (c *requestCounts) add(path string) {
	c.mu.Lock()
	n := c.byPath[path]
	if n == nil {
		if c.byPath == nil {
			c.byPath = make(map[string]*atomic.Uint64)
		}
		n = new(atomic.Uint64)
		c.byPath[path] = n
	}
	c.mu.Unlock()
	n.Add(1)
}

func (c *requestCounts) snapshot() map[string]uint64 {
	c.mu.Lock()
	counts := maps.Clone(c.byPath)
	c.mu.Unlock()
	m := make(map[string]uint64, len(counts))
	for path, n := range counts {
		m[path] = n.Load()
	}
	return m
}
