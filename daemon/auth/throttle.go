package auth

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	// throttleBurst is how many failures an address may have before its answers are delayed. One failure is forgiven
	// every throttleForgive.
	throttleBurst   = 10
	throttleForgive = 3 * time.Second
	// The delay of an answer doubles with each further failure. Its end stays below the time that clients wait.
	throttleFirst = 50 * time.Millisecond
	throttleMax   = time.Second
	// throttleAddresses bounds the table.
	throttleAddresses = 16384
)

// throttle slows down addresses from which authentication fails again and again. It delays the answer "no" alone:
// behind one address there may be many clients, and those with the right credentials are not to wait for the others.
type throttle struct {
	mu    sync.Mutex // guards the table and its entries
	table map[netip.Prefix]*failures
}

// failures of one address: a level that each failure raises by one and that sinks with time.
type failures struct {
	level  float64
	at     time.Time
	slowed bool // the delay was reported
}

// addressOf returns whom a peer is counted as: an IPv4 address, the /64 network of an IPv6 address, since a single host
// has all of that, or everybody on a local socket together.
func addressOf(a net.Addr) netip.Prefix {
	if a == nil {
		return netip.Prefix{}
	}
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Prefix{}
	}
	ip := ap.Addr().Unmap().WithZone("")
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	p, _ := ip.Prefix(bits)
	return p
}

// failed counts a failure and returns how long its answer is to be delayed, how many failures there are, and whether
// this is the one with which the delays begin.
func (t *throttle) failed(who netip.Prefix, now time.Time) (delay time.Duration, count int, first bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.table[who]
	if f == nil {
		t.makeRoom(now)
		if t.table == nil {
			t.table = map[netip.Prefix]*failures{}
		}
		f = &failures{at: now}
		t.table[who] = f
	}
	f.sink(now)
	f.level++
	over := int(f.level) - throttleBurst
	if over <= 0 {
		f.slowed = false
		return 0, int(f.level), false
	}
	first = !f.slowed
	f.slowed = true
	if over > 16 {
		return throttleMax, int(f.level), first
	}
	return min(throttleMax, throttleFirst<<(over-1)), int(f.level), first
}

// slows reports whether a failure of an address would be answered with a delay now.
func (t *throttle) slows(who netip.Prefix, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.table[who]
	if f == nil {
		return false
	}
	f.sink(now)
	return int(f.level)+1 > throttleBurst
}

// sink lets the level sink with the time passed. It never rises above what the longest delay needs, so that an attack
// is forgiven soon after its end.
func (f *failures) sink(now time.Time) {
	f.level -= float64(now.Sub(f.at)) / float64(throttleForgive)
	f.level = min(max(f.level, 0), 2*throttleBurst)
	f.at = now
}

// makeRoom forgets addresses that are forgiven. If the table is full of others, all are: an attack from that many
// addresses is not one that delays can slow. t.mu is held.
func (t *throttle) makeRoom(now time.Time) {
	if len(t.table) < throttleAddresses {
		return
	}
	for who, f := range t.table {
		if f.sink(now); f.level == 0 {
			delete(t.table, who)
		}
	}
	if len(t.table) >= throttleAddresses {
		clear(t.table)
	}
}

// wait delays by d, or until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
