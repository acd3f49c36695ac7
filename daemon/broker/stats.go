package broker

import (
	"sync/atomic"
	"time"
)

// counters are totals since the start.
type counters struct {
	slow, stale atomic.Int64
}

// ConnInfo describes a connection, open or closed.
type ConnInfo struct {
	CID                 uint64
	Kind, Type          string
	IP                  string
	Port                int
	Start, LastActivity time.Time
	Stop                time.Time // of a closed one
	Reason              string    // why it was closed
	RTT                 time.Duration
	Pending             int64
	Traffic
	NumSubs             int
	Name, Lang, Version string
	Account, User       string
	Subs                []SubInfo
}

// SubInfo describes a subscription.
type SubInfo struct {
	Account, Subject, Queue, SID string
	Msgs, Max                    int64
	CID                          uint64
}

// info describes the connection as it is.
func (c *Client) info(subs bool) *ConnInfo {
	out := c.Out.Stats()
	c.mu.Lock()
	defer c.mu.Unlock()
	ci := &ConnInfo{
		CID: c.cid, Kind: "Client", Type: "nats", IP: c.ip, Port: int(c.port), Start: c.start,
		LastActivity: time.Unix(0, c.last.Load()), RTT: c.ping.rtt, Pending: out.Pending,
		Traffic: Traffic{c.inMsgs.Load(), c.inBytes.Load(), int64(out.Msgs), int64(out.Bytes)},
		NumSubs: c.subs.n, Account: c.acc.name,
	}
	if o := c.connect; o != nil {
		ci.Name, ci.Lang, ci.Version = o.Name, o.Lang, o.Version
	}
	if c.who != nil {
		ci.User = c.who.User
	}
	if subs {
		c.subs.all(func(s *Subscription) { ci.Subs = append(ci.Subs, c.subInfo(s)) })
	}
	return ci
}

func (c *Client) subInfo(s *Subscription) SubInfo {
	return SubInfo{
		Account: c.acc.name, Subject: s.Subject(), Queue: s.Queue(), SID: s.SID(), CID: c.cid,
		Msgs: s.delivered(c.acc.index), Max: s.max(),
	}
}
