// Package mesh lets clusters fail. Each server, ours or a nats-server, is a process in
// a network namespace of its own; a bridge joins them, so that what goes from one to
// another can be cut, in one direction or both, or delayed. Clients on all nodes
// number every message, and a ledger knows for each one whether it may be missing.
//
// What is asserted, after each failure:
//
//   - Routes heal by themselves.
//   - 2 s after they can (plus what dialling takes: see healing), /routez of each node
//     shows for each other one exactly what the clients there are subscribed to.
//   - No message comes twice, ever; nor before one that was sent earlier, but between
//     two nats-servers. None is lost, unless it was sent between the failure (or up to
//     half a second before: what was on its way) and the healing, and between two
//     servers that the failure parted.
//
// The tests need root and iproute2 and nftables; BROKERTEST_MESH=1 runs the whole
// matrix, otherwise one cluster stands for all.
package mesh

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	sweep()
	goleak.VerifyTestMain(m)
}

// healing is how long after the end of a failure interest may take to be exact again:
// 2 s, and what may pass before the next attempt to connect begins. An attempt that
// began during the failure fails after 1 s, and the pause behind it is 1 s with some
// jitter, for us as for nats-server.
const healing = 2*time.Second + time.Second + 1100*time.Millisecond

// stale is how long a silent route may live: see pings.
const (
	stale = 2100 * time.Millisecond
	pings = `ping_interval: "700ms", ping_max: 2`
)

// needsRoot skips a test that cannot make network namespaces.
func needsRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("network namespaces need root")
	}
	for _, tool := range []string{"ip", "nft"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
}

func whole() bool { return os.Getenv("BROKERTEST_MESH") != "" }

// mixes are the clusters of the matrix. o is ours and n a nats-server; the first is
// the seed.
var mixes = []struct {
	name, makeUp string
	// gossip has the others know the seed only.
	gossip bool
}{
	{"3 ours", "ooo", false},
	{"3 mixed, ours is the seed", "onn", false},
	{"3 mixed, ours join", "noo", false},
	{"5 ours, by gossip", "ooooo", true},
	{"5 mixed, ours is the seed", "oonon", false},
	{"5 mixed, ours join by gossip", "nonoo", true},
}

// TestFailures does to each cluster what can be done to it, one after another.
func TestFailures(t *testing.T) {
	needsRoot(t)
	for i, m := range mixes {
		if !whole() && i != 2 {
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t, setup{makeUp: m.makeUp, gossip: m.gossip})
			c.populate()
			list := failures
			if !whole() {
				list = list[:3]
			}
			for _, f := range list {
				f(c)
			}
			c.finish()
		})
	}
}

var failures = []func(c *cluster){
	killed, pausedShortly, cut, pausedLong, isolated, cutOneWay, delayed, underLoad,
}

// last and seed are the nodes that failures strike.
func (c *cluster) last() int { return len(c.nodes) - 1 }

const seed = 0

// killed: a node ends without a word, and comes back with a new id.
func killed(c *cluster) {
	for _, victim := range []int{c.last(), seed} {
		n := c.nodes[victim]
		c.disturb(fmt.Sprintf("%v killed and started again", n), c.all(victim), 0,
			func() { n.Kill() }, func() { n.Restart() })
	}
}

// pausedShortly: a node stops for less than it takes to be given up. Nothing is lost.
func pausedShortly(c *cluster) {
	n := c.nodes[c.last()]
	c.disturb(fmt.Sprintf("%v paused shortly", n), none, stale/3,
		func() { n.Signal(syscall.SIGSTOP) }, func() { n.Signal(syscall.SIGCONT) })
}

// pausedLong: a node stops until the others have given it up.
func pausedLong(c *cluster) {
	n := c.nodes[1]
	c.disturb(fmt.Sprintf("%v paused for long", n), c.all(1), 2*stale,
		func() { n.Signal(syscall.SIGSTOP) }, func() { n.Signal(syscall.SIGCONT) })
}

// cut: two nodes cannot reach each other; all others can reach both.
func cut(c *cluster) {
	a, b := c.last()-1, c.last()
	c.disturb(fmt.Sprintf("%v and %v cut off from each other", c.nodes[a], c.nodes[b]), between(a, b), 2*stale,
		func() { c.net.drop(a, b); c.net.drop(b, a) }, func() { c.net.heal(a); c.net.heal(b) })
}

// isolated: a node reaches none of the others, but clients.
func isolated(c *cluster) {
	a := seed
	others := func(f func(b int)) {
		for b := range c.nodes {
			if b != a {
				f(b)
			}
		}
	}
	c.disturb(fmt.Sprintf("%v cut off from all others", c.nodes[a]), c.all(a), 2*stale,
		func() { others(func(b int) { c.net.drop(a, b); c.net.drop(b, a) }) },
		func() { c.net.heal(a); others(c.net.heal) })
}

// cutOneWay: what one node sends to another is lost, but not what the other sends.
func cutOneWay(c *cluster) {
	for _, way := range [][2]int{{seed, c.last()}, {c.last(), 1}} {
		a, b := way[0], way[1]
		c.disturb(fmt.Sprintf("%v does not reach %v", c.nodes[a], c.nodes[b]), between(a, b), 2*stale,
			func() { c.net.drop(a, b) }, func() { c.net.heal(b) })
	}
}

// delayed: one direction is slow. Nothing is lost; a connection that breaks meanwhile
// is made over the slow link.
func delayed(c *cluster) {
	a, b := 1, c.last()
	c.disturb(fmt.Sprintf("%v reaches %v late", c.nodes[a], c.nodes[b]), none, stale,
		func() { c.net.delay(a, b, 150*time.Millisecond) }, func() {})
	n := c.nodes[b]
	c.disturb(fmt.Sprintf("%v started again behind a slow link", n), c.all(b), 0,
		func() { n.Kill() }, func() { n.Restart() })
	c.net.undelay(a, b)
	c.settle()
}

// underLoad: a node is stopped as a service manager does it, and started again, while
// messages come as fast as clients send them.
func underLoad(c *cluster) {
	c.faster(true)
	n := c.nodes[c.last()]
	c.disturb(fmt.Sprintf("%v started again under load", n), c.all(c.last()), 0,
		func() { n.Stop() }, func() { n.Restart() })
	c.faster(false)
}
