package monitor

import (
	"cmp"
	"strconv"
	"strings"
	"time"
)

// ConnSort names an order of connections.
type ConnSort string

// The orders ?sort= can name. cid, start, uptime and reason put the smallest
// first, the others the largest.
const (
	ByCID      ConnSort = "cid"
	ByStart    ConnSort = "start"
	BySubs     ConnSort = "subs"
	ByPending  ConnSort = "pending"
	ByOutMsgs  ConnSort = "msgs_to"
	ByInMsgs   ConnSort = "msgs_from"
	ByOutBytes ConnSort = "bytes_to"
	ByInBytes  ConnSort = "bytes_from"
	ByLast     ConnSort = "last"
	ByIdle     ConnSort = "idle"
	ByUptime   ConnSort = "uptime"
	ByStop     ConnSort = "stop"
	ByReason   ConnSort = "reason"
	ByRTT      ConnSort = "rtt"
)

// connOrder compares two candidates at a moment; below zero puts a first. Of two that are equal the one with the larger id
// goes first where the largest do, the other one elsewhere: nats-server 2.15.3 turns the whole order around.
type connOrder struct {
	compare func(a, b *connCandidate, now time.Time) int
	down    bool
}

// largest puts the larger key first.
func largest[K cmp.Ordered](key func(*connCandidate) K) connOrder {
	return connOrder{func(a, b *connCandidate, _ time.Time) int { return cmp.Compare(key(b), key(a)) }, true}
}

var connOrders = map[ConnSort]connOrder{
	ByCID:      {compare: func(a, b *connCandidate, _ time.Time) int { return 0 }}, // the tie-break is the order
	ByStart:    {compare: func(a, b *connCandidate, _ time.Time) int { return 0 }},
	BySubs:     largest(func(c *connCandidate) uint32 { return c.NumSubs }),
	ByPending:  largest(func(c *connCandidate) int64 { return c.Pending }),
	ByOutMsgs:  largest(func(c *connCandidate) int64 { return c.OutMsgs }),
	ByInMsgs:   largest(func(c *connCandidate) int64 { return c.InMsgs }),
	ByOutBytes: largest(func(c *connCandidate) int64 { return c.OutBytes }),
	ByInBytes:  largest(func(c *connCandidate) int64 { return c.InBytes }),
	ByLast:     {func(a, b *connCandidate, _ time.Time) int { return b.LastActivity.Compare(a.LastActivity) }, true},
	ByIdle:     {func(a, b *connCandidate, _ time.Time) int { return a.LastActivity.Compare(b.LastActivity) }, true},
	ByUptime: {compare: func(a, b *connCandidate, now time.Time) int {
		return cmp.Compare(a.age(now), b.age(now))
	}},
	ByStop:   {func(a, b *connCandidate, _ time.Time) int { return b.closed.Stop.Compare(a.closed.Stop) }, true},
	ByReason: {compare: func(a, b *connCandidate, _ time.Time) int { return cmp.Compare(a.closed.Reason, b.closed.Reason) }},
	ByRTT:    largest(func(c *connCandidate) time.Duration { return c.RTT }),
}

// lessAt makes a strict order of it: connections that are equal go by id.
func (o connOrder) lessAt(now time.Time, reverse bool) func(a, b *connCandidate) bool {
	return func(a, b *connCandidate) bool {
		c := o.compare(a, b, now)
		if c == 0 {
			c = cmp.Compare(a.CID, b.CID)
			if o.down {
				c = -c
			}
		}
		return c < 0 != (reverse && c != 0)
	}
}

// age is how long the connection has existed, or did exist.
func (c *connCandidate) age(now time.Time) time.Duration {
	if c.closed != nil {
		now = c.closed.Stop
	}
	return now.Sub(c.Start)
}

// matches applies the filters that need nothing but the row.
func (o *ConnzOptions) matches(row *ConnRow) bool {
	switch {
	case o.CID > 0 && row.CID != o.CID:
		return false
	case o.User != "" && row.User != o.User:
		return false
	case o.MQTTClient != "" && row.MQTTClient != o.MQTTClient:
		return false
	case o.search != "" && !row.mentions(o.search):
		return false
	}
	return true
}

// mentions reports whether any text about the connection contains word, which
// is in lower case.
func (row *ConnRow) mentions(word string) bool {
	for _, text := range [...]string{row.Name, row.IP, row.User, row.Account, row.Lang, row.Version, row.MQTTClient} {
		if text != "" && strings.Contains(strings.ToLower(text), word) {
			return true
		}
	}
	return strconv.FormatUint(row.CID, 10) == word ||
		strings.Contains(row.IP+":"+strconv.Itoa(row.Port), word)
}
