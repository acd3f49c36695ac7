package cluster

import (
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// The makings of a cluster of three: who is the seed and who joins.
var mixes = []struct {
	name  string
	start func(t *testing.T) []*node
}{
	{"all ours", func(t *testing.T) []*node {
		a := ours(t, "a", nil)
		return []*node{a, ours(t, "b", nil, a.route), ours(t, "c", nil, a.route)}
	}},
	{"nats-server is the seed", func(t *testing.T) []*node {
		a := theirs(t, "a", "")
		return []*node{a, ours(t, "b", nil, a.route), ours(t, "c", nil, a.route)}
	}},
	{"nats-server joins", func(t *testing.T) []*node {
		a := ours(t, "a", nil)
		return []*node{a, ours(t, "b", nil, a.route), theirs(t, "c", "", a.route)}
	}},
	{"two nats-servers join", func(t *testing.T) []*node {
		a := ours(t, "a", nil)
		return []*node{a, theirs(t, "b", "", a.route), theirs(t, "c", "", a.route)}
	}},
	{"ours joins two nats-servers", func(t *testing.T) []*node {
		a := theirs(t, "a", "")
		return []*node{a, theirs(t, "b", "", a.route), ours(t, "c", nil, a.route)}
	}},
	{"no pools", func(t *testing.T) []*node {
		a := theirs(t, "a", "pool_size: -1")
		return []*node{a, ours(t, "b", nil, a.route), ours(t, "c", func(o *Options) { o.PoolSize = -1 }, a.route)}
	}},
	{"larger pool", func(t *testing.T) []*node {
		a := theirs(t, "a", "pool_size: 5")
		return []*node{a, ours(t, "b", nil, a.route), ours(t, "c", func(o *Options) { o.PoolSize = 1 }, a.route)}
	}},
}

// TestMessages has clients on all nodes number and check every message.
func TestMessages(t *testing.T) {
	for _, m := range mixes {
		t.Run(m.name, func(t *testing.T) {
			nodes := m.start(t)
			meshed(t, nodes...)
			plainMessages(t, nodes)
			queueMessages(t, nodes)
			noResponders(t, nodes)
		})
	}
}

const perPublisher = 500

// plainMessages: each message of each node reaches each node once, in order.
func plainMessages(t *testing.T, nodes []*node) {
	t.Helper()
	type state struct {
		mu   sync.Mutex
		next map[string]int
		bad  string
		all  chan struct{}
		n    int
	}
	states := make([]*state, len(nodes))
	want := perPublisher * len(nodes)
	for i, n := range nodes {
		s := &state{next: map[string]int{}, all: make(chan struct{})}
		states[i] = s
		nc := n.client(t)
		must2(nc.Subscribe("num.*", func(m *nats.Msg) {
			s.mu.Lock()
			defer s.mu.Unlock()
			k, _ := strconv.Atoi(m.Header.Get("N"))
			if s.next[m.Subject] != k || len(m.Data) != k*40 || m.Reply != "r."+m.Subject {
				s.bad = fmt.Sprintf("%s: got %d with %d bytes and reply %q, want %d", m.Subject, k, len(m.Data), m.Reply, s.next[m.Subject])
			}
			s.next[m.Subject] = k + 1
			if s.n++; s.n == want {
				close(s.all)
			}
		}))(t)
		if err := nc.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	meshed(t, nodes...) // interest told before this is known everywhere
	for i, n := range nodes {
		nc := n.client(t)
		for k := range perPublisher {
			m := nats.NewMsg(fmt.Sprintf("num.%d", i))
			m.Header.Set("N", strconv.Itoa(k))
			m.Data, m.Reply = make([]byte, k*40), "r."+m.Subject
			if err := nc.PublishMsg(m); err != nil {
				t.Fatal(err)
			}
		}
		if err := nc.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	for i, s := range states {
		select {
		case <-s.all:
		case <-time.After(brokertest.Patience):
			s.mu.Lock()
			t.Errorf("node %d has received %d of %d", i, s.n, want)
			s.mu.Unlock()
		}
		s.mu.Lock()
		if s.bad != "" {
			t.Errorf("node %d: %s", i, s.bad)
		}
		s.mu.Unlock()
	}
}

// queueMessages: each message reaches one member of a group that is spread over all
// nodes.
func queueMessages(t *testing.T, nodes []*node) {
	t.Helper()
	var mu sync.Mutex
	got := map[string]int{}
	var total, doubled atomic.Int64
	byNode := make([]atomic.Int64, len(nodes))
	for i, n := range nodes {
		nc := n.client(t)
		for range 2 {
			must2(nc.QueueSubscribe("work.>", "workers", func(m *nats.Msg) {
				mu.Lock()
				got[m.Subject]++
				if got[m.Subject] > 1 {
					doubled.Add(1)
				}
				mu.Unlock()
				byNode[i].Add(1)
				total.Add(1)
				_ = m.Respond(m.Data)
			}))(t)
		}
		if err := nc.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	meshed(t, nodes...)
	for i, n := range nodes {
		nc := n.client(t)
		for k := range 60 {
			subject := fmt.Sprintf("work.%d.%d", i, k)
			m, err := nc.Request(subject, []byte(subject), brokertest.Patience)
			if err != nil || string(m.Data) != subject {
				t.Fatalf("request %s from node %d: %v", subject, i, err)
			}
		}
	}
	if want := int64(60 * len(nodes)); total.Load() != want || doubled.Load() != 0 {
		t.Errorf("%d messages were served, want %d; %d twice", total.Load(), want, doubled.Load())
	}
	for i := range byNode {
		if byNode[i].Load() == 0 {
			t.Errorf("node %d served nothing", i)
		}
	}
}

// noResponders: interest that ends on one node ends on all.
func noResponders(t *testing.T, nodes []*node) {
	t.Helper()
	last := nodes[len(nodes)-1].client(t)
	sub := must2(last.Subscribe("gone", func(m *nats.Msg) { _ = m.Respond(nil) }))(t)
	if err := last.Flush(); err != nil {
		t.Fatal(err)
	}
	nc := nodes[0].client(t)
	eventually(t, "an answer", func() bool { _, err := nc.Request("gone", nil, time.Second); return err == nil })
	if err := sub.Unsubscribe(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "no responders after UNSUB", func() bool {
		_, err := nc.Request("gone", nil, 300*time.Millisecond)
		return err == nats.ErrNoResponders
	})
	must2(last.Subscribe("gone", func(m *nats.Msg) { _ = m.Respond(nil) }))(t)
	if err := last.Flush(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "an answer", func() bool { _, err := nc.Request("gone", nil, time.Second); return err == nil })
	last.Close()
	eventually(t, "no responders after the client's end", func() bool {
		_, err := nc.Request("gone", nil, 300*time.Millisecond)
		return err == nats.ErrNoResponders
	})
}
