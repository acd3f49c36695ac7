package monitor

import (
	"net/http"
	"strings"
	"time"
)

// The dashboard's pages poll the JSON below /ui/api/. It is an internal
// interface: it may change with the pages. Lists come in pages of at most
// apiPage rows.

const (
	apiPage    = 200
	apiMaxSubs = 1000
	apiLog     = 500
)

var apiCalls = []struct {
	name string
	call func(*Monitor, *query) (any, error)
}{
	{"overview", apiOverview},
	{"connections", apiConnections},
	{"connection", apiConnection},
	{"subjects", apiSubjects},
	{"accounts", apiAccounts},
	{"streams", apiStreams},
	{"routes", apiRoutes},
	{"config", apiConfig},
	{"log", apiLogTail},
	{"health", apiHealth},
}

func (m *Monitor) mountAPI(mux *http.ServeMux, prefix string) {
	for _, c := range apiCalls {
		mux.HandleFunc("GET "+prefix+c.name, func(w http.ResponseWriter, r *http.Request) {
			q := &query{values: r.URL.Query()}
			v, err := c.call(m, q)
			if q.err != nil {
				err = q.err
			}
			if err != nil {
				refuse(w, err)
				return
			}
			setUIHeaders(w.Header())
			writeUIJSON(w, v)
		})
	}
}

// pageOf reads offset and limit, within bounds.
func (q *query) pageOf() (offset, limit int) {
	offset, limit = max(q.integer("offset"), 0), q.integer("limit")
	if limit <= 0 || limit > apiPage {
		limit = apiPage
	}
	return min(offset, 1<<30), limit
}

// Overview is what the overview page shows.
type Overview struct {
	Server  *Varz    `json:"server"`
	RTT     RTTs     `json:"rtt"`
	Healthy string   `json:"health"`
	Closed  int      `json:"closed"` // connections in the ring of closed ones
	Samples []Sample `json:"samples"`
}

func apiOverview(m *Monitor, q *query) (any, error) {
	since := q.unsigned("since")
	o := Overview{
		Server:  m.reporter.Varz(),
		RTT:     m.reporter.roundTrips(),
		Healthy: m.reporter.Healthz(HealthzOptions{}).Status,
		Samples: m.history.since(int64(min(since, 1<<62))),
	}
	if src := m.reporter.src.Connections; src != nil {
		o.Closed = len(src.ClosedConnections())
	}
	return o, nil
}

// ConnectionPage is a page of connections.
type ConnectionPage struct {
	*Connz
	Matched int `json:"matched"`
}

func apiConnections(m *Monitor, q *query) (any, error) {
	o := ConnzOptions{Sort: ConnSort(q.text("sort")), Username: true, State: q.state(), Account: q.text("acc")}
	o.search = strings.ToLower(strings.TrimSpace(q.text("q")))
	o.reverse = q.boolean("reverse")
	o.Offset, o.Limit = q.pageOf()
	if q.err != nil {
		return nil, q.err
	}
	z, sel, err := m.reporter.connz(o)
	if err != nil {
		return nil, err
	}
	for c := range sel.infos() {
		shown := *c
		shown.hideClaims()
		z.Conns = append(z.Conns, &shown)
	}
	return ConnectionPage{z, sel.matched}, nil
}

// hideClaims leaves out what the dashboard has no use for.
func (c *ConnInfo) hideClaims() { c.JWT = "" }

func apiConnection(m *Monitor, q *query) (any, error) {
	cid := q.unsigned("cid")
	if q.err != nil || cid == 0 {
		return nil, q.err
	}
	z, err := m.reporter.Connz(ConnzOptions{CID: cid, State: ConnAll, Username: true, SubscriptionsDetail: true})
	if err != nil || len(z.Conns) == 0 {
		return nil, err
	}
	c := z.Conns[0]
	c.hideClaims()
	if len(c.SubsDetail) > apiMaxSubs {
		c.SubsDetail = c.SubsDetail[:apiMaxSubs]
	}
	return c, nil
}

func apiSubjects(m *Monitor, q *query) (any, error) {
	s := subjectQuery{sort: q.text("sort"), account: q.text("acc"), reverse: q.boolean("reverse"),
		search: strings.ToLower(strings.TrimSpace(q.text("q")))}
	s.offset, s.limit = q.pageOf()
	if q.err != nil {
		return nil, q.err
	}
	return m.reporter.subjectPage(s), nil
}

// AccountPage is a page of accounts, those with most traffic first.
type AccountPage struct {
	System   string         `json:"system"`
	Total    int            `json:"total"`
	Matched  int            `json:"matched"`
	Accounts []*AccountStat `json:"accounts"`
}

func apiAccounts(m *Monitor, q *query) (any, error) {
	offset, limit := q.pageOf()
	search := strings.ToLower(strings.TrimSpace(q.text("q")))
	p := AccountPage{Accounts: []*AccountStat{}}
	src := m.reporter.src.Accounts
	if q.err != nil || src == nil {
		return p, q.err
	}
	p.System = src.SystemAccount()
	page := topK[AccountRow]{k: offset + limit, less: func(a, b *AccountRow) bool {
		ta, tb := a.Received.Msgs+a.Sent.Msgs, b.Received.Msgs+b.Sent.Msgs
		if ta != tb {
			return ta > tb
		}
		return a.Name < b.Name
	}}
	src.EachAccount(func(a *AccountRow) bool {
		p.Total++
		if search == "" || strings.Contains(strings.ToLower(a.Name+" "+a.Tag), search) {
			p.Matched++
			page.offer(a)
		}
		return true
	})
	for _, row := range page.page(offset) {
		p.Accounts = append(p.Accounts, newAccountStat(row))
	}
	return p, nil
}

// RoutePage is the mesh as this server sees it.
type RoutePage struct {
	*Routez
	Cluster    ClusterVarz `json:"cluster"`
	RoundTrips []int64     `json:"rtts_us"` // of each route, microseconds; 0: unknown
}

func apiRoutes(m *Monitor, _ *query) (any, error) {
	var v Varz
	m.reporter.src.Server.Varz(&v)
	p := RoutePage{Routez: m.reporter.Routez(RoutezOptions{}), Cluster: v.Cluster, RoundTrips: []int64{}}
	for _, r := range p.Routes {
		d, err := time.ParseDuration(r.RTT)
		if err != nil {
			d = 0
		}
		p.RoundTrips = append(p.RoundTrips, d.Microseconds())
	}
	return p, nil
}

// ConfigPage is the configuration in effect. Available is false when the
// daemon does not offer it.
type ConfigPage struct {
	Available bool      `json:"available"`
	Digest    string    `json:"digest"`
	Loaded    time.Time `json:"loaded"`
	Settings  []Setting `json:"settings"`
}

func apiConfig(m *Monitor, _ *query) (any, error) {
	var v Varz
	m.reporter.src.Server.Varz(&v)
	p := ConfigPage{Digest: v.ConfigDigest, Loaded: v.ConfigLoadTime.UTC(), Settings: []Setting{}}
	if src := m.reporter.src.Config; src != nil {
		p.Available = true
		p.Settings = append(p.Settings, src.Settings()...)
	}
	return p, nil
}

// LogPage is the tail of the log. Available is false when the daemon does not
// offer it.
type LogPage struct {
	Available bool      `json:"available"`
	Lines     []LogLine `json:"lines"`
}

func apiLogTail(m *Monitor, q *query) (any, error) {
	after := q.unsigned("after")
	p := LogPage{Lines: []LogLine{}}
	if src := m.reporter.src.Log; src != nil && q.err == nil {
		p.Available = true
		p.Lines = append(p.Lines, src.Tail(after, apiLog)...)
	}
	return p, q.err
}

// HealthPage explains whether the server can do its work.
type HealthPage struct {
	Status       string            `json:"status"`
	Error        string            `json:"error,omitempty"`
	Checks       []Check           `json:"checks"`
	Certificates []Certificate     `json:"certificates"`
	Reloads      map[string]uint64 `json:"reloads"`
	LogDrops     map[string]uint64 `json:"log_drops"`
	LastGood     time.Time         `json:"last_good,omitzero"`
	OnLastGood   bool              `json:"on_last_good"`
	WatchdogAge  float64           `json:"watchdog_age"` // seconds, below zero: no watchdog
	SlowByKind   KindCounts        `json:"slow_consumers"`
	StaleByKind  KindCounts        `json:"stale_connections"`
	Closed       map[string]uint64 `json:"closed"` // by reason
}

func apiHealth(m *Monitor, _ *query) (any, error) {
	var v Varz
	m.reporter.src.Server.Varz(&v)
	h := m.reporter.Healthz(HealthzOptions{})
	p := HealthPage{Status: h.Status, Error: h.Error, Checks: []Check{}, Certificates: []Certificate{}, WatchdogAge: -1,
		SlowByKind: v.SlowConsumerStats, StaleByKind: v.StaleConnectionStats}
	if src := m.reporter.src.Health; src != nil {
		p.Checks = append(p.Checks, src.Checks()...)
	}
	if src := m.reporter.src.Connections; src != nil {
		p.Closed = src.ClosedByReason()
	}
	if src := m.reporter.src.Process; src != nil {
		f := src.Process()
		p.Certificates = append(p.Certificates, f.Certificates...)
		p.Reloads, p.LogDrops, p.LastGood, p.OnLastGood = f.Reloads, f.LogDrops, f.LastGoodConfig, f.OnLastGood
		if !f.WatchdogPing.IsZero() {
			p.WatchdogAge = m.reporter.now().Sub(f.WatchdogPing).Seconds()
		}
	}
	return p, nil
}
