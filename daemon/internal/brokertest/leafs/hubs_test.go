package leafs_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// cluster starts two servers with routes between each other; kinds says of each whether it is a nats-server. more is what their
// configurations have besides.
func cluster(t *testing.T, name string, kinds [2]bool, users string, more [2]string) (list [2]*server) {
	t.Helper()
	route := brokertest.FreePort(t)
	listen := [2]string{fmt.Sprintf("'127.0.0.1:%d'", route), "'127.0.0.1:-1'"}
	for i, theirs := range kinds {
		list[i] = start(t, theirs, fmt.Sprintf("server_name: %s%d\naccounts { %s }\ncluster { name: %s, listen: %s, routes: [\"nats://127.0.0.1:%d\"] }\n%s\n",
			strings.ToLower(name), i, users, name, listen[i], route, more[i]))
	}
	return list
}

const (
	hubUsers  = "A { users: [{user: a, password: p}] }"
	leafUsers = "L { users: [{user: l, password: p}] }"
	accepts   = "leafnodes { listen: LEAF }"
)

func remote(urls ...string) string {
	return fmt.Sprintf("leafnodes { reconnect: '50ms', remotes: [{urls: [%q], account: L, no_randomize: true}] }", strings.Join(urls, `", "`))
}

// hubMixes are who the two hubs are and the leaf nodes.
var hubMixes = []struct {
	name   string
	hubs   [2]bool
	theirs bool
}{
	{"ours", [2]bool{}, false},
	{"ours under a mixed cluster", [2]bool{true, false}, false},
	{"nats-server under a mixed cluster", [2]bool{false, true}, true},
	{"ours under nats-server", [2]bool{true, true}, false},
	{"nats-server under ours", [2]bool{}, true},
}

// settle waits until everybody hears everybody, so that all interest told before is known everywhere.
func settle(t *testing.T, list []*nats.Conn) {
	t.Helper()
	for _, a := range list {
		for _, b := range list {
			if a != b {
				reach(t, a, b, "r")
			}
		}
	}
}

// counted holds that subscribers got so many messages.
func counted(t *testing.T, what string, subs []*nats.Subscription, want ...int) {
	t.Helper()
	for i, sub := range subs {
		if n := waiting(sub); n != want[i] {
			t.Errorf("%s: subscriber %d has %d messages, not %d", what, i, n, want[i])
		}
	}
}

// once holds that what each publishes comes to each once.
func once(t *testing.T, list []*nats.Conn) {
	t.Helper()
	subject := fresh("once")
	var subs []*nats.Subscription
	want := make([]int, len(list))
	for i, nc := range list {
		subs = append(subs, subscribe(t, nc, subject))
		want[i] = 3 * len(list)
	}
	settle(t, list)
	for _, nc := range list {
		for range 3 {
			publish(t, nc, subject, "x")
		}
	}
	settle(t, list)
	counted(t, "once", subs, want...)
}

// TestHubIsACluster: two servers of a cluster, each with a leaf node of its own. What anybody publishes comes to everybody once; a
// queue group is served by who is in the cluster, and by leaf nodes if there is nobody; answers find their way.
func TestHubIsACluster(t *testing.T) {
	for _, m := range hubMixes {
		t.Run(m.name, func(t *testing.T) {
			hubs := cluster(t, "H", m.hubs, hubUsers, [2]string{accepts, accepts})
			var leafs [2]*server
			for i := range leafs {
				leafs[i] = start(t, m.theirs, fmt.Sprintf("server_name: leaf%d\naccounts { %s }\n%s\n", i, leafUsers, remote(hubs[i].url("a"))))
			}
			list := []*nats.Conn{hubs[0].as("a"), hubs[1].as("a"), leafs[0].as("l"), leafs[1].as("l")}
			settle(t, list)
			once(t, list)

			q := fresh("far")
			far := group(t, list[3], q, "q")
			settle(t, list)
			for _, nc := range list {
				publish(t, nc, q, "x")
			}
			settle(t, list)
			counted(t, "the only member is behind the other server", []*nats.Subscription{far}, len(list))
			near := group(t, list[1], q, "q")
			settle(t, list)
			for _, nc := range list[:3] {
				for range 10 {
					publish(t, nc, q, "x")
				}
			}
			settle(t, list)
			counted(t, "a member in the cluster is preferred", []*nats.Subscription{far, near}, len(list), 30)
			_ = near.Unsubscribe()
			settle(t, list)
			publish(t, list[0], q, "x")
			settle(t, list)
			counted(t, "until it is gone", []*nats.Subscription{far}, len(list)+1)

			for _, from := range list {
				for _, to := range list {
					if from != to {
						answers(t, from, to)
					}
				}
			}
			_, err := list[2].Request(fresh("nobody"), nil, brokertest.Patience)
			if err != nats.ErrNoResponders {
				t.Errorf("nobody answers: %v", err)
			}
		})
	}
}

// TestClusterUnderCluster: the servers of a cluster are leaf nodes of different servers of another one. What comes from one cluster
// goes back to it by nobody.
func TestClusterUnderCluster(t *testing.T) {
	for _, m := range hubMixes {
		t.Run(m.name, func(t *testing.T) {
			hubs := cluster(t, "H", m.hubs, hubUsers, [2]string{accepts, accepts})
			leafs := cluster(t, "C", [2]bool{m.theirs, m.theirs}, leafUsers, [2]string{remote(hubs[0].url("a")), remote(hubs[1].url("a"))})
			for _, h := range hubs {
				eventually(t, "a connection each", func() bool { return len(h.leafs("A")) == 1 })
			}
			list := []*nats.Conn{hubs[0].as("a"), hubs[1].as("a"), leafs[0].as("l"), leafs[1].as("l")}
			settle(t, list)
			once(t, list)
			q := fresh("group")
			subs := []*nats.Subscription{group(t, list[2], q, "q"), group(t, list[3], q, "q")}
			settle(t, list)
			for _, nc := range list {
				for range 25 {
					publish(t, nc, q, "x")
				}
			}
			settle(t, list)
			if n := waiting(subs[0]) + waiting(subs[1]); n != 100 {
				t.Errorf("the group got %d of 100 messages", n)
			}
			answers(t, list[0], list[3])
			answers(t, list[2], list[1])
			for _, s := range append(hubs[:], leafs[:]...) {
				if strings.Contains(s.Logs(), "Loop detected") {
					t.Error("a loop is seen where there is none")
				}
			}
		})
	}
}

// TestHubOfAClusterIsLost: a leaf node is told of both servers of its hub. When the one that it is connected to is killed, it
// connects to the other, and what it wants is known there, and nothing is left of what it wanted by way of the first.
func TestHubOfAClusterIsLost(t *testing.T) {
	for _, m := range hubMixes {
		t.Run(m.name, func(t *testing.T) {
			hubs := cluster(t, "H", m.hubs, hubUsers, [2]string{accepts, accepts})
			list := []*nats.Conn{hubs[0].as("a"), hubs[1].as("a")}
			settle(t, list)
			leaf := start(t, m.theirs, fmt.Sprintf("server_name: leaf\naccounts { %s }\n%s\n", leafUsers, remote(hubs[0].url("a"))))
			list = append(list, leaf.as("l"))
			settle(t, list)
			subject := fresh("kept")
			sub := subscribe(t, leaf.as("l"), subject)
			settle(t, list)
			publish(t, list[1], subject, "x")
			settle(t, list)
			counted(t, "before", []*nats.Subscription{sub}, 1)

			hubs[0].drop()
			hubs[0].Kill()
			eventually(t, "a connection to the other server", func() bool { return len(hubs[1].leafs("A")) == 1 })
			list = list[1:]
			settle(t, list)
			publish(t, list[0], subject, "x")
			settle(t, list)
			counted(t, "after", []*nats.Subscription{sub}, 2)
			_ = sub.Unsubscribe()
			flush(t, leaf.as("l"))
			settle(t, list)
			if _, err := list[0].Request(subject, nil, brokertest.Patience); err != nats.ErrNoResponders {
				t.Errorf("nobody wants it any more: %v", err)
			}
		})
	}
}

// TestCircleThroughACluster: a server that is a leaf node of one server of a cluster, and has the other one as its leaf node, is in
// a circle, and that is found.
func TestCircleThroughACluster(t *testing.T) {
	// A nats-server that is the leaf node does not tell in its first interest what came by routes, and one that is the ring names
	// itself as its own cluster, to which nothing of its goes back: with either, neither server sees a circle.
	for _, m := range hubMixes[:2] {
		t.Run(m.name, func(t *testing.T) {
			port := brokertest.FreePort(t)
			users := hubUsers + ", L { users: [{user: l, password: p}] }"
			hubs := cluster(t, "H", m.hubs, users, [2]string{accepts,
				fmt.Sprintf("leafnodes { reconnect: '50ms', remotes: [{url: 'nats://l:p@127.0.0.1:%d', account: A}] }", port)})
			settle(t, []*nats.Conn{hubs[0].as("a"), hubs[1].as("a")})
			ring := start(t, m.theirs, fmt.Sprintf("server_name: ring\naccounts { %s }\nleafnodes { listen: '127.0.0.1:%d', reconnect: '50ms', remotes: [{url: %q, account: L}] }\n",
				leafUsers, port, hubs[0].url("a")))
			eventually(t, "a loop", func() bool {
				return strings.Contains(hubs[0].Logs()+hubs[1].Logs()+ring.Logs(), "Loop detected for leafnode account=")
			})
		})
	}
}
