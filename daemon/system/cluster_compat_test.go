package system_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// startCluster starts servers with routes between them, named a, b, c, and waits until
// each knows of all.
func startCluster(t *testing.T, config string, binaries ...string) (nodes []*node) {
	t.Helper()
	config = strings.Replace(config, "server_name: watched\n", "", 1)
	port := brokertest.FreePort(t)
	for i, binary := range binaries {
		cluster := fmt.Sprintf("cluster { name: C, listen: '127.0.0.1:%d' }", port)
		if i > 0 {
			cluster = fmt.Sprintf("cluster { name: C, listen: '127.0.0.1:-1', routes: ['nats://127.0.0.1:%d'] }", port)
		}
		nodes = append(nodes, startNode(t, binary, fmt.Sprintf("server_name: %c\n%s\n%s", 'a'+i, cluster, config)))
	}
	for _, n := range nodes {
		n.awaitServers(len(nodes))
	}
	return nodes
}

// collect asks once and returns the names of the servers that answer, until as many
// have as are expected. Answers beyond them are noticed by late.
func (n *node) collect(nc *nats.Conn, subject, body string, want int) (names []string, sub *nats.Subscription) {
	n.t.Helper()
	inbox := nats.NewInbox()
	sub, err := nc.SubscribeSync(inbox)
	n.must(err)
	n.must(nc.PublishRequest(subject, inbox, []byte(body)))
	for range want {
		m, err := sub.NextMsg(brokertest.Patience)
		if err != nil {
			n.t.Fatalf("%s: %v, after answers of %q", subject, err, names)
		}
		var e struct{ Server struct{ Name string } }
		n.must(json.Unmarshal(m.Data, &e))
		names = append(names, e.Server.Name)
	}
	slices.Sort(names)
	return names, sub
}

// TestMixedCluster asks each node of a cluster in which ours and nats-servers are
// mixed, and every node answers, once.
func TestMixedCluster(t *testing.T) {
	theirs := brokertest.NATSServer(t)
	for name, binaries := range map[string][]string{
		"theirs in the middle": {"", theirs, ""},
		"ours in the middle":   {theirs, "", theirs},
	} {
		t.Run(name, func(t *testing.T) {
			nodes := startCluster(t, accounts, binaries...)
			all := []string{"a", "b", "c"}
			for _, n := range nodes {
				var asked []*nats.Subscription
				for _, subject := range []string{"$SYS.REQ.SERVER.PING", "$SYS.REQ.SERVER.PING.STATSZ", "$SYS.REQ.SERVER.PING.VARZ", "$SYS.REQ.SERVER.PING.CONNZ",
					"$SYS.REQ.SERVER.PING.ROUTEZ", "$SYS.REQ.SERVER.PING.HEALTHZ", "$SYS.REQ.SERVER.PING.JSZ", "$SYS.REQ.ACCOUNT.$SYS.INFO"} {
					names, sub := n.collect(n.sys, subject, "", 3)
					if !slices.Equal(names, all) {
						t.Errorf("%s: answers of %q", subject, names)
					}
					asked = append(asked, sub)
				}
				for _, one := range nodes { // any node can be asked alone
					names, sub := n.collect(n.sys, "$SYS.REQ.SERVER."+one.id+".VARZ", "", 1)
					if names[0] != one.sys.ConnectedServerName() {
						t.Errorf("%s answers for %s", names, one.sys.ConnectedServerName())
					}
					asked = append(asked, sub)
				}
				names, sub := n.collect(n.sys, "$SYS.REQ.SERVER.PING.VARZ", `{"server_name":"b","exact_match":true}`, 1)
				if names[0] != "b" {
					t.Errorf("%s answers for b", names)
				}
				asked = append(asked, sub)
				for i, sub := range asked {
					if k, _, _ := sub.Pending(); k > 0 {
						t.Errorf("question %d: %d answers too many", i, k)
					}
				}
				text := "\n" + n.nats("sys", "server", "ping", "3", "--timeout=1m")
				for _, one := range all {
					if strings.Count(text, "\n"+one+" ") != 1 {
						t.Errorf("nats server ping shows %s not once:\n%s", one, text)
					}
				}
			}
		})
	}
}

// TestAccountAcrossServers: users see their account on all servers, and only theirs.
func TestAccountAcrossServers(t *testing.T) {
	nodes := startCluster(t, accounts, "", brokertest.NATSServer(t))
	for _, n := range nodes {
		n.a = n.connect("a", "on "+n.sys.ConnectedServerName())
		n.connect("b", "other")
		sub, err := n.a.SubscribeSync("orders.*")
		n.must(err)
		n.must(n.a.FlushTimeout(brokertest.Patience))
		_ = sub
	}
	for _, n := range nodes {
		for _, subject := range []string{"$SYS.REQ.SERVER.PING.CONNZ", "$SYS.REQ.ACCOUNT.PING.CONNZ", "$SYS.REQ.ACCOUNT.PING.STATZ"} {
			names, sub := n.collect(n.a, subject, "", 2)
			if !slices.Equal(names, []string{"a", "b"}) {
				t.Errorf("%s: answers of %q", subject, names)
			}
			n.must(sub.Unsubscribe())
		}
		m, err := n.a.Request("$SYS.REQ.USER.INFO", nil, brokertest.Patience)
		n.must(err)
		if want := `"name":"` + n.sys.ConnectedServerName() + `"`; !strings.Contains(string(m.Data), want) {
			t.Errorf("user info is not of %s: %s", want, m.Data)
		}
		m, err = n.sys.Request("$SYS.REQ.SERVER.PING.CONNZ", []byte(`{"server_name":"a","exact_match":true,"acc":"A"}`), brokertest.Patience)
		n.must(err)
		if strings.Contains(string(m.Data), "other") || !strings.Contains(string(m.Data), `"on a"`) {
			t.Errorf("connections of A on a: %s", m.Data)
		}
	}
}

// TestSubscribersAcrossServers counts subscribers of the account wherever they are.
func TestSubscribersAcrossServers(t *testing.T) {
	const config = `
accounts {
  $SYS { users: [{user: sys, password: sys}], exports: [{service: "$SYS.DEBUG.SUBSCRIBERS"}] }
  A { users: [{user: a, password: a}], imports: [{service: {account: "$SYS", subject: "$SYS.DEBUG.SUBSCRIBERS"}}] }
}`
	nodes := startCluster(t, config, "", brokertest.NATSServer(t), "")
	for i, n := range nodes {
		n.a = n.connect("a", "subscriber")
		for range i + 1 {
			_, err := n.a.SubscribeSync("orders.*")
			n.must(err)
		}
		_, err := n.a.QueueSubscribeSync("orders.new", "q")
		n.must(err)
		n.must(n.a.FlushTimeout(brokertest.Patience))
	}
	for _, c := range []struct {
		what string
		want string
	}{{"orders.new", "9"}, {"orders.new q", "3"}, {"orders.old", "6"}, {"orders.*", "9"}, {"x", "0"}} {
		for _, n := range nodes {
			var got string
			for end := time.Now().Add(brokertest.Patience); got != c.want && time.Now().Before(end); {
				m, err := n.a.Request("$SYS.DEBUG.SUBSCRIBERS", []byte(c.what), brokertest.Patience)
				n.must(err)
				got = string(m.Data) // until each has heard of the others' connections
			}
			if got != c.want {
				t.Errorf("%s, asked on %s: %s, want %s", c.what, n.sys.ConnectedServerName(), got, c.want)
			}
		}
	}
}

// TestConnectionLimitAcrossServers: an account's connections are limited over all
// servers, and a server that is gone has none.
func TestConnectionLimitAcrossServers(t *testing.T) {
	const config = `
accounts {
  $SYS { users: [{user: sys, password: sys}] }
  A { users: [{user: a, password: a}], limits: {max_connections: 2} }
}`
	for name, binaries := range map[string][]string{"both ours": {"", ""}, "nats-server's are counted": {brokertest.NATSServer(t), ""}} {
		t.Run(name, func(t *testing.T) {
			nodes := startCluster(t, config, binaries...)
			there, here := nodes[0], nodes[1]
			here.fill(there, 2)
			there.server.Stop()
			here.awaitRoom()
		})
	}
}

// join connects a user of A, who goes to no other server. The reason may be lost where a connection is closed: then it is tried
// again.
func (n *node) join() (nc *nats.Conn, full bool) {
	n.t.Helper()
	for end := time.Now().Add(brokertest.Patience); ; {
		nc, err := nats.Connect(n.server.URL(), nats.Timeout(brokertest.Patience), nats.UserInfo("a", "a"), nats.NoReconnect())
		switch {
		case err == nil:
			n.t.Cleanup(nc.Close)
			return nc, false
		case strings.Contains(err.Error(), "maximum account active connections exceeded"):
			return nil, true
		case time.Now().After(end):
			n.t.Fatal(err)
		}
	}
}

// fill connects users of A to another server, as many as there may be, until one who comes here is refused because of that. If
// one who comes here is let in, since the news is not known yet, they are too many, and some are closed: it begins anew.
func (n *node) fill(there *node, limit int) {
	n.t.Helper()
	news, err := n.sys.SubscribeSync("$SYS.SERVER.ACCOUNT.A.CONNS")
	n.must(err)
	n.must(n.sys.FlushTimeout(brokertest.Patience))
	told := func(want int) {
		for {
			m, err := news.NextMsg(brokertest.Patience)
			n.must(err)
			var e struct {
				Server struct{ ID string }
				Conns  int
			}
			if n.must(json.Unmarshal(m.Data, &e)); e.Server.ID == there.id && e.Conns == want {
				return
			}
		}
	}
	for end := time.Now().Add(brokertest.Patience); time.Now().Before(end); {
		var users []*nats.Conn
		for len(users) < limit && time.Now().Before(end) {
			if nc, full := there.join(); !full { // those from before may not be forgotten yet
				users = append(users, nc)
			}
		}
		told(limit)
		one, full := n.join()
		if full {
			return
		}
		one.Close()
		for _, nc := range users {
			nc.Close()
		}
		told(0)
	}
	n.t.Fatal("connections are not refused")
}

// awaitRoom connects a user of A until that is let in.
func (n *node) awaitRoom() {
	n.t.Helper()
	pause := time.NewTicker(20 * time.Millisecond)
	defer pause.Stop()
	for end := time.Now().Add(brokertest.Patience); time.Now().Before(end); <-pause.C {
		if nc, full := n.join(); !full {
			nc.Close()
			return
		}
	}
	n.t.Fatal("connections are refused")
}
