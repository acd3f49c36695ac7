package leafs_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// TestClusterOfLeafNodes: the servers of a cluster are leaf nodes of one hub, each by a connection of its own. Everybody gets
// everything once, and a queue group is served where it is nearest.
func TestClusterOfLeafNodes(t *testing.T) {
	for _, m := range mixes[:3] {
		t.Run(m.name, func(t *testing.T) {
			hub := start(t, m.hubTheirs, fmt.Sprintf(plainHub, ""))
			route := brokertest.FreePort(t)
			member := func(name, listen string) *server {
				return start(t, m.theirs, fmt.Sprintf("server_name: %s\naccounts { L { users: [{user: l, password: p}] } }\n"+
					"cluster { name: C, listen: %s, routes: [\"nats://127.0.0.1:%d\"] }\nleafnodes { remotes: [{url: %q, account: L}] }\n",
					name, listen, route, hub.url("a")))
			}
			one := member("one", fmt.Sprintf("\"127.0.0.1:%d\"", route))
			two := member("two", "\"127.0.0.1:-1\"")
			eventually(t, "two connections", func() bool { return len(hub.leafs("A")) == 2 })
			list := []*nats.Conn{hub.as("a"), one.as("l"), two.as("l")}
			settle := func() {
				for _, a := range list {
					for _, b := range list {
						if a != b {
							reach(t, a, b, "r")
						}
					}
				}
			}
			settle()
			subject := fresh("once")
			var subs []*nats.Subscription
			for _, nc := range list {
				subs = append(subs, subscribe(t, nc, subject))
			}
			settle()
			for _, nc := range list {
				publish(t, nc, subject, "x")
			}
			settle()
			for _, sub := range subs {
				if waiting(sub) != 3 {
					t.Errorf("%d of three messages", waiting(sub))
				}
			}
			q := fresh("group")
			var groups []*nats.Subscription
			for _, nc := range list[1:] {
				groups = append(groups, group(t, nc, q, "q"))
			}
			settle()
			for _, nc := range list {
				for range 20 {
					publish(t, nc, q, "x")
				}
			}
			settle()
			if n := waiting(groups[0]) + waiting(groups[1]); n != 60 {
				t.Errorf("%d of 60 messages", n)
			}
			answers(t, one.as("l"), hub.as("a"))
			answers(t, hub.as("a"), two.as("l"))
			if slices.ContainsFunc(hub.leafs("A"), func(l leafRow) bool { return l.Spoke }) {
				t.Error("the hub is a leaf node")
			}
		})
	}
}
