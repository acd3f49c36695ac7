package tracing_test

import (
	"fmt"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// mixes are which of two servers is a nats-server; the first is compared with the others.
var mixes = []struct {
	name     string
	one, two bool
}{{"nats-server, nats-server", true, true}, {"ours, ours", false, false}, {"ours, nats-server", false, true}, {"nats-server, ours", true, false}}

// between asks two servers that belong together, in all mixes.
func between(t *testing.T, what string, build func(w *world, one, two bool), ask func(w *world)) {
	t.Run(what, func(t *testing.T) {
		var first *world
		for _, m := range mixes {
			w := newWorld(t)
			build(w, m.one, m.two)
			ask(w)
			if first == nil {
				first = w
				continue
			}
			t.Run(m.name, func(t *testing.T) { compare(t, first, w) })
		}
	})
}

// cluster builds a cluster of two.
func cluster(config string) func(w *world, one, two bool) {
	return func(w *world, one, two bool) {
		port := brokertest.FreePort(w.t)
		member := func(name, listen string) string {
			return fmt.Sprintf("server_name: %s\ncluster { name: C, listen: %q, routes: [\"nats://127.0.0.1:%d\"] }\n%s", name, listen, port, config)
		}
		w.add(one, member("one", fmt.Sprintf("127.0.0.1:%d", port)))
		w.add(two, member("two", "127.0.0.1:-1"))
	}
}

func TestRoutes(t *testing.T) {
	between(t, "who gets it", cluster(""), func(w *world) {
		w.listen("0 - reports")
		w.sub("0 - a", "foo", "")
		w.sub("1 - b", "fo.*", "")
		w.sub("1 - b", "foo", "")
		w.sub("1 - b", "group", "q")
		w.sub("1 - b", "both", "q")
		w.sub("1 - b", "both", "")
		w.meet("0 - p", "1 - b")
		w.meet("1 - b", "0 - p")
		for _, f := range [][]string{{dest}, {dest, only}} {
			for _, s := range []string{"foo", "group", "both"} {
				w.ask("0 - p", s, 2, f...)
			}
			w.ask("1 - p", "foo", 2, f...)
			w.ask("1 - p", "both", 1, f...)
		}
		w.ask("0 - p", "foo", 2, dest, "Nats-Trace-Hop: 9")
	})
	for _, allow := range []bool{true, false} {
		reports := 1
		if allow {
			reports = 2
		}
		between(t, fmt.Sprintf("accounts, allowed %v", allow), cluster(sharedConfig(allow)), func(w *world) {
			w.listen("0 c reports")
			w.sub("1 a a", "svc.*", "")
			w.sub("1 b b", "from.>", "")
			w.meet("0 a p", "1 a a")
			w.meet("1 a p", "0 a p")
			w.meet("0 c p", "1 c p")
			w.meet("1 c p", "0 c p")
			w.meet("0 b p", "1 b b")
			for _, f := range [][]string{{dest}, {dest, only}} {
				w.ask("0 c p", "chain", reports, f...)
			}
			w.reports, w.said = nil, append(w.said, "by way of streams")
			w.listen("0 a reports")
			for _, f := range [][]string{{dest}, {dest, only}} {
				w.ask("0 a p", "s.1", 2, f...)
			}
		})
	}
	const id = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	between(t, "traceparent", cluster("accounts { A { users: [{user: u, password: p}], msg_trace: trace } }"), func(w *world) {
		w.listen("0 u reports")
		w.sub("1 u b", "foo", "")
		w.meet("0 u p", "1 u b")
		w.meet("1 u p", "0 u p")
		w.ask("0 u p", "foo", 2, "traceparent: "+id)
	})
}

// hubAndLeaf builds a hub, the first, and a leaf node of its user l.
func hubAndLeaf(hubConfig, leafConfig string) func(w *world, one, two bool) {
	return func(w *world, one, two bool) {
		port := brokertest.FreePort(w.t)
		w.add(one, fmt.Sprintf("server_name: hub\nleafnodes { listen: \"127.0.0.1:%d\" }\n%s", port, hubConfig))
		w.add(two, fmt.Sprintf("server_name: leaf\nleafnodes { remotes: [{url: \"nats://l:p@127.0.0.1:%d\", account: L}] }\naccounts { L { users: [{user: u, password: p}] } }\n%s", port, leafConfig))
	}
}

func TestLeafNodes(t *testing.T) {
	open := "accounts { H { users: [{user: l, password: p}, {user: u, password: p}] } }"
	between(t, "leaf nodes", hubAndLeaf(open, ""), func(w *world) {
		w.listen("0 u reports")
		w.sub("0 u a", "foo", "")
		w.sub("1 u b", "foo", "")
		w.sub("1 u b", "group", "q")
		w.sub("0 u a", "other", "q")
		w.meet("0 u p", "1 u b")
		w.meet("1 u p", "0 u p")
		for _, f := range [][]string{{dest}, {dest, only}} {
			w.ask("0 u p", "foo", 2, f...)
			w.ask("1 u p", "foo", 2, f...)
			w.ask("0 u p", "group", 2, f...)
			w.ask("1 u p", "other", 2, f...)
		}
	})
	denied := `accounts { H { users: [{user: u, password: p},
		{user: l, password: p, permissions: {publish: [trace, "probe.>", "foo.>"], subscribe: {allow: ">", deny: "foo.no"}}}] } }`
	between(t, "leaf nodes, denied", hubAndLeaf(denied, ""), func(w *world) {
		w.listen("0 u reports")
		w.sub("1 u b", "foo.*", "")
		w.meet("0 u p", "1 u b")
		w.meet("1 u p", "0 u p")
		for _, f := range [][]string{{dest}, {dest, only}} {
			w.ask("0 u p", "foo.no", 1, f...)
			w.ask("0 u p", "foo.yes", 2, f...)
		}
	})
}
