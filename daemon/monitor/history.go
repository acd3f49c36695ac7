package monitor

import (
	"sync"
	"sync/atomic"
	"time"
)

// Sample is the server's counters at one moment.
type Sample struct {
	Time     int64   `json:"t"` // milliseconds since the epoch
	InMsgs   int64   `json:"in_msgs"`
	OutMsgs  int64   `json:"out_msgs"`
	InBytes  int64   `json:"in_bytes"`
	OutBytes int64   `json:"out_bytes"`
	Conns    int     `json:"conns"`
	Subs     uint32  `json:"subs"`
	Mem      int64   `json:"mem"`
	CPU      float64 `json:"cpu"`
	Slow     int64   `json:"slow"` // slow consumers since the start
}

// history remembers samples, so that the dashboard has something to draw when
// it is opened. It samples each second while someone looks, otherwise every
// ten seconds.
type history struct {
	r       *Reporter
	watched atomic.Int64 // when someone last looked, Unix seconds

	mu   sync.Mutex
	ring []Sample // oldest first once it has wrapped at next
	next int

	quit chan struct{}
	done chan struct{}
}

const (
	historySize = 600
	idlePeriod  = 10          // seconds between samples when nobody looks
	attention   = time.Minute // how long a look lasts
)

func newHistory(r *Reporter) *history { return &history{r: r} }

// start begins sampling, unless that has begun. The goroutine is owned by the history
// and ends in stop. start and stop are not called at the same time.
func (h *history) start() {
	if h.quit != nil {
		return
	}
	h.quit, h.done = make(chan struct{}), make(chan struct{})
	h.sample()
	quit := h.quit
	go func() {
		defer close(h.done)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for n := 1; ; n++ {
			select {
			case <-quit:
				return
			case now := <-tick.C:
				if n%idlePeriod == 0 || now.Unix()-h.watched.Load() < int64(attention/time.Second) {
					h.sample()
				}
				if n%idlePeriod == 0 {
					h.r.subjects.forget(h.r.now())
				}
			}
		}
	}()
}

func (h *history) stop() {
	if h.quit == nil {
		return
	}
	close(h.quit)
	<-h.done
	h.quit = nil
}

func (h *history) sample() {
	v := h.r.Varz()
	s := Sample{Time: v.Now.UnixMilli(), InMsgs: v.InMsgs, OutMsgs: v.OutMsgs, InBytes: v.InBytes, OutBytes: v.OutBytes,
		Conns: v.Connections, Subs: v.Subscriptions, Mem: v.Mem, CPU: v.CPU, Slow: v.SlowConsumers}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.ring) < historySize {
		h.ring = append(h.ring, s)
		return
	}
	h.ring[h.next] = s
	h.next = (h.next + 1) % historySize
}

// since returns the samples newer than t, oldest first.
func (h *history) since(t int64) []Sample {
	h.watched.Store(h.r.now().Unix())
	h.mu.Lock()
	defer h.mu.Unlock()
	list := make([]Sample, 0, len(h.ring))
	for i := range h.ring {
		s := h.ring[(h.next+i)%len(h.ring)]
		if s.Time > t {
			list = append(list, s)
		}
	}
	return list
}
