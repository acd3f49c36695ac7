package monitor

import (
	"fmt"
	"net/http"
	"runtime"
	"slices"
)

// endpoint is one path of the monitor. Its name in /varz's http_req_stats is
// count, empty for those nats-server does not count.
type endpoint struct {
	path  string
	count string
	serve func(*Monitor, http.ResponseWriter, *query)
}

var endpoints = []endpoint{
	{"/varz", "/varz", func(m *Monitor, w http.ResponseWriter, _ *query) { writeIndented(w, m.reporter.Varz()) }},
	{"/connz", "/connz", serveConnz},
	{"/routez", "/routez", serveRoutez},
	{"/gatewayz", "/gatewayz", serveGatewayz},
	{"/leafz", "/leafz", serveLeafz},
	{"/subsz", "/subsz", serveSubsz},
	{"/subscriptionsz", "/subsz", serveSubsz},
	{"/accountz", "/accountz", serveAccountz},
	{"/accstatz", "/accstatz", serveAccstatz},
	{"/jsz", "/jsz", serveJsz},
	{"/healthz", "/healthz", serveHealthz},
	{"/stacksz", "", serveStacksz},
	{"/ipqueuesz", "", serveIPQueuesz},
	{"/raftz", "", serveRaftz},
	{"/debug/vars", "", serveDebugVars},
}

// mux maps paths below base to handlers.
func (m *Monitor) mux(base string) http.Handler {
	mux := http.NewServeMux()
	for _, e := range endpoints {
		mux.HandleFunc(base+e.path, func(w http.ResponseWriter, r *http.Request) {
			if e.count != "" {
				m.reporter.requests.add(e.count)
			}
			e.serve(m, w, &query{values: r.URL.Query()})
		})
	}
	mux.Handle(base+"/metrics", m.registry())
	m.mountUI(mux, base)
	root := base
	if root == "" {
		root = "/"
	}
	mux.HandleFunc(root, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != root {
			http.NotFound(w, r)
			return
		}
		m.reporter.requests.add("/")
		serveRoot(w, base)
	})
	return mux
}

func serveConnz(m *Monitor, w http.ResponseWriter, q *query) {
	o := ConnzOptions{Sort: ConnSort(q.text("sort"))}
	o.Username = q.boolean("auth")
	o.Subscriptions, o.SubscriptionsDetail = q.subs()
	o.Offset = q.integer("offset")
	o.Limit = q.integer("limit")
	o.CID = q.unsigned("cid")
	o.State = q.state()
	o.User = q.text("user")
	o.Account = q.text("acc")
	o.MQTTClient = q.text("mqtt_client")
	o.FilterSubject = q.text("filter_subject")
	if q.err != nil {
		refuse(w, q.err)
		return
	}
	z, sel, err := m.reporter.connz(o)
	if err != nil {
		refuse(w, err)
		return
	}
	if len(sel.page) == 0 {
		writeIndented(w, z)
		return
	}
	writeList(w, z, "connections", sel.infos())
}

func serveRoutez(m *Monitor, w http.ResponseWriter, q *query) {
	var o RoutezOptions
	o.Subscriptions, o.SubscriptionsDetail = q.subs()
	answer(w, q, func() (any, error) { return m.reporter.Routez(o), nil })
}

func serveGatewayz(m *Monitor, w http.ResponseWriter, q *query) {
	q.subs()
	q.boolean("accs")
	answer(w, q, func() (any, error) { return m.reporter.Gatewayz(), nil })
}

func serveLeafz(m *Monitor, w http.ResponseWriter, q *query) {
	o := LeafzOptions{Subscriptions: q.boolean("subs"), Account: q.text("acc")}
	answer(w, q, func() (any, error) { return m.reporter.Leafz(o), nil })
}

func serveSubsz(m *Monitor, w http.ResponseWriter, q *query) {
	o := SubszOptions{Subscriptions: q.boolean("subs"), Offset: q.integer("offset"), Limit: q.integer("limit"),
		Account: q.text("acc"), Test: q.text("test")}
	if q.err != nil {
		refuse(w, q.err)
		return
	}
	z, err := m.reporter.Subsz(o)
	if err != nil {
		refuse(w, err)
		return
	}
	subs := z.Subs
	z.Subs = nil
	if len(subs) == 0 {
		writeIndented(w, z)
		return
	}
	writeList(w, z, "subscriptions_list", paced(slices.Values(subs)))
}

func serveAccountz(m *Monitor, w http.ResponseWriter, q *query) {
	answer(w, q, func() (any, error) { return m.reporter.Accountz(q.text("acc")) })
}

func serveAccstatz(m *Monitor, w http.ResponseWriter, q *query) {
	o := AccstatzOptions{IncludeUnused: q.boolean("unused")}
	answer(w, q, func() (any, error) { return m.reporter.Accstatz(o), nil })
}

func serveJsz(m *Monitor, w http.ResponseWriter, q *query) {
	var o JszOptions
	o.Account = q.text("acc")
	o.Accounts = q.boolean("accounts")
	o.Streams = q.boolean("streams")
	o.Consumers = q.boolean("consumers")
	o.DirectConsumers = q.boolean("direct-consumers")
	o.Config = q.boolean("config")
	o.Offset = q.integer("offset")
	o.Limit = q.integer("limit")
	o.LeaderOnly = q.boolean("leader-only")
	o.Raft = q.boolean("raft")
	o.StreamLeaderOnly = q.boolean("stream-leader-only")
	answer(w, q, func() (any, error) { return m.reporter.Jsz(o) })
}

func serveHealthz(m *Monitor, w http.ResponseWriter, q *query) {
	o := HealthzOptions{
		JSEnabled: q.boolean("js-enabled"), JSEnabledOnly: q.boolean("js-enabled-only"),
		JSServerOnly: q.boolean("js-server-only"), JSMetaOnly: q.boolean("js-meta-only"),
		LeafRemotes: q.boolean("leaf-remotes-connected"),
		Account:     q.text("account"), Stream: q.text("stream"), Consumer: q.text("consumer"),
		Details: q.boolean("details"),
	}
	if q.err != nil {
		refuse(w, q.err)
		return
	}
	if o.JSEnabled {
		m.log.Warn("Healthcheck: js-enabled deprecated, use js-enabled-only instead")
	}
	h := m.reporter.Healthz(o)
	m.reportHealth(h)
	code := h.StatusCode
	h.StatusCode = 0
	writeCompact(w, code, h)
}

// reportHealth logs why a check failed: once, not for each probe.
func (m *Monitor) reportHealth(h *HealthStatus) {
	why := ""
	switch {
	case h.Error != "":
		why = fmt.Sprintf("%q", h.Error)
	case len(h.Errors) > 0:
		why = fmt.Sprintf("%d errors: %q", len(h.Errors), h.Errors[0].Error)
	}
	if before := m.unhealthy.Swap(&why); why != "" && (before == nil || *before != why) {
		m.log.Warn("Healthcheck failed: " + why)
	}
}

func serveStacksz(_ *Monitor, w http.ResponseWriter, _ *query) {
	buf := make([]byte, 64<<10)
	n := runtime.Stack(buf, true)
	for n == len(buf) {
		buf = make([]byte, 2*len(buf))
		n = runtime.Stack(buf, true)
	}
	write(w, http.StatusOK, buf[:n])
}

// serveIPQueuesz answers as a server none of whose internal queues holds
// anything: there are none here.
func serveIPQueuesz(_ *Monitor, w http.ResponseWriter, q *query) {
	q.boolean("all")
	answer(w, q, func() (any, error) { return struct{}{}, nil })
}

func serveRaftz(_ *Monitor, w http.ResponseWriter, _ *query) {
	w.WriteHeader(http.StatusNotFound)
	fmt.Fprint(w, "No Raft nodes registered")
}

// answer writes what compute returns, or refuses a bad query.
func answer(w http.ResponseWriter, q *query, compute func() (any, error)) {
	if q.err != nil {
		refuse(w, q.err)
		return
	}
	v, err := compute()
	if err != nil {
		refuse(w, err)
		return
	}
	writeIndented(w, v)
}
