package monitor

import (
	"fmt"
	"sync/atomic"
	"time"
)

// fakeBroker is a source with made-up figures that move with the clock.
type fakeBroker struct {
	conns    int // open connections
	closed   []*Conn
	accounts int
	peers    int
	start    time.Time
	now      func() time.Time
	ready    error
	js       *fakeStreams // never nil
	odd      func(*Conn)  // changes each tenth connection
	visits   atomic.Int64 // rows handed out
	details  atomic.Int64 // connections described
}

func newFakeBroker(conns int) *fakeBroker {
	f := &fakeBroker{conns: conns, accounts: 3, peers: 3, start: time.Now().Add(-26 * time.Hour), now: time.Now, js: newFakeStreams(3, 2)}
	for i := range 40 {
		c := f.conn(uint64(100_000+i), true)
		c.Stop = f.start.Add(time.Duration(i+1) * 30 * time.Minute)
		c.Reason = []string{"Client Closed", "Slow Consumer (Pending Bytes)", "Stale Connection", "Authentication Failure"}[i%4]
		f.closed = append(f.closed, c)
	}
	return f
}

func (f *fakeBroker) source() Source {
	return Source{Server: f, Connections: f, Subscriptions: f, Accounts: f, Routes: fakeRoutes{f}, Health: f, Process: f, Config: f, Log: f, JetStream: f.js}
}

// ticks is how many thousands of messages have been sent so far.
func (f *fakeBroker) ticks() int64 {
	ms := f.now().Sub(f.start).Milliseconds()
	return ms*41 + (ms/7000%5)*90_000
}

func (f *fakeBroker) Varz(v *Varz) {
	t := f.ticks()
	*v = Varz{
		ID: "NBX7Q2F5ZJ4LJ2MZ3W6K5T4C7V6HBEXAMPLEEXAMPLEEXAMPLEEXAMPL", Name: "harbour-1", Version: "2.15.3", Proto: 1, Build: Build{"1.2.3", "abcdef0"},
		Host: "0.0.0.0", Port: 4222, MaxConnections: 65536, PingInterval: 2 * time.Minute, PingMax: 2, AuthRequired: true,
		HTTPHost: "127.0.0.1", HTTPPort: 8222, AuthTimeout: 2, MaxControlLine: 4096, MaxPayload: 1 << 20, MaxPending: 64 << 20,
		TLSTimeout: 2, WriteDeadline: 10 * time.Second, Start: f.start, Connections: f.conns, TotalConnections: uint64(f.conns + 40),
		Routes: f.peers * 4, Remotes: f.peers, InMsgs: t, OutMsgs: 3 * t, InBytes: 140 * t, OutBytes: 420 * t, InClientMsgs: t - t/4, InClientBytes: 100 * t,
		OutClientMsgs: 2 * t, OutClientBytes: 300 * t, Subscriptions: uint32(3 * f.conns), ConfigLoadTime: f.start,
		ConfigDigest: "sha256:7c8001434ea1d8510656879baaf703ba24b7bed6d8ba61905362233391125833", SystemAccount: "$SYS",
		SlowConsumers: 10, SlowConsumerStats: KindCounts{Clients: 9, Routes: 1}, StaleConnections: 10, StaleConnectionStats: KindCounts{Clients: 10},
		Cluster: ClusterVarz{Name: "harbour", Host: "0.0.0.0", Port: 6222, URLs: []string{"10.0.0.2:6222"}, PoolSize: 3},
	}
}

func (f *fakeBroker) NumConnections() int { return f.conns }

func (f *fakeBroker) fillRow(row *ConnRow, i uint64) {
	*row = ConnRow{
		CID: i, Account: fmt.Sprintf("TEAM%d", i%3), User: []string{"alice", "bob", "carol"}[i%3], Name: fmt.Sprintf("service-%d", i%50),
		Lang: []string{"go", "nats.js", "python3", "rust"}[i%4], Version: "1.55.0", IP: fmt.Sprintf("10.1.%d.%d", i/250%250, i%250), Port: 20000 + int(i%40000),
		Start: f.start.Add(time.Duration(i) * time.Second), LastActivity: f.now().Add(-time.Duration(i*i%977) * time.Second),
		RTT: time.Duration(180+i*37%4200) * time.Microsecond, Pending: int64(i * i % 7919), InMsgs: int64(i * 7919 % 104729), OutMsgs: int64(i * 104729 % 1299709),
		InBytes: int64(i * 7919 % 104729 * 128), OutBytes: int64(i * 104729 % 1299709 * 128), NumSubs: uint32(i%5 + 1),
	}
}

func (f *fakeBroker) conn(cid uint64, subs bool) *Conn {
	c := &Conn{Kind: "Client", Type: "nats"}
	f.fillRow(&c.ConnRow, cid)
	c.AccountTag = c.Account
	if cid%4 == 0 {
		c.TLS = &TLSState{Version: "1.3", Cipher: "TLS_AES_128_GCM_SHA256", Peer: []TLSPeerCert{{Subject: "CN=" + c.Name, SPKISha256: "aa", CertSha256: "bb"}}}
	}
	if f.odd != nil && cid%10 == 0 {
		f.odd(c)
	}
	if subs {
		for k := range c.NumSubs {
			c.Subs = append(c.Subs, f.sub(cid, k))
		}
	}
	return c
}

func (f *fakeBroker) sub(cid uint64, k uint32) Sub {
	s := Sub{Account: fmt.Sprintf("TEAM%d", cid%3), Subject: fmt.Sprintf("orders.%d.%d", cid%97, k), SID: fmt.Sprint(k + 1), Msgs: int64(cid*31+uint64(k)) % 10007, CID: cid}
	s.AccountTag = s.Account
	if k == 1 {
		s.Subject, s.Queue = "orders.*.done", "workers"
	}
	return s
}

func (f *fakeBroker) EachConnection(visit func(*ConnRow) bool) {
	var row ConnRow
	for i := uint64(1); i <= uint64(f.conns); i++ {
		f.visits.Add(1)
		f.fillRow(&row, i)
		if !visit(&row) {
			return
		}
	}
}

func (f *fakeBroker) Connection(cid uint64, subs SubsShown, c *Conn) bool {
	f.details.Add(1)
	if cid == 0 || cid > uint64(f.conns) {
		return false
	}
	list := c.Subs[:0]
	*c = *f.conn(cid, subs != NoSubs)
	c.Subs = append(list, c.Subs...)
	return true
}

func (f *fakeBroker) Identity() (id, name string) {
	var v Varz
	f.Varz(&v)
	return v.ID, v.Name
}

func (f *fakeBroker) ClosedConnections() []*Conn { return f.closed }

func (f *fakeBroker) ClosedByReason() map[string]uint64 {
	m := map[string]uint64{}
	for _, c := range f.closed {
		m[c.Reason]++
	}
	return m
}

func (f *fakeBroker) IndexStats(string) IndexStats {
	return IndexStats{Subs: uint32(3 * f.conns), Cache: 97, Inserts: uint64(4 * f.conns), Removes: uint64(f.conns), Matches: uint64(f.ticks()), CacheHits: uint64(f.ticks() * 9 / 10),
		MaxFanout: 40, TotalFanout: 400, CacheCounted: 100}
}

func (f *fakeBroker) EachSubscription(account string, visit func(*Sub) bool) {
	for cid := uint64(1); cid <= uint64(f.conns); cid++ {
		for k := range uint32(cid%5 + 1) {
			if s := f.sub(cid, k); (account == "" || s.Account == account) && !visit(&s) {
				return
			}
		}
	}
}

func (f *fakeBroker) SystemAccount() string { return "$SYS" }

func (f *fakeBroker) accountRow(i int) AccountRow {
	t := f.ticks() / int64(i+1)
	a := AccountRow{Name: fmt.Sprintf("TEAM%d", i), Tag: fmt.Sprintf("TEAM%d", i), Clients: f.conns / f.accounts, Subs: uint32(f.conns),
		Received: Traffic{t, 140 * t}, Sent: Traffic{3 * t, 420 * t}, SlowConsumers: int64(i), Index: IndexCounts{Inserts: uint64(4 * f.conns), Removes: uint64(f.conns), Matches: uint64(t), CacheHits: uint64(t * 9 / 10)}}
	if i == f.accounts {
		a.Name, a.Tag, a.System, a.Clients = "$SYS", "$SYS", true, 0
	}
	return a
}

func (f *fakeBroker) EachAccount(visit func(*AccountRow) bool) {
	for i := 0; i <= f.accounts; i++ {
		if a := f.accountRow(i); !visit(&a) {
			return
		}
	}
}

func (f *fakeBroker) HasAccount(name string) bool {
	_, ok := f.AccountDetail(name)
	return ok
}

func (f *fakeBroker) AccountDetail(name string) (info *AccountInfo, found bool) {
	f.EachAccount(func(a *AccountRow) bool {
		if a.Name == name {
			index := f.IndexStats(name).Info()
			info = &AccountInfo{Name: name, LastUpdate: f.start, IsSystem: a.System, Complete: true, Clients: a.Clients, Subs: a.Subs, NameTag: a.Tag, Index: &index,
				Exports:  []AccountExport{{Subject: "prices.>", Type: "stream", ApprovedAccounts: []string{"TEAM1"}}},
				Imports:  []AccountImport{{Subject: "billing.request", Account: "TEAM1", LocalSubject: "pay", Type: "service"}},
				Mappings: map[string][]MapDest{"old.>": {{Subject: "new.>", Weight: 100}}}}
		}
		return info == nil
	})
	return info, info != nil
}

type fakeRoutes struct{ *fakeBroker }

func (f fakeRoutes) Permissions() (imp, exp *SubjectPermission) { return nil, nil }
func (f fakeRoutes) NumRoutes() int                             { return f.peers * 4 }

func (f fakeRoutes) EachRoute(subs bool, visit func(*RouteRow) bool) {
	for i := range f.peers * 4 {
		n := i % f.peers
		t := f.ticks() / int64(2*n+2)
		row := RouteRow{RoundTrip: time.Duration(300+n*450) * time.Microsecond, Cluster: "harbour", RouteInfo: RouteInfo{
			RID: uint64(i + 5), RemoteID: fmt.Sprintf("NREMOTE%d", n), RemoteName: fmt.Sprintf("harbour-%d", n+2), DidSolicit: n == 0, IsConfigured: true,
			IP: fmt.Sprintf("10.0.0.%d", n+2), Port: 6222, Start: f.start, LastActivity: f.now(), InMsgs: t, OutMsgs: t * 2, InBytes: t * 128, OutBytes: t * 256, NumSubs: 12, Compression: "off"}}
		if subs {
			row.SubList = []Sub{f.sub(1, 0), f.sub(2, 1)}
		}
		if !visit(&row) {
			return
		}
	}
}

func (f *fakeBroker) Ready() error { return f.ready }

func (f *fakeBroker) Checks() []Check {
	return []Check{{"Client listener", f.ready == nil, "accepting on 0.0.0.0:4222"}, {"Core", true, "message round trip in 41 µs"}, {"Configuration", true, "/etc/nats/nats.conf in effect"}}
}

func (f *fakeBroker) Process() ProcessFigures {
	return ProcessFigures{Reloads: map[string]uint64{"applied": 4, "refused": 1}, LastGoodConfig: f.start.Add(time.Hour), LogDrops: map[string]uint64{"syslog": 12},
		WatchdogPing: f.now().Add(-3 * time.Second), Certificates: []Certificate{{"client", "CN=harbour-1.example.com", f.start, f.start.Add(90 * 24 * time.Hour)}, {"cluster", "CN=harbour-1", f.start, f.start.Add(20 * 24 * time.Hour)}}}
}

func (f *fakeBroker) Settings() []Setting {
	return []Setting{
		{Path: "port", Value: 4222, Origin: "file", Place: "/etc/nats/nats.conf:3:1", Doc: "Port for clients."},
		{Path: "http_port", Value: 8222, Origin: "flag", Place: "-m"},
		{Path: "max_payload", Value: 1048576, Origin: "default", Default: true},
		{Path: "authorization.token", Value: "[REDACTED]", Origin: "credential", Place: "/run/credentials/nats-broker.service/token", Secret: true},
		{Path: "cluster.routes", Value: []string{"nats-route://10.0.0.2:6222", "nats-route://10.0.0.3:6222"}, Origin: "file", Place: "/etc/nats/nats.conf.d/20-cluster.conf:4:3"},
		{Path: "ping_interval", Value: "2m0s", Origin: "default", Default: true},
	}
}

func (f *fakeBroker) Tail(after uint64, limit int) []LogLine {
	total := uint64(f.now().Sub(f.start)/time.Second) / 2
	first := after + 1
	if total >= uint64(limit) {
		first = max(first, total-uint64(limit)+1)
	}
	var lines []LogLine
	for i := first; i <= total; i++ {
		l := LogLine{Seq: i, Time: f.start.Add(time.Duration(2*i) * time.Second), Level: "INF", Subsystem: "broker", Text: fmt.Sprintf("Account TEAM%d has %d connections", i%3, i%900)}
		switch {
		case i%37 == 0:
			l.Level, l.Text = "ERR", fmt.Sprintf("10.1.0.%d:41022 - cid:%d - authentication error - User \"mallory\"", i%250, i)
		case i%11 == 0:
			l.Level, l.Text = "WRN", fmt.Sprintf("10.1.0.%d:40110 - cid:%d - Slow Consumer Detected: MaxPending of 67108864 Exceeded", i%250, i)
		}
		lines = append(lines, l)
	}
	return lines
}
