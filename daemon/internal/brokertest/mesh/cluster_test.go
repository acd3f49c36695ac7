package mesh

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// The ports of every node, each in its own namespace.
const (
	clientPort = 7001
	routePort  = 7002
	httpPort   = 7003
)

// setup says which cluster to make.
type setup struct {
	makeUp string // a letter for each node: o for ours, n for a nats-server
	gossip bool   // all but the first know only the first
	extra  string // for the cluster block of all, instead of pings
	top    string // for the configuration of all
}

// cluster is servers, clients on all of them, and what is known of their messages.
type cluster struct {
	t       *testing.T
	net     *network
	setup   setup
	nodes   []*node
	clients []*client
	ledger  *ledger
	http    *http.Client
	rate    *pace
	slowest time.Duration // healing so far
	late    bool          // the last healing was too slow
}

// node is a server of the cluster.
type node struct {
	*brokertest.Server
	name string
	ours bool
	at   int
	net  *network
}

// String names a node for messages.
func (n *node) String() string {
	if n.ours {
		return n.name + " (ours)"
	}
	return n.name + " (nats-server)"
}

// url is where clients connect.
func (n *node) url() string { return fmt.Sprintf("nats://%s:%d", n.net.addr(n.at), clientPort) }

// newCluster starts the servers and waits until all are connected to all.
func newCluster(t *testing.T, s setup) *cluster {
	t.Helper()
	w := newNetwork(t, len(s.makeUp))
	c := &cluster{t: t, net: w, setup: s, rate: newPace(),
		http: &http.Client{Transport: &http.Transport{DialContext: w.dialContext}, Timeout: 5 * time.Second}}
	t.Cleanup(c.http.CloseIdleConnections)
	for i, kind := range s.makeUp {
		c.nodes = append(c.nodes, c.start(i, kind == 'o'))
	}
	c.waitExact(brokertest.Patience)
	return c
}

// start starts one server.
func (c *cluster) start(i int, ours bool) *node {
	c.t.Helper()
	n := &node{name: fmt.Sprintf("n%d", i), ours: ours, at: i, net: c.net}
	o := brokertest.Options{Netns: c.net.of[i], Port: clientPort, Config: c.config(n)}
	if ours {
		o.Binary = brokertest.OursPlain(c.t)
	} else {
		o.Binary, o.Args = brokertest.NATSServer(c.t), []string{"-D"}
	}
	n.Server = brokertest.Start(c.t, o)
	return n
}

// config is what both kinds of servers read.
func (c *cluster) config(n *node) string {
	s := c.setup
	var routes []string
	for j := range s.makeUp {
		if !s.gossip && j != n.at || s.gossip && j == seed && n.at != seed {
			routes = append(routes, fmt.Sprintf(`"nats://%s:%d"`, c.net.addr(j), routePort))
		}
	}
	extra := s.extra
	if extra == "" {
		extra = pings
	}
	return fmt.Sprintf(`server_name: %s
listen: "0.0.0.0:%s"
http: "0.0.0.0:%d"
%s
cluster {
  name: mesh, listen: "0.0.0.0:%d", no_advertise: true, connect_retries: 600
  routes: [%s]
  %s
}
`, n.name, brokertest.PortMark, httpPort, s.top, routePort, strings.Join(routes, ", "), extra)
}

// disturb lets something fail for a time, while messages are sent, and waits until
// all has healed. Only what lost allows may be missing.
func (c *cluster) disturb(what string, lost pairs, hold time.Duration, fail, heal func()) {
	c.t.Helper()
	seen := c.settle()
	began := time.Now()
	fail()
	time.Sleep(hold) // how long it lasts
	heal()
	healed := time.Now()
	c.late = false
	c.waitExact(healing)
	took := time.Since(healed)
	c.slowest = max(c.slowest, took)
	c.ledger.forgive(what, lost, seen, began, time.Now())
	c.settle()
	c.t.Logf("%s at %s: exact %v after", what, began.Format("15:04:05.000"), took.Round(time.Millisecond))
}

// settle waits until everybody has something sent after this. It returns when that was: what was sent before has come.
func (c *cluster) settle() (seen time.Time) {
	c.t.Helper()
	seen = time.Now()
	heads := c.ledger.heads()
	end := time.Now().Add(brokertest.Patience)
	for {
		list := c.ledger.missing(heads)
		if len(list) == 0 {
			return seen
		}
		if time.Now().After(end) {
			c.t.Fatalf("nothing new within %v: %s", brokertest.Patience, strings.Join(list, ", "))
		}
		time.Sleep(5 * time.Millisecond) // between looks
	}
}

// finish stops the senders and gives the verdict on all messages.
func (c *cluster) finish() {
	c.t.Helper()
	for _, x := range c.clients {
		x.quit()
	}
	c.settle()
	bad, sent, lost := c.ledger.verdict()
	for _, b := range bad {
		c.t.Error(b)
	}
	for _, x := range c.clients {
		x.check(c.t)
	}
	c.t.Logf("measured: %d messages to %d receivers and a queue group, %d excused losses, %d late between nats-servers, slowest healing %v",
		sent, len(c.clients), lost, c.ledger.late, c.slowest.Round(time.Millisecond))
}

// get reads an endpoint of a node.
func (c *cluster) get(n *node, path string) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s:%d%s", c.net.addr(n.at), httpPort, path), nil)
	if err != nil {
		cancel()
		return nil, err
	}
	context.AfterFunc(ctx, cancel)
	req.Close = true
	return c.http.Do(req)
}
