package system_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// TestReportsOfCluster has operators look at a mixed cluster, from each of its servers: the tables are the same,
// wherever they are asked for.
func TestReportsOfCluster(t *testing.T) {
	nodes := startCluster(t, accounts, "", brokertest.NATSServer(t))
	for _, n := range nodes {
		on := " on " + n.sys.ConnectedServerName()
		n.a = n.connect("a", "first"+on)
		n.connect("b", "second"+on)
		sub, err := n.a.SubscribeSync("orders.*")
		n.must(err)
		n.must(n.a.Publish("orders.new", []byte("hello")))
		_, err = sub.NextMsg(brokertest.Patience)
		n.must(err)
	}
	first := []string{"first on a a C", "first on b b C"}
	second := []string{"second on a a C", "second on b b C"}
	for _, c := range []struct {
		args string
		has  []string // what must be shown
		rids int      // and how many routes: three and one of the system account's own, from both ends
	}{
		{"server report routes", []string{"a C b", "b C a", "$SYS"}, 8},
		{"server report connections", append(first, second...), 0},
		{"server report connections --account A", first, 0},
		{"server report connections --account A --subject orders.new --sort in-msgs", first, 0},
		{"server report connections --account A --state closed", nil, 0},
	} {
		var tables [2]string
		right := func(table string) bool {
			missing := func(has string) bool { return !strings.Contains(table, has) }
			return !slices.ContainsFunc(c.has, missing) && strings.Count(table, "rid:") == c.rids
		}
		for end := time.Now().Add(brokertest.Patience); ; { // routes may not be there yet, and a server may answer late
			for i, n := range nodes {
				tables[i] = ownRows(masked(n.nats("sys", append(strings.Fields(c.args), "--timeout=2s")...)))
			}
			if right(tables[0]) && tables[0] == tables[1] {
				break
			}
			if time.Now().After(end) {
				t.Errorf("nats %s: want %q and %d routes; ours shows\n%s\nnats-server shows\n%s", c.args, c.has, c.rids, tables[0], tables[1])
				break
			}
		}
	}
}

// ownRows sorts the lines of a table, since rows that are equal in what they are sorted by come in no order, and leaves
// out the tool's own connection.
func ownRows(table string) string {
	lines := slices.DeleteFunc(strings.Split(table, "\n"), func(l string) bool { return strings.Contains(l, "NATS CLI") })
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
