package monitor

import (
	"slices"
	"sync"
	"time"
)

// RTTs sums up the round trip times of the client connections that have been
// measured, in microseconds.
type RTTs struct {
	Measured int   `json:"measured"`
	P50      int64 `json:"p50"`
	P90      int64 `json:"p90"`
	P99      int64 `json:"p99"`
	Max      int64 `json:"max"`
}

// rttCache computes RTTs at most every few seconds, however many look.
type rttCache struct {
	mu  sync.Mutex
	at  time.Time
	now RTTs
}

const rttAge = 3 * time.Second

func (r *Reporter) roundTrips() RTTs {
	c := &r.rtts
	c.mu.Lock()
	defer c.mu.Unlock()
	now := r.now()
	if r.src.Connections == nil || (!c.at.IsZero() && now.Sub(c.at) < rttAge) {
		return c.now
	}
	times := make([]time.Duration, 0, r.src.Connections.NumConnections())
	var pace pacer
	r.src.Connections.EachConnection(func(row *ConnRow) bool {
		pace.step()
		if row.RTT > 0 {
			times = append(times, row.RTT)
		}
		return true
	})
	slices.Sort(times)
	c.at, c.now = now, RTTs{Measured: len(times)}
	if n := len(times); n > 0 {
		at := func(percent int) int64 { return times[(n-1)*percent/100].Microseconds() }
		c.now.P50, c.now.P90, c.now.P99, c.now.Max = at(50), at(90), at(99), at(100)
	}
	return c.now
}
