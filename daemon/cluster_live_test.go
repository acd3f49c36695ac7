package daemon_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// clusterMember is a server of a cluster under test, whose cluster block changes.
type clusterMember struct {
	*brokertest.Server
	name        string
	route, http int
	seeds       []*clusterMember
}

// join starts a server, ours if binary is empty, with routes to others.
func join(t *testing.T, binary, name, block string, seeds ...*clusterMember) *clusterMember {
	t.Helper()
	m := &clusterMember{name: name, route: brokertest.FreePort(t), http: brokertest.FreePort(t), seeds: seeds}
	m.Server = brokertest.Start(t, brokertest.Options{Binary: binary, Config: m.config(block), Args: []string{"-D"}})
	return m
}

func (m *clusterMember) config(block string) string {
	var routes strings.Builder
	for _, s := range m.seeds {
		fmt.Fprintf(&routes, "'nats://127.0.0.1:%d' ", s.route)
	}
	if !strings.Contains(block, "name:") {
		block = "name: C, " + block
	}
	return fmt.Sprintf(`server_name: %s
http: "127.0.0.1:%d"
cluster { listen: "127.0.0.1:%d", routes: [%s], %s }
accounts {
  ONE { users: [{user: one, password: p}] }
  TWO { users: [{user: two, password: p}] }
}
`, m.name, m.http, m.route, &routes, block)
}

// reload changes the cluster block of a running server.
func (m *clusterMember) reload(t *testing.T, block string) {
	t.Helper()
	from := m.LogLen()
	m.SetConfig(m.config(block))
	m.Signal(syscall.SIGHUP)
	m.WaitLogFrom("Reloaded", from)
}

type routeRow struct {
	Account     string
	Name        string `json:"remote_name"`
	Compression string
}

// routes lists the connections that a server shows.
func (m *clusterMember) routes(t *testing.T) []routeRow {
	t.Helper()
	z := struct{ Routes []routeRow }{}
	m.get(t, "/routez", &z)
	return z.Routes
}

func (m *clusterMember) get(t *testing.T, path string, into any) {
	t.Helper()
	res, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d%s", m.http, path))
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(into); err != nil {
		t.Fatal(err)
	}
}

// links counts a server's connections to another one, by account.
func (m *clusterMember) links(t *testing.T, to string) string {
	n := map[string]int{}
	for _, r := range m.routes(t) {
		if r.Name == to {
			n[r.Account]++
		}
	}
	return fmt.Sprint(n)
}

// until waits for a condition that processes bring about.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(brokertest.Patience); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, brokertest.Patience)
		}
		time.Sleep(20 * time.Millisecond) // between looks, not before one
	}
}

// reached waits until a message of a user on one server reaches the user on each other
// one, and wants each of the next ones there once: one that comes twice is in the next
// one's place.
func reached(t *testing.T, user string, all ...*clusterMember) {
	t.Helper()
	for _, from := range all {
		out := connectAs(t, from, user)
		for _, to := range all {
			if from == to {
				continue
			}
			in := connectAs(t, to, user)
			sub, err := in.SubscribeSync(nats.NewInbox())
			if err != nil {
				t.Fatal(err)
			}
			until(t, fmt.Sprintf("a message of %s from %s on %s", user, from.name, to.name), func() bool {
				if err := out.Publish(sub.Subject, []byte("early")); err != nil {
					t.Fatal(err)
				}
				_, err := sub.NextMsg(100 * time.Millisecond)
				return err == nil
			})
			for i := range 20 {
				if err := out.Publish(sub.Subject, fmt.Append(nil, i)); err != nil {
					t.Fatal(err)
				}
			}
			for i := 0; i < 20; {
				m, err := sub.NextMsg(brokertest.Patience)
				if err != nil {
					t.Fatalf("message %d of %s from %s on %s: %v", i, user, from.name, to.name, err)
				}
				if text := string(m.Data); text == fmt.Sprint(i) {
					i++
				} else if text != "early" {
					t.Fatalf("message %d of %s from %s on %s is %q", i, user, from.name, to.name, text)
				}
			}
			in.Close()
		}
		out.Close()
	}
}

func connectAs(t *testing.T, m *clusterMember, user string) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(m.URL(), nats.UserInfo(user, "p"), nats.Timeout(brokertest.Patience))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// clusters are makings of a cluster of two or three.
func clusters(t *testing.T) map[string][]string {
	theirs := brokertest.NATSServer(t)
	return map[string][]string{
		"all ours":                {"", "", ""},
		"nats-server is the seed": {theirs, ""},
		"nats-server joins":       {"", theirs},
		"mixed":                   {"", theirs, ""},
	}
}

func assemble(t *testing.T, binaries []string, block string) (all []*clusterMember) {
	for i, b := range binaries {
		all = append(all, join(t, b, string(rune('a'+i)), block, all[:min(i, 1)]...))
	}
	return all
}

// TestPinnedAccounts: accounts get connections of their own at the start, and by reloads
// of one server after the other, and lose them again; messages get through, once, when
// all have been reloaded.
func TestPinnedAccounts(t *testing.T) {
	for name, binaries := range clusters(t) {
		t.Run(name, func(t *testing.T) {
			all := assemble(t, binaries, `accounts: [ONE]`)
			settled := func(want map[string]int) {
				t.Helper()
				for _, m := range all {
					for _, o := range all {
						if m != o {
							until(t, fmt.Sprintf("the connections of %s to %s: %v", m.name, o.name, want), func() bool {
								return m.links(t, o.name) == fmt.Sprint(want)
							})
						}
					}
				}
				for _, user := range []string{"one", "two"} {
					reached(t, user, all...)
				}
			}
			settled(map[string]int{"": 3, "$SYS": 1, "ONE": 1})
			for _, block := range []string{`accounts: [ONE, TWO]`, `accounts: [TWO]`, ``} {
				for _, m := range all {
					m.reload(t, block)
				}
				want := map[string]int{"": 3, "$SYS": 1}
				for _, a := range []string{"ONE", "TWO"} {
					if strings.Contains(block, a) {
						want[a] = 1
					}
				}
				settled(want)
			}
		})
	}
}

// TestPinnedUnknown: a reload does not give connections of its own to an account that there is not; the words are
// nats-server's.
func TestPinnedUnknown(t *testing.T) {
	for name, binary := range map[string]string{"ours": "", "nats-server": brokertest.NATSServer(t)} {
		t.Run(name, func(t *testing.T) {
			m := join(t, binary, "a", "accounts: [NEVER]") // at the start nobody looks
			refused := func(block string) {
				t.Helper()
				from := m.LogLen()
				m.SetConfig(m.config(block))
				m.Signal(syscall.SIGHUP)
				m.WaitLogFrom(`unable to add account "NOBODY" to the list of dedicated routes: account missing`, from)
			}
			refused("accounts: [NEVER, NOBODY]")
			m.reload(t, `accounts: [NEVER, ONE, "$SYS"]`)
			refused("accounts: [ONE, NOBODY]")
		})
	}
}

// TestPinnedByOne: where all are ours, or we dial, a reload of one server is enough to
// move the account; messages are not lost for good meanwhile.
func TestPinnedByOne(t *testing.T) {
	for name, binaries := range map[string][]string{
		"all ours":                {"", ""},
		"nats-server is the seed": {brokertest.NATSServer(t), ""},
	} {
		t.Run(name, func(t *testing.T) {
			all := assemble(t, binaries, "")
			reached(t, "one", all...)
			all[0].reload(t, `accounts: [ONE]`) // it did not dial; the other one has to
			until(t, "the account's connection", func() bool {
				return all[0].links(t, "b") == fmt.Sprint(map[string]int{"": 3, "$SYS": 1, "ONE": 1})
			})
			reached(t, "one", all...)
			reached(t, "two", all...)
		})
	}
}

// TestPoolSizeReload: pools grow, shrink and go while servers run.
func TestPoolSizeReload(t *testing.T) {
	for name, binaries := range clusters(t) {
		t.Run(name, func(t *testing.T) {
			all := assemble(t, binaries, "")
			for _, size := range []int{5, 1, -1, 3} {
				for _, m := range all {
					m.reload(t, fmt.Sprint("pool_size: ", size))
				}
				want := map[string]int{"": max(size, 1)}
				if size > 0 {
					want["$SYS"] = 1
				}
				for _, m := range all {
					for _, o := range all {
						if m != o {
							until(t, fmt.Sprintf("the connections of %s to %s: %v", m.name, o.name, want), func() bool {
								return m.links(t, o.name) == fmt.Sprint(want)
							})
						}
					}
				}
				reached(t, "one", all...)
				reached(t, "two", all...)
			}
		})
	}
}

// TestClusterNameReload: the name changes while servers run, and clients are told.
func TestClusterNameReload(t *testing.T) {
	all := assemble(t, []string{"", ""}, "")
	reached(t, "one", all...)
	for _, m := range all {
		m.reload(t, "name: D")
	}
	for _, m := range all {
		nc := connectAs(t, m, "one")
		until(t, "the new name", func() bool { return nc.ConnectedClusterName() == "D" })
	}
	reached(t, "one", all...)
	late := join(t, "", "late", "name: D", all[0])
	reached(t, "one", append(slices.Clone(all), late)...)
	v := struct{ Cluster struct{ Name string } }{}
	late.get(t, "/varz", &v)
	if v.Cluster.Name != "D" {
		t.Errorf("/varz has the name %q", v.Cluster.Name)
	}
}

// TestDynamicNameReload: a name that was made up, and given up for a peer's, stays what
// clients are told when the server is reloaded.
func TestDynamicNameReload(t *testing.T) {
	a := join(t, "", "a", "")
	b := join(t, "", "b", "name: ''", a)
	nc := connectAs(t, b, "one")
	until(t, "the peer's name", func() bool { return nc.ConnectedClusterName() == "C" })
	for _, block := range []string{"name: '', pool_size: 2", "name: '', ping_interval: 5s"} {
		b.reload(t, block)
		if got := connectAs(t, b, "one").ConnectedClusterName(); got != "C" {
			t.Errorf("after a reload, clients are told of the cluster %q", got)
		}
	}
}

// TestRoutezAsTheirs: /routez and the cluster of /varz have the fields, of the same
// types, that a nats-server shows of the same cluster.
func TestRoutezAsTheirs(t *testing.T) {
	block := `permissions { import: {deny: "a"}, export: {allow: [">"], deny: ["b", "c"]} }, compression: s2_fast, accounts: [ONE],
		write_deadline: 5s, ping_interval: 10s, connect_retries: 2, authorization { user: u, password: p, timeout: 2 }`
	a := join(t, "", "a", block)
	b := &clusterMember{name: "b", route: brokertest.FreePort(t), http: brokertest.FreePort(t)}
	b.Server = brokertest.Start(t, brokertest.Options{Binary: brokertest.NATSServer(t), Config: strings.Replace(b.config(block),
		"routes: []", fmt.Sprintf("routes: ['nats://u:p@127.0.0.1:%d']", a.route), 1)})
	reached(t, "one", a, b)
	for _, m := range []*clusterMember{a, b} {
		nc := connectAs(t, m, "two")
		if _, err := nc.SubscribeSync("x"); err != nil {
			t.Fatal(err)
		}
		if _, err := nc.QueueSubscribeSync("x", "q"); err != nil {
			t.Fatal(err)
		}
	}
	reached(t, "two", a, b)
	until(t, "round-trip times", func() bool {
		z := [2]struct{ Routes []struct{ RTT string } }{}
		a.get(t, "/routez", &z[0])
		b.get(t, "/routez", &z[1])
		for _, s := range z {
			if len(s.Routes) != 5 || slices.ContainsFunc(s.Routes, func(r struct{ RTT string }) bool { return r.RTT == "" }) {
				return false
			}
		}
		return true
	})
	for _, path := range []string{"/routez", "/routez?subs=1", "/routez?subs=detail", "/varz"} {
		var ours, theirs map[string]any
		a.get(t, path, &ours)
		b.get(t, path, &theirs)
		if path == "/varz" {
			ours, theirs = ours["cluster"].(map[string]any), theirs["cluster"].(map[string]any)
			delete(theirs, "urls") // of who dials
			delete(ours, "urls")
		}
		got, want := map[string]string{}, map[string]string{}
		shape("", ours, got)
		shape("", theirs, want)
		for k, v := range want {
			if got[k] != v {
				t.Errorf("%s: %s is %q, nats-server has %q", path, k, got[k], v)
			}
		}
		for k, v := range got {
			if want[k] == "" {
				t.Errorf("%s: %s is %q, which nats-server does not have", path, k, v)
			}
		}
	}
}

// shape lists the fields of a JSON value with their types, those of all elements of a
// list together.
func shape(path string, v any, into map[string]string) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			shape(path+"."+k, e, into)
		}
	case []any:
		for _, e := range v {
			shape(path+"[]", e, into)
		}
	default:
		into[path] = fmt.Sprintf("%T", v)
	}
}
