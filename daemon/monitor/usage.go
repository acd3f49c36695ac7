package monitor

import (
	"bytes"
	"math"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// usage measures this process: resident memory and the share of one core it
// used since the measurement before, at least a second apart.
type usage struct {
	mu   sync.Mutex
	at   time.Time     // of the last measurement
	cpu  time.Duration // used until then
	pcpu float64       // per cent, as last measured
}

func (u *usage) read(now time.Time) (rss int64, pcpu float64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.at.IsZero() || now.Sub(u.at) >= time.Second {
		used := cpuTime()
		if !u.at.IsZero() {
			share := float64(used-u.cpu) / float64(now.Sub(u.at))
			u.pcpu = math.Round(share*1000) / 10
		}
		u.at, u.cpu = now, used
	}
	return residentBytes(), u.pcpu
}

// cpuTime is the user and system time this process has used; getrusage(2).
func cpuTime() time.Duration {
	var ru unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &ru); err != nil {
		return 0
	}
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
}

// residentBytes reads the second field of /proc/self/statm, in pages; proc(5).
func residentBytes() int64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(b)
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
