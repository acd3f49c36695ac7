package monitor

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/fields"
	"github.com/nats-broker/nats-broker/daemon/internal/fieldstest"
)

// world is a broker whose accounts, connections and routes come and go. Its figures are
// kept as the broker keeps them: those of accounts and totals are handed over, the others
// begin anew in each process.
type world struct {
	*fakeBroker
	rnd      *rand.Rand
	shown    int // accounts by name
	made     int
	totals   Varz // only counters
	accounts map[string]*AccountRow
	routes   map[uint64]*RouteRow
	closed   map[string]uint64
	process  ProcessFigures
	requests map[string]uint64
	received uint64 // by all accounts that there ever were
}

func newWorld(rnd *rand.Rand) *world {
	w := &world{fakeBroker: newFakeBroker(3), rnd: rnd, shown: 4, accounts: map[string]*AccountRow{}}
	w.begin()
	return w
}

// begin is a process that has nothing but what was handed over.
func (w *world) begin() {
	w.routes, w.closed, w.requests = map[uint64]*RouteRow{}, map[string]uint64{}, map[string]uint64{}
	w.process = ProcessFigures{Reloads: map[string]uint64{"applied": 0}, LogDrops: map[string]uint64{}}
	for _, a := range w.accounts { // handed over without its look-ups, with its subscriptions made again
		a.Index = IndexCounts{Inserts: uint64(a.Subs), Matches: uint64(a.Received.Msgs), CacheHits: uint64(a.Received.Msgs)}
	}
}

func (w *world) source() Source {
	return Source{Server: w, Connections: w, Accounts: w, Routes: worldRoutes{w}, Process: w}
}

func (w *world) Varz(v *Varz) {
	w.fakeBroker.Varz(v)
	v.TotalConnections, v.InMsgs, v.InClientMsgs = w.totals.TotalConnections, w.totals.InMsgs, w.totals.InMsgs
	v.InBytes, v.OutMsgs, v.OutBytes, v.InClientBytes, v.OutClientMsgs, v.OutClientBytes = 0, 0, 0, 0, 0, 0
	v.SlowConsumerStats, v.StaleConnectionStats = KindCounts{}, KindCounts{}
}

func (w *world) ClosedByReason() map[string]uint64 { return maps.Clone(w.closed) }
func (w *world) Process() ProcessFigures {
	p := w.process
	p.Reloads, p.LogDrops = maps.Clone(p.Reloads), maps.Clone(p.LogDrops)
	return p
}

func (w *world) EachAccount(visit func(*AccountRow) bool) {
	for _, name := range slices.Sorted(maps.Keys(w.accounts)) {
		row := *w.accounts[name]
		if !visit(&row) {
			return
		}
	}
}

type worldRoutes struct{ *world }

func (w worldRoutes) Permissions() (imp, exp *SubjectPermission) { return nil, nil }
func (w worldRoutes) NumRoutes() int                             { return len(w.routes) }
func (w worldRoutes) EachRoute(_ bool, visit func(*RouteRow) bool) {
	for _, r := range w.routes {
		row := *r
		if !visit(&row) {
			return
		}
	}
}

// step is something that happens.
func (w *world) step() {
	n := int64(w.rnd.IntN(1000))
	pick := func(count int) int { return w.rnd.IntN(count) }
	switch pick(9) {
	case 0: // an account
		w.made++
		name := fmt.Sprintf("A%d", pick(20)) // perhaps one that was removed
		if w.accounts[name] == nil {
			w.accounts[name] = &AccountRow{Name: name}
		}
	case 1: // one is removed
		for name := range w.accounts {
			delete(w.accounts, name)
			break
		}
	case 2, 3, 4: // messages
		for _, a := range w.accounts {
			if pick(3) == 0 {
				a.Received.Msgs += n
				a.Received.Bytes += 10 * n
				a.Index.Matches += uint64(n)
				a.Index.CacheHits += uint64(n / 2)
				w.totals.InMsgs += n
				w.received += uint64(n)
			}
		}
		for _, r := range w.routes {
			r.InMsgs += n
			r.OutBytes += n
		}
	case 5: // a route
		id := uint64(w.made)*100 + uint64(pick(100))
		w.made++
		w.routes[id] = &RouteRow{RouteInfo: RouteInfo{RID: id, RemoteName: fmt.Sprintf("n%d", pick(4))}}
	case 6: // one closes
		for id := range w.routes {
			delete(w.routes, id)
			break
		}
	case 7: // connections
		w.totals.TotalConnections += uint64(n)
		w.closed[[]string{"Client Closed", "Stale Connection"}[pick(2)]]++
		for _, a := range w.accounts {
			a.Subs++
			a.Index.Inserts++
		}
	case 8: // a reload, which may drop a sink or show another number of accounts
		w.process.Reloads[[]string{"applied", "refused"}[pick(2)]]++
		w.shown = pick(8)
		if sink := fmt.Sprintf("file%d", pick(3)); pick(2) == 0 {
			w.process.LogDrops[sink]++
		} else {
			delete(w.process.LogDrops, sink)
		}
	}
}

// counters are what a collector shows, by series.
func counters(c *collector) map[string]float64 {
	all := make(map[string]float64)
	c.collect()
	for _, series := range c.ledger.order {
		all[fmt.Sprintf("%s%q", series.metric, series.labels)] = float64(series.total)
	}
	return all
}

// TestCountersNeverGoBack: whatever connects, comes, goes, is reloaded or takes over, no
// series of type counter falls or vanishes, the number of series stays bounded, and what
// accounts have received adds up.
func TestCountersNeverGoBack(t *testing.T) {
	for seed := range uint64(60) {
		w := newWorld(rand.New(rand.NewPCG(seed, 21)))
		r := NewReporter(w.source())
		c := newCollector(r, func() int { return w.shown })
		before := counters(c)
		for step := range 200 {
			w.step()
			what := "a step"
			if w.rnd.IntN(25) == 0 {
				what = "an upgrade"
				state := c.leave()
				c = newCollector(NewReporter(w.source()), func() int { return w.shown })
				w.begin()
				if err := c.take(state); err != nil {
					t.Fatal(err)
				}
				if w.rnd.IntN(2) == 0 { // asked before connections are taken over
					before = notBack(t, before, counters(c), fmt.Sprintf("seed %d, step %d, in an upgrade", seed, step))
				}
				c.resume()
			}
			before = notBack(t, before, counters(c), fmt.Sprintf("seed %d, step %d, %s", seed, step, what))
			var sum float64
			series := 0
			for key, v := range before {
				if strings.Contains(key, "account_received_messages_total") {
					sum += v
					series++
				}
			}
			if sum != float64(w.received) || series > 9 {
				t.Fatalf("seed %d, step %d: accounts received %v in %d series, in truth %d", seed, step, sum, series, w.received)
			}
		}
	}
}

// notBack returns what is shown now.
func notBack(t *testing.T, before, now map[string]float64, when string) map[string]float64 {
	t.Helper()
	for key, v := range before {
		if n, there := now[key]; !there || n < v {
			t.Fatalf("%s: %s was %v, is %v (there: %v)", when, key, v, n, there)
		}
	}
	return now
}

// An account that gets a place brings nothing along that was shown before: rate() would
// take it for traffic of now.
func TestPlaceBeginsAtNothing(t *testing.T) {
	var p places
	p.read([]candidate{{id: "a", name: "a", figures: figures{5}, traffic: 5}, {id: "b", name: "b", figures: figures{264e6}}}, 1)
	p.read([]candidate{{id: "a", name: "a", figures: figures{6}, traffic: 6}, {id: "b", name: "b", figures: figures{264e6 + 36}, traffic: 300}}, 2)
	if got := []uint64{p.total["a"][0], p.total["b"][0], p.total[""][0]}; !slices.Equal(got, []uint64{6, 0, 264e6 + 36}) {
		t.Errorf("a, b and the others: %d", got)
	}
	p.read([]candidate{{id: "b", name: "b", figures: figures{264e6 + 46}, traffic: 300}}, 2)
	if got := p.total["b"][0]; got != 10 {
		t.Errorf("b then has %d, want 10", got)
	}
}

// What a process left long ago is still understood.
func TestCountedGolden(t *testing.T) {
	s := left{[]leftSeries{{"account_sent_bytes_total", []string{"A"}, 300}, {"subscription_inserts_total", nil, 7}, {"gone_total", []string{"x", "y"}, 1}, {"connections_closed_total", []string{"a", "b"}, 2}}}
	fieldstest.Golden(t, filepath.Join("testdata", "counted"), "v1", fields.Append(nil, &s), func(b []byte) (any, error) {
		var l left
		err := fields.Read(b, &l)
		return l, err
	})
	fieldstest.Complete[left](t)
	var l ledger
	if err := l.take(fields.Append(nil, &s)); err != nil {
		t.Fatal(err)
	}
	if len(l.order) != 2 || l.find("account_sent_bytes_total", []string{"A"}).total != 300 {
		t.Errorf("understood %d series", len(l.order))
	}
	if err := l.take(bytes.Repeat([]byte{0xff}, 20)); err == nil {
		t.Error("what is damaged was taken")
	}
}
