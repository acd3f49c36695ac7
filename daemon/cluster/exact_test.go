package cluster

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"pgregory.net/rapid"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// interested are the clients of one node, and what they are subscribed to.
type interested struct {
	node  *node
	conns []*nats.Conn
	subs  []*nats.Subscription
}

// drop closes a client, and with it its subscriptions.
func (i *interested) drop(nc *nats.Conn) {
	nc.Close()
	i.subs = slices.DeleteFunc(i.subs, func(s *nats.Subscription) bool { return !s.IsValid() })
	i.conns = slices.DeleteFunc(i.conns, func(c *nats.Conn) bool { return c == nc })
}

// wanted is what other nodes have to know: each subject once, each subject of a group
// with the number of its members.
func (i *interested) wanted(weights bool) []string {
	count := map[wish]int{}
	for _, s := range i.subs {
		count[wish{s.Subject, s.Queue}]++
	}
	var list []string
	for w, n := range count {
		list = append(list, wantText(w.subject, w.queue, n, weights))
	}
	slices.Sort(list)
	return list
}

func wantText(subject, queue string, weight int, weights bool) string {
	if queue == "" || !weights {
		weight = 1
	}
	return fmt.Sprintf("%s %s %d", subject, queue, weight)
}

// known is what a node has of the interest of another, and whether it knows weights.
func (n *node) known(t *rapid.T, of string) (list []string, weights bool) {
	if n.hub != nil {
		for _, s := range n.hub.Stats(true) {
			for _, w := range s.Wanted {
				if s.RemoteName == of && strings.HasPrefix(w.Subject, "p.") {
					list = append(list, wantText(w.Subject, w.Queue, w.Weight, true))
				}
			}
		}
		slices.Sort(list)
		return list, true
	}
	var z struct {
		Routes []struct {
			Name string `json:"remote_name"`
			Subs []struct {
				Subject string `json:"subject"`
				Queue   string `json:"qgroup"`
			} `json:"subscriptions_list_detail"`
		} `json:"routes"`
	}
	resp, err := http.Get(n.http + "/routez?subs=detail")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&z); err != nil {
		t.Fatal(err)
	}
	for _, r := range z.Routes {
		for _, s := range r.Subs {
			if r.Name == of && strings.HasPrefix(s.Subject, "p.") {
				list = append(list, wantText(s.Subject, s.Queue, 1, false))
			}
		}
	}
	slices.Sort(list)
	return list, false
}

// TestExact subscribes and unsubscribes at random on three nodes, ends clients and
// breaks routes; then each node knows exactly what is wanted on each other one.
func TestExact(t *testing.T) {
	for _, m := range []struct {
		name  string
		start func(t *testing.T) []*node
	}{mixes[0], mixes[2]} {
		t.Run(m.name, func(t *testing.T) {
			nodes := m.start(t)
			meshed(t, nodes...)
			defer http.DefaultClient.CloseIdleConnections()
			rapid.Check(t, func(t *rapid.T) { exact(t, nodes) })
		})
	}
}

func exact(t *rapid.T, nodes []*node) {
	var at []*interested
	for _, n := range nodes {
		at = append(at, &interested{node: n})
	}
	defer func() {
		for _, i := range at {
			for _, nc := range i.conns {
				nc.Close()
			}
		}
	}()
	for range rapid.IntRange(1, 40).Draw(t, "steps") {
		rapid.SampledFrom(at).Draw(t, "node").step(t)
	}
	for _, i := range at {
		for _, nc := range i.conns {
			if err := nc.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	names := []string{"a", "b", "c"}
	for end := time.Now().Add(brokertest.Patience); ; time.Sleep(2 * time.Millisecond) {
		wrong := ""
		for v, viewer := range nodes {
			for o, other := range at {
				if v == o {
					continue
				}
				have, weights := viewer.known(t, names[o])
				if want := other.wanted(weights); !slices.Equal(have, want) {
					wrong = fmt.Sprintf("%s knows of %s %q, wanted is %q", names[v], names[o], have, want)
				}
			}
		}
		if wrong == "" {
			return
		}
		if time.Now().After(end) {
			t.Fatal(wrong)
		}
	}
}

// step does one thing at random to the clients of a node.
func (i *interested) step(t *rapid.T) {
	switch what := rapid.IntRange(0, 19).Draw(t, "what"); {
	case len(i.conns) == 0 || what == 0:
		nc, err := nats.Connect(i.node.url)
		if err != nil {
			t.Fatal(err)
		}
		i.conns = append(i.conns, nc)
	case what == 1:
		i.drop(rapid.SampledFrom(i.conns).Draw(t, "client"))
	case what == 2 && i.node.hub != nil && rapid.IntRange(0, 9).Draw(t, "break") == 0:
		if list := i.node.hub.registered(); len(list) > 0 {
			rapid.SampledFrom(list).Draw(t, "route").Abort(&refusal{reason: "Broken by a test"})
		}
	case what < 8 && len(i.subs) > 0:
		s := rapid.SampledFrom(i.subs).Draw(t, "subscription")
		if err := s.Unsubscribe(); err != nil {
			t.Fatal(err)
		}
		i.subs = slices.DeleteFunc(i.subs, func(o *nats.Subscription) bool { return o == s })
	default:
		subject := rapid.SampledFrom([]string{"p.a", "p.b", "p.*", "p.>", "p.a.b", "p.*.b"}).Draw(t, "subject")
		queue := rapid.SampledFrom([]string{"", "", "q", "r"}).Draw(t, "queue")
		s, err := rapid.SampledFrom(i.conns).Draw(t, "client").QueueSubscribeSync(subject, queue)
		if err != nil {
			t.Fatal(err)
		}
		i.subs = append(i.subs, s)
	}
}

// TestMuchInterest has a server join whose peer has more to tell than may wait for it.
func TestMuchInterest(t *testing.T) {
	a := ours(t, "a", func(o *Options) { o.MaxPending = 64 << 10 })
	c := a.raw(t)
	const n = 100_000
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "SUB much.interest.in.subjects.with.long.names.%d %d\r\n", i, i)
	}
	c.say(b.String())
	joined := ours(t, "b", nil, a.route)
	eventually(t, "all of it", func() bool {
		have := 0
		for _, s := range joined.hub.Stats(false) {
			have += s.Subscriptions
		}
		return have == n
	})
}
