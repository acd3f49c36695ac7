package system

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-broker/nats-broker/daemon/logging"
)

// Lane says which worker handles a request. Requests in one lane are handled one
// after another, in the order in which they came.
type Lane int

const (
	// Requests is for what may take a while.
	Requests Lane = iota
	// Pings is for what is answered at once, however busy the server is.
	Pings
	// News is for what other servers tell.
	News
	numLanes
)

var laneNames = [numLanes]string{"request", "ping", "message of another server"}

// lane is a bounded queue of requests and its worker.
type lane struct {
	name    string
	log     *logging.Logger
	jobs    chan job
	bytes   atomic.Int64 // of the requests in jobs
	dropped atomic.Uint64
	told    time.Time // when drops were logged last; the worker's
}

// job is a request and who handles it.
type job struct {
	r *Request
	f Handler
}

func (j *job) size() int64 { return int64(len(j.r.Header) + len(j.r.Body) + len(j.r.Subject)) }

func newLane(name string, log *logging.Logger) *lane {
	return &lane{name: name, log: log, jobs: make(chan job, laneLength)}
}

// put queues a job, or drops it if there is no room. It never blocks.
func (l *lane) put(j job) {
	size := j.size()
	if l.bytes.Add(size) <= laneBytes {
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
			l.bytes.Add(-j.size())
			l.do(j)
			l.tellDrops()
		}
	}
}

// do handles one job; a panic in doing so costs the answer, not the server.
func (l *lane) do(j job) {
	defer func() {
		if p := recover(); p != nil {
			l.log.Error(fmt.Sprintf("System account: request on %q failed: %v", j.r.Subject, p))
			j.r.Fail(500, "internal error")
		}
	}()
	j.f(j.r)
}

// dropsEvery is how often dropped messages are logged at most.
const dropsEvery = 10 * time.Second

// tellDrops logs how many requests were dropped, if enough time has passed.
func (l *lane) tellDrops() {
	if l.dropped.Load() == 0 || time.Since(l.told) < dropsEvery {
		return
	}
	l.told = time.Now()
	n := l.dropped.Swap(0)
	l.log.Warn(fmt.Sprintf("System account: %d %s(s) dropped: they come faster than they are handled", n, l.name),
		logging.Uint(logging.FieldCount, n))
}

// lanes are all of them and their workers.
type lanes struct {
	all  [numLanes]*lane
	work sync.WaitGroup
}

// start runs the workers; they end when stopping is closed.
func (l *lanes) start(stopping <-chan struct{}) {
	for _, one := range l.all {
		l.work.Go(func() { one.work(stopping) })
	}
}
