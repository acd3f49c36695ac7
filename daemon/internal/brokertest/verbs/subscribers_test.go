package verbs

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/control"
	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// shop has an account whose orders another one imports, here and on each server of the cluster.
const shop = `
accounts {
  A { users [{user: a, password: p}], exports [{stream: "orders.>"}] }
  B { users [{user: b, password: p}], imports [{stream: {account: A, subject: "orders.>"}, to: "from.orders.>"}] }
}
`

// site is a broker of several, with its control socket.
type site struct {
	*brokertest.Server
	t      *testing.T
	socket string
}

func newSite(t *testing.T, name, config string) *site {
	socket := filepath.Join(t.TempDir(), "control.sock")
	return &site{brokertest.Start(t, brokertest.Options{Config: fmt.Sprintf("server_name: %s\ncontrol_socket: %q\n%s", name, socket, config)}), t, socket}
}

// as is a client of a user.
func (s *site) as(user string) *nats.Conn {
	s.t.Helper()
	nc, err := nats.Connect(s.URL(), nats.UserInfo(user, "p"), nats.Name(user+" client"), nats.Timeout(brokertest.Patience))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(nc.Close)
	return nc
}

// receivers are those that the verb names, a line each, in order.
func (s *site) receivers(account, subject string, more ...string) string {
	s.t.Helper()
	code, out := verb(s.t, append([]string{"subscribers", "--socket", s.socket, "--json", "--account", account, subject}, more...)...)
	var a control.Subscribers
	if err := json.Unmarshal([]byte(out), &a); err != nil {
		s.t.Fatalf("exit %d, %v\n%s", code, err, out)
	}
	if want := map[bool]int{true: 0, false: 1}[a.Total > 0]; code != want {
		s.t.Errorf("subscribers %s %s: exit %d, want %d\n%s", account, subject, code, want, out)
	}
	list := []string{}
	for _, r := range a.Receivers {
		line := fmt.Sprintf("%s %s, %s sees %s, wants %s", r.Kind, r.Name, r.Account, r.Subject, r.Pattern)
		if r.Queue != "" {
			line += fmt.Sprintf(", queue %s, one of %d", r.Queue, r.Share)
		}
		if r.Last {
			line += ", last"
		}
		for _, via := range r.Via {
			line += ", by " + via
		}
		list = append(list, line)
	}
	slices.Sort(list)
	return strings.Join(list, "\n")
}

// shows waits for the brokers to have told each other who wants what.
func (s *site) shows(account, subject string, want ...string) {
	s.t.Helper()
	got, text := "", strings.Join(want, "\n")
	for end := time.Now().Add(brokertest.Patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) { // between looks: a command tells nobody of changes
		if got = s.receivers(account, subject); got == text {
			return
		}
	}
	s.t.Errorf("%s in %s is received by\n%s\nwant\n%s", subject, account, got, text)
}

func take(t *testing.T, nc *nats.Conn, subject, queue string) *nats.Subscription {
	t.Helper()
	sub, err := nc.QueueSubscribeSync(subject, queue)
	if err == nil {
		err = nc.FlushTimeout(brokertest.Patience)
	}
	if err != nil {
		t.Fatal(err)
	}
	return sub
}

// Who would receive a message is told over routes and leaf nodes too: the servers that it is sent to, for which queue
// groups, and by which import.
func TestSubscribersOnOtherServers(t *testing.T) {
	route, leafs := brokertest.FreePort(t), brokertest.FreePort(t)
	hub := newSite(t, "hub", fmt.Sprintf("leafnodes { listen: \"127.0.0.1:%d\" }\naccounts { L { users [{user: l, password: p}] } }\n", leafs))
	remote := fmt.Sprintf("leafnodes { remotes [{url: \"nats://l:p@127.0.0.1:%d\", account: A}] }\n", leafs)
	one := newSite(t, "one", fmt.Sprintf("cluster { name: C, listen: \"127.0.0.1:%d\" }\n%s%s", route, remote, shop))
	two := newSite(t, "two", fmt.Sprintf("cluster { name: C, listen: \"127.0.0.1:-1\", routes: [\"nats://127.0.0.1:%d\"] }\n%s%s", route, remote, shop))
	all := []*site{hub, one, two}
	account := func(s *site) string { return map[*site]string{hub: "L", one: "A", two: "A"}[s] }
	for _, s := range all {
		s.shows(account(s), "orders.new")
	}

	// An import on another server is wanted there.
	fromB := take(t, two.as("b"), "from.orders.new", "")
	importing := "client b client, B sees from.orders.new, wants from.orders.new"
	two.shows("B", "from.orders.new", importing)
	two.shows("A", "orders.new", importing+`, by stream import "from.orders.>" of account B from A`)
	one.shows("A", "orders.new", "route two, A sees orders.new, wants ")
	one.shows("B", "from.orders.new", "route two, B sees from.orders.new, wants ")
	hub.shows("L", "orders.new", "leaf two, L sees orders.new, wants ")
	hub.shows("L", "orders.old")

	// Plain subscriptions and queue groups.
	atHub, atTwo := hub.as("l"), two.as("a")
	plain := []*nats.Subscription{fromB, take(t, atTwo, "orders.new", ""), take(t, atHub, "orders.*", "")}
	workers := []*nats.Subscription{take(t, atTwo, "orders.>", "workers"), take(t, two.as("a"), "orders.>", "workers"), take(t, atHub, "orders.new", "workers")}
	route2, hubs := "route two, A sees orders.new, wants ", "hub hub, A sees orders.new, wants "
	member := "client a client, A sees orders.new, wants orders.>, queue workers, one of 2"
	one.shows("A", "orders.new", hubs, hubs+"orders.new, queue workers, one of 1, last", route2, route2+"orders.>, queue workers, one of 1")
	two.shows("A", "orders.new", member, member, "client a client, A sees orders.new, wants orders.new",
		importing+`, by stream import "from.orders.>" of account B from A`, hubs, hubs+"orders.new, queue workers, one of 1, last")
	hub.shows("L", "orders.new", "client l client, L sees orders.new, wants orders.*", "client l client, L sees orders.new, wants orders.new, queue workers, one of 1",
		"leaf two, L sees orders.new, wants ", "leaf two, L sees orders.new, wants orders.>, queue workers, one of 1, last")
	one.shows("A", "orders.old", hubs[:len(hubs)-len("new, wants ")]+"old, wants ", "route two, A sees orders.old, wants orders.>, queue workers, one of 1")
	if code, out := verb(t, "subscribers", "--socket", one.socket, "--account", "A", "orders.new"); code != 0 || !strings.Contains(out, "queue workers, one of 1, if nobody nearer") || !strings.Contains(out, "route two") {
		t.Errorf("exit %d\n%s", code, out)
	}

	// And so it is.
	const sent = 20
	from := one.as("a")
	for range sent {
		if err := from.Publish("orders.new", nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, sub := range plain {
		for n := range sent {
			if _, err := sub.NextMsg(brokertest.Patience); err != nil {
				t.Fatalf("%s, message %d: %v", sub.Subject, n, err)
			}
		}
	}
	for got, end := 0, time.Now().Add(brokertest.Patience); got != sent; {
		if got > sent || time.Now().After(end) {
			t.Fatalf("%d of %d messages came to the queue group", got, sent)
		}
		time.Sleep(5 * time.Millisecond) // between looks, not before one
		got = 0
		for _, sub := range workers {
			n, _, err := sub.Pending()
			if err != nil {
				t.Fatal(err)
			}
			got += n
		}
	}
}
