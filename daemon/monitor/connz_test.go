package monitor

import (
	"cmp"
	"encoding/json"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/logging"
)

func cids(z *Connz) []uint64 {
	ids := []uint64{}
	for _, c := range z.Conns {
		ids = append(ids, c.CID)
	}
	return ids
}

// Each order must be the one nats-server sorts by, checked against a plain sort.
func TestConnzOrders(t *testing.T) {
	f := newFakeBroker(200)
	now := time.Now()
	f.now = func() time.Time { return now }
	r := NewReporter(f.source())
	r.now = f.now
	key := map[ConnSort]func(c *Conn) int64{
		ByCID: func(c *Conn) int64 { return int64(c.CID) }, ByStart: func(c *Conn) int64 { return c.Start.UnixNano() },
		BySubs: func(c *Conn) int64 { return -int64(c.NumSubs) }, ByPending: func(c *Conn) int64 { return -c.Pending },
		ByOutMsgs: func(c *Conn) int64 { return -c.OutMsgs }, ByInMsgs: func(c *Conn) int64 { return -c.InMsgs },
		ByOutBytes: func(c *Conn) int64 { return -c.OutBytes }, ByInBytes: func(c *Conn) int64 { return -c.InBytes },
		ByLast: func(c *Conn) int64 { return -c.LastActivity.UnixNano() }, ByIdle: func(c *Conn) int64 { return c.LastActivity.UnixNano() },
		ByUptime: func(c *Conn) int64 { return -c.Start.UnixNano() }, ByRTT: func(c *Conn) int64 { return -int64(c.RTT) },
	}
	for order, by := range key {
		var all []*Conn
		for cid := uint64(1); cid <= 200; cid++ {
			all = append(all, f.conn(cid, false))
		}
		ties := int64(-1) // of two that are equal the later one, where the largest are first; idle is turned around as well
		if order == ByCID || order == ByStart || order == ByUptime {
			ties = 1
		}
		slices.SortFunc(all, func(a, b *Conn) int {
			return cmp.Or(cmp.Compare(by(a), by(b)), cmp.Compare(ties*int64(a.CID), ties*int64(b.CID)))
		})
		want := []uint64{}
		for _, c := range all[15:40] {
			want = append(want, c.CID)
		}
		z, err := r.Connz(ConnzOptions{Sort: order, Offset: 15, Limit: 25})
		if err != nil || !slices.Equal(cids(z), want) {
			t.Errorf("sort=%s: %v, %v; want %v", order, cids(z), err, want)
		}
	}
}

func TestConnzSelects(t *testing.T) {
	f := newFakeBroker(30)
	r := NewReporter(f.source())
	for name, c := range map[string]struct {
		o     ConnzOptions
		want  []uint64
		total int
	}{
		"cid":               {ConnzOptions{CID: 7}, []uint64{7}, 1},
		"cid of a closed":   {ConnzOptions{CID: 100_003, State: ConnAll}, []uint64{100_003}, 1},
		"cid, wrong state":  {ConnzOptions{CID: 7, State: ConnClosed}, []uint64{}, 0},
		"cid, wrong user":   {ConnzOptions{CID: 7, User: "alice"}, []uint64{}, 0},
		"user":              {ConnzOptions{User: "carol", Limit: 3}, []uint64{2, 5, 8}, 10},
		"account":           {ConnzOptions{Account: "TEAM1", Limit: 2, Offset: 1}, []uint64{4, 7}, 10},
		"unknown account":   {ConnzOptions{Account: "NOBODY"}, []uint64{}, 0},
		"subject":           {ConnzOptions{Account: "TEAM0", FilterSubject: "orders.9.0"}, []uint64{9}, 1},
		"all subjects":      {ConnzOptions{FilterSubject: ">", Limit: 2}, []uint64{1, 2}, 30},
		"stop":              {ConnzOptions{State: ConnClosed, Sort: ByStop, Limit: 2}, []uint64{100_039, 100_038}, 40},
		"reason":            {ConnzOptions{State: ConnClosed, Sort: ByReason, Limit: 2}, []uint64{100_003, 100_007}, 40},
		"beyond the end":    {ConnzOptions{Offset: 1 << 62, Limit: 1 << 62}, []uint64{}, 30},
		"both ends clamped": {ConnzOptions{Offset: -4, Limit: -4, User: "bob"}, []uint64{1, 4, 7, 10, 13, 16, 19, 22, 25, 28}, 10},
	} {
		z, err := r.Connz(c.o)
		if err != nil || !slices.Equal(cids(z), c.want) || z.Total != c.total {
			t.Errorf("%s: %v of %d, %v; want %v of %d", name, cids(z), z.Total, err, c.want, c.total)
		}
	}
}

// Only the page may be described: describing 10,000 connections to show 50 is
// what must never happen.
func TestConnzDescribesOnlyThePage(t *testing.T) {
	f := newFakeBroker(10_000)
	r := NewReporter(f.source())
	if _, err := r.Connz(ConnzOptions{Sort: ByPending, Limit: 50, Username: true}); err != nil {
		t.Fatal(err)
	}
	if rows, details := f.visits.Load(), f.details.Load(); rows != 10_000 || details != 50 {
		t.Errorf("%d rows visited and %d connections described; want 10000 and 50", rows, details)
	}
}

// Lists written in pieces must be what one MarshalIndent would have written.
func TestListsInPieces(t *testing.T) {
	f := newFakeBroker(700)
	m, err := New(Options{}, f.source(), logging.Discard())
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	f.now = func() time.Time { return now }
	m.reporter.now = f.now
	f.odd = func(c *Conn) { // strings that need quoting, and every optional field
		c.Name, c.Stalls, c.JWT, c.IssuerKey, c.MQTTClient, c.ProxyKey = "<a&\"\\\u2028\xff\t\x7fé", 3, "j", "k", "m", "p"
		c.Tags = []string{"a", "<b>"}
	}
	z, err := m.reporter.Connz(ConnzOptions{SubscriptionsDetail: true, Username: true})
	if err != nil {
		t.Fatal(err)
	}
	all, err := m.reporter.Connz(ConnzOptions{Subscriptions: true, Username: true, State: ConnAll, Limit: 2000})
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.reporter.Subsz(SubszOptions{Subscriptions: true})
	if err != nil {
		t.Fatal(err)
	}
	for url, v := range map[string]any{"/connz?subs=detail&auth=1": z, "/connz?subs=1&state=all&auth=1&limit=2000": all, "/subsz?subs=1": s} {
		want, _ := json.MarshalIndent(v, "", "  ")
		w := httptest.NewRecorder()
		m.ServeHTTP(w, httptest.NewRequest("GET", url, nil))
		if got := w.Body.String(); got != string(want) {
			t.Errorf("%s differs:\n%.600s\nwant\n%.600s", url, got, want)
		}
	}
}
