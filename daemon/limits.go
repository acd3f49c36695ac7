package daemon

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// limits are what the process may use, as arranged at start.
type limits struct {
	files      uint64 // RLIMIT_NOFILE in effect
	memory     int64  // GOMEMLIMIT in bytes; 0: none
	memoryFrom string // where it comes from: "GOMEMLIMIT" or a cgroup file
	processors int
}

// memoryShare is how much of the cgroup's memory the Go heap may take: the rest
// is for stacks that are being scanned, kernel buffers and the page cache.
const memoryShare = 0.9

// gcPercent is how much the heap may grow before it is collected. Messages allocate
// nothing, so that a smaller figure than Go's costs next to nothing, and the garbage of
// many connections that come at once stays small. It holds from a moment after the start
// on: a start makes some garbage, and is over sooner without collecting it.
const (
	gcPercent = 50
	startOver = time.Second
)

// restCollector stops collecting garbage, but for a memory limit's sake: peers wait, and
// what is made meanwhile stays. It returns what was in effect.
func restCollector() (before int) { return debug.SetGCPercent(-1) }

// wakeCollector collects garbage again in a moment. Connections that were taken over have
// been answered by then what they said meanwhile: the heap has grown from nothing to
// several times what the collector begins at, and it would take the processors for 20 ms
// just when a thousand of them want one. before is what restCollector returned.
func wakeCollector(before int) {
	if os.Getenv("GOGC") == "" {
		before = gcPercent
	}
	time.AfterFunc(startOver, func() { debug.SetGCPercent(before) })
}

// arrangeLimits raises the number of files to the hard limit and adapts the
// runtime to the cgroup. What the administrator set in the environment
// (GOGC, GOMEMLIMIT, GOMAXPROCS) stays. Trouble is returned as warnings: a broker
// with a lower limit is better than none.
func arrangeLimits() (limits, []string) {
	var l limits
	var warnings []string
	files, err := raiseFileLimit()
	if err != nil {
		warnings = append(warnings, "Could not raise the limit of open files: "+err.Error())
	}
	l.files = files
	l.processors = runtime.GOMAXPROCS(0) // Go reads the cgroup's cpu.max by itself
	if os.Getenv("GOGC") == "" {
		time.AfterFunc(startOver, func() { debug.SetGCPercent(gcPercent) })
	}
	switch current := debug.SetMemoryLimit(-1); {
	case os.Getenv("GOMEMLIMIT") != "":
		if current != math.MaxInt64 {
			l.memory, l.memoryFrom = current, "GOMEMLIMIT"
		}
	default:
		if limit, file := cgroupMemory("/proc/self/cgroup", "/sys/fs/cgroup"); limit > 0 {
			l.memory, l.memoryFrom = int64(float64(limit)*memoryShare), file
			debug.SetMemoryLimit(l.memory)
		}
	}
	return l, warnings
}

// raiseFileLimit sets the soft limit of open files to the hard one and returns
// the soft limit in effect.
func raiseFileLimit() (uint64, error) {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return 0, err
	}
	if r.Cur >= r.Max {
		return r.Cur, nil
	}
	raised := unix.Rlimit{Cur: r.Max, Max: r.Max}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &raised); err != nil {
		return r.Cur, err
	}
	return raised.Cur, nil
}

// cgroupMemory returns the tightest memory limit on the way from our cgroup to
// the root, and the file it is in; 0 when there is none. Both versions of
// cgroups are understood (cgroups(7)).
func cgroupMemory(selfFile, root string) (limit int64, file string) {
	data, err := os.ReadFile(selfFile)
	if err != nil {
		return 0, ""
	}
	consider := func(path string) {
		n, ok := readLimit(path)
		if ok && (limit == 0 || n < limit) {
			limit, file = n, path
		}
	}
	for line := range strings.Lines(string(data)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		v2 := parts[0] == "0" && parts[1] == ""
		v1 := strings.Contains(","+parts[1]+",", ",memory,")
		for dir := filepath.Clean("/" + parts[2]); v1 || v2; dir = filepath.Dir(dir) {
			if v2 {
				consider(filepath.Join(root, dir, "memory.max"))
				consider(filepath.Join(root, dir, "memory.high"))
			} else {
				consider(filepath.Join(root, "memory", dir, "memory.limit_in_bytes"))
			}
			if dir == "/" {
				break
			}
		}
	}
	return limit, file
}

// readLimit reads one limit; "max" and cgroup v1's "practically everything"
// are none.
func readLimit(path string) (int64, bool) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
	return n, err == nil && n > 0 && n < 1<<60
}

// lines are what the start-up log says about the limits.
func (l limits) lines() []string {
	lines := []string{
		fmt.Sprintf("  Files:    %d", l.files),
		fmt.Sprintf("  CPUs:     %d", l.processors),
	}
	if l.memory > 0 {
		lines = append(lines, fmt.Sprintf("  Memory:   %s (from %s)", byteSize(l.memory), l.memoryFrom))
	}
	return lines
}

// byteSize writes a number of bytes for people, as nats-server does: powers
// of 1024, two decimals.
func byteSize(n int64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	v, i := float64(n)/1024, 0
	for v >= 1024 && i < len(units)-1 {
		v, i = v/1024, i+1
	}
	return fmt.Sprintf("%.2f %ciB", v, units[i])
}
