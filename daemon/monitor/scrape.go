package monitor

import (
	"fmt"
	"net/http"
	"time"

	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// newMetricsHandler serves /metrics: the table's metrics, the Go runtime's and
// the process' (memory, processor time, file descriptors), in Prometheus' or
// OpenMetrics' text format as asked for. maxAccounts is read at each scrape.
func newMetricsHandler(r *Reporter, maxAccounts func() int, lg *logging.Logger) http.Handler {
	reg := prometheus.NewRegistry()
	// The package collectors would be the same two functions, database/sql and three
	// regular expressions, which every start pays for.
	reg.MustRegister(
		newCollector(r, maxAccounts),
		prometheus.NewGoCollector(),                                       //lint:ignore SA1019 see above
		prometheus.NewProcessCollector(prometheus.ProcessCollectorOpts{}), //lint:ignore SA1019 see above
	)
	return promhttp.HandlerFor(reg, promhttp.HandlerOpts{
		EnableOpenMetrics:   true,
		ErrorHandling:       promhttp.ContinueOnError,
		ErrorLog:            scrapeLog{lg},
		MaxRequestsInFlight: 4,
		Timeout:             30 * time.Second,
	})
}

type scrapeLog struct{ lg *logging.Logger }

func (l scrapeLog) Println(v ...any) { l.lg.Error("monitoring: " + fmt.Sprint(v...)) }

// collector makes the table's metrics at each scrape; it keeps no state.
type collector struct {
	r           *Reporter
	maxAccounts func() int
	descs       []*prometheus.Desc // in the table's order
}

func newCollector(r *Reporter, maxAccounts func() int) *collector {
	c := &collector{r: r, maxAccounts: maxAccounts}
	for i := range metrics {
		c.descs = append(c.descs, prometheus.NewDesc(namespace+metrics[i].name, metrics[i].help, metrics[i].labels, nil))
	}
	return c
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	s := newScrape(c.r, c.maxAccounts())
	for i := range metrics {
		kind := prometheus.GaugeValue
		if metrics[i].kind == counter {
			kind = prometheus.CounterValue
		}
		metrics[i].collect(s, func(v float64, labels ...string) {
			ch <- prometheus.MustNewConstMetric(c.descs[i], kind, v, labels...)
		})
	}
}

// scrape is what one scrape looks at: each source is read once.
type scrape struct {
	r        *Reporter
	now      time.Time
	varz     *Varz
	index    IndexStats
	closed   map[string]uint64
	pending  struct{ sum, max int64 }
	accounts []AccountRow // the largest, and the rest as one with an empty name
	peers    map[string]*peerFigures
	process  ProcessFigures
}

// peerFigures sums up the routes to one server.
type peerFigures struct {
	routes  int
	rtt     time.Duration
	pending int64
	in, out Traffic
}

func newScrape(r *Reporter, maxAccounts int) *scrape {
	s := &scrape{r: r, now: r.now(), varz: r.Varz(), peers: map[string]*peerFigures{}}
	if src := r.src.Subscriptions; src != nil {
		s.index = src.IndexStats("")
	}
	if src := r.src.Connections; src != nil {
		s.closed = src.ClosedByReason()
		var pace pacer
		src.EachConnection(func(row *ConnRow) bool {
			pace.step()
			s.pending.sum += row.Pending
			s.pending.max = max(s.pending.max, row.Pending)
			return true
		})
	}
	if src := r.src.Process; src != nil {
		s.process = src.Process()
	}
	s.readAccounts(maxAccounts)
	s.readRoutes()
	return s
}

// readAccounts keeps the accounts with most traffic apart and sums up the
// others, so that the number of time series stays bounded.
func (s *scrape) readAccounts(limit int) {
	src := s.r.src.Accounts
	if src == nil || limit < 0 {
		return
	}
	traffic := func(a *AccountRow) int64 { return a.Received.Msgs + a.Sent.Msgs }
	largest := topK[AccountRow]{k: limit, less: func(a, b *AccountRow) bool {
		if ta, tb := traffic(a), traffic(b); ta != tb {
			return ta > tb
		}
		return a.Name < b.Name
	}}
	var all AccountRow // sum over every account
	n := 0
	src.EachAccount(func(a *AccountRow) bool {
		largest.offer(a)
		all.add(a, 1)
		n++
		return true
	})
	for _, a := range largest.page(0) {
		s.accounts = append(s.accounts, *a)
	}
	if n > len(s.accounts) {
		for i := range s.accounts {
			all.add(&s.accounts[i], -1)
		}
		s.accounts = append(s.accounts, all)
	}
}

// add adds sign times b's figures, as far as metrics show them.
func (a *AccountRow) add(b *AccountRow, sign int64) {
	a.Clients += int(sign) * b.Clients
	a.Leafs += int(sign) * b.Leafs
	a.Subs += uint32(sign) * b.Subs // wraps around and back
	a.Received.Msgs += sign * b.Received.Msgs
	a.Received.Bytes += sign * b.Received.Bytes
	a.Sent.Msgs += sign * b.Sent.Msgs
	a.Sent.Bytes += sign * b.Sent.Bytes
	a.SlowConsumers += sign * b.SlowConsumers
}

func (s *scrape) readRoutes() {
	src := s.r.src.Routes
	if src == nil {
		return
	}
	src.EachRoute(false, func(row *RouteRow) bool {
		name := row.RemoteName
		if name == "" {
			name = row.RemoteID
		}
		p := s.peers[name]
		if p == nil {
			p = &peerFigures{}
			s.peers[name] = p
		}
		p.routes++
		p.rtt = max(p.rtt, row.RoundTrip)
		p.pending += row.Pending
		p.in.Msgs += row.InMsgs
		p.in.Bytes += row.InBytes
		p.out.Msgs += row.OutMsgs
		p.out.Bytes += row.OutBytes
		return true
	})
}
