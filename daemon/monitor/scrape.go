package monitor

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// newMetricsHandler serves /metrics: the table's metrics, the Go runtime's and
// the process' (memory, processor time, file descriptors), in Prometheus' or
// OpenMetrics' text format as asked for.
func newMetricsHandler(c *collector, lg *logging.Logger) http.Handler {
	reg := prometheus.NewRegistry()
	// The package collectors would be the same two functions, database/sql and three
	// regular expressions, which every start pays for.
	reg.MustRegister(
		c,
		prometheus.NewGoCollector(), //lint:ignore SA1019 see above
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

// collector makes the table's metrics at each scrape. What it keeps are counters.
type collector struct {
	r           *Reporter
	maxAccounts func() int // read at each scrape
	descs       func() []*prometheus.Desc

	mu        sync.Mutex // held while sources are read: what was read first counts first
	ledger    ledger
	accounts  places
	routes    places
	consumers consumerReader
	paused    bool // counters stand still: the process before has counted, or the next one will
}

func newCollector(r *Reporter, maxAccounts func() int) *collector {
	return &collector{r: r, maxAccounts: maxAccounts, descs: sync.OnceValue(metricDescs)}
}

// metricDescs are in the table's order.
func metricDescs() (descs []*prometheus.Desc) {
	for i := range metrics() {
		m := &metrics()[i]
		descs = append(descs, prometheus.NewDesc(m.title(), m.help, m.labels, nil))
	}
	return descs
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.descs() {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	for _, m := range c.collect() {
		ch <- m
	}
}

// collect reads everything once.
func (c *collector) collect() (list []prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.read()
	if !c.paused {
		s.count(&c.ledger)
	}
	descs := c.descs()
	for i := range metrics() {
		m := &metrics()[i]
		if m.kind == counter {
			c.ledger.shown(m.name, func(total uint64, labels []string) {
				list = append(list, prometheus.MustNewConstMetric(descs[i], prometheus.CounterValue, float64(total)/m.scale(), labels...))
			})
			continue
		}
		m.collect(s, func(v float64, labels ...string) {
			list = append(list, prometheus.MustNewConstMetric(descs[i], prometheus.GaugeValue, v, labels...))
		})
	}
	return list
}

// leave returns what was counted, for the next process, and counts nothing any more.
func (c *collector) leave() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.paused {
		c.read().count(&c.ledger)
		c.paused = true
	}
	return c.ledger.leave()
}

// take shows what the process before has left, until resume.
func (c *collector) take(state []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.ledger.take(state); err != nil {
		return err
	}
	c.ledger.shown(accountFigures[0], func(_ uint64, labels []string) {
		if labels[0] != "" {
			c.accounts.keep(labels[0])
		}
	})
	c.ledger.shown(routeFigures[0], func(_ uint64, labels []string) {
		if labels[0] != "" {
			c.routes.keep(labels[0])
		}
	})
	c.paused = true
	return nil
}

// resume counts on from what the process before has left, in which what the sources say now
// is contained.
func (c *collector) resume() {
	c.mu.Lock()
	defer c.mu.Unlock()
	var now ledger
	c.read().count(&now)
	c.ledger.rebase(&now)
	c.paused = false
}

// count notes what all counters of a scrape say.
func (s *scrape) count(l *ledger) {
	for i := range metrics() {
		if m := &metrics()[i]; m.kind == counter {
			m.collect(s, func(v float64, labels ...string) { l.count(m.name, labels, uint64(v)) })
		}
	}
}

// scrape is what one scrape looks at: each source is read once.
type scrape struct {
	r        *Reporter
	now      time.Time
	varz     *Varz
	index    figures // of all accounts together
	closed   map[string]uint64
	pending  struct{ sum, max int64 }
	accounts map[string]*accountGauges // by the name they are shown under
	counted  map[string]*figures       // of accounts, in the order of accountFigures
	peers    map[string]*peerFigures
	crossed  map[string]*figures // over routes, in the order of routeFigures
	process  ProcessFigures
	js       jetStreamScrape
}

// peerFigures sums up the routes to one server.
type peerFigures struct {
	routes  int
	rtt     time.Duration
	pending int64
}

// accountGauges sum up the accounts that are shown under one name.
type accountGauges struct{ connections, subscriptions uint64 }

// accountFigures name the counters of an account, in the order of its figures; those about
// the index of subscriptions are shown of all accounts together.
var accountFigures = [...]string{
	"account_received_messages_total", "account_received_bytes_total", "account_sent_messages_total", "account_sent_bytes_total",
	"account_slow_consumers_total", "subscription_inserts_total", "subscription_removes_total", "subject_lookups_total", "subject_cache_hits_total",
}

// routeFigures name the counters of routes, in the order of their figures.
var routeFigures = [...]string{
	"route_received_messages_total", "route_received_bytes_total", "route_sent_messages_total", "route_sent_bytes_total",
}

// maxRemotes is how many servers of the cluster are shown by name. A cluster has fewer; but
// one whose servers have no names of their own meets a new one with each start of one.
const maxRemotes = 256

// read looks at each source once. The collector's lock is held.
func (c *collector) read() *scrape {
	r := c.r
	s := &scrape{r: r, now: r.now(), varz: r.Varz(), peers: map[string]*peerFigures{}}
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
	s.readAccounts(&c.accounts, c.maxAccounts())
	s.readRoutes(&c.routes)
	c.readStreams(s)
	return s
}

// readAccounts keeps the accounts that have a place apart and sums up the others, so that
// the number of time series stays bounded.
func (s *scrape) readAccounts(p *places, limit int) {
	src := s.r.src.Accounts
	if src == nil {
		return
	}
	var list []candidate
	var open []accountGauges
	src.EachAccount(func(a *AccountRow) bool {
		list = append(list, candidate{a.Name, a.Name, a.figures(), uint64(a.Received.Msgs + a.Sent.Msgs)})
		open = append(open, accountGauges{uint64(a.Clients + a.Leafs), uint64(a.Subs)})
		return true
	})
	p.read(list, limit)
	s.accounts, s.counted, s.index = make(map[string]*accountGauges), p.total, p.all()
	for i := range list {
		name := p.shownAs(list[i].name)
		g := s.accounts[name]
		if g == nil {
			g = &accountGauges{}
			s.accounts[name] = g
		}
		g.connections += open[i].connections
		g.subscriptions += open[i].subscriptions
	}
}

// figures are in the order of accountFigures.
func (a *AccountRow) figures() figures {
	return figures{
		uint64(a.Received.Msgs), uint64(a.Received.Bytes), uint64(a.Sent.Msgs), uint64(a.Sent.Bytes), uint64(a.SlowConsumers),
		a.Index.Inserts, a.Index.Removes, a.Index.Matches, a.Index.CacheHits,
	}
}

// readRoutes adds up the routes to each server.
func (s *scrape) readRoutes(places *places) {
	src := s.r.src.Routes
	if src == nil {
		return
	}
	var list []candidate
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
		list = append(list, candidate{strconv.FormatUint(row.RID, 10), name,
			figures{uint64(row.InMsgs), uint64(row.InBytes), uint64(row.OutMsgs), uint64(row.OutBytes)}, uint64(row.InMsgs + row.OutMsgs)})
		return true
	})
	places.read(list, maxRemotes)
	s.crossed = places.total
}
