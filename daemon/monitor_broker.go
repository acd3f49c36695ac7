package daemon

import (
	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/monitor"
)

// The monitor's view of the messaging core: its snapshots, in the monitor's
// words. Nothing here holds a lock while the monitor looks.

// connectionSource lists client connections.
type connectionSource struct{ b *broker.Broker }

func (s connectionSource) NumConnections() int { return s.b.NumClients() }

func (s connectionSource) EachConnection(f func(*monitor.ConnRow) bool) {
	var ci broker.ConnInfo
	var row monitor.ConnRow
	s.b.EachClient(func(c *broker.Client) bool {
		c.Describe(&ci)
		row = connRow(&ci)
		return f(&row)
	})
}

func (s connectionSource) Connection(cid uint64, subs monitor.SubsShown, into *monitor.Conn) bool {
	c := s.b.Client(cid)
	if c == nil {
		return false
	}
	var ci broker.ConnInfo
	c.Describe(&ci)
	describeConn(&ci, into)
	if subs != monitor.NoSubs {
		c.EachSubscription(subs == monitor.SubsCounted, func(s *broker.SubInfo) bool {
			into.Subs = append(into.Subs, monitoredSub(s))
			return true
		})
	}
	return true
}

func (s connectionSource) ClosedConnections() []*monitor.Conn {
	closed := s.b.Closed()
	list := make([]*monitor.Conn, len(closed))
	for i, ci := range closed {
		list[i] = &monitor.Conn{}
		describeConn(ci, list[i])
	}
	return list
}

func (s connectionSource) ClosedByReason() map[string]uint64 {
	m := make(map[string]uint64)
	for reason, n := range s.b.ClosedByReason() {
		m[reason.String()] += n
	}
	return m
}

func connRow(ci *broker.ConnInfo) monitor.ConnRow {
	return monitor.ConnRow{
		CID: ci.CID, Account: ci.Account, User: ci.User, Name: ci.Name, Lang: ci.Lang, Version: ci.Version,
		IP: ci.IP, Port: ci.Port, Start: ci.Start, LastActivity: ci.LastActivity, RTT: ci.RTT, Pending: ci.Pending,
		InMsgs: ci.InMsgs, OutMsgs: ci.OutMsgs, InBytes: ci.InBytes, OutBytes: ci.OutBytes, NumSubs: uint32(ci.NumSubs),
	}
}

// describeConn overwrites c; it reuses the memory of its subscriptions.
func describeConn(ci *broker.ConnInfo, c *monitor.Conn) {
	*c = monitor.Conn{
		ConnRow: connRow(ci), Kind: ci.Kind, Type: ci.Type, AccountTag: ci.NameTag, JWT: ci.JWT, IssuerKey: ci.IssuerKey, ProxyKey: ci.ProxyKey,
		Tags: ci.Tags, Stop: ci.Stop, Reason: ci.Reason, TLS: tlsState(ci.TLS), Subs: c.Subs[:0],
	}
	if c.AccountTag == "" {
		c.AccountTag = ci.Account
	}
	for i := range ci.Subs {
		c.Subs = append(c.Subs, monitoredSub(&ci.Subs[i]))
	}
}

func monitoredSub(s *broker.SubInfo) monitor.Sub {
	return monitor.Sub{Account: s.Account, AccountTag: s.Account, Subject: s.Subject, Queue: s.Queue, SID: s.SID, Msgs: s.Msgs, Max: s.Max, CID: s.CID}
}

// tlsState describes a connection's encryption; nil when there is none.
func tlsState(t *broker.TLSInfo) *monitor.TLSState {
	if t == nil {
		return nil
	}
	s := &monitor.TLSState{Version: t.Version, Cipher: t.Cipher, First: t.First}
	for _, p := range t.Peer {
		s.Peer = append(s.Peer, monitor.TLSPeerCert{Subject: p.Subject, SPKISha256: p.SPKI, CertSha256: p.Sum})
	}
	return s
}

// subscriptionSource lists subscriptions.
type subscriptionSource struct {
	b     *broker.Broker
	label func(account string) string // its name for people
}

// accounts returns the named account, or all when name is empty.
func (s subscriptionSource) accounts(name string) []*broker.Account {
	if name == "" {
		return s.b.Accounts()
	}
	if a := s.b.Account(name); a != nil {
		return []*broker.Account{a}
	}
	return nil
}

// indexCounts are what the index of an account has counted. Each message received is one
// look-up; those that found no plan in the connection's cache are counted.
func indexCounts(st *broker.AccountStats) monitor.IndexCounts {
	lookups := max(uint64(st.InMsgs), st.Misses)
	return monitor.IndexCounts{Inserts: st.Inserts, Removes: st.Removes, Matches: lookups, CacheHits: lookups - st.Misses}
}

// IndexStats adds the figures of the indexes up.
func (s subscriptionSource) IndexStats(account string) monitor.IndexStats {
	var sum monitor.IndexStats
	for _, a := range s.accounts(account) {
		st := a.Stats()
		n := indexCounts(&st)
		sum.Subs += uint32(st.Subscriptions)
		sum.Inserts += n.Inserts
		sum.Removes += n.Removes
		sum.Matches += n.Matches
		sum.CacheHits += n.CacheHits
		most, receivers, patterns := a.MaxFanout()
		sum.MaxFanout = max(sum.MaxFanout, uint32(most))
		sum.TotalFanout += receivers
		sum.CacheCounted += patterns
	}
	return sum
}

func (s subscriptionSource) EachSubscription(account string, f func(*monitor.Sub) bool) {
	more := true
	for _, a := range s.accounts(account) {
		a.EachSubscription(func(i broker.SubInfo) bool {
			sub := monitoredSub(&i)
			sub.AccountTag = s.label(sub.Account)
			more = f(&sub)
			return more
		})
		if !more {
			return
		}
	}
}

// accountSource lists accounts.
type accountSource struct {
	b      *broker.Broker
	label  func(account string) string                  // its name for people
	detail func(name string, info *monitor.AccountInfo) // adds what the configuration says; may be nil
	leafs  func(name string) (int, broker.Traffic)      // its leaf node connections; may be nil
}

func (s accountSource) SystemAccount() string {
	if a := s.b.System(); a != nil {
		return a.Name()
	}
	return ""
}

func (s accountSource) HasAccount(name string) bool { return s.b.Account(name) != nil }

func (s accountSource) EachAccount(f func(*monitor.AccountRow) bool) {
	system := s.SystemAccount()
	for _, a := range s.b.Accounts() {
		st := a.Stats()
		row := monitor.AccountRow{
			Name: st.Name, Tag: s.label(st.Name), Clients: st.Connections, Subs: uint32(st.Subscriptions),
			Sent: monitor.Traffic{Msgs: st.OutMsgs, Bytes: st.OutBytes}, Received: monitor.Traffic{Msgs: st.InMsgs, Bytes: st.InBytes},
			SlowConsumers: st.SlowConsumers, Index: indexCounts(&st), System: st.Name == system,
		}
		if s.leafs != nil {
			s.addLeafs(&row)
		}
		if !f(&row) {
			return
		}
	}
}

func (s accountSource) addLeafs(row *monitor.AccountRow) {
	n, t := s.leafs(row.Name)
	row.Leafs = n
	row.SentLeafs, row.RecvLeafs = monitor.Traffic{Msgs: t.OutMsgs, Bytes: t.OutBytes}, monitor.Traffic{Msgs: t.InMsgs, Bytes: t.InBytes}
	row.Sent.Msgs, row.Sent.Bytes = row.Sent.Msgs+t.OutMsgs, row.Sent.Bytes+t.OutBytes
	row.Received.Msgs, row.Received.Bytes = row.Received.Msgs+t.InMsgs, row.Received.Bytes+t.InBytes
}

func (s accountSource) AccountDetail(name string) (*monitor.AccountInfo, bool) {
	a := s.b.Account(name)
	if a == nil {
		return nil, false
	}
	st := a.Stats()
	index := subscriptionSource{b: s.b}.IndexStats(name).Info()
	info := &monitor.AccountInfo{
		Name: name, IsSystem: name == s.SystemAccount(), Complete: true, Clients: st.Connections, Subs: uint32(st.Subscriptions),
		NameTag: s.label(name), Index: &index,
	}
	if s.leafs != nil {
		info.Leafs, _ = s.leafs(name)
	}
	if s.detail != nil {
		s.detail(name, info)
	}
	return info, true
}
