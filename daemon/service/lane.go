package service

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-broker/nats-broker/daemon/logging"
)

// Lane describes a queue of requests and its workers.
type Lane struct {
	Name    string // of one request, for the log
	Length  int    // how many requests may wait; 0: 1024
	Bytes   int64  // how large those may be together; 0: 8 MiB
	Workers int    // 0: one, which handles the requests in the order in which they came
}

const (
	defaultLength = 1024
	defaultBytes  = 8 << 20
)

// lane is a Lane in use.
type lane struct {
	Lane
	service *Service
	jobs    chan job
	bytes   atomic.Int64 // of the requests in jobs
	dropped atomic.Uint64

	mu   sync.Mutex
	told time.Time // when drops were logged last
}

// job is a request and who handles it.
type job struct {
	r *Request
	f func(*Request)
}

func newLane(l Lane, s *Service) *lane {
	if l.Length <= 0 {
		l.Length = defaultLength
	}
	if l.Bytes <= 0 {
		l.Bytes = defaultBytes
	}
	l.Workers = max(l.Workers, 1)
	return &lane{Lane: l, service: s, jobs: make(chan job, l.Length)}
}

// put queues a job, or drops it if there is no room. It never blocks.
func (l *lane) put(j job) {
	size := j.r.size()
	if l.bytes.Add(size) <= l.Bytes {
		select {
		case l.jobs <- j:
			return
		default:
		}
	}
	l.bytes.Add(-size)
	l.dropped.Add(1)
}

// work handles jobs until stopping is closed.
func (l *lane) work(stopping <-chan struct{}) {
	for {
		select {
		case <-stopping:
			return
		case j := <-l.jobs:
			l.bytes.Add(-j.r.size())
			l.do(j)
			l.tellDrops()
		}
	}
}

// do handles one job; a panic in doing so costs the answer, not the server.
func (l *lane) do(j job) {
	defer func() {
		if p := recover(); p != nil {
			o := &l.service.opts
			l.service.log.Error(fmt.Sprintf("%s: request on %q failed: %v", o.Name, j.r.Subject, p))
			if o.Failed != nil {
				o.Failed(j.r)
			}
		}
	}()
	j.f(j.r)
}

// dropsEvery is how often dropped messages are logged at most.
const dropsEvery = 10 * time.Second

// tellDrops logs how many requests were dropped, if enough time has passed.
func (l *lane) tellDrops() {
	if l.dropped.Load() == 0 {
		return
	}
	l.mu.Lock()
	soon := time.Since(l.told) < dropsEvery
	if !soon {
		l.told = time.Now()
	}
	l.mu.Unlock()
	if soon {
		return
	}
	if n := l.dropped.Swap(0); n > 0 {
		l.service.log.Warn(fmt.Sprintf("%s: %d %s(s) dropped: they come faster than they are handled", l.service.opts.Name, n, l.Name),
			logging.Uint(logging.FieldCount, n))
	}
}
